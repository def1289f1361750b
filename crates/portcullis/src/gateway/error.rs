//! What is wrong with what a gateway was to be built from.

use std::error::Error;
use std::fmt;

/// Why a gateway could not be built, or a deployment not be put in place: every fault at once.
///
/// Each line names the API, the place as a JSON pointer or a field, what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayError {
    faults: Vec<GatewayFault>,
}

/// One fault of a [`GatewayError`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayFault {
    /// The id of the API; empty for what is outside the APIs.
    pub api: String,
    /// Where the fault is: a JSON pointer into the definition, or the name of a setting.
    pub place: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl GatewayFault {
    pub(super) fn new(api: &str, place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self {
            api: api.to_owned(),
            place: place.to_string(),
            message: message.to_string(),
        }
    }
}

impl GatewayError {
    pub(super) fn new(faults: Vec<GatewayFault>) -> Self {
        Self { faults }
    }

    /// The faults, in the order in which they were found.
    #[must_use]
    pub fn faults(&self) -> &[GatewayFault] {
        &self.faults
    }
}

impl From<GatewayFault> for GatewayError {
    fn from(fault: GatewayFault) -> Self {
        Self::new(vec![fault])
    }
}

impl fmt::Display for GatewayFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.api.is_empty(), self.place.is_empty()) {
            (false, false) => write!(f, "{} {}: {}", self.api, self.place, self.message),
            (false, true) => write!(f, "{}: {}", self.api, self.message),
            (true, false) => write!(f, "{}: {}", self.place, self.message),
            (true, true) => f.write_str(&self.message),
        }
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for GatewayError {}
