//! What a connection is doing, and for how long it may.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a connection may do nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the head of a request to be there.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
}

/// What a connection waited for when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    Head,
    Idle,
}

/// The state of one connection. Nobody but that connection waits for its lock.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    since: Instant,
    /// Whether bytes came that may be the beginning of a head.
    reading: bool,
    /// In h2, bytes between requests need not belong to one.
    multiplexed: bool,
}

impl Activity {
    /// A connection that has just been opened, and whose first head is due.
    pub(super) fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                in_flight: 0,
                since: Instant::now(),
                reading: true,
                multiplexed: false,
            })),
        }
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        let mut state = self.state();
        if state.in_flight == 0 && !state.reading && !state.multiplexed {
            state.reading = true;
            state.since = Instant::now();
        }
    }

    /// A head is there. The request is in flight until what is returned is dropped.
    pub(super) fn begin(&self, multiplexed: bool) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.reading = false;
        state.multiplexed = multiplexed;
        InFlight(self.clone())
    }

    /// Waits until the connection has been idle or slow for too long.
    ///
    /// It looks at the state when something could be over at the earliest, so that requests need wake nobody.
    pub(super) async fn expired(&self, patience: Patience) -> Expired {
        let shortest = patience.head.min(patience.idle);
        loop {
            let now = Instant::now();
            let (until, what) = {
                let state = self.state();
                let (wait, what) = if state.reading {
                    (patience.head, Expired::Head)
                } else {
                    (patience.idle, Expired::Idle)
                };
                ((state.in_flight == 0).then(|| state.since + wait), what)
            };
            let earliest = now + shortest;
            match until {
                Some(until) if until <= now => return what,
                Some(until) => tokio::time::sleep_until(until.min(earliest)).await,
                None => tokio::time::sleep_until(earliest).await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that has not yet been answered in full.
#[derive(Debug)]
pub(super) struct InFlight(Activity);

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        if state.in_flight == 0 {
            state.since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(300),
    };

    async fn seconds_until(activity: &Activity) -> (u64, Expired) {
        let start = Instant::now();
        let what = activity.expired(PATIENCE).await;
        ((Instant::now() - start).as_secs(), what)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_head_is_due_from_the_beginning() {
        let activity = Activity::new();
        tokio::time::advance(Duration::from_secs(4)).await;
        activity.received();
        assert_eq!(seconds_until(&activity).await, (6, Expired::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_between_requests_may_be_idle() {
        let activity = Activity::new();
        drop(activity.begin(false));
        assert_eq!(seconds_until(&activity).await, (300, Expired::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_head_is_due_from_its_first_byte() {
        let activity = Activity::new();
        drop(activity.begin(false));
        let watched = activity.clone();
        let watcher = tokio::spawn(async move { seconds_until(&watched).await });
        tokio::time::sleep(Duration::from_secs(33)).await;
        activity.received();
        assert_eq!(watcher.await.expect("a time"), (43, Expired::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_flight_may_take_as_long_as_it_likes() {
        let activity = Activity::new();
        let request = activity.begin(true);
        let watched = activity.clone();
        let watcher = tokio::spawn(async move { seconds_until(&watched).await });
        tokio::time::sleep(Duration::from_secs(9_000)).await;
        drop(request);
        activity.received();
        assert_eq!(watcher.await.expect("a time"), (9_300, Expired::Idle));
    }
}
