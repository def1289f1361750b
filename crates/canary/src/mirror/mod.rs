//! A copy of the traffic for a version that nobody is served by yet, and what it would have answered otherwise.

mod body;
mod comparison;
mod difference;
mod json;
mod layer;
mod report;
mod shadow;

pub use body::MirrorBody;
pub use comparison::Comparison;
pub use difference::Difference;
pub use layer::{Mirror, MirrorFuture, MirrorLayer, MirrorLayerBuilder};
pub use report::{MirrorHandle, MirrorReport, MirrorSample};
