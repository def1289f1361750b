//! One deployment: a definition that does not change any more, under an id that says what is in it.

use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::openapi::Node;

/// A definition as it was handed in.
#[derive(Debug)]
pub(in crate::gateway) struct Snapshot {
    pub(in crate::gateway) id: String,
    /// Of the canonical form.
    pub(in crate::gateway) digest: Digest,
    /// Of the text as it stands.
    pub(in crate::gateway) text: Digest,
    pub(in crate::gateway) document: Arc<str>,
    pub(in crate::gateway) description: Option<String>,
    pub(in crate::gateway) created: SystemTime,
}

/// What a definition says, in 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::gateway) struct Digest(String);

impl Digest {
    /// Of the canonical form of a document: members in the order of their names, without white space, whether it was JSON or YAML.
    ///
    /// Inside the service's extensions the order of members counts (integration responses are tried in it), so there it stays.
    pub(in crate::gateway) fn of(root: &Node) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut text = String::new();
        canonical(root, false, &mut text);
        context.update(text.as_bytes());
        Self(hex(context.finish().as_ref()))
    }

    /// Of a text as it stands.
    pub(in crate::gateway) fn of_text(text: &str) -> Self {
        Self(hex(
            digest::digest(&digest::SHA256, text.as_bytes()).as_ref()
        ))
    }

    pub(in crate::gateway) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a deployment of this content: 64 bits of it, so that it can be read aloud.
    pub(in crate::gateway) fn id(&self) -> String {
        self.0[..16].to_owned()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Documents are bounded in depth by their parser, and so is this.
fn canonical(node: &Node, keep_order: bool, text: &mut String) {
    match node {
        Node::Null => text.push_str("null"),
        Node::Bool(value) => {
            let _ = write!(text, "{value}");
        }
        Node::Number(number) => {
            let _ = write!(text, "{number}");
        }
        Node::String(value) => quote(value, text),
        Node::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, keep_order, text);
                text.push(',');
            }
            text.push(']');
        }
        Node::Object(members) => {
            text.push('{');
            let mut members: Vec<_> = members.iter().collect();
            if !keep_order {
                members.sort_unstable_by_key(|(name, _)| *name);
            }
            for (name, member) in members {
                quote(name, text);
                text.push(':');
                let keep_order = keep_order || name.starts_with("x-amazon-apigateway-");
                canonical(member, keep_order, text);
                text.push(',');
            }
            text.push('}');
        }
    }
}

/// The length goes before the text, so that nothing in it can be taken for structure.
fn quote(value: &str, text: &mut String) {
    let _ = write!(text, "{}\"{value}", value.len());
}

#[cfg(test)]
mod tests {
    use super::Digest;
    use crate::openapi;

    fn id(text: &str) -> String {
        Digest::of(openapi::parse(text).expect("a document").root()).id()
    }

    #[test]
    fn the_same_definition_has_the_same_id_however_it_is_written() {
        let json = r#"{"openapi": "3.0.1", "paths": {"/a": {"get": {}}, "/b": {}}, "info": {"version": "1", "title": "x"}}"#;
        let reordered = r#"{"info":{"title":"x","version":"1"},"paths":{"/b":{},"/a":{"get":{}}},"openapi":"3.0.1"}"#;
        let yaml = "openapi: 3.0.1\ninfo: {title: x, version: '1'}\npaths:\n  /a:\n    get: {}\n  /b: {}\n";
        assert_eq!(id(json), id(reordered));
        assert_eq!(id(json), id(yaml));
        assert_eq!(id(json).len(), 16);
    }

    #[test]
    fn another_definition_has_another_id() {
        let one = id(r#"{"openapi": "3.0.1", "info": {"title": "ab", "version": ""}}"#);
        let other = id(r#"{"openapi": "3.0.1", "info": {"title": "a", "version": "b"}}"#);
        assert_ne!(one, other);
        assert_ne!(id(r#"{"tags": ["a", "b"]}"#), id(r#"{"tags": ["b", "a"]}"#));
        assert_ne!(id(r#"{"x": "1"}"#), id(r#"{"x": 1}"#));
    }

    #[test]
    fn the_order_of_integration_responses_is_part_of_what_a_definition_says() {
        let one =
            r#"{"x-amazon-apigateway-integration": {"responses": {"2.*": {}, "default": {}}}}"#;
        let other =
            r#"{"x-amazon-apigateway-integration": {"responses": {"default": {}, "2.*": {}}}}"#;
        assert_ne!(id(one), id(other));
    }
}
