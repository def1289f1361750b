//! What a cache has done so far.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use portcullis_core::CacheStatus;

use crate::store::{Store, StoreSize};

/// What a [`ResponseCache`](crate::ResponseCache) has done since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Requests that were served from the cache, with what had just been fetched for another among them.
    pub hits: u64,
    /// Requests that were served by their origin, though they could have been served from the cache.
    pub misses: u64,
    /// Requests that were not looked up.
    pub bypassed: u64,
    /// Those of the hits that waited for another request's response.
    pub collapsed: u64,
    /// Those of the hits that were served past their time.
    pub stale: u64,
    /// Responses that were stored.
    pub stored: u64,
    /// Times that the store was away.
    pub store_errors: u64,
    /// Entries that the store has found and could not read; they count as misses.
    pub unreadable: u64,
    /// Fetches under way.
    pub filling: usize,
    /// What the store holds.
    pub size: StoreSize,
}

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    Hit,
    Miss,
    Bypassed,
    Collapsed,
    Stale,
    Stored,
    StoreError,
}

const EVENTS: usize = 7;
const STRIPES: usize = 8;

/// Counts, in several places, so that threads do not wait for one cache line.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    stripes: [Stripe; STRIPES],
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe([AtomicU64; EVENTS]);

impl Counters {
    pub(crate) fn count(&self, event: Event) {
        self.stripes[stripe()].0[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_status(&self, status: CacheStatus) {
        match status {
            CacheStatus::Collapsed => self.count(Event::Collapsed),
            CacheStatus::Stale => self.count(Event::Stale),
            _ => {}
        }
        self.count(match status.is_hit() {
            Some(true) => Event::Hit,
            Some(false) => Event::Miss,
            None => Event::Bypassed,
        });
    }

    pub(crate) fn read(&self, filling: usize, store: &dyn Store) -> CacheStats {
        let sum = |event: Event| {
            let stripes = self.stripes.iter();
            stripes
                .map(|stripe| stripe.0[event as usize].load(Ordering::Relaxed))
                .sum()
        };
        CacheStats {
            hits: sum(Event::Hit),
            misses: sum(Event::Miss),
            bypassed: sum(Event::Bypassed),
            collapsed: sum(Event::Collapsed),
            stale: sum(Event::Stale),
            stored: sum(Event::Stored),
            store_errors: sum(Event::StoreError),
            unreadable: store.unreadable(),
            filling,
            size: store.size(),
        }
    }
}

/// The thread's own place.
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    let own = OWN.get();
    if own != usize::MAX {
        return own;
    }
    let own = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    OWN.set(own);
    own
}
