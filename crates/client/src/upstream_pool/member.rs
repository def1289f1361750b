//! One target of a pool.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::health::Health;
use crate::upstreams::Target;

/// A target with what it has to do, and how it has been.
#[derive(Debug)]
pub(super) struct Member {
    target: Target,
    in_flight: AtomicUsize,
    health: Mutex<Health>,
}

impl Member {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            in_flight: AtomicUsize::new(0),
            health: Mutex::default(),
        }
    }

    pub(super) const fn target(&self) -> &Target {
        &self.target
    }

    /// Requests whose answers have not ended.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        // Each change of it is whole.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
