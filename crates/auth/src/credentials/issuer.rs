//! Temporary keys, given out.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use portcullis_core::{Clock, SystemClock};

use super::caller::Caller;
use super::credential::Credential;
use super::store::MemoryCredentials;

/// Gives out temporary keys, as Amazon's Security Token Service does, and puts them into a store. For tests and small systems: it asks nobody
/// whether the caller may have one.
///
/// ```
/// use std::time::Duration;
/// use portcullis_auth::credentials::{Caller, MemoryCredentials, SessionIssuer};
/// use portcullis_auth::iam::Principal;
///
/// let store = MemoryCredentials::default();
/// let issuer = SessionIssuer::new(store.clone());
/// let session = Principal::from_arn("arn:aws:sts::123456789012:assumed-role/Reader/tom")?;
/// let key = issuer.issue(Caller::new(session), Duration::from_secs(3600))?;
/// assert!(key.access_key_id().starts_with("ASIA"));
/// assert!(key.session_token().is_some());
/// assert!(store.get(key.access_key_id()).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SessionIssuer {
    store: MemoryCredentials,
    clock: Arc<dyn Clock>,
    random: Arc<dyn SecureRandom + Send + Sync>,
    capacity: usize,
}

/// No key could be given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssueError {
    /// There are as many keys as there may be.
    Full,
    /// The system has no random bytes.
    NoRandomness,
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => {
                "there are as many temporary keys as there may be; wait until some have ended"
            }
            Self::NoRandomness => "the system has no random bytes to make a key of",
        })
    }
}

impl std::error::Error for IssueError {}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl SessionIssuer {
    /// Puts keys into `store`, up to 10,000 together with those that are there.
    #[must_use]
    pub fn new(store: MemoryCredentials) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom::new()),
            capacity: 10_000,
        }
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Lets the store hold this many keys.
    #[must_use]
    pub const fn with_capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// Gives out a key for `caller`, which ends after `life`. Those that have ended are taken away first if there is no room.
    ///
    /// # Errors
    ///
    /// If the store is full, or the system has no random bytes.
    pub fn issue(&self, caller: Caller, life: Duration) -> Result<Credential, IssueError> {
        let now = self.clock.wall();
        let mut id = String::from("ASIA");
        let letters = self.bytes::<16>()?;
        id.extend((letters.iter()).map(|byte| char::from(ALPHABET[usize::from(byte % 32)])));
        let secret = BASE64.encode(self.bytes::<30>()?);
        let token = BASE64.encode(self.bytes::<96>()?);
        let expires = now.checked_add(life).unwrap_or(SystemTime::UNIX_EPOCH);
        let caller = caller.with_key("aws:TokenIssueTime", now);
        let key = Credential::new(id, secret, caller).temporary(token, expires);
        if self.store.insert_within(self.capacity, key.clone(), now) {
            Ok(key)
        } else {
            Err(IssueError::Full)
        }
    }

    fn bytes<const N: usize>(&self) -> Result<[u8; N], IssueError> {
        let mut bytes = [0; N];
        self.random
            .fill(&mut bytes)
            .map_err(|_| IssueError::NoRandomness)?;
        Ok(bytes)
    }
}

impl fmt::Debug for SessionIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionIssuer")
            .field("store", &self.store)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::ManualClock;

    use super::*;
    use crate::iam::Principal;

    #[test]
    fn keys_that_have_ended_make_room() {
        let clock = ManualClock::at_unix(1_709_208_000);
        let store = MemoryCredentials::default();
        let issuer = SessionIssuer::new(store.clone())
            .with_clock(clock.clone())
            .with_capacity(1);
        let caller = || {
            let arn = "arn:aws:sts::123456789012:assumed-role/Reader/tom";
            Caller::new(Principal::from_arn(arn).unwrap())
        };
        let life = Duration::from_secs(60);
        let first = issuer.issue(caller(), life).unwrap();
        assert_eq!(issuer.issue(caller(), life).unwrap_err(), IssueError::Full);
        clock.advance(life);
        let second = issuer.issue(caller(), life).unwrap();
        assert!(store.get(first.access_key_id()).is_none());
        assert!(store.get(second.access_key_id()).is_some());
        assert_ne!(first.secret(), second.secret());
    }
}
