//! Credentials that are kept until they come to their end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_core::{Clock, Live};
use tokio::sync::Mutex;

use super::credentials::{Credentials, CredentialsError, CredentialsProvider};

/// New credentials are fetched so long before the old ones end.
const AHEAD: Duration = Duration::from_secs(300);

/// After a failure nobody is asked for so long, while the old ones still hold.
const PAUSE: Duration = Duration::from_secs(10);

/// A provider whose last answer is kept. Clones share it. Requests read it without waiting; those that find none wait for one fetch.
#[derive(Clone)]
pub(super) struct Kept {
    provider: Arc<dyn CredentialsProvider>,
    clock: Arc<dyn Clock>,
    last: Live<Option<Credentials>>,
    /// Held by the one that fetches; when the last attempt failed.
    fetching: Arc<Mutex<Option<Instant>>>,
}

impl Kept {
    pub(super) fn new(provider: Arc<dyn CredentialsProvider>, clock: Arc<dyn Clock>) -> Self {
        Self {
            provider,
            clock,
            last: Live::new(None),
            fetching: Arc::default(),
        }
    }

    pub(super) async fn get(&self) -> Result<Credentials, CredentialsError> {
        let now = self.clock.wall();
        if let Some(last) = self.last(now + AHEAD) {
            return Ok(last);
        }
        // While the old ones hold, one request fetches and the others go on with them.
        let mut failed = match (self.fetching.try_lock(), self.last(now)) {
            (Ok(fetching), _) => fetching,
            (Err(_), Some(last)) => return Ok(last),
            (Err(_), None) => self.fetching.lock().await,
        };
        // Another may have fetched meanwhile.
        if let Some(last) = self.last(now + AHEAD) {
            return Ok(last);
        }
        let moment = self.clock.now();
        if let (Some(failed), Some(last)) = (*failed, self.last(now))
            && moment.saturating_duration_since(failed) < PAUSE
        {
            return Ok(last);
        }
        match self.provider.credentials().await {
            Ok(fresh) => {
                *failed = None;
                self.last.replace(Some(fresh.clone()));
                Ok(fresh)
            }
            Err(error) => {
                *failed = Some(moment);
                match self.last(now) {
                    Some(last) => {
                        tracing::warn!(%error, "no new credentials; the old ones still hold");
                        Ok(last)
                    }
                    None => Err(error),
                }
            }
        }
    }

    /// The last ones, if they hold at this time.
    fn last(&self, at: SystemTime) -> Option<Credentials> {
        let last = self.last.load();
        let last = last.as_ref().as_ref()?;
        last.expires()
            .is_none_or(|expires| expires > at)
            .then(|| last.clone())
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use portcullis_core::ManualClock;

    use super::*;

    /// Credentials that last an hour, numbered; asked for the third time the provider fails.
    fn kept() -> (Kept, ManualClock) {
        let clock = ManualClock::at_unix(0);
        let (own, asked) = (clock.clone(), Arc::new(AtomicU64::new(0)));
        let provider = move || {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            let expires = own.wall() + Duration::from_secs(3600);
            async move {
                if number == 2 {
                    return Err(CredentialsError::new("away"));
                }
                Ok(Credentials::new(number.to_string(), "x").with_expiry(expires))
            }
        };
        (
            Kept::new(Arc::new(provider), Arc::new(clock.clone())),
            clock,
        )
    }

    async fn id(kept: &Kept) -> String {
        let got = kept.get().await;
        got.map_or_else(|error| error.to_string(), |got| got.access_key_id().into())
    }

    #[tokio::test]
    async fn credentials_are_fetched_anew_minutes_before_they_end() {
        let (kept, clock) = kept();
        assert_eq!(id(&kept).await, "0");
        clock.advance(Duration::from_secs(3299));
        assert_eq!(id(&kept).await, "0");
        clock.advance(Duration::from_secs(2));
        assert_eq!(id(&kept).await, "1");
    }

    #[tokio::test]
    async fn old_ones_hold_until_their_end_when_there_are_no_new_ones() {
        let (kept, clock) = kept();
        id(&kept).await;
        clock.advance(Duration::from_secs(3301));
        assert_eq!(id(&kept).await, "1");
        clock.advance(Duration::from_secs(3301));
        assert_eq!(id(&kept).await, "1", "the third attempt failed");
        clock.advance(Duration::from_secs(5));
        assert_eq!(id(&kept).await, "1", "and is not repeated at once");
        clock.advance(Duration::from_secs(6));
        assert_eq!(id(&kept).await, "3");
    }

    #[tokio::test]
    async fn without_old_ones_the_failure_is_told() {
        let never = || async { Err(CredentialsError::new("away")) };
        let kept = Kept::new(Arc::new(never), Arc::new(ManualClock::at_unix(0)));
        assert_eq!(id(&kept).await, "away");
    }
}
