//! Which models can say cheaply what is wrong with a value.
//!
//! Whether a value fits is always found out quickly. To say what is wrong, the library looks into every alternative of an `anyOf` or `oneOf`;
//! where an alternative leads back to itself, that takes exponential time in the depth of a value, which is the client's to choose.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// How alternatives occur in a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alternatives {
    /// Not at all.
    None,
    /// Some, and none leads back to itself.
    Finite,
    /// Some lead back to themselves, or to where that cannot be told.
    Recursive,
}

/// Looks at a schema and at all that it refers to. `document` gives the schema behind an address without its fragment; `""` is `root` itself.
pub(super) fn alternatives<'a>(
    root: &'a Value,
    document: impl Fn(&str) -> Option<&'a Value>,
) -> Alternatives {
    let find = |address: &str| {
        if address.is_empty() {
            Some(root)
        } else {
            document(address)
        }
    };
    let mut graph = Graph::default();
    let mut pending = vec![(String::new(), String::new())];
    while let Some((address, pointer)) = pending.pop() {
        let place = format!("{address}#{pointer}");
        if graph.edges.contains_key(&place) {
            continue;
        }
        let mut edges = Vec::new();
        match find(&address).and_then(|document| document.pointer(&pointer)) {
            Some(schema) => graph.walk(schema, false, &mut edges),
            None => graph.is_open = true,
        }
        let edges = edges.into_iter().map(|(reference, is_alternative)| {
            let (other, fragment) = reference.split_once('#').unwrap_or((reference, ""));
            let other = if other.is_empty() { &*address } else { other };
            pending.push((other.to_owned(), fragment.to_owned()));
            (format!("{other}#{fragment}"), is_alternative)
        });
        let edges = edges.collect();
        graph.edges.insert(place, edges);
    }
    graph.alternatives()
}

/// Which places refer to which.
#[derive(Default)]
struct Graph {
    /// By place, those that it refers to, and whether that is within an alternative.
    edges: BTreeMap<String, Vec<(String, bool)>>,
    has_alternatives: bool,
    /// Whether something refers to where nothing was found.
    is_open: bool,
}

impl Graph {
    fn walk<'a>(
        &mut self,
        value: &'a Value,
        is_alternative: bool,
        edges: &mut Vec<(&'a str, bool)>,
    ) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match (&**name, member) {
                        ("$ref", Value::String(reference)) => {
                            edges.push((reference, is_alternative));
                        }
                        ("anyOf" | "oneOf", Value::Array(_)) => {
                            self.has_alternatives = true;
                            self.walk(member, true, edges);
                        }
                        // As an address it changes what references mean.
                        ("id", Value::String(id)) => self.is_open |= id.contains([':', '/', '#']),
                        _ => self.walk(member, is_alternative, edges),
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.walk(item, is_alternative, edges);
                }
            }
            _ => {}
        }
    }

    fn alternatives(&self) -> Alternatives {
        if !self.has_alternatives {
            return Alternatives::None;
        }
        let leads_back = self.edges.iter().any(|(from, edges)| {
            let mut alternatives = edges.iter().filter(|(_, is_alternative)| *is_alternative);
            alternatives.any(|(to, _)| self.leads(to, from))
        });
        if self.is_open || leads_back {
            Alternatives::Recursive
        } else {
            Alternatives::Finite
        }
    }

    fn leads(&self, from: &str, to: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut pending = vec![from];
        while let Some(place) = pending.pop() {
            if place == to {
                return true;
            }
            if seen.insert(place) {
                let edges = self.edges.get(place).into_iter().flatten();
                pending.extend(edges.map(|(next, _)| &**next));
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Alternatives::{Finite, None as Absent, Recursive};
    use super::*;

    #[track_caller]
    fn check(root: &Value, expected: Alternatives) {
        let tree = json!({ "oneOf": [{ "type": "null" }, { "$ref": "tree" }] });
        let found = alternatives(root, |address| (address == "tree").then_some(&tree));
        assert_eq!(found, expected, "{root}");
    }

    #[test]
    fn alternatives_that_lead_back_to_themselves_are_found() {
        check(&json!({ "items": { "$ref": "#" } }), Absent);
        check(&json!({ "anyOf": [{}, { "type": "object" }] }), Finite);
        check(
            &json!({ "anyOf": [{}, { "items": { "$ref": "#" } }] }),
            Recursive,
        );
        check(&json!({ "$ref": "tree" }), Recursive);
        let defined = json!({
            "definitions": {
                "leaf": { "type": "string" },
                "node": { "properties": { "next": { "$ref": "#/definitions/node" } } }
            },
            "oneOf": [{ "$ref": "#/definitions/leaf" }, { "$ref": "#/definitions/node" }]
        });
        check(&defined, Finite);
    }

    #[test]
    fn a_circle_beside_the_alternatives_is_none_of_theirs() {
        let beside = json!({
            "properties": { "child": { "$ref": "#" } },
            "oneOf": [{ "type": "object" }, { "type": "array" }]
        });
        check(&beside, Finite);
    }

    #[test]
    fn what_cannot_be_followed_counts_as_the_worst() {
        check(&json!({ "anyOf": [{ "$ref": "elsewhere" }] }), Recursive);
        let renamed = json!({ "id": "http://a/", "anyOf": [{ "$ref": "#" }] });
        check(&renamed, Recursive);
    }
}
