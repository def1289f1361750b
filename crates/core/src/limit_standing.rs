//! How a caller stands with a limit.

use std::sync::Arc;

/// How much of a limit a caller has left, as `RateLimit` headers say it. `throttle` notes it in the context where those headers are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStanding {
    /// The name of the limit.
    pub name: Arc<str>,
    /// What may be spent at once, or in a window.
    pub quota: u64,
    /// The seconds in which so much is earned again.
    pub window: u64,
    /// What is left of it.
    pub remaining: u64,
    /// The seconds until all of it is there again.
    pub reset: u64,
}

impl LimitStanding {
    /// The standing with the limit of this name, of which nothing is known.
    #[must_use]
    pub const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            quota: 0,
            window: 0,
            remaining: 0,
            reset: 0,
        }
    }
}
