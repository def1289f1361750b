//! What is wrong with a configuration.

use std::fmt;

/// A configuration that cannot be made into [`CorsRules`](crate::CorsRules).
///
/// Its text names the field, the value and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: &'static str,
    value: String,
    fault: Fault,
    fix: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The value is not one that the field takes.
    Invalid,
    /// The value would be a wildcard for requests with credentials.
    WildcardWithCredentials,
    /// The value is fine, but not in this conduct.
    NotInThisConduct,
}

impl ConfigError {
    pub(crate) fn new(
        field: &'static str,
        value: impl Into<String>,
        fault: Fault,
        fix: &'static str,
    ) -> Self {
        Self {
            field,
            value: value.into(),
            fault,
            fix,
        }
    }

    /// The field that is wrong, under the name that [`CorsConfig`](crate::CorsConfig) gives it.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// The value of it that is wrong.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is wrong with it and what to do about it, without the field.
    #[must_use]
    pub fn problem(&self) -> String {
        let Self { value, fix, .. } = self;
        let fault = match self.fault {
            Fault::Invalid => "is not valid",
            Fault::WildcardWithCredentials => "cannot stand together with credentials",
            Fault::NotInThisConduct => "is not something that an HTTP API can say",
        };
        format!("`{value}` {fault}; {fix}")
    }

    /// Whether the value is none that the field takes, in whatever combination.
    #[must_use]
    pub const fn is_invalid_value(&self) -> bool {
        matches!(self.fault, Fault::Invalid)
    }

    /// Whether a wildcard stands together with credentials.
    #[must_use]
    pub const fn is_wildcard_with_credentials(&self) -> bool {
        matches!(self.fault, Fault::WildcardWithCredentials)
    }

    /// Whether the value is one that only the other [`Conduct`](crate::Conduct) takes.
    #[must_use]
    pub const fn is_not_in_this_conduct(&self) -> bool {
        matches!(self.fault, Fault::NotInThisConduct)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem())
    }
}

impl std::error::Error for ConfigError {}
