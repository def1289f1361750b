//! The buckets of some keys, in a table that knows how large it may become.

use crate::bucket::{Take, rescale, take_from};
use crate::limit::Limit;

/// The bucket of one key.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The hash of the key; 0 is a free place.
    id: u64,
    /// When the bucket is full again.
    full: u64,
    /// The nanoseconds that a token counts for in `full`.
    period: u64,
}

/// Buckets by open addressing with linear probing. A bucket that is full again says no more than one that is absent, so its place is free for others;
/// no other bucket ever gives its place up.
#[derive(Debug)]
pub(crate) struct Shard {
    entries: Vec<Entry>,
    len: usize,
    /// The most buckets that it may hold.
    most: usize,
    /// Where to look for buckets that are full again.
    cursor: usize,
    evicted: u64,
}

/// Places looked at, for each new key, for buckets that are full again.
const SWEEP: usize = 4;

/// Places looked at when the table is at its largest.
const FULL_SWEEP: usize = 16;

/// Places of the smallest table.
const SMALLEST: usize = 8;

impl Shard {
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            entries: Vec::new(),
            len: 0,
            most,
            cursor: 0,
            evicted: 0,
        }
    }

    /// The number of buckets that are kept.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The number of buckets whose place was given to others, since the start.
    pub(crate) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The bytes of the table.
    pub(crate) const fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    /// Takes `cost` tokens from the bucket of `id`. `None`: the key is new, and there is no place for it.
    pub(crate) fn take(&mut self, id: u64, limit: &Limit, cost: u32, now: u64) -> Option<Take> {
        let place = match self.find(id) {
            Ok(place) => place,
            Err(vacant) => {
                // A refusal leaves nothing behind, and so needs no place.
                if limit.burst() < cost {
                    return Some(take_from(&mut 0, limit, cost, now));
                }
                self.insert(id, vacant, now)?
            }
        };
        let entry = &mut self.entries[place];
        if entry.period != limit.period() && limit.burst() != 0 {
            if entry.period != 0 {
                entry.full = rescale(entry.full, now, entry.period, limit.period());
            }
            entry.period = limit.period();
        }
        Some(take_from(&mut entry.full, limit, cost, now))
    }

    /// Puts back what a request took that another limit refused, and says whether the key is there.
    pub(crate) fn give_back(&mut self, id: u64, limit: &Limit, cost: u32) -> bool {
        let Ok(place) = self.find(id) else {
            return false;
        };
        let entry = &mut self.entries[place];
        let back = limit.period().saturating_mul(u64::from(cost));
        entry.full = entry.full.saturating_sub(back);
        true
    }

    /// What the bucket of `id` has spent, in nanoseconds and in the period that they are told in.
    pub(crate) fn spent(&self, id: u64, now: u64) -> Option<(u64, u64)> {
        let entry = &self.entries[self.find(id).ok()?];
        Some((entry.full.saturating_sub(now), entry.period))
    }

    /// Forgets what `id` has spent.
    pub(crate) fn forget(&mut self, id: u64) {
        if let Ok(place) = self.find(id) {
            self.remove(place);
        }
    }

    /// The place of `id`, or the free place where the search for it ended (none in an empty table).
    fn find(&self, id: u64) -> Result<usize, Option<usize>> {
        if self.entries.is_empty() {
            return Err(None);
        }
        let mut place = self.home(id);
        loop {
            let here = self.entries[place].id;
            if here == id {
                return Ok(place);
            }
            if here == 0 {
                return Err(Some(place));
            }
            place = self.next(place);
        }
    }

    /// Where the search for `id` begins. The shard was chosen by the lower bits.
    const fn home(&self, id: u64) -> usize {
        (((id >> 32) * self.entries.len() as u64) >> 32) as usize
    }

    const fn next(&self, place: usize) -> usize {
        let next = place + 1;
        if next == self.entries.len() { 0 } else { next }
    }

    /// The place for the new key `id`, whose search ended at `vacant`.
    fn insert(&mut self, id: u64, vacant: Option<usize>, now: u64) -> Option<usize> {
        let before = self.evicted;
        let sweep = if self.len < self.most {
            SWEEP
        } else {
            FULL_SWEEP
        };
        self.sweep(sweep, now);
        if self.len >= self.most {
            return None;
        }
        let mut vacant = vacant.filter(|_| before == self.evicted);
        // One place in five stays free, or searches become long.
        if (self.len + 1) * 5 > self.entries.len() * 4 {
            self.grow(now);
            vacant = None;
        }
        let place = match vacant {
            Some(place) => place,
            None => self.find(id).err()??,
        };
        self.entries[place] = Entry {
            id,
            full: now,
            period: 0,
        };
        self.len += 1;
        Some(place)
    }

    /// Looks at some places, and frees those whose buckets are full again.
    fn sweep(&mut self, places: usize, now: u64) {
        for _ in 0..places.min(self.entries.len()) {
            let entry = self.entries[self.cursor];
            if entry.id != 0 && entry.full <= now {
                // What moves into the place is looked at the next time.
                self.remove(self.cursor);
                self.evicted += 1;
            }
            self.cursor = self.next(self.cursor);
        }
    }

    /// Frees a place, and moves up what stands behind it only because it was taken.
    fn remove(&mut self, place: usize) {
        let mut hole = place;
        let mut other = self.next(hole);
        let size = self.entries.len();
        while self.entries[other].id != 0 {
            let home = self.home(self.entries[other].id);
            let from_home = (other + size - home) % size;
            let from_hole = (other + size - hole) % size;
            if from_home >= from_hole {
                self.entries[hole] = self.entries[other];
                hole = other;
            }
            other = self.next(other);
        }
        self.entries[hole] = Entry::default();
        self.len -= 1;
    }

    /// Moves what is not full again to a table that is an eighth larger. A shard is small, so this takes microseconds.
    #[cold]
    fn grow(&mut self, now: u64) {
        let largest = self.most + self.most.div_ceil(4) + 2;
        let size = (self.entries.len() + (self.entries.len() / 8).max(SMALLEST / 2))
            .max(SMALLEST)
            .min(largest);
        let old = std::mem::replace(&mut self.entries, vec![Entry::default(); size]);
        self.cursor = 0;
        self.len = 0;
        for entry in old.into_iter().filter(|entry| entry.id != 0) {
            if entry.full <= now {
                self.evicted += 1;
            } else if let Err(Some(place)) = self.find(entry.id) {
                self.entries[place] = entry;
                self.len += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::Shard;
    use crate::bucket::Take;
    use crate::limit::Limit;

    fn limit() -> Limit {
        Limit::per_second(1.0, 2).expect("a limit")
    }

    const SECOND: u64 = 1_000_000_000;

    /// Hashes that begin their search in all parts of the table.
    const fn id(key: u64) -> u64 {
        (key + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1
    }

    #[test]
    fn a_full_table_has_no_place_for_new_keys_until_a_bucket_is_full_again() {
        let mut shard = Shard::new(3);
        for key in 0..3 {
            assert!(shard.take(id(key), &limit(), 1, 0).is_some());
        }
        assert_eq!(shard.take(id(3), &limit(), 1, SECOND - 1), None);
        assert!(shard.take(id(2), &limit(), 1, SECOND - 1).is_some());
        assert!(shard.take(id(3), &limit(), 1, SECOND).is_some());
        assert_eq!(
            shard.len(),
            2,
            "two were full again, and one of them is new"
        );
    }

    #[test]
    fn what_was_spent_keeps_its_worth_in_tokens_when_the_limit_changes() {
        let mut shard = Shard::new(8);
        let fast = Limit::per_second(10.0, 4).expect("a limit");
        for _ in 0..2 {
            assert!(matches!(
                shard.take(7, &limit(), 1, 0),
                Some(Take::Taken { .. })
            ));
        }
        for _ in 0..2 {
            assert!(matches!(
                shard.take(7, &fast, 1, 0),
                Some(Take::Taken { .. })
            ));
        }
        let wait = Some(Take::Wait {
            nanos: Some(SECOND / 10),
            debt: 4 * SECOND / 10,
        });
        assert_eq!(shard.take(7, &fast, 1, 0), wait);
    }

    #[test]
    fn a_table_takes_at_most_forty_bytes_a_key() {
        let mut shard = Shard::new(1000);
        for key in 0..1000 {
            assert!(shard.take(id(key), &limit(), 1, 0).is_some());
            let keys = shard.len();
            assert!(
                keys < 50 || shard.bytes() / keys <= 40,
                "{keys}: {}",
                shard.bytes()
            );
        }
    }

    proptest! {
        /// The table behaves as a map of buckets without bounds does, for as long as there is room.
        #[test]
        fn keys_are_kept_apart_and_none_is_lost(
            steps in prop::collection::vec((0_u64..60, 0_u64..SECOND), 1..400)
        ) {
            let mut shard = Shard::new(60);
            let mut model: HashMap<u64, u64> = HashMap::new();
            let mut now = 0;
            for (key, pause) in steps {
                now += pause / 50;
                let full = model.entry(key).or_default();
                let expected = crate::bucket::take_from(full, &limit(), 1, now);
                prop_assert_eq!(shard.take(id(key), &limit(), 1, now), Some(expected));
            }
        }
    }
}
