//! What is wrong with a configuration.

use std::fmt;

/// Why a configuration was not accepted: every fault at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

/// One fault of a configuration: where it is, what it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    at: String,
    problem: String,
    fix: String,
}

impl Fault {
    pub(crate) fn new(
        at: impl Into<String>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            at: at.into(),
            problem: problem.into(),
            fix: fix.into(),
        }
    }

    /// Which part of the configuration it is about: `domain api.example.com, mapping orders`, say.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }

    /// What is wrong. It never repeats the value of a stage variable.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What would make it right.
    #[must_use]
    pub fn fix(&self) -> &str {
        &self.fix
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.at, self.problem, self.fix)
    }
}

impl ConfigError {
    /// `value`, unless there are faults.
    pub(crate) fn unless_faulty<T>(faults: Vec<Fault>, value: T) -> Result<T, Self> {
        if faults.is_empty() {
            Ok(value)
        } else {
            Err(Self { faults })
        }
    }

    /// The faults, in the order of the configuration.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        Self {
            faults: vec![fault],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
