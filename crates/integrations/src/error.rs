//! Configurations that cannot be, and parts of them that are not served yet.

use std::fmt;

/// An integration that cannot be built. It names the field and the value.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    field: String,
    fault: String,
}

impl ConfigError {
    pub(crate) fn new(field: impl Into<String>, fault: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            fault: fault.into(),
        }
    }

    /// The field that is wrong, as a JSON pointer relative to the integration: `/uri`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.fault
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigError({self})")
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "integration: `{}` {}", self.field, self.fault)
    }
}

impl std::error::Error for ConfigError {}

/// Something that an integration asks for and that is not served yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsupported {
    /// The field that asks for it, as a JSON pointer relative to the integration: `/requestTemplates/application~1json`.
    pub field: String,
    /// What is not served.
    pub what: String,
    /// What happens to requests meanwhile.
    pub conduct: Conduct,
}

/// What happens to a request that needs something [`Unsupported`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Conduct {
    /// Every request is answered 500.
    RefuseAll,
    /// A request that comes to it is answered 500.
    RefuseWhenNeeded,
    /// Requests are served as if it were not there.
    Ignore,
}

/// Collects what is not served while a configuration is compiled.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Unsupported>,
}

impl Findings {
    pub(crate) fn add(
        &mut self,
        field: impl Into<String>,
        what: impl Into<String>,
        conduct: Conduct,
    ) {
        self.found.push(Unsupported {
            field: field.into(),
            what: what.into(),
            conduct,
        });
    }

    /// Why every request is answered 500, if so it is.
    pub(crate) fn refusing(&self) -> Option<String> {
        let found = self.found.iter();
        let refusing = found.filter(|finding| finding.conduct == Conduct::RefuseAll);
        let what: Vec<_> = refusing.map(|finding| finding.what.as_str()).collect();
        (!what.is_empty()).then(|| format!("not served: {}", what.join("; ")))
    }

    pub(crate) fn into_vec(self) -> Vec<Unsupported> {
        self.found
    }
}

/// One step of a JSON pointer.
pub(crate) fn escape(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::{Conduct, Findings};

    #[test]
    fn why_every_request_is_refused_is_told() {
        let mut findings = Findings::default();
        findings.add("/cache", "this", Conduct::Ignore);
        assert_eq!(findings.refusing(), None);
        findings.add("/uri", "that", Conduct::RefuseAll);
        findings.add("/type", "and that", Conduct::RefuseAll);
        assert_eq!(
            findings.refusing().as_deref(),
            Some("not served: that; and that")
        );
    }
}
