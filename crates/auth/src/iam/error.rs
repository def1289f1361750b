//! What is wrong with a policy.

use std::fmt;

use serde::Serialize;

/// How many faults of one document are told.
pub(super) const MAX_FAULTS: usize = 100;

/// One thing that is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyFault {
    pointer: String,
    message: String,
}

impl PolicyFault {
    pub(super) fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            message: message.into(),
        }
    }

    /// The JSON pointer (RFC 6901) of what is wrong: empty for the whole document.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// What is wrong with it, and what would be right.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() {
            "/"
        } else {
            &self.pointer
        };
        write!(f, "{pointer}: {}", self.message)
    }
}

/// A document that is no policy, with all its faults. `Display` writes one on each line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    faults: Vec<PolicyFault>,
}

impl PolicyError {
    pub(super) fn new(mut faults: Vec<PolicyFault>) -> Self {
        faults.truncate(MAX_FAULTS);
        Self { faults }
    }

    pub(super) fn of(message: impl Into<String>) -> Self {
        Self::new(vec![PolicyFault::new("", message)])
    }

    /// The faults, in the order in which they were found; at least one, and the first hundred at most.
    #[must_use]
    pub fn faults(&self) -> &[PolicyFault] {
        &self.faults
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}
