//! Where a ramp stands, to be kept.

use std::time::{Duration, SystemTime};

use super::decision::RampState;

/// Where a ramp stands, as far as it is worth keeping over a restart: [`Split::ramp_progress`](crate::Split::ramp_progress) says it, and
/// [`Split::resume_ramp`](crate::Split::resume_ramp) goes on from there.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RampProgress {
    /// The shares of the ramp in percent, each with its time. They say whether it is still the same ramp.
    pub steps: Vec<(f64, Duration)>,
    /// The step that it has come to; the first is 1.
    pub step: usize,
    /// When that step began.
    pub since: SystemTime,
    /// Whether it still rises.
    pub state: RampState,
}

impl RampProgress {
    /// A ramp of these steps that came to `step` (the first is 1) at this time.
    #[must_use]
    pub const fn new(
        steps: Vec<(f64, Duration)>,
        step: usize,
        since: SystemTime,
        state: RampState,
    ) -> Self {
        Self {
            steps,
            step,
            since,
            state,
        }
    }
}
