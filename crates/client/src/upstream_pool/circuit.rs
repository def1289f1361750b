//! The circuit of one target.

use std::time::Duration;

use tokio::time::Instant;

use super::config::CircuitBreaker;

/// Closed: requests go through, and failures are counted. Open: none does. Half open: a few try.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    state: State,
}

#[derive(Debug)]
enum State {
    Closed(Option<Window>),
    Open { until: Instant },
    HalfOpen { running: u32, succeeded: u32 },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed(None)
    }
}

/// What came of the requests since the first failure.
#[derive(Debug)]
struct Window {
    ends: Instant,
    succeeded: u32,
    failed: u32,
}

/// What a circuit says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Go.
    Through,
    /// Go, and what comes of it decides.
    Trial,
    /// No.
    Shut,
}

/// What became of the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened,
    Closed,
}

impl Circuit {
    /// Nothing to remember: closed, and no failure of late.
    pub(super) const fn is_quiet(&self) -> bool {
        matches!(self.state, State::Closed(None))
    }

    /// What [`enter`](Self::enter) would say.
    pub(super) fn would_say(&self, breaker: &CircuitBreaker, now: Instant) -> Entry {
        match &self.state {
            State::Closed(_) => Entry::Through,
            State::Open { until } if now < *until => Entry::Shut,
            State::Open { .. } => Entry::Trial,
            State::HalfOpen { running, succeeded } if running + succeeded < breaker.trials => {
                Entry::Trial
            }
            State::HalfOpen { .. } => Entry::Shut,
        }
    }

    /// A request asks to go through. A [trial](Entry::Trial) has to be told of by [`settle`](Self::settle).
    pub(super) fn enter(&mut self, breaker: &CircuitBreaker, now: Instant) -> Entry {
        let entry = self.would_say(breaker, now);
        if entry == Entry::Trial {
            match &mut self.state {
                State::HalfOpen { running, .. } => *running += 1,
                state => {
                    *state = State::HalfOpen {
                        running: 1,
                        succeeded: 0,
                    };
                }
            }
        }
        entry
    }

    /// A request that was no trial went well, or did not.
    pub(super) fn count(
        &mut self,
        breaker: &CircuitBreaker,
        success: bool,
        now: Instant,
    ) -> Option<Change> {
        // What began before the circuit opened decides nothing any more.
        let State::Closed(window) = &mut self.state else {
            return None;
        };
        window.take_if(|window| window.ends <= now);
        if success {
            if let Some(window) = window {
                window.succeeded = window.succeeded.saturating_add(1);
            }
            return None;
        }
        let window = window.get_or_insert_with(|| Window {
            ends: now + Duration::from_millis(breaker.window_in_millis),
            succeeded: 0,
            failed: 0,
        });
        window.failed = window.failed.saturating_add(1);
        let failed = u64::from(window.failed);
        let all = failed + u64::from(window.succeeded);
        if all >= breaker.minimum_requests.into()
            && failed * 100 >= all * u64::from(breaker.failure_percent)
        {
            return Some(self.open(breaker, now));
        }
        None
    }

    /// A trial went well, or did not, or came to nothing.
    pub(super) fn settle(
        &mut self,
        breaker: &CircuitBreaker,
        success: Option<bool>,
        now: Instant,
    ) -> Option<Change> {
        let State::HalfOpen { running, succeeded } = &mut self.state else {
            return None;
        };
        match success {
            None => *running = running.saturating_sub(1),
            Some(true) => {
                *running = running.saturating_sub(1);
                *succeeded += 1;
                if *succeeded >= breaker.trials {
                    self.state = State::Closed(None);
                    return Some(Change::Closed);
                }
            }
            Some(false) => return Some(self.open(breaker, now)),
        }
        None
    }

    fn open(&mut self, breaker: &CircuitBreaker, now: Instant) -> Change {
        self.state = State::Open {
            until: now + Duration::from_millis(breaker.open_for_millis),
        };
        Change::Opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> CircuitBreaker {
        CircuitBreaker {
            failure_percent: 50,
            minimum_requests: 4,
            window_in_millis: 1_000,
            open_for_millis: 500,
            trials: 2,
        }
    }

    /// Opens a circuit at `now`.
    fn opened(now: Instant) -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..3 {
            assert_eq!(circuit.count(&breaker(), false, now), None);
        }
        let change = circuit.count(&breaker(), false, now);
        assert_eq!(change, Some(Change::Opened));
        circuit
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn enough_failures_of_enough_requests_open_it() {
        let now = Instant::now();
        let mut circuit = Circuit::default();
        let count = |circuit: &mut Circuit, success| circuit.count(&breaker(), success, now);
        // 1 of 4, 2 of 5.
        for success in [false, true, true, true, false] {
            assert_eq!(count(&mut circuit, success), None);
        }
        assert_eq!(count(&mut circuit, false), Some(Change::Opened), "3 of 6");
        assert_eq!(circuit.enter(&breaker(), now), Entry::Shut);
    }

    #[test]
    fn failures_that_are_long_past_do_not_count() {
        let start = Instant::now();
        let mut circuit = Circuit::default();
        for failure in 0..20 {
            let now = start + ms(500) * failure;
            assert_eq!(circuit.count(&breaker(), false, now), None, "{failure}");
        }
    }

    #[test]
    fn after_its_time_it_lets_a_few_requests_try() {
        let now = Instant::now();
        let mut circuit = opened(now);
        assert_eq!(circuit.enter(&breaker(), now + ms(499)), Entry::Shut);
        let now = now + ms(500);
        assert_eq!(circuit.enter(&breaker(), now), Entry::Trial);
        assert_eq!(circuit.enter(&breaker(), now), Entry::Trial);
        assert_eq!(circuit.enter(&breaker(), now), Entry::Shut);
        assert_eq!(circuit.settle(&breaker(), Some(true), now), None);
        assert_eq!(circuit.enter(&breaker(), now), Entry::Shut);
        let closed = circuit.settle(&breaker(), Some(true), now);
        assert_eq!(closed, Some(Change::Closed));
        assert!(circuit.is_quiet());
    }

    #[test]
    fn a_trial_that_fails_opens_it_again() {
        let now = Instant::now();
        let mut circuit = opened(now);
        let now = now + ms(500);
        circuit.enter(&breaker(), now);
        let change = circuit.settle(&breaker(), Some(false), now);
        assert_eq!(change, Some(Change::Opened));
        assert_eq!(circuit.enter(&breaker(), now + ms(499)), Entry::Shut);
        assert_eq!(circuit.enter(&breaker(), now + ms(500)), Entry::Trial);
    }

    #[test]
    fn a_trial_that_comes_to_nothing_leaves_its_place_to_another() {
        let now = Instant::now();
        let mut circuit = opened(now);
        let now = now + ms(500);
        for _ in 0..10 {
            assert_eq!(circuit.enter(&breaker(), now), Entry::Trial);
            assert_eq!(circuit.settle(&breaker(), None, now), None);
        }
    }

    #[test]
    fn what_began_before_it_opened_does_not_close_it() {
        let now = Instant::now();
        let mut circuit = opened(now);
        assert_eq!(circuit.count(&breaker(), true, now), None);
        assert_eq!(circuit.enter(&breaker(), now), Entry::Shut);
    }
}
