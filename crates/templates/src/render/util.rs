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

impl<'r> Renderer<'r> {
    pub(super) fn util_method(
        &mut self,
        name: &str,
        arguments: &[Value<'r>],
    ) -> Result<Option<Value<'r>>, Failure> {
        let [argument] = arguments else {
            return Ok(None);
        };
        if !matches!(
            name,
            "escapeJavaScript"
                | "parseJson"
                | "urlEncode"
                | "urlDecode"
                | "base64Encode"
                | "base64Decode"
        ) {
            return Ok(None);
        }
        if argument.is_null() {
            return Ok(None);
        }
        let text: Text<'r> = self.text_of(argument)?;
        let made = match name {
            "escapeJavaScript" => escape_java_script(&text),
            "urlEncode" => url_encode(&text),
            "urlDecode" => url_decode(&text).ok_or_else(|| {
                Failure::invocation("`$util.urlDecode`: `%` needs two hexadecimal digits after it")
            })?,
            "base64Encode" => BASE64.encode(text.as_bytes()),
            "base64Decode" => {
                let compact: String = text
                    .chars()
                    .filter(|character| !character.is_ascii_whitespace())
                    .map(|character| match character {
                        '-' => '+',
                        '_' => '/',
                        other => other,
                    })
                    .collect();
                let bytes = BASE64.decode(compact).map_err(|error| {
                    Failure::invocation(format!("`$util.base64Decode`: {error}"))
                })?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => return self.parse_json(&text).map(Some),
        };
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
fn escape_java_script(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='\u{7f}' => out.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "\\u{unit:04X}");
                }
            }
        }
    }
    out
}

/// Java's form encoding: letters, digits and `.-*_` stay, a space becomes `+`.
fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                out.push(byte as char);
            }
            b' ' => out.push('+'),
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                out.push(DIGITS[usize::from(byte >> 4)] as char);
                out.push(DIGITS[usize::from(byte & 15)] as char);
            }
        }
    }
    out
}

fn url_decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = text.get(at + 1..at + 3)?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
                at += 2;
            }
            other => out.push(other),
        }
        at += 1;
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}
