//! The trace header of AWS X-Ray.

use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue};

/// The header that carries a [`Trace`].
pub const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Longer headers are not believed: a complete one has about 80 bytes.
const MAX_LENGTH: usize = 1024;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    root: String,
    parent: String,
    sampled: bool,
    /// What others added, from a semicolon on.
    rest: String,
}

impl Trace {
    /// A new trace that is not sampled.
    #[must_use]
    pub fn generate(now: SystemTime) -> Self {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let unique = fastrand::u128(..) >> 32;
        Self {
            root: format!("1-{seconds:08x}-{unique:024x}"),
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
                Some(("Root", value)) => root = is_root(value).then(|| value.to_owned()),
                Some(("Parent", value)) => {
                    parent = (value.len() == 16 && is_hex(value)).then(|| value.to_owned());
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
        &self.root
    }

    /// The id of the segment above, in sixteen digits.
    #[must_use]
    pub fn parent(&self) -> &str {
        &self.parent
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The trace as the value of a header.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static("-"))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sampled = u8::from(self.sampled);
        write!(
            f,
            "Root={};Parent={};Sampled={sampled}{}",
            self.root, self.parent, self.rest
        )
    }
}

fn new_parent() -> String {
    format!("{:016x}", fastrand::u64(..))
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
        assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
    }
}
