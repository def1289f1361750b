//! The cache: a store, and the fetches that fill it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_core::{CacheStatus, Clock, SystemClock};
use quick_cache::sync::Cache;

use crate::entry::Entry;
use crate::fill::Landing;
use crate::flight::{Boarding, Flight, Flights, Outcome, Seat};
use crate::key::Key;
use crate::memory::MemoryStore;
use crate::moment::Moment;
use crate::purges::{Purges, Sought};
use crate::stats::{CacheStats, Counters, Event};
use crate::store::{Answer, Purge, Store, StoreError};

/// A cache of responses: a store, and the fetches that fill it. Cheap to clone; clones are one cache.
///
/// Several layers may share one. Whoever holds it can purge it while requests run.
///
/// ```
/// use portcullis_cache::{Purge, ResponseCache};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), portcullis_cache::StoreError> {
/// let cache = ResponseCache::in_memory(64 * 1024 * 1024);
/// assert_eq!(cache.purge(Purge::prefix("/pets/")).await?, 0);
/// assert_eq!(cache.stats().hits, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ResponseCache {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    flights: Flights,
    purges: Purges,
    private: PrivateKeys,
    counters: Counters,
    patience: Duration,
    fill_timeout: Duration,
    max_detached: usize,
    detached: AtomicUsize,
    max_filling_bytes: usize,
    filling_bytes: AtomicUsize,
}

impl ResponseCache {
    /// A cache in the memory of this process that holds at most so many bytes.
    #[must_use]
    pub fn in_memory(bytes: u64) -> Self {
        Self::builder().build(MemoryStore::new(bytes))
    }

    /// A cache with more to say.
    pub fn builder() -> ResponseCacheBuilder {
        ResponseCacheBuilder::default()
    }

    /// Forgets entries, or marks them stale, and says how many there were in the store.
    ///
    /// What was asked for before the purge is not stored after it. Requests in flight are not disturbed.
    ///
    /// # Errors
    ///
    /// The store is away. What its process has in memory is gone nevertheless.
    pub async fn purge(&self, purge: Purge) -> Result<u64, StoreError> {
        self.shared.purges.note(purge.clone());
        let purged = self.shared.store.purge(&purge).wait().await;
        self.noted(purged)
    }

