//! The purges of late, so that a fetch that began before one does not bring back what it took away.

use std::collections::VecDeque;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::entry::Entry;
use crate::store::{Purge, Selection};

#[derive(Default)]
pub(crate) struct Purges {
    /// How many there have been.
    epoch: AtomicU64,
    late: Mutex<Late>,
    hasher: RandomState,
}

/// What is remembered, each with the number that it made of the epoch.
#[derive(Default)]
struct Late {
    /// Purges of one key, by its hash: every request that changes something is one.
    keys: VecDeque<(u64, u64)>,
    /// All others.
    wide: VecDeque<(u64, Purge)>,
    /// The last that was forgotten. What a fetch that is older brings is not stored.
    forgotten: u64,
}

const KEYS: usize = 8192;
const WIDE: usize = 64;

impl Purges {
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// To be called before the store is purged: what is put into it from then on is compared with this purge, and what was put before is found there.
    pub(crate) fn note(&self, purge: Purge) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.epoch() + 1;
        let forgotten = match purge.selection() {
            Selection::Key(key) => {
                let hash = self.hasher.hash_one(key.as_bytes());
                remember(&mut late.keys, (epoch, hash), KEYS).map(|(epoch, _)| epoch)
            }
            _ => remember(&mut late.wide, (epoch, purge), WIDE).map(|(epoch, _)| epoch),
        };
        late.forgotten = late.forgotten.max(forgotten.unwrap_or(0));
        self.epoch.store(epoch, Ordering::SeqCst);
    }

    /// Whether an entry whose fetch began at `epoch` has been purged since.
    pub(crate) fn covers(&self, epoch: u64, key: &[u8], entry: &Entry) -> bool {
        if self.epoch() == epoch {
            return false;
        }
        let hash = self.hasher.hash_one(key);
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = late.keys.iter().rev().take_while(|(at, _)| *at > epoch);
        let mut wide = late.wide.iter().rev().take_while(|(at, _)| *at > epoch);
        late.forgotten > epoch
            || keys.map(|(_, hash)| *hash).any(|other| other == hash)
            || wide.any(|(_, purge)| purge.matches(key, entry))
    }
}

/// Adds to a list of at most so many, and gives what it forgets for that.
fn remember<T>(list: &mut VecDeque<T>, item: T, most: usize) -> Option<T> {
    let forgotten = if list.len() == most {
        list.pop_front()
    } else {
        None
    };
    list.push_back(item);
    forgotten
}

impl fmt::Debug for Purges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Purges({})", self.epoch())
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::{KEYS, Purges, WIDE};
    use crate::entry::{Draft, Entry};
    use crate::key::Key;
    use crate::store::Purge;

    fn entry() -> Entry {
        let mut draft = Draft::new(StatusCode::OK);
        draft.tag(b"pets");
        draft.finish(&[])
    }

    #[test]
    fn only_purges_since_the_fetch_began_count() {
        let purges = Purges::default();
        purges.note(Purge::tag("pets"));
        let began = purges.epoch();
        assert!(!purges.covers(began, b"key", &entry()));
        purges.note(Purge::tag("owners"));
        assert!(!purges.covers(began, b"key", &entry()));
        purges.note(Purge::tag("pets"));
        assert!(purges.covers(began, b"key", &entry()));
    }

    #[test]
    fn a_fetch_that_is_older_than_memory_stores_nothing() {
        let purges = Purges::default();
        for _ in 0..=WIDE {
            purges.note(Purge::tag("else"));
        }
        assert!(purges.covers(0, b"key", &entry()));
        assert!(!purges.covers(1, b"key", &entry()));
    }

    #[test]
    fn many_changes_of_other_keys_leave_a_fetch_alone() {
        let purges = Purges::default();
        for number in 0..KEYS {
            purges.note(Purge::key(Key::from_bytes(&number.to_le_bytes())));
        }
        assert!(!purges.covers(0, b"key", &entry()));
        assert!(purges.covers(0, &7_usize.to_le_bytes(), &entry()));
        purges.note(Purge::key(Key::from_bytes(b"one more")));
        assert!(purges.covers(0, b"key", &entry()));
    }
}
