//! `$util`: the six functions of API Gateway.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Failure, Renderer};
use crate::fault::FailureKind;
use crate::json;
use crate::value::{Text, Value};

/// Takes text with and without padding, as Java's users do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A function that makes a text of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Helper {
    EscapeJavaScript,
    UrlEncode,
    UrlDecode,
    Base64Encode,
    Base64Decode,
}

impl Helper {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "escapeJavaScript" => Self::EscapeJavaScript,
            "urlEncode" => Self::UrlEncode,
            "urlDecode" => Self::UrlDecode,
            "base64Encode" => Self::Base64Encode,
            "base64Decode" => Self::Base64Decode,
            _ => return None,
        })
    }

    pub(super) fn write(self, text: &str, out: &mut String) -> Result<(), Failure> {
        match self {
            Self::EscapeJavaScript => escape_java_script(text, out),
            Self::UrlEncode => url_encode(text, out),
            Self::UrlDecode => url_decode(text, out)?,
            Self::Base64Encode => BASE64.encode_string(text, out),
            Self::Base64Decode => base64_decode(text, out)?,
        }
        Ok(())
    }
}

impl<'r> Renderer<'r> {
    pub(super) fn util_method(
        &mut self,
        name: &str,
        arguments: &[Value<'r>],
    ) -> Result<Option<Value<'r>>, Failure> {
        let [argument] = arguments else {
            return Ok(None);
        };
        let helper = Helper::named(name);
        if argument.is_null() || helper.is_none() && name != "parseJson" {
            return Ok(None);
        }
        let text: Text<'r> = self.text_of(argument)?;
        let Some(helper) = helper else {
            return self.parse_json(&text).map(Some);
        };
        let mut made = String::new();
        helper.write(&text, &mut made)?;
        self.budget.create(made.len())?;
        Ok(Some(Value::text(made)))
    }

    fn parse_json(&mut self, text: &Text<'r>) -> Result<Value<'r>, Failure> {
        let malformed = |malformed: json::Malformed| {
            Failure::new(
                FailureKind::Syntax,
                format!(
                    "`$util.parseJson`: {} at byte {}",
                    malformed.message, malformed.at
                ),
            )
            .hint("what it is given must be JSON text, not an object that was parsed already")
        };
        self.budget.create(text.len())?;
        // What was made here lives too short to be borrowed from.
        let tape = json::read(Cow::Owned(text.as_str().to_owned())).map_err(malformed)?;
        let (tape, end) = self.texts.add(tape);
        self.texts = end;
        Ok(tape.root().value())
    }
}

/// As Commons Lang does it, but for `/`, which stays bare: both quotes and the backslash get a backslash,
/// control characters their escape, and what is not ASCII `\uXXXX`.
fn escape_java_script(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.reserve(text.len());
    let mut copied = 0;
    for (at, character) in text.char_indices() {
        let escape = match character {
            '"' => "\\\"",
            '\'' => "\\'",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            ' '..='\u{7f}' => continue,
            _ => "",
        };
        out.push_str(&text[copied..at]);
        copied = at + character.len_utf8();
        out.push_str(escape);
        if escape.is_empty() {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\u{unit:04X}");
            }
        }
    }
    out.push_str(&text[copied..]);
}

/// Java's form encoding: letters, digits and `.-*_` stay, a space becomes `+`.
fn url_encode(text: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                out.push(byte as char);
            }
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push(DIGITS[usize::from(byte >> 4)] as char);
                out.push(DIGITS[usize::from(byte & 15)] as char);
            }
        }
    }
}

fn url_decode(text: &str, out: &mut String) -> Result<(), Failure> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'+' => decoded.push(b' '),
            b'%' => {
                let digits = text.get(at + 1..at + 3);
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                decoded.push(byte.ok_or_else(|| {
                    Failure::invocation(
                        "`$util.urlDecode`: `%` needs two hexadecimal digits after it",
                    )
                })?);
                at += 2;
            }
            other => decoded.push(other),
        }
        at += 1;
    }
    out.push_str(&String::from_utf8_lossy(&decoded));
    Ok(())
}

/// Takes the alphabet of URLs, too, and lets white space be.
fn base64_decode(text: &str, out: &mut String) -> Result<(), Failure> {
    let compact: String = text
        .chars()
        .filter(|character| !character.is_ascii_whitespace())
        .map(|character| match character {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let bytes = BASE64
        .decode(compact)
        .map_err(|error| Failure::invocation(format!("`$util.base64Decode`: {error}")))?;
    out.push_str(&String::from_utf8_lossy(&bytes));
    Ok(())
}
