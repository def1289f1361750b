//! What is wrong with a configuration.

use std::borrow::Cow;
use std::fmt;

/// Something that cannot be made as it was asked for: a limit, a cache, a layer.
///
/// Its text names the field, the value and the fix.
///
/// ```
/// use portcullis_core::ConfigError;
///
/// let error = ConfigError::new("burst", -5, "is no burst", "give at least 1").within("limits");
/// assert_eq!(error.field(), "limits.burst");
/// assert_eq!(error.to_string(), "limits.burst: `-5` is no burst; give at least 1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: Cow<'static, str>,
    value: String,
    fault: &'static str,
    fix: &'static str,
}

impl ConfigError {
    /// `fault` says what `value`, which is no secret, is or does that `field` must not; `fix` is what to write instead.
    #[must_use]
    pub fn new(
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

    /// The same fault in a field of something larger: `rules.per-client.rate`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.field = Cow::Owned(format!("{outer}.{}", self.field));
        self
    }

    /// The field that is wrong, under the name that a configuration file gives it.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it: the value, and why it cannot be.
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
