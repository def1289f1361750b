//! Deployments: definitions that do not change any more, and which stages serve which.

mod canary;
mod diff;
mod history;
mod new;
mod ramp;
mod snapshot;
mod summary;

pub use diff::{Change, DeploymentDiff, FieldChange, RouteChange};
pub use new::NewDeployment;
pub use summary::{DeploymentSummary, StageSummary};

pub(super) use history::{DEFAULT_KEPT, Histories, History, StageState, Written, pinned};
pub(super) use ramp::KeptRamp;
pub(super) use snapshot::{Digest, Snapshot};
