//! Stage variables in text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use portcullis_core::{Decision, Rejection, RejectionKind};

use crate::error::{ConfigError, Fault};
use crate::variables::is_name;

const OPEN: &str = "${stageVariables.";

/// A text with stage variables in it, parsed once: an integration's URI, a function's ARN, a role.
///
/// Only `${stageVariables.name}` is a reference; everything else, `{proxy}` included, stays as it is.
///
/// ```
/// use portcullis_stages::{StageTemplate, StageVariables};
///
/// let uri = StageTemplate::parse("http://${stageVariables.host}/x/{proxy}")?;
/// let variables = StageVariables::new([("host", "pets.internal:8080")])?;
/// assert_eq!(uri.expand(variables.as_map())?, "http://pets.internal:8080/x/{proxy}");
///
/// let unset = uri.expand(StageVariables::default().as_map()).expect_err("host is not set");
/// assert_eq!(unset.name(), "host");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageTemplate {
    text: Box<str>,
    /// Where references begin and end, braces included.
    references: Box<[(usize, usize)]>,
}

impl StageTemplate {
    /// Parses `text`.
    ///
    /// # Errors
    ///
    /// Every reference that is not closed or names what cannot be the name of a stage variable.
    pub fn parse(text: impl Into<String>) -> Result<Self, ConfigError> {
        let text = text.into().into_boxed_str();
        let mut references = Vec::new();
        let mut faults = Vec::new();
        let mut from = 0;
        while let Some(start) = text[from..].find(OPEN).map(|start| from + start) {
            let name = start + OPEN.len();
            let end = text[name..].find('}').map(|end| name + end);
            match end {
                Some(end) if is_name(&text[name..end]) => {
                    references.push((start, end + 1));
                    from = end + 1;
                }
                _ => {
                    faults.push(Fault::new(
                        format!("`{text}`, byte {start}"),
                        "a stage variable is not named or not closed",
                        "write ${stageVariables.name}, with letters, digits and underscores",
                    ));
                    from = name;
                }
            }
        }
        let references = references.into();
        ConfigError::unless_faulty(faults, Self { text, references })
    }

    /// The text as it was given.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is no variable in it.
    #[must_use]
    pub const fn is_literal(&self) -> bool {
        self.references.is_empty()
    }

    /// The names of the variables in it, in order, with repetitions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.references
            .iter()
            .map(|&reference| self.name(reference))
    }

    fn name(&self, (start, end): (usize, usize)) -> &str {
        &self.text[start + OPEN.len()..end - 1]
    }

    /// Puts the values in; a text without variables is lent. Values are put in as they are, and are not looked at for references.
    ///
    /// # Errors
    ///
    /// The first variable that is not set. The service answers such a request with 500:
    /// [`UnsetVariable`] converts into that [`Rejection`].
    pub fn expand(
        &self,
        variables: &BTreeMap<String, String>,
    ) -> Result<Cow<'_, str>, UnsetVariable> {
        if self.is_literal() {
            return Ok(Cow::Borrowed(&self.text));
        }
        let mut out = String::with_capacity(self.text.len() + 32);
        let mut from = 0;
        for &(start, end) in &self.references {
            let name = self.name((start, end));
            let value = variables
                .get(name)
                .ok_or_else(|| UnsetVariable { name: name.into() })?;
            out.push_str(&self.text[from..start]);
            out.push_str(value);
            from = end;
        }
        out.push_str(&self.text[from..]);
        Ok(Cow::Owned(out))
    }
}

/// Puts stage variables into a text that is used once; what is used again is better [parsed](StageTemplate::parse).
/// A reference that is not well formed stays as it is.
///
/// # Errors
///
/// The first variable that is not set.
pub fn expand<'a>(
    text: &'a str,
    variables: &BTreeMap<String, String>,
) -> Result<Cow<'a, str>, UnsetVariable> {
    let Some(first) = text.find(OPEN) else {
        return Ok(Cow::Borrowed(text));
    };
    let mut out = String::with_capacity(text.len() + 32);
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(start) = rest.find(OPEN) {
        let name = start + OPEN.len();
        out.push_str(&rest[..start]);
        match rest[name..].find('}').map(|end| name + end) {
            Some(end) if is_name(&rest[name..end]) => {
                let name = &rest[name..end];
                let value = variables
                    .get(name)
                    .ok_or_else(|| UnsetVariable { name: name.into() })?;
                out.push_str(value);
                rest = &rest[end + 1..];
            }
            _ => {
                out.push_str(OPEN);
                rest = &rest[name..];
            }
        }
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// A text needs a stage variable that the stage does not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsetVariable {
    name: Arc<str>,
}

impl UnsetVariable {
    /// The name of the variable.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for UnsetVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stage variable `{}` is not set", self.name)
    }
}

impl std::error::Error for UnsetVariable {}

impl From<UnsetVariable> for Rejection {
    fn from(unset: UnsetVariable) -> Self {
        let decision =
            Decision::new("stages", "unset_variable").with("name", unset.name.to_string());
        Self::new(RejectionKind::ApiConfigurationError).with_decision(decision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        let pairs = [
            ("host", "h.test"),
            ("port", "80"),
            ("odd", "${stageVariables.host}"),
        ];
        pairs
            .map(|(name, value)| (name.into(), value.into()))
            .into()
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let template = StageTemplate::parse(text).expect("it is well formed");
        for found in [template.expand(&variables()), expand(text, &variables())] {
            let found = found.as_deref().map_err(UnsetVariable::name);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn references_are_replaced_and_everything_else_stays() {
        check("", Ok(""));
        check("http://a/{proxy}", Ok("http://a/{proxy}"));
        check("${stageVariables.host}", Ok("h.test"));
        check(
            "http://${stageVariables.host}:${stageVariables.port}/$stageVariables.host/${context.stage}",
            Ok("http://h.test:80/$stageVariables.host/${context.stage}"),
        );
    }

    #[test]
    fn a_value_is_not_looked_at_for_references() {
        check("${stageVariables.odd}", Ok("${stageVariables.host}"));
    }

    #[test]
    fn an_unset_variable_is_named() {
        check("a${stageVariables.host}b${stageVariables.no}", Err("no"));
    }

    #[test]
    fn an_unset_variable_is_an_internal_error() {
        let rejection = Rejection::from(UnsetVariable { name: "no".into() });
        assert_eq!(rejection.status(), 500);
        assert_eq!(rejection.body().1, r#"{"message":"Internal server error"}"#);
    }

    #[test]
    fn references_that_are_none_are_all_reported() {
        let text = "${stageVariables.}${stageVariables.a-b}${stageVariables.open";
        let error = StageTemplate::parse(text).expect_err("three are wrong");
        assert_eq!(error.faults().len(), 3);
        assert_eq!(expand(text, &variables()).as_deref(), Ok(text));
    }

    #[test]
    fn names_are_listed() {
        let template = StageTemplate::parse("${stageVariables.a}/${stageVariables.b}");
        let template = template.expect("it is well formed");
        assert_eq!(template.names().collect::<Vec<_>>(), ["a", "b"]);
    }
}
