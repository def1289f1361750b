//! The purges of late, so that a fetch that began before one does not bring back what it took away.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::entry::Entry;
use crate::store::Purge;

#[derive(Debug, Default)]
pub(crate) struct Purges {
    /// How many there have been.
    epoch: AtomicU64,
    late: Mutex<VecDeque<Purge>>,
}

/// So many are remembered. What a fetch that is older brings is not stored.
const REMEMBERED: usize = 64;

impl Purges {
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// To be called before the store is purged: what is put into it from then on is compared with this purge, and what was put before is found there.
    pub(crate) fn note(&self, purge: Purge) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        if late.len() == REMEMBERED {
            late.pop_front();
        }
        late.push_back(purge);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether an entry whose fetch began at `epoch` has been purged since.
    pub(crate) fn covers(&self, epoch: u64, key: &[u8], entry: &Entry) -> bool {
        if self.epoch() == epoch {
            return false;
        }
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let since = usize::try_from(self.epoch() - epoch).unwrap_or(usize::MAX);
        since > late.len()
            || late
                .iter()
                .rev()
                .take(since)
                .any(|purge| purge.matches(key, entry))
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::{Purges, REMEMBERED};
    use crate::entry::Draft;
    use crate::store::Purge;

    #[test]
    fn only_purges_since_the_fetch_began_count() {
        let purges = Purges::default();
        let mut draft = Draft::new(StatusCode::OK);
        draft.tag(b"pets");
        let entry = draft.finish(&[]);
        purges.note(Purge::tag("pets"));
        let began = purges.epoch();
        assert!(!purges.covers(began, b"key", &entry));
        purges.note(Purge::tag("owners"));
        assert!(!purges.covers(began, b"key", &entry));
        purges.note(Purge::tag("pets"));
        assert!(purges.covers(began, b"key", &entry));
    }

    #[test]
    fn a_fetch_that_is_older_than_memory_stores_nothing() {
        let purges = Purges::default();
        let entry = Draft::new(StatusCode::OK).finish(&[]);
        for _ in 0..=REMEMBERED {
            purges.note(Purge::tag("else"));
        }
        assert!(purges.covers(0, b"key", &entry));
    }
}
