//! A JSON body outside a template: asked by JSONPath for the values of parameters.

use std::borrow::Cow;
use std::fmt;

use crate::dialect::Limits;
use crate::json::{self, Shape, Tape};
use crate::jsonpath::{self, Found};
use crate::value::{Budget, Value, Writer};

/// A path into a JSON document, in Jayway's dialect, parsed once.
///
/// See [`Document`] for an example.
#[derive(Debug)]
pub struct JsonPath(jsonpath::Path);

/// A text that is no JSONPath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPathError(String);

impl JsonPath {
    /// Parses a path: `$.a.b[0]`. A bare name is a member of the root.
    ///
    /// # Errors
    ///
    /// If it is no JSONPath.
    pub fn parse(path: &str) -> Result<Self, JsonPathError> {
        jsonpath::parse(path).map(Self).map_err(JsonPathError)
    }
}

impl fmt::Display for JsonPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonPathError {}

/// A JSON text, read once.
///
/// ```
/// use portcullis_templates::{Document, JsonPath};
///
/// let document = Document::read(r#"{"order": {"id": 7, "tags": ["a", "b"]}}"#).unwrap();
/// let text = |path: &str| document.text(&JsonPath::parse(path).unwrap());
/// assert_eq!(text("$.order.id").as_deref(), Some("7"));
/// assert_eq!(text("$.order.tags").as_deref(), Some(r#"["a","b"]"#));
/// assert_eq!(text("$.order.none"), None);
/// ```
///
/// A template may read the same document ([`Scope::of_document`](crate::Scope::of_document)), so that a body from which
/// parameters are taken is not read twice. What a template changes stays in that rendering.
#[derive(Debug)]
pub struct Document<'a>(Tape<'a>);

/// A text that is no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    at: usize,
    message: &'static str,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.at)
    }
}

impl std::error::Error for DocumentError {}

impl<'a> Document<'a> {
    /// Reads a text. Objects and lists may be as sloppy as the service lets them be (bare and single-quoted names,
    /// commas too many); a text that is a bare word and no JSON value is an error here, other than in a template.
    ///
    /// # Errors
    ///
    /// If it is no JSON. An empty text is an empty object.
    pub fn read(text: &'a str) -> Result<Self, DocumentError> {
        let text = if text.trim_ascii().is_empty() {
            "{}"
        } else {
            text
        };
        let tape = json::read(Cow::Borrowed(text)).map_err(|malformed| DocumentError {
            at: malformed.at,
            message: malformed.message,
        })?;
        let root = tape.root();
        if root.bare_word().is_some() && matches!(root.value(), Value::Text(_)) {
            return Err(DocumentError {
                at: 0,
                message: "a bare word is no JSON",
            });
        }
        Ok(Self(tape))
    }

    pub(crate) fn tape(&self) -> &Tape<'a> {
        &self.0
    }

    /// What `path` leads to, as a text: texts as they are, numbers and the like in digits and words, objects and lists as
    /// JSON. `None` if it leads nowhere or to null.
    #[must_use]
    pub fn text(&self, path: &JsonPath) -> Option<String> {
        let mut budget = Budget::new(Limits::default());
        let root = self.0.root().value();
        let found = jsonpath::find(&path.0, &root, &mut budget).ok()??;
        let mut out = String::new();
        let mut writer = Writer {
            out: &mut out,
            budget: &mut budget,
        };
        let value = match found {
            Found::Node(node) => match node.shape() {
                Shape::Scalar(value) => value,
                Shape::Object | Shape::List => {
                    writer.node(node).ok()?;
                    return Some(out);
                }
            },
            Found::Value(value) => value,
        };
        match value {
            Value::Null => return None,
            Value::Text(text) => return Some(text.as_str().to_owned()),
            value => writer.json(&value).ok()?,
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, path: &str, expected: Option<&str>) {
        let path = JsonPath::parse(path).expect("a path");
        let document = Document::read(text).expect("JSON");
        assert_eq!(document.text(&path).as_deref(), expected);
    }

    #[test]
    fn a_value_is_given_as_text() {
        let text =
            r#"{"s": "a\"b", "n": 1.50, "t": true, "z": null, "l": [{"k": 1}], "o": {"k": "v"}}"#;
        check(text, "$.s", Some("a\"b"));
        check(text, "s", Some("a\"b"));
        check(text, "$.n", Some("1.5"));
        check(text, "$.t", Some("true"));
        check(text, "$.z", None);
        check(text, "$.none.deeper", None);
        check(text, "$.l", Some(r#"[{"k":1}]"#));
        check(text, "$.l[0].k", Some("1"));
        check(text, "$.o", Some(r#"{"k":"v"}"#));
        check("[1,2]", "$[1]", Some("2"));
        check("", "$.none", None);
        check("\"text\"", "$", Some("text"));
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for text in ["not json", "{\"a\": 1", "<a/>", "a=b"] {
            assert!(Document::read(text).is_err(), "{text}");
        }
        assert!(JsonPath::parse("").is_err());
    }

    #[test]
    fn a_path_and_a_document_can_be_shared_by_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<JsonPath>();
        shared::<Document<'_>>();
    }
}
