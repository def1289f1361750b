//! What a ramp has decided, with the numbers.

use std::fmt;
use std::time::{Duration, SystemTime};

/// How a ramp stands: see [`Split::ramp`](crate::Split::ramp).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RampStatus {
    /// The variant whose share rises.
    pub variant: String,
    /// Whether it still rises.
    pub state: RampState,
    /// The step that it has come to; the first is 1.
    pub step: usize,
    /// How many steps there are.
    pub steps: usize,
    /// The variant's share, in percent.
    pub percent: f64,
    /// What the variant did in this window so far.
    pub canary: RampSample,
    /// What production did in it.
    pub baseline: RampSample,
    /// What was decided, the oldest first; of very many the last 64.
    pub decisions: Vec<RampDecision>,
}

/// Whether a ramp still rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RampState {
    /// It rises.
    Running,
    /// It came to its last step, and that lasted its time.
    Finished,
    /// A guard rail took the share back to nothing.
    RolledBack,
    /// Somebody stopped it, or set a weight by hand.
    Stopped,
}

/// One decision of a ramp. Its text is the line of the log.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RampDecision {
    /// When.
    pub at: SystemTime,
    /// The variant.
    pub variant: String,
    /// What was done.
    pub action: RampAction,
    /// Its share before, in percent.
    pub from: f64,
    /// Its share after.
    pub to: f64,
    /// What the variant had done in the window.
    pub canary: RampSample,
    /// What production had done in it.
    pub baseline: RampSample,
}

/// What a ramp did.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RampAction {
    /// It began.
    Start,
    /// It went on where it had stood before a restart.
    Resume,
    /// It gave the variant the share of the next step.
    Raise,
    /// It came to its end.
    Finish,
    /// It took the share back, since the rate of errors was above production's by more than these percentage points.
    RollBackForErrors(f64),
    /// It took the share back, since the p99 was more than so many times production's.
    RollBackForP99(f64),
    /// It took the share back, since the rate of answers that differ was above the noise by more than these percentage points.
    RollBackForMismatches(f64),
    /// It was stopped by hand.
    Stop,
}

/// What was counted in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RampSample {
    /// Requests that were answered or given up.
    pub requests: u64,
    /// Those answered with a status of 500 or more, or not at all.
    pub errors: u64,
    /// The time within which 99 of 100 were answered, to a sixteenth.
    pub p99: Duration,
    /// Answers that were compared.
    pub compared: u64,
    /// Those that differed.
    pub mismatched: u64,
}

impl RampSample {
    /// The rate of errors, in percent.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        rate(self.errors, self.requests)
    }

    /// The rate of compared answers that differed, in percent.
    #[must_use]
    pub fn mismatch_rate(&self) -> f64 {
        rate(self.mismatched, self.compared)
    }
}

fn rate(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 * 100.0 / whole as f64
}

impl RampAction {
    /// Whether it took the share back.
    #[must_use]
    pub const fn is_rollback(&self) -> bool {
        matches!(
            self,
            Self::RollBackForErrors(_) | Self::RollBackForP99(_) | Self::RollBackForMismatches(_)
        )
    }
}

impl fmt::Display for RampDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            variant,
            from,
            to,
            canary,
            baseline,
            ..
        } = self;
        let (done, why) = match self.action {
            RampAction::Start => ("started", String::new()),
            RampAction::Resume => ("resumed", String::new()),
            RampAction::Raise => ("raised", String::new()),
            RampAction::Finish => ("finished", String::new()),
            RampAction::Stop => ("stopped", String::new()),
            RampAction::RollBackForErrors(points) => (
                "rolled back",
                format!("errors are more than {points} points above production's; "),
            ),
            RampAction::RollBackForP99(times) => (
                "rolled back",
                format!("p99 is more than {times} times production's; "),
            ),
            RampAction::RollBackForMismatches(points) => (
                "rolled back",
                format!("answers differ more than {points} points above the noise; "),
            ),
        };
        write!(
            f,
            "{variant} {done} from {from} % to {to} %: {why}canary {canary}; production {baseline}"
        )
    }
}

impl fmt::Display for RampSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {:.2} % errors, p99 {:?}",
            self.requests,
            self.error_rate(),
            self.p99
        )?;
        if self.compared > 0 {
            write!(
                f,
                ", {:.2} % of {} differ",
                self.mismatch_rate(),
                self.compared
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for RampStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            RampState::Running => "",
            RampState::Finished => ", finished",
            RampState::RolledBack => ", rolled back",
            RampState::Stopped => ", stopped",
        };
        let Self {
            variant,
            percent,
            step,
            steps,
            ..
        } = self;
        write!(f, "{variant} at {percent} %, step {step} of {steps}{state}")
    }
}