    /// What it has done so far, and what it holds.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let shared = &*self.shared;
        shared.counters.read(shared.flights.count(), &*shared.store)
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// The time, by the cache's clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::of(self.shared.clock.wall())
    }

    pub(crate) fn get(&self, key: &[u8]) -> Answer<Option<Entry>> {
        self.shared.store.get(key)
    }

    pub(crate) fn count(&self, status: CacheStatus) {
        self.shared.counters.count_status(status);
    }

    /// How long a fetch may take that nobody waits for.
    pub(crate) fn fill_timeout(&self) -> Duration {
        self.shared.fill_timeout
    }

    /// Joins those who want the response of a key, or leads them.
    pub(crate) fn take_turn(
        &self,
        sought: Sought<'_>,
        usable: impl FnOnce(&Entry) -> bool,
    ) -> Turn {
        let shared = &*self.shared;
        let key = sought.key;
        let epoch = shared.purges.epoch();
        let hash = shared.flights.hash(key);
        if shared.private.contains(hash, || self.now()) {
            return Turn::Alone(Landing::alone(self, key, epoch));
        }
        match shared
            .flights
            .board(key, hash, epoch, self.outdated(sought))
        {
            Boarding::Follow(seat) => Turn::Follow(seat),
            Boarding::Lead(flight, key) => {
                let landing = Landing::leading(self, key, flight);
                // Another fetch may have ended between the look into the store and here.
                match self.get(landing.key().as_bytes()) {
                    Answer::Now(Ok(Some(entry))) if usable(&entry) => {
                        landing.share(entry.clone());
                        Turn::Found(entry)
                    }
                    _ => Turn::Lead(landing),
                }
            }
        }
    }

    /// Whether a fetch brings what a purge since it began takes away, as far as that is known.
    fn outdated(&self, sought: Sought<'_>) -> impl FnOnce(&Flight) -> bool {
        let purges = &self.shared.purges;
        move |flight| {
            purges.concern(flight.epoch, sought)
                || flight
                    .entry()
                    .is_some_and(|entry| purges.covers(flight.epoch, sought.key, entry))
        }
    }

    /// Waits for what another request fetches, but not for too long.
    pub(crate) async fn outcome(&self, seat: &Seat, key: &[u8]) -> Option<Outcome> {
        let Seat { flight, epoch } = seat;
        let outcome = flight.outcome(self.shared.patience).await?;
        let purges = &self.shared.purges;
        match &outcome {
            // Which tags it has is known only by now.
            Outcome::Stored(entry) if purges.covers_until(flight.epoch, *epoch, key, entry) => {
                Some(Outcome::Purged)
            }
            _ => Some(outcome),
        }
    }

    /// A fetch of what is to take the place of an entry, which serves until then. What was asked for before it does not replace it.
    pub(crate) fn refresh(&self, sought: Sought<'_>) -> Landing {
        let shared = &*self.shared;
        let key = Key::from_bytes(sought.key);
        shared.purges.note(Purge::key(key));
        let epoch = shared.purges.epoch();
        let hash = shared.flights.hash(sought.key);
        match shared
            .flights
            .board(sought.key, hash, epoch, self.outdated(sought))
        {
            Boarding::Lead(flight, key) => Landing::leading(self, key, flight),
            // Another client asked for the same in between.
            Boarding::Follow(seat) => Landing::alone(self, sought.key, seat.flight.epoch),
        }
    }

    /// A fetch that no one joins.
    pub(crate) fn alone(&self, key: &[u8]) -> Landing {
        Landing::alone(self, key, self.shared.purges.epoch())
    }

    pub(crate) fn end_flight(&self, flight: &Arc<Flight>) {
        self.shared.flights.remove(flight);
    }

    /// Remembers for a while that the responses of a key are not to be waited for.
    pub(crate) fn note_private(&self, key: &[u8]) {
        let until = self.now().after(PRIVATE_FOR);
        let key = self.shared.flights.hash(key);
        self.shared.private.insert(key, until);
    }

    /// Puts an entry into the store, unless it was purged while it was fetched.
    pub(crate) fn put(&self, landing: &Landing, entry: Entry) -> Answer<()> {
        let shared = &*self.shared;
        let (key, epoch) = (landing.key(), landing.epoch());
        if shared.purges.covers(epoch, key.as_bytes(), &entry) {
            return Answer::Now(Ok(()));
        }
        match shared.store.put(key, entry.clone(), self.now()) {
            Answer::Now(put) => {
                shared.counters.count(Event::Stored);
                let put = self.noted(put);
                // A purge that looked through the store before the entry was there has been noted by now.
                if shared.purges.covers(epoch, key.as_bytes(), &entry) {
                    return shared_purge(&*shared.store, landing);
                }
                Answer::Now(put)
            }
            Answer::Later(put) => {
                // A store that is slow must not pile up what it is given.
                let Some(held) = self.hold(entry.bytes()) else {
                    return Answer::Now(Ok(()));
                };
                shared.counters.count(Event::Stored);
                let (cache, key) = (self.clone(), key.clone());
                Answer::Later(Box::pin(async move {
                    let _held = held;
                    cache.noted(put.await)?;
                    let shared = &*cache.shared;
                    if shared.purges.covers(epoch, key.as_bytes(), &entry) {
                        shared.store.purge(&Purge::key(key)).wait().await?;
                    }
                    Ok(())
                }))
            }
        }
    }

    /// Counts and logs what the store could not do.
    pub(crate) fn noted<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        answer.inspect_err(|error| {
            self.shared.counters.count(Event::StoreError);
            tracing::debug!(%error, "served without the cache");
        })
    }

    /// Leave to go on with a fetch that nobody waits for.
    pub(crate) fn detach(&self) -> Option<Detached> {
        let shared = &*self.shared;
        if shared.detached.fetch_add(1, Ordering::Relaxed) < shared.max_detached {
            return Some(Detached {
                cache: self.clone(),
            });
        }
        shared.detached.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// Leave to hold so many bytes more of bodies that are not complete.
    pub(crate) fn reserve(&self, bytes: usize) -> bool {
        let shared = &*self.shared;
        let before = shared.filling_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= shared.max_filling_bytes {
            return true;
        }
        self.release(bytes);
        false
    }

    /// The same for as long as what is returned is kept.
    fn hold(&self, bytes: usize) -> Option<Held> {
        self.reserve(bytes).then(|| Held {
            cache: self.clone(),
            bytes,
        })
    }

    pub(crate) fn release(&self, bytes: usize) {
        self.shared
            .filling_bytes
            .fetch_sub(bytes, Ordering::Relaxed);
    }
}

