//! What is wrong with a configuration.

use std::error::Error;
use std::fmt;

/// Why a configuration cannot be used: every fault at once, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub(super) faults: Vec<ConfigFault>,
}

/// One fault of a [`ConfigError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigFault {
    /// Where it is: a JSON pointer into the file, or the file.
    pub place: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl ConfigError {
    pub(super) fn one(place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self {
            faults: vec![ConfigFault {
                place: place.to_string(),
                message: message.to_string(),
            }],
        }
    }

    /// The faults, in the order of the file.
    #[must_use]
    pub fn faults(&self) -> &[ConfigFault] {
        &self.faults
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() {
            "/"
        } else {
            &self.place
        };
        write!(f, "{place}: {}", self.message)
    }
}

impl fmt::Display for ConfigError {
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

impl Error for ConfigError {}
