//! What becomes of the members of the service's objects that stand beside a document: stages and domains.

use serde::Serialize;
use serde_json::Value;

use crate::gateway::coverage::{Coverage, Served};

/// What becomes of a member, and why.
pub(super) type Fate = (Served, &'static str);

pub(super) const ENFORCED: Fate = (Served::Enforced, "");
pub(super) const DOCUMENTATION: Fate = (Served::DocumentationOnly, "");

pub(super) const fn not_served(note: &'static str) -> Fate {
    (Served::NotServed, note)
}

/// Reports every member that `object` has, under the name that its pointers begin with.
pub(super) fn survey(
    api: &str,
    name: &str,
    object: &impl Serialize,
    fate: impl Fn(&str, &Value) -> Fate,
    coverage: &mut Coverage,
) {
    // What is plain data can be written.
    let written = serde_json::to_value(object).unwrap_or_default();
    for (member, value) in written.as_object().into_iter().flatten() {
        let (served, note) = fate(member, value);
        coverage.push(api, format!("{name}:/{member}"), served, note);
    }
}
