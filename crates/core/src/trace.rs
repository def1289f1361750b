//! The trace header of AWS X-Ray.

use std::fmt::{self, Write};
use std::str;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue};

use crate::request_id::hexadecimal;

/// The header that carries a [`Trace`].
pub const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Longer headers are not believed: a complete one has about 80 bytes.
const MAX_LENGTH: usize = 1024;
/// `1-`, eight digits, `-`, twenty-four digits.
const ROOT_LENGTH: usize = 35;
const PARENT_LENGTH: usize = 16;
/// What a trace comes to without members that others added.
const COMPLETE: usize = 74;

/// The value of `X-Amzn-Trace-Id`: `Root=1-…;Parent=…;Sampled=…`, and members that others added.
///
/// ```
/// use std::time::UNIX_EPOCH;
/// use portcullis_core::Trace;
///
/// let text = "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1;Lineage=1:a:0";
/// let trace = Trace::parse(text).unwrap();
/// assert_eq!(trace.root(), "1-66b3c0a8-0123456789abcdef01234567");
/// assert_eq!(trace.to_string(), text);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    root: [u8; ROOT_LENGTH],
    parent: [u8; PARENT_LENGTH],
    sampled: bool,
    /// What others added, from a semicolon on.
    rest: String,
}

impl Trace {
    /// A new trace that is not sampled.
    #[must_use]
    pub fn generate(now: SystemTime) -> Self {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let bits = fastrand::u128(..);
        let mut root = *b"1-________-________________________";
        root[2..10].copy_from_slice(&hexadecimal(u32::try_from(seconds).unwrap_or(u32::MAX)));
        for (index, digits) in root[11..].chunks_exact_mut(8).enumerate() {
            digits.copy_from_slice(&hexadecimal((bits >> (32 * index)) as u32));
        }
        Self {
            root,
            parent: new_parent(),
            sampled: false,
            rest: String::new(),
        }
    }

    /// The trace that a client sent. Where it gave no `Parent`, one is made and the trace is not sampled;
    /// a `Parent` without `Sampled` is. `None` if there is no usable `Root`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (mut root, mut parent, mut sampled) = (None, None, None);
        let mut rest = String::new();
        for member in text.split(';') {
            match member.trim().split_once('=') {
                Some(("Root", value)) => {
                    root = value.as_bytes().try_into().ok().filter(|_| is_root(value));
                }
                Some(("Parent", value)) => {
                    parent = value.as_bytes().try_into().ok().filter(|_| is_hex(value));
                }
                Some(("Sampled", value)) => sampled = Some(value == "1"),
                Some((name, value)) if !name.is_empty() => {
                    // Unknown members must survive; writing to a string cannot fail.
                    let _ = write!(rest, ";{name}={value}");
                }
                _ => {}
            }
        }
        Some(Self {
            root: root?,
            sampled: sampled.unwrap_or_else(|| parent.is_some()),
            parent: parent.unwrap_or_else(new_parent),
            rest,
        })
    }

    /// The trace id: `1-`, eight digits of the epoch, `-`, twenty-four digits.
    #[must_use]
    pub fn root(&self) -> &str {
        str::from_utf8(&self.root).unwrap_or_default()
    }

    /// The id of the segment above, in sixteen digits.
    #[must_use]
    pub fn parent(&self) -> &str {
        str::from_utf8(&self.parent).unwrap_or_default()
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The trace as the value of a header.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        let complete = self.complete();
        let value = if self.rest.is_empty() {
            HeaderValue::from_bytes(&complete)
        } else {
            HeaderValue::try_from([&complete, self.rest.as_bytes()].concat())
        };
        value.unwrap_or(HeaderValue::from_static("-"))
    }

    /// The trace without members that others added.
    fn complete(&self) -> [u8; COMPLETE] {
        const PARENT: usize = 5 + ROOT_LENGTH + 8;
        let mut text =
            *b"Root=___________________________________;Parent=________________;Sampled=0";
        text[5..5 + ROOT_LENGTH].copy_from_slice(&self.root);
        text[PARENT..PARENT + PARENT_LENGTH].copy_from_slice(&self.parent);
        if self.sampled {
            text[COMPLETE - 1] = b'1';
        }
        text
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.complete()).unwrap_or_default())?;
        f.write_str(&self.rest)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({self})")
    }
}

fn new_parent() -> [u8; PARENT_LENGTH] {
    let bits = fastrand::u64(..);
    let mut parent = [0; PARENT_LENGTH];
    parent[..8].copy_from_slice(&hexadecimal((bits >> 32) as u32));
    parent[8..].copy_from_slice(&hexadecimal(bits as u32));
    parent
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_root(text: &str) -> bool {
    let mut parts = text.split('-');
    parts.next() == Some("1")
        && parts
            .next()
            .is_some_and(|epoch| epoch.len() == 8 && is_hex(epoch))
        && parts
            .next()
            .is_some_and(|unique| unique.len() == 24 && is_hex(unique))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::Trace;

    #[test]
    fn a_bare_root_gets_a_parent_and_is_not_sampled() {
        let trace = Trace::parse("Root=1-66b3c0a8-0123456789abcdef01234567").expect("a root");
        assert_eq!(trace.parent().len(), 16);
        assert!(!trace.is_sampled());
    }

    #[test]
    fn a_parent_without_a_word_on_sampling_is_sampled() {
        let trace =
            Trace::parse("Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef");
        assert!(trace.expect("a root").is_sampled());
    }

    #[test]
    fn what_has_no_root_is_no_trace() {
        assert_eq!(Trace::parse("Parent=0123456789abcdef"), None);
        assert_eq!(Trace::parse("Root=1-xyz-0"), None);
    }

    #[test]
    fn a_new_trace_reads_back_as_itself() {
        let trace = Trace::generate(UNIX_EPOCH);
        assert_eq!(trace.to_header(), trace.to_string());
        assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
    }

    #[test]
    fn what_others_added_stands_in_the_header() {
        let text = "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789ABCDEF;Sampled=1;A=b";
        let trace = Trace::parse(text).expect("a root");
        assert_eq!(trace.to_header(), text);
    }
}
