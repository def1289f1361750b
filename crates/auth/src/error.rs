//! What is wrong with a configuration.

use std::fmt;

/// A configuration that cannot be served.
///
/// Its text names the field, what is wrong with it and the fix; never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: String,
    problem: String,
    fix: &'static str,
}

impl ConfigError {
    /// An error of somebody else's configuration that is made of this crate's. `problem` reads on from the field's name: "`htp://x` is not a URL".
    #[must_use]
    pub fn new(field: impl Into<String>, problem: impl Into<String>, fix: &'static str) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
            fix,
        }
    }

    /// The same, of a field below `parent`.
    #[must_use]
    pub fn within(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }

    /// The field that is wrong.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What to do about it.
    #[must_use]
    pub const fn fix(&self) -> &'static str {
        self.fix
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            problem,
            fix,
        } = self;
        write!(f, "{field}: {problem}; {fix}")
    }
}

impl std::error::Error for ConfigError {}
