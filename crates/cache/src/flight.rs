//! Fetches under way, each made once for all who want what it brings.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::Notify;

use crate::entry::Entry;
use crate::key::Key;

/// The fetches under way, by key.
pub(crate) struct Flights {
    shards: [Mutex<HashMap<Key, Arc<Flight>, RandomState>>; SHARDS],
    hasher: RandomState,
}

const SHARDS: usize = 16;

/// One fetch: whoever leads it says once what became of it.
pub(crate) struct Flight {
    /// How many purges there had been when it began. What it brings may be older than a later one.
    pub(crate) epoch: u64,
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
        let hasher = RandomState::default();
        Self {
            shards: std::array::from_fn(|_| Mutex::new(HashMap::with_hasher(hasher.clone()))),
            hasher,
        }
    }

    /// A number for a key, the same for as long as the process runs.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Joins the fetch of a key, or begins it. `is_outdated` says whether a purge since a fetch began is about it.
    pub(crate) fn board(
        &self,
        key: &[u8],
        epoch: u64,
        is_outdated: impl FnOnce(&Flight) -> bool,
    ) -> Boarding {
        let mut flights = self.shard(key);
        // What was asked for before a purge is not for those who come after it.
        if let Some(flight) = flights.get(key)
            && (flight.epoch == epoch || !is_outdated(flight))
        {
            let flight = Arc::clone(flight);
            return Boarding::Follow(Seat { flight, epoch });
        }
        let flight = Arc::new(Flight {
            epoch,
            outcome: OnceLock::new(),
            landed: Notify::new(),
        });
        let key = Key::from_bytes(key);
        flights.insert(key.clone(), Arc::clone(&flight));
        Boarding::Lead(flight, key)
    }

    /// Those who come from now on do not join it.
    pub(crate) fn remove(&self, key: &Key, flight: &Arc<Flight>) {
        let mut flights = self.shard(key.as_bytes());
        if flights.get(key).is_some_and(|own| Arc::ptr_eq(own, flight)) {
            flights.remove(key);
        }
    }

    /// How many are under way.
    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, HashMap<Key, Arc<Flight>, RandomState>> {
        // The table uses the low bits.
        let shard = (self.hash(key) >> 32) as usize % SHARDS;
        lock(&self.shards[shard])
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
