//! What a ramp is to do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::decision::RampDecision;
use crate::comparisons::Comparisons;
use crate::error::ConfigError;
use crate::weights::Share;

/// Steps by which a variant's share rises over time, and guard rails that take it back to nothing.
///
/// The canary is compared with production over the same window. The share rises when a step has lasted its time and the canary was seen to be no worse; as long as
/// either has had fewer requests than the minimum, nothing is decided and the step lasts longer.
///
/// ```
/// use std::time::Duration;
/// use portcullis_canary::{Ramp, Split};
///
/// let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
/// let ramp = Ramp::new([(1.0, minutes(10)), (10.0, minutes(30)), (50.0, minutes(30)), (100.0, minutes(0))])
///     .window(minutes(1))
///     .min_requests(200)
///     .max_error_rate_above(0.5)
///     .max_p99_times(1.3);
/// let split = Split::new("v2", 0.0)?;
/// split.start_ramp("v2", ramp)?;
/// assert_eq!(split.weight("v2"), Some(1.0));
/// assert_eq!(split.ramp().expect("it runs").to_string(), "v2 at 1 %, step 1 of 4");
/// # Ok::<(), portcullis_canary::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Ramp {
    steps: Vec<(f64, Duration)>,
    window: Duration,
    min_requests: u64,
    error_rate_above: f64,
    p99_times: f64,
    mismatches: Option<Mismatches>,
    listeners: Vec<Arc<Listener>>,
}

/// The guard rail of compared answers.
#[derive(Clone, Debug)]
pub(super) struct Mismatches {
    pub(super) above: f64,
    pub(super) canary: Comparisons,
    /// How much answers differ by themselves.
    pub(super) noise: Option<Comparisons>,
}

pub(super) type Listener = dyn Fn(&RampDecision) + Send + Sync;

impl Ramp {
    /// Gives the variant these shares, in percent, each for its time. The last one stays. At 100 % there is nothing to compare with, so the ramp ends there.
    ///
    /// The guard rails are: 1 percentage point of errors more than production, 1.5 times its p99, at least 100 requests of each in a window of a minute.
    pub fn new(steps: impl IntoIterator<Item = (f64, Duration)>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            window: Duration::from_secs(60),
            min_requests: 100,
            error_rate_above: 1.0,
            p99_times: 1.5,
            mismatches: None,
            listeners: Vec::new(),
        }
    }

    /// How long numbers are collected before they are begun anew. Within it they are looked at again and again, so that what is bad is stopped early.
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How many requests canary and production must each have had in a window before anything is decided.
    pub const fn min_requests(mut self, requests: u64) -> Self {
        self.min_requests = requests;
        self
    }

    /// By how many percentage points the canary's rate of errors may be above production's. An error is a status of 500 or more, or a service that fails.
    pub const fn max_error_rate_above(mut self, points: f64) -> Self {
        self.error_rate_above = points;
        self
    }

    /// How many times production's p99 the canary's may be. It is measured until the head of the answer, and known to a sixteenth.
    pub const fn max_p99_times(mut self, times: f64) -> Self {
        self.p99_times = times;
        self
    }

    /// By how many percentage points the rate of compared answers that differ may be above the [noise](Self::mismatch_noise), which is nought unless it is
    /// measured. A [`MirrorLayer`](crate::MirrorLayer) fills these comparisons.
    pub fn max_mismatches_above(mut self, points: f64, comparisons: &Comparisons) -> Self {
        let noise = self.mismatches.and_then(|own| own.noise);
        self.mismatches = Some(Mismatches {
            above: points,
            canary: comparisons.clone(),
            noise,
        });
        self
    }

    /// Comparisons of production with itself, which say how much answers differ without a new version: clocks, ids, chance. Only beside
    /// [`max_mismatches_above`](Self::max_mismatches_above), after it.
    pub fn mismatch_noise(mut self, comparisons: &Comparisons) -> Self {
        if let Some(own) = &mut self.mismatches {
            own.noise = Some(comparisons.clone());
        }
        self
    }

    /// Hands every decision to `listener`, beside the log and the listeners before it: for an alarm, or to keep it. It is called in the middle of a request, so it
    /// does not wait.
    pub fn on_decision(mut self, listener: impl Fn(&RampDecision) + Send + Sync + 'static) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Says what is wrong with it, as [`Split::start_ramp`](crate::Split::start_ramp) would.
    ///
    /// # Errors
    ///
    /// What is wrong first: a share that is none or does not rise, a margin or a window that is none.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.clone().checked().map(drop)
    }

    /// What the ramp comes to when it is checked.
    pub(super) fn checked(self) -> Result<CheckedRamp, ConfigError> {
        let wrong = |field: &'static str, problem: &str| Err(ConfigError::new(field, problem));
        if self.steps.is_empty() {
            return wrong(
                "ramp.steps",
                "there is none; give at least one share with its time",
            );
        }
        let mut steps: Vec<(Share, Duration)> = Vec::with_capacity(self.steps.len());
        for (index, (percent, duration)) in self.steps.into_iter().enumerate() {
            let field = format!("ramp.steps[{index}].percent");
            let share = Share::new(field.clone(), percent)?;
            if steps.last().is_some_and(|(before, _)| *before >= share) || share == Share::NONE {
                let problem = format!("{percent} is no more than before; give rising shares");
                return Err(ConfigError::new(field, problem));
            }
            steps.push((share, duration));
        }
        if self.window.is_zero() {
            return wrong("ramp.window", "is no time; give a second at least");
        }
        if self.min_requests == 0 {
            return wrong(
                "ramp.minRequests",
                "nothing is decided on nothing; give 1 at least",
            );
        }
        let points = |points: f64| (0.0..=100.0).contains(&points);
        let above = self.mismatches.as_ref().map_or(0.0, |own| own.above);
        for (field, given) in [
            ("ramp.maxErrorRateAbove", self.error_rate_above),
            ("ramp.maxMismatchesAbove", above),
        ] {
            if !points(given) {
                let problem = format!("{given} are no percentage points; give 0 to 100");
                return Err(ConfigError::new(field, problem));
            }
        }
        if !(self.p99_times >= 1.0 && self.p99_times.is_finite()) {
            let problem = format!(
                "{} would refuse a canary as quick as production; give 1 or more",
                self.p99_times
            );
            return Err(ConfigError::new("ramp.maxP99Times", problem));
        }
        Ok(CheckedRamp {
            steps,
            window: self.window,
            min_requests: self.min_requests,
            error_rate_above: self.error_rate_above,
            p99_times: self.p99_times,
            mismatches: self.mismatches,
            listeners: self.listeners.into(),
        })
    }
}

