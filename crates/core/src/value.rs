//! Values of `$context`.

use std::fmt;
use std::str;

use http::HeaderValue;
use serde_json::Value;

/// What a name below `$context` stands for, borrowed from the context.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ContextValue<'a> {
    /// Text.
    Text(&'a str),
    /// Text of the gateway's own making, of ASCII letters, digits, spaces and `+-./:=`: no format has to escape any of it.
    Plain(&'a [u8]),
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
            Self::Plain(text) => plain(text).into(),
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
            Self::Plain(text) => f.write_str(plain(text)),
            Self::Json(Value::String(text)) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Json(json) => json.fmt(f),
        }
    }
}

/// Whoever takes the value of a variable, each kind of it in a way of its own: see [`RequestContext::visit`](crate::RequestContext::visit).
pub trait ContextVisitor: Sized {
    /// What comes of it.
    type Output;

    /// There is no value.
    fn absent(self) -> Self::Output;

    /// Text.
    fn text(self, text: &str) -> Self::Output;

    /// Text that no format has to escape: [`ContextValue::Plain`].
    fn plain(self, text: &[u8]) -> Self::Output;

    /// A whole number.
    fn number(self, number: i64) -> Self::Output;

    /// Yes or no.
    fn flag(self, flag: bool) -> Self::Output;

    /// A claim, or a value that an authorizer gave.
    fn json(self, json: &Value) -> Self::Output;

    /// A header's value: text, if it is text.
    fn header(self, value: &HeaderValue) -> Self::Output {
        match value.to_str() {
            Ok(text) => self.text(text),
            Err(_) => self.absent(),
        }
    }
}

fn plain(text: &[u8]) -> &str {
    str::from_utf8(text).unwrap_or_default()
}
