//! What becomes of each field of a definition: nothing is silently ignored.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// What a gateway makes of the definitions that it was built from, field by field.
///
/// A field is enforced, is documentation only, or is not served yet. The strict switch
/// ([`GatewayBuilder::strict`](super::GatewayBuilder::strict)) turns the last into an error.
///
/// ```
/// use portcullis::{Gateway, Served};
///
/// let gateway = Gateway::from_export(r#"{
///     "openapi": "3.0.1",
///     "info": { "title": "pets", "version": "1", "description": "All about pets" },
///     "paths": {}
/// }"#)?;
/// let coverage = gateway.coverage();
/// let description = coverage.iter().find(|field| field.pointer == "/info/description").unwrap();
/// assert_eq!(description.served, Served::DocumentationOnly);
/// assert_eq!(coverage.not_served().count(), 0);
/// # Ok::<(), portcullis::GatewayError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Coverage {
    fields: Vec<CoveredField>,
    /// What was meant to change something and changes nothing: most likely a mistake, of which the log tells.
    #[serde(skip)]
    warnings: Vec<String>,
}

/// One field of a definition, or a subtree that has one fate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CoveredField {
    /// The id of the API; empty for what is outside the APIs.
    pub api: String,
    /// Where the field stands: a JSON pointer (RFC 6901) into the definition, or, behind a name of an
    /// object outside it and a colon, into that object (`stage prod:/canarySettings`).
    pub pointer: String,
    /// What becomes of it.
    pub served: Served,
    /// Why, where that needs a word.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub note: Cow<'static, str>,
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::exhaustive_enums, reason = "a field has one of these fates")]
pub enum Served {
    /// The gateway does what it says.
    Enforced,
    /// It describes the API and changes nothing.
    DocumentationOnly,
    /// It would change something, and does not yet.
    NotServed,
}

impl Coverage {
    /// Every field, in the order of the definitions.
    pub fn iter(&self) -> impl Iterator<Item = &CoveredField> {
        self.fields.iter()
    }

    /// The fields that are not served yet.
    pub fn not_served(&self) -> impl Iterator<Item = &CoveredField> {
        self.iter()
            .filter(|field| field.served == Served::NotServed)
    }

    pub(super) fn push(
        &mut self,
        api: &str,
        pointer: impl Into<String>,
        served: Served,
        note: impl Into<Cow<'static, str>>,
    ) {
        self.fields.push(CoveredField {
            api: api.to_owned(),
            pointer: pointer.into(),
            served,
            note: note.into(),
        });
    }

    /// Settings that change nothing though they were meant to, each with its place and what to do; most likely a mistake. The log tells of them when a gateway is built or reloaded.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warnings.iter().map(String::as_str)
    }

    /// Notes that a setting changes nothing, though it was meant to.
    pub(super) fn warn(&mut self, api: &str, place: impl fmt::Display, why: impl fmt::Display) {
        let space = if api.is_empty() { "" } else { " " };
        self.warnings.push(format!("{api}{space}{place}: {why}"));
    }

    /// Tells the log of the settings that change nothing.
    pub(super) fn tell(&self) {
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.fields.extend(other.fields);
        self.warnings.extend(other.warnings);
    }
}

impl fmt::Display for Coverage {
    /// The fields that are not served, a line each, behind a count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |served| self.iter().filter(|field| field.served == served).count();
        write!(
            f,
            "{} fields enforced, {} documentation only, {} not served yet",
            count(Served::Enforced),
            count(Served::DocumentationOnly),
            count(Served::NotServed)
        )?;
        self.not_served()
            .try_for_each(|field| write!(f, "\n  {field}"))
    }
}

impl fmt::Display for CoveredField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.api.is_empty() {
            write!(f, "{} ", self.api)?;
        }
        f.write_str(if self.pointer.is_empty() {
            "/"
        } else {
            &self.pointer
        })?;
        if self.note.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.note)
        }
    }
}
