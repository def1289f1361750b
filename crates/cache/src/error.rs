//! What is wrong with a configuration.

use std::borrow::Cow;
use std::fmt;

/// A cache or its rules that cannot be made as they were asked for.
///
/// Its text names the field, the value and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: Cow<'static, str>,
    value: String,
    fault: &'static str,
    fix: &'static str,
}

impl ConfigError {
    pub(crate) fn new(
        field: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        fault: &'static str,
        fix: &'static str,
    ) -> Self {
        Self {
            field: field.into(),
            value: value.to_string(),
            fault,
            fix,
        }
    }

    /// The field that is wrong, under the name that a configuration file gives it.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it: the value, unless that is a secret, and why it cannot be.
    #[must_use]
    pub fn problem(&self) -> String {
        format!("`{}` {}", self.value, self.fault)
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
            value,
            fault,
            fix,
        } = self;
        write!(f, "{field}: `{value}` {fault}; {fix}")
    }
}

impl std::error::Error for ConfigError {}
