//! What is wrong with a configuration.

use std::fmt;

/// A configuration that observing cannot be set up with.
///
/// Its text names the field, the value and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: &'static str,
    value: String,
    problem: String,
}

impl ConfigError {
    /// `problem` says what is wrong with `value`, and what would be right.
    pub(crate) fn new(
        field: &'static str,
        value: impl fmt::Display,
        problem: impl Into<String>,
    ) -> Self {
        Self {
            field,
            value: value.to_string(),
            problem: problem.into(),
        }
    }

    /// The field that is wrong.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with it, without the field.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            value,
            problem,
        } = self;
        if value.is_empty() {
            write!(f, "{field}: {problem}")
        } else {
            write!(f, "{field}: `{value}` {problem}")
        }
    }
}

impl std::error::Error for ConfigError {}
