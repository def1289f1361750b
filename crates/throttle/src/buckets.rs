//! The buckets of all keys, within a stated number.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use foldhash::quality::{FoldHasher, RandomState};
use portcullis_core::{Clock, SystemClock};

use crate::bucket::{Bucket, Take};
use crate::limit::Limit;
use crate::shard::Shard;

/// The buckets of all keys of one or more layers. Clones are the same buckets.
///
/// No more than a stated number of keys is kept, at no more than 40 bytes each. A key whose bucket is full again is forgotten, bit by bit as new
/// ones come; one that has spent something never is. When there is no place, new keys share one bucket for each limit until there is.
///
/// ```
/// use portcullis_throttle::Buckets;
///
/// let buckets = Buckets::new(1_000_000); // at most 40 MB
/// assert_eq!(buckets.keys(), 0);
/// ```
#[derive(Clone)]
pub struct Buckets {
    inner: Arc<Inner>,
}

struct Inner {
    shards: Box<[Aligned]>,
    /// The buckets of rules without a key.
    named: Mutex<HashMap<Arc<str>, Arc<Bucket>>>,
    overflowed: AtomicU64,
    hasher: RandomState,
    /// None: the system's, which is then read without a detour.
    clock: Option<Box<dyn Clock>>,
    epoch: Instant,
}

/// In a cache line of its own, so that neighbours do not disturb each other.
#[repr(align(64))]
struct Aligned(Mutex<Shard>);

/// Keys of one shard, at most, where there are many: its table is moved within microseconds when it grows.
const SHARD: usize = 1024;

impl Buckets {
    /// Buckets of at most about `keys` keys.
    #[must_use]
    pub fn new(keys: usize) -> Self {
        Self::by(keys, SystemClock::new().now(), None)
    }

    /// The same, by another clock.
    #[must_use]
    pub fn with_clock(keys: usize, clock: impl Clock) -> Self {
        Self::by(keys, clock.now(), Some(Box::new(clock)))
    }

    fn by(keys: usize, epoch: Instant, clock: Option<Box<dyn Clock>>) -> Self {
        let keys = keys.max(1);
        // Small tables have some shards, too: threads shall not wait for each other.
        let shards = match keys {
            0..64 => 1,
            64..SHARD => 8,
            _ => keys.div_ceil(SHARD).next_power_of_two().max(16),
        };
        let most = keys.div_ceil(shards);
        Self {
            inner: Arc::new(Inner {
                shards: (0..shards)
                    .map(|_| Aligned(Mutex::new(Shard::new(most))))
                    .collect(),
                named: Mutex::default(),
                overflowed: AtomicU64::new(0),
                hasher: RandomState::default(),
                epoch,
                clock,
            }),
        }
    }

    /// The number of keys that are kept: those that have spent something, and some that have not for a while.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.sum(Shard::len)
    }

    /// The bytes that the tables take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inner.shards.len() * size_of::<Aligned>() + self.sum(Shard::bytes)
    }

    /// How many keys were forgotten, because their buckets were full again.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        let shards = self.inner.shards.iter();
        shards.map(|shard| lock(shard).evicted()).sum()
    }

    /// How many decisions were made by a bucket that new keys shared, because there was no place for them.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.inner.overflowed.load(Ordering::Relaxed)
    }

    pub(crate) fn count_overflow(&self) {
        self.inner.overflowed.fetch_add(1, Ordering::Relaxed);
    }

    /// The bucket of the rule of this name, which has no key.
    pub(crate) fn named(&self, name: &Arc<str>) -> Arc<Bucket> {
        let mut named = self
            .inner
            .named
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bucket = named
            .entry(Arc::clone(name))
            .or_insert_with(|| Arc::new(Bucket::new()));
        Arc::clone(bucket)
    }

    fn sum(&self, of: impl Fn(&Shard) -> usize) -> usize {
        let shards = self.inner.shards.iter();
        shards.map(|shard| of(&lock(shard))).sum()
    }

    /// The time, in nanoseconds since the buckets were made.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        let inner = &*self.inner;
        let now = match &inner.clock {
            None => SystemClock::new().now(),
            Some(clock) => clock.now(),
        };
        let since = now.saturating_duration_since(inner.epoch);
        // One more than passed, so that 0 is always in the past.
        since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos()) + 1
    }

    /// When that time began.
    #[cfg(feature = "redis")]
    pub(crate) fn epoch(&self) -> Instant {
        self.inner.epoch
    }

    /// A hasher for a key. Its seed is this process's own, so nobody outside can make keys that collide.
    #[inline]
    pub(crate) fn hasher(&self) -> FoldHasher<'_> {
        self.inner.hasher.build_hasher()
    }

    #[inline]
    pub(crate) fn id(hasher: &FoldHasher<'_>) -> u64 {
        hasher.finish().max(1)
    }

    #[inline]
    pub(crate) fn take(&self, id: u64, limit: &Limit, cost: u32, now: u64) -> Option<Take> {
        self.shard(id).take(id, limit, cost, now)
    }

    /// Puts back what a request took that another limit refused, and says whether the key is there.
    pub(crate) fn give_back(&self, id: u64, limit: &Limit, cost: u32) -> bool {
        self.shard(id).give_back(id, limit, cost)
    }

    pub(crate) fn spent(&self, id: u64) -> Option<(u64, u64)> {
        let now = self.now();
        self.shard(id).spent(id, now)
    }

    /// The nanoseconds that the bucket of `id` takes to be full again.
    pub(crate) fn debt(&self, id: u64, now: u64) -> u64 {
        self.shard(id).spent(id, now).map_or(0, |(debt, _)| debt)
    }

    pub(crate) fn forget(&self, id: u64) {
        self.shard(id).forget(id);
    }

    #[inline]
    fn shard(&self, id: u64) -> MutexGuard<'_, Shard> {
        // The number of shards is a power of two.
        lock(&self.inner.shards[id as usize & (self.inner.shards.len() - 1)])
    }
}

impl Default for Buckets {
    /// Buckets of at most 1,000,000 keys.
    fn default() -> Self {
        Self::new(1_000_000)
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets")
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}

/// The shard, which nothing that holds it leaves half changed.
fn lock(shard: &Aligned) -> MutexGuard<'_, Shard> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}