/// A [`Ramp`] that can run.
pub(super) struct CheckedRamp {
    /// One at least.
    pub(super) steps: Vec<(Share, Duration)>,
    pub(super) window: Duration,
    pub(super) min_requests: u64,
    pub(super) error_rate_above: f64,
    pub(super) p99_times: f64,
    pub(super) mismatches: Option<Mismatches>,
    pub(super) listeners: Arc<[Arc<Listener>]>,
}

impl fmt::Debug for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ramp")
            .field("steps", &self.steps)
            .field("window", &self.window)
            .field("min_requests", &self.min_requests)
            .field("error_rate_above", &self.error_rate_above)
            .field("p99_times", &self.p99_times)
            .field("mismatches", &self.mismatches)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Ramp;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "it reads better")]
    fn refused(ramp: Ramp, expected: &str) {
        let error = ramp.check().unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_cannot_be_ramped_is_an_error_that_names_the_field() {
        let ramp =
            |steps: &[f64]| Ramp::new(steps.iter().map(|own| (*own, Duration::from_secs(1))));
        refused(
            ramp(&[]),
            "ramp.steps: there is none; give at least one share with its time",
        );
        refused(
            ramp(&[1.0, 101.0]),
            "ramp.steps[1].percent: 101 is no share; give 0 to 100",
        );
        refused(
            ramp(&[10.0, 5.0]),
            "ramp.steps[1].percent: 5 is no more than before; give rising shares",
        );
        refused(
            ramp(&[0.0]),
            "ramp.steps[0].percent: 0 is no more than before; give rising shares",
        );
        refused(
            ramp(&[1.0]).max_error_rate_above(-1.0),
            "ramp.maxErrorRateAbove: -1 are no percentage points; give 0 to 100",
        );
        refused(
            ramp(&[1.0]).max_p99_times(0.9),
            "ramp.maxP99Times: 0.9 would refuse a canary as quick as production; give 1 or more",
        );
        refused(
            ramp(&[1.0]).min_requests(0),
            "ramp.minRequests: nothing is decided on nothing; give 1 at least",
        );
        refused(
            ramp(&[1.0]).window(Duration::ZERO),
            "ramp.window: is no time; give a second at least",
        );
    }
}
