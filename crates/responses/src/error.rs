//! What is wrong with a table, and what in it has no effect.

use std::fmt;

/// Why a table was not accepted: every fault at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

/// One fault of a table: where it is, what it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    at: String,
    problem: String,
    fix: String,
}

/// Something in a table that is accepted and has no effect, for a report to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    at: String,
    text: String,
}

impl Fault {
    pub(crate) fn new(at: &str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            problem: problem.into(),
            fix: fix.into(),
        }
    }

    /// Which part of the table it is about: `DEFAULT_4XX, statusCode`, say.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }

    /// What is wrong.
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

impl Remark {
    pub(crate) fn new(at: &str, text: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            text: text.into(),
        }
    }

    /// Which part of the table it is about.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }

    /// Why it has no effect.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.text)
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

    /// The faults, in the order of the table.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
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
