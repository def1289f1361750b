//! Signatures that may be used once.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Remembers signatures, so that each passes once.
///
/// A client that sends the very same request twice within a second signs it the same: with this guard its second one is
/// refused. So it is for calls that must not be repeated, and off unless it is given. It remembers in this process only.
///
/// A signature is remembered for as long as it can be used: ten minutes; of a presigned URL, a week. While as many are remembered as the capacity says, further
/// requests are refused with 500, because to forget one would let it pass again. About 110 bytes are kept of each.
///
/// Clones remember together.
#[derive(Clone)]
pub struct ReplayGuard(Arc<Memory>);

struct Memory {
    capacity: AtomicUsize,
    count: AtomicUsize,
    shards: [Mutex<Shard>; SHARDS],
}

const SHARDS: usize = 16;

#[derive(Default)]
struct Shard {
    known: HashSet<[u8; 32]>,
    /// The same, the first to end on top.
    ends: BinaryHeap<Reverse<(SystemTime, [u8; 32])>>,
}

/// What a guard says of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    First,
    Again,
    /// It cannot be remembered.
    NoRoom,
}

impl ReplayGuard {
    /// Remembers this many signatures: what comes within a signature's life.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Memory {
            capacity: AtomicUsize::new(capacity),
            count: AtomicUsize::new(0),
            shards: Default::default(),
        }))
    }

    /// How many signatures it remembers.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.capacity.load(Ordering::Relaxed)
    }

    /// Remembers this many signatures from the next request on. None is forgotten if there are more.
    pub fn set_capacity(&self, capacity: usize) {
        self.0.capacity.store(capacity, Ordering::Relaxed);
    }

    /// Whether `signature`, which has been verified, comes for the first time. It is remembered for `life`, which is at least as long as it can be used.
    pub(super) fn note(&self, signature: [u8; 32], now: SystemTime, life: Duration) -> Use {
        self.0.note(signature, now, life)
    }
}

impl Memory {
    fn note(&self, signature: [u8; 32], now: SystemTime, life: Duration) -> Use {
        let index = usize::from(signature[0]) % SHARDS;
        {
            let mut shard = self.lock(index);
            self.forget(&mut shard, now);
            if shard.known.contains(&signature) {
                return Use::Again;
            }
        }
        if !self.reserve() {
            for index in 0..SHARDS {
                self.forget(&mut self.lock(index), now);
            }
            if !self.reserve() {
                return Use::NoRoom;
            }
        }
        let mut shard = self.lock(index);
        // Of two that come at once, one inserts.
        if !shard.known.insert(signature) {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Use::Again;
        }
        let end = now.checked_add(life).unwrap_or(now);
        shard.ends.push(Reverse((end, signature)));
        Use::First
    }

    fn lock(&self, index: usize) -> MutexGuard<'_, Shard> {
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, if there is one.
    fn reserve(&self) -> bool {
        let capacity = self.capacity.load(Ordering::Relaxed);
        let taken = self.count.fetch_add(1, Ordering::Relaxed) < capacity;
        if !taken {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }

    fn forget(&self, shard: &mut Shard, now: SystemTime) {
        while let Some(Reverse((end, signature))) = shard.ends.peek()
            && *end < now
        {
            shard.known.remove(signature);
            shard.ends.pop();
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for ReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.count.load(Ordering::Relaxed);
        write!(f, "ReplayGuard({count} of {} signatures)", self.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(600);

    fn signature(number: usize) -> [u8; 32] {
        let mut signature = [7; 32];
        signature[..8].copy_from_slice(&number.to_le_bytes());
        signature
    }

    #[test]
    fn a_signature_passes_once_in_its_life() {
        let guard = ReplayGuard::new(16);
        let now = SystemTime::UNIX_EPOCH;
        assert_eq!(guard.note(signature(1), now, LIFE), Use::First);
        assert_eq!(guard.note(signature(1), now, LIFE), Use::Again);
        assert_eq!(guard.note(signature(1), now + LIFE, LIFE), Use::Again);
        assert_eq!(guard.note(signature(2), now, LIFE), Use::First);
    }

    #[test]
    fn none_is_forgotten_in_its_life_however_many_come() {
        let start = SystemTime::UNIX_EPOCH;
        for capacity in [0, 1, 5, 100] {
            let guard = ReplayGuard::new(capacity);
            for number in 0..300 {
                let expected = if number < capacity {
                    Use::First
                } else {
                    Use::NoRoom
                };
                assert_eq!(guard.note(signature(number), start, LIFE), expected);
            }
            for number in 0..capacity {
                assert_eq!(guard.note(signature(number), start, LIFE), Use::Again);
            }
            // Those that have ended make room, in whatever shard they are.
            let later = start + LIFE + Duration::from_secs(1);
            for number in 300..300 + capacity {
                assert_eq!(guard.note(signature(number), later, LIFE), Use::First);
            }
            assert_eq!(guard.note(signature(999), later, LIFE), Use::NoRoom);
            let kept: usize = (0..SHARDS)
                .map(|index| guard.0.lock(index).ends.len())
                .sum();
            assert_eq!(kept, capacity);
        }
    }

    #[test]
    fn of_many_at_once_one_is_the_first() {
        let guard = ReplayGuard::new(1_000);
        let first = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..200 {
                        let used = guard.note(signature(number), SystemTime::UNIX_EPOCH, LIFE);
                        first.fetch_add(usize::from(used == Use::First), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(first.into_inner(), 200);
        assert_eq!(guard.0.count.load(Ordering::Relaxed), 200);
    }
}
