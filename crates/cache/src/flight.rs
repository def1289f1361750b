//! Fetches under way, each made once for all who want what it brings.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;
use tokio::sync::Notify;

use crate::entry::Entry;
use crate::key::Key;

/// The fetches under way, by key. A key is hashed once for all that is done with it.
pub(crate) struct Flights {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

type Shard = HashTable<(Key, Arc<Flight>)>;

const SHARDS: usize = 16;

/// One fetch: whoever leads it says once what became of it.
pub(crate) struct Flight {
    /// How many purges there had been when it began. What it brings may be older than a later one.
    pub(crate) epoch: u64,
    /// That of its key.
    hash: u64,
    outcome: OnceLock<Outcome>,
    landed: Notify,
}

/// What became of a fetch.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// It brought what can be shared.
    Stored(Entry),
    /// It brought what is for its leader alone.
    Private,
    /// It brought nothing, or an error.
    Failed,
    /// For those who joined it after a purge: it brought what that takes away.
    Purged,
}

/// A place among those who wait for a fetch.
pub(crate) struct Seat {
    pub(crate) flight: Arc<Flight>,
    /// How many purges there had been when it was taken.
    pub(crate) epoch: u64,
}

/// Who has come to fetch what.
pub(crate) enum Boarding {
    Lead(Arc<Flight>, Key),
    Follow(Seat),
}

impl Flights {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::default(),
        }
    }

    /// A number for a key, the same for as long as the process runs.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Joins the fetch of a key with this [`hash`](Self::hash), or begins it. `is_outdated` says whether a purge since a fetch began is about it.
    pub(crate) fn board(
        &self,
        key: &[u8],
        hash: u64,
        epoch: u64,
        is_outdated: impl FnOnce(&Flight) -> bool,
    ) -> Boarding {
        let begin = || {
            Arc::new(Flight {
                epoch,
                hash,
                outcome: OnceLock::new(),
                landed: Notify::new(),
            })
        };
        let mut flights = self.shard(hash);
        let own = |(own, _): &(Key, Arc<Flight>)| own.as_bytes() == key;
        match flights.entry(hash, own, |(_, flight)| flight.hash) {
            Place::Occupied(mut place) => {
                let (key, flight) = place.get_mut();
                // What was asked for before a purge is not for those who come after it.
                if flight.epoch == epoch || !is_outdated(flight) {
                    let flight = Arc::clone(flight);
                    return Boarding::Follow(Seat { flight, epoch });
                }
                *flight = begin();
                Boarding::Lead(Arc::clone(flight), key.clone())
            }
            Place::Vacant(place) => {
                let (key, flight) = (Key::from_bytes(key), begin());
                place.insert((key.clone(), Arc::clone(&flight)));
                Boarding::Lead(flight, key)
            }
        }
    }

    /// Those who come from now on do not join it.
    pub(crate) fn remove(&self, flight: &Arc<Flight>) {
        let mut flights = self.shard(flight.hash);
        if let Ok(place) = flights.find_entry(flight.hash, |(_, own)| Arc::ptr_eq(own, flight)) {
            place.remove();
        }
    }

    /// How many are under way.
    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // The table uses the low bits and the highest.
        lock(&self.shards[(hash >> 32) as usize % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Flight {
    /// Says what became of it. Only the first word counts.
    pub(crate) fn land(&self, outcome: Outcome) {
        if self.outcome.set(outcome).is_ok() {
            self.landed.notify_waiters();
        }
    }

    /// What it has brought, once it has.
    pub(crate) fn entry(&self) -> Option<&Entry> {
        match self.outcome.get() {
            Some(Outcome::Stored(entry)) => Some(entry),
            _ => None,
        }
    }

    /// Waits for the outcome, but not for longer than this.
    pub(crate) async fn outcome(&self, patience: Duration) -> Option<Outcome> {
        let mut landed = std::pin::pin!(self.landed.notified());
        // From here on no word is missed.
        landed.as_mut().enable();
        if let Some(outcome) = self.outcome.get() {
            return Some(outcome.clone());
        }
        tokio::time::timeout(patience, landed).await.ok()?;
        self.outcome.get().cloned()
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flights({})", self.count())
    }
}
