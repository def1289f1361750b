//! A request that is measured for a ramp.

use std::fmt;
use std::time::Instant;

use crate::split::Split;

/// A request that is measured for a [`Ramp`](crate::Ramp), from [`Split::measure`] until it is finished.
///
/// One that is dropped before (its client went away) counts as a request that took as long as it did, and not as an error: a canary that hangs is slow.
#[must_use]
pub struct Measured {
    split: Option<Split>,
    arm: u8,
    since: Instant,
}

impl Measured {
    pub(crate) const fn new(split: Split, arm: u8, since: Instant) -> Self {
        Self {
            split: Some(split),
            arm,
            since,
        }
    }

    /// The request is answered.
    pub fn finish(mut self, failed: bool) {
        self.record(failed);
    }

    fn record(&mut self, failed: bool) {
        if let Some(split) = self.split.take() {
            split.record(self.arm, self.since, failed);
        }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.record(false);
    }
}

impl fmt::Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
