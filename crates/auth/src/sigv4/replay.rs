//! Signatures that may be used once.

use std::fmt;
use std::time::{Duration, SystemTime};

use quick_cache::sync::Cache;

/// Remembers signatures, so that each passes once.
///
/// A client that sends the very same request twice within a second signs it the same: with this guard its second one is
/// refused. So it is for calls that must not be repeated, and off unless it is given. It remembers in this process only, and a bounded
/// number: the capacity must be what comes within a signature's life, or the oldest are forgotten while they could still be used.
pub struct ReplayGuard(Cache<[u8; 32], SystemTime>);

impl ReplayGuard {
    /// Remembers this many signatures.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    /// Whether `signature` comes for the first time; it is remembered for `life`.
    pub(super) fn first_use(&self, signature: [u8; 32], now: SystemTime, life: Duration) -> bool {
        let until = now.checked_add(life).unwrap_or(now);
        // Of two that come at once, one inserts.
        let mut first = false;
        let known = self.0.get_or_insert_with(&signature, || {
            first = true;
            Ok::<_, std::convert::Infallible>(until)
        });
        let Ok(known) = known;
        if !first && known < now {
            self.0.insert(signature, until);
            return true;
        }
        first
    }
}

impl fmt::Debug for ReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplayGuard({} signatures)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_passes_once_in_its_life() {
        let guard = ReplayGuard::new(16);
        let now = SystemTime::UNIX_EPOCH;
        let life = Duration::from_secs(600);
        assert!(guard.first_use([1; 32], now, life));
        assert!(!guard.first_use([1; 32], now + life, life));
        assert!(guard.first_use([2; 32], now, life));
    }
}