fn shared_purge(store: &dyn Store, landing: &Landing) -> Answer<()> {
    match store.purge(&Purge::key(landing.key().clone())) {
        Answer::Now(purged) => Answer::Now(purged.map(|_| ())),
        Answer::Later(purged) => Answer::Later(Box::pin(async { purged.await.map(|_| ()) })),
    }
}

impl fmt::Debug for ResponseCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseCache")
            .field("store", &self.shared.store)
            .field("flights", &self.shared.flights)
            .finish_non_exhaustive()
    }
}

/// Whose turn it is to fetch a response.
pub(crate) enum Turn {
    /// It is there by now.
    Found(Entry),
    /// It is to be fetched, for all who come while that takes.
    Lead(Landing),
    /// It is to be fetched, for nobody else: those of late were not to be shared.
    Alone(Landing),
    /// Somebody else fetches it.
    Follow(Seat),
}

/// How long it is remembered that the responses of a key are not to be waited for.
const PRIVATE_FOR: Duration = Duration::from_secs(10);

/// Keys whose responses could not be stored of late: to wait for one another would only cost time.
struct PrivateKeys {
    any: AtomicBool,
    keys: Cache<u64, Moment>,
}

/// So many are remembered.
const PRIVATE_KEYS: usize = 4096;

impl PrivateKeys {
    fn contains(&self, key: u64, now: impl FnOnce() -> Moment) -> bool {
        self.any.load(Ordering::Relaxed) && self.keys.get(&key).is_some_and(|until| now() < until)
    }

    fn insert(&self, key: u64, until: Moment) {
        self.keys.insert(key, until);
        self.any.store(true, Ordering::Relaxed);
    }
}

/// Leave to go on with a fetch that nobody waits for, until it is dropped.
pub(crate) struct Detached {
    cache: ResponseCache,
}

impl Drop for Detached {
    fn drop(&mut self) {
        self.cache.shared.detached.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes that are held until it is dropped.
struct Held {
    cache: ResponseCache,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.cache.release(self.bytes);
    }
}

/// Makes a [`ResponseCache`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ResponseCacheBuilder {
    clock: Arc<dyn Clock>,
    patience: Duration,
    fill_timeout: Duration,
    max_detached: usize,
    max_filling_bytes: usize,
}

impl Default for ResponseCacheBuilder {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            patience: Duration::from_secs(5),
            fill_timeout: Duration::from_secs(60),
            max_detached: 1024,
            max_filling_bytes: 64 * 1024 * 1024,
        }
    }
}

impl ResponseCacheBuilder {
    /// Where the time comes from; the system's clock by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How long a request waits for the response that another fetches, before it goes to the origin by itself. Default: 5 s.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long a fetch may take whose client has left. Default: 60 s.
    pub const fn fill_timeout(mut self, timeout: Duration) -> Self {
        self.fill_timeout = timeout;
        self
    }

    /// How many fetches may go on though their clients have left. Beyond, a fetch ends with its client. Default: 1,024.
    pub const fn max_detached_fills(mut self, fills: usize) -> Self {
        self.max_detached = fills;
        self
    }

    /// How many bytes may be held of bodies that are not complete, and of responses on their way to a store outside of this process. Beyond, responses pass and are
    /// not stored. Default: 64 MiB.
    pub const fn max_filling_bytes(mut self, bytes: usize) -> Self {
        self.max_filling_bytes = bytes;
        self
    }

    /// The cache over this store.
    #[must_use]
    pub fn build(self, store: impl Store) -> ResponseCache {
        let Self {
            clock,
            patience,
            fill_timeout,
            max_detached,
            max_filling_bytes,
        } = self;
        let cache = ResponseCache {
            shared: Arc::new(Shared {
                store: Arc::new(store),
                clock,
                flights: Flights::new(),
                purges: Purges::default(),
                private: PrivateKeys {
                    any: AtomicBool::new(false),
                    keys: Cache::new(PRIVATE_KEYS),
                },
                counters: Counters::default(),
                patience,
                fill_timeout,
                max_detached,
                detached: AtomicUsize::new(0),
                max_filling_bytes,
                filling_bytes: AtomicUsize::new(0),
            }),
        };
        // What other machines purge holds for fetches under way here, too.
        let shared = Arc::downgrade(&cache.shared);
        cache.shared.store.on_purge(Box::new(move |purge| {
            if let Some(shared) = shared.upgrade() {
                shared.purges.note(purge.clone());
            }
        }));
        cache
    }
}
