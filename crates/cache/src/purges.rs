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

/// What a request wants to have fetched, as far as purges can tell.
#[derive(Clone, Copy)]
pub(crate) struct Sought<'a> {
    pub(crate) key: &'a [u8],
    /// Whose purge takes what is under the key away as well.
    pub(crate) root: &'a [u8],
    pub(crate) target: &'a [u8],
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
        let own = self.epoch();
        self.any(epoch, own, &[key], |purge| purge.matches(key, entry))
    }

    /// Whether an entry whose fetch began at `epoch` had been purged by the time of a later one.
    pub(crate) fn covers_until(&self, epoch: u64, until: u64, key: &[u8], entry: &Entry) -> bool {
        self.any(epoch, until, &[key], |purge| purge.matches(key, entry))
    }

    /// Whether what has been fetched since `epoch` is known to be purged before it is there. By its tags it is not: nobody knows them yet.
    pub(crate) fn concern(&self, epoch: u64, sought: Sought<'_>) -> bool {
        let Sought { key, root, target } = sought;
        self.any(epoch, self.epoch(), &[key, root], |purge| {
            match purge.selection() {
                Selection::Scope(scope) => key.starts_with(scope),
                Selection::Prefix(prefix) => target.starts_with(prefix),
                Selection::Everything => true,
                Selection::Key(_) | Selection::Tag(_) => false,
            }
        })
    }

    /// Whether there has been a purge after `epoch`, up to `until`, of one of these keys, or a wide one that fits.
    fn any(&self, epoch: u64, until: u64, keys: &[&[u8]], fits: impl Fn(&Purge) -> bool) -> bool {
        if until == epoch {
            return false;
        }
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of = |at: u64| at > epoch;
        let mut purged = late.keys.iter().rev().take_while(|(at, _)| is_of(*at));
        let mut wide = late.wide.iter().rev().take_while(|(at, _)| is_of(*at));
        let mut hashes = [None; 2];
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = Some(self.hasher.hash_one(key));
        }
        let is_one = |hash: u64| hashes.contains(&Some(hash));
        late.forgotten > epoch
            || purged.any(|(at, hash)| *at <= until && is_one(*hash))
            || wide.any(|(at, purge)| *at <= until && fits(purge))
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

    use super::{KEYS, Purges, Sought, WIDE};
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
    fn a_purge_concerns_the_fetches_that_it_fits_and_no_others() {
        let sought = Sought {
            key: b"key",
            root: b"root",
            target: b"/pets/1",
        };
        for (purge, expected) in [
            (Purge::key(Key::from_bytes(b"key")), true),
            (Purge::key(Key::from_bytes(b"root")), true),
            (Purge::key(Key::from_bytes(b"other")), false),
            (Purge::prefix("/pets"), true),
            (Purge::prefix("/owners"), false),
            (Purge::scope(b"api/prod"), false),
            (Purge::tag("pets"), false),
            (Purge::everything(), true),
        ] {
            let purges = Purges::default();
            let began = purges.epoch();
            purges.note(purge.clone());
            assert_eq!(purges.concern(began, sought), expected, "{purge:?}");
            assert!(!purges.concern(purges.epoch(), sought), "{purge:?}");
        }
    }

    #[test]
    fn what_was_purged_after_somebody_came_is_good_for_him() {
        let purges = Purges::default();
        let came = purges.epoch();
        purges.note(Purge::tag("pets"));
        let later = purges.epoch();
        assert!(!purges.covers_until(came, came, b"key", &entry()));
        assert!(purges.covers_until(came, later, b"key", &entry()));
        purges.note(Purge::tag("owners"));
        assert!(!purges.covers_until(later, purges.epoch(), b"key", &entry()));
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
