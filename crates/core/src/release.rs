//! Which release of a stage serves a request.

use std::fmt;
use std::sync::Arc;

/// Which release of a stage serves a request.
///
/// A split (crate `canary`) writes it into the [`RequestContext`](crate::RequestContext);
/// the cache keeps the releases apart, and metrics and logs measure them apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a request is split or it is not")]
pub enum Release {
    /// No canary is set up.
    #[default]
    None,
    /// A canary is set up, and the request went to production.
    Production,
    /// The request went to the canary of this name.
    Canary(Arc<str>),
}

impl Release {
    /// The answer to `$context.isCanaryRequest`: absent where no canary exists.
    #[must_use]
    pub const fn is_canary(&self) -> Option<bool> {
        match self {
            Self::None => None,
            Self::Production => Some(false),
            Self::Canary(_) => Some(true),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Production => f.write_str("production"),
            Self::Canary(name) => write!(f, "canary {name}"),
        }
    }
}
