//! A share that rises by itself, within guard rails.

mod decision;
mod meter;
mod plan;
mod progress;
mod runner;

pub use decision::{RampAction, RampDecision, RampSample, RampState, RampStatus};
pub use plan::Ramp;
pub use progress::RampProgress;

pub(crate) use runner::{Now, Ramps, Setting};
