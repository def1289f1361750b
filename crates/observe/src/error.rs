//! What is wrong with a configuration.

use std::fmt;

/// A configuration that observing cannot be set up with.
///
/// Its text names the field, the value and the fix; of several faults, each on a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: &'static str,
    value: String,
    problem: String,
    /// What else is wrong.
    others: Vec<Self>,
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
            others: Vec::new(),
        }
    }

    /// All these faults at once; `None` if there are none.
    pub(crate) fn all(faults: Vec<Self>) -> Option<Self> {
        let mut faults = faults.into_iter().flat_map(|mut fault| {
            let others = std::mem::take(&mut fault.others);
            std::iter::once(fault).chain(others)
        });
        let mut first = faults.next()?;
        first.others = faults.collect();
        Some(first)
    }

    /// The faults one by one.
    pub fn each(&self) -> impl Iterator<Item = Self> {
        let first = Self {
            others: Vec::new(),
            ..self.clone()
        };
        std::iter::once(first).chain(self.others.clone())
    }

    /// The field that is wrong; of several, the first.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with it, without the field and the value.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The value and what is wrong with it, without the field: for whoever says the place in words of its own.
    #[must_use]
    pub fn problem_of_value(&self) -> String {
        let Self { value, problem, .. } = self;
        if value.is_empty() {
            problem.clone()
        } else {
            format!("`{value}` {problem}")
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            value,
            problem,
            others,
        } = self;
        if value.is_empty() {
            write!(f, "{field}: {problem}")?;
        } else {
            write!(f, "{field}: `{value}` {problem}")?;
        }
        others.iter().try_for_each(|other| write!(f, "\n{other}"))
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::ConfigError;

    #[test]
    fn several_faults_are_told_each_on_a_line() {
        let fault = |value| ConfigError::new("format", value, "is wrong");
        let two = ConfigError::all(vec![fault("a"), fault("b")]).unwrap();
        let all = ConfigError::all(vec![two, fault("c")]).unwrap();
        assert_eq!(
            all.to_string(),
            "format: `a` is wrong\nformat: `b` is wrong\nformat: `c` is wrong"
        );
        assert_eq!(
            all.each().collect::<Vec<_>>(),
            [fault("a"), fault("b"), fault("c")]
        );
        assert_eq!(ConfigError::all(Vec::new()), None);
    }
}
