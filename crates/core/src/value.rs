//! Values of `$context`.

use std::fmt;

use serde_json::Value;

/// What a name below `$context` stands for, borrowed from the context.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ContextValue<'a> {
    /// Text.
    Text(&'a str),
    /// A whole number: a status, milliseconds, bytes.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A claim, or a value that an authorizer gave.
    Json(&'a Value),
}

impl ContextValue<'_> {
    /// The value as JSON, for templates.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match *self {
            Self::Text(text) => text.into(),
            Self::Number(number) => number.into(),
            Self::Flag(flag) => flag.into(),
            Self::Json(json) => json.clone(),
        }
    }
}

impl fmt::Display for ContextValue<'_> {
    /// Text as it is; JSON strings without their quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Json(Value::String(text)) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Json(json) => json.fmt(f),
        }
    }
}
