//! Where a request stands in a trace, in the headers of AWS X-Ray and of W3C Trace Context.

use std::fmt::{self, Write};
use std::str;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::request_id::hexadecimal;

/// The header that carries a [`Trace`] between AWS services.
pub const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
/// The header that carries a [`Trace`] in W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header in which systems that trace keep notes of their own, beside [`TRACEPARENT`].
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Longer headers are not believed: a complete one has about 80 bytes. The same for a `tracestate`; the standard asks for 512.
const MAX_LENGTH: usize = 1024;
/// `1-`, eight digits, `-`, twenty-four digits.
const ROOT_LENGTH: usize = 35;
const PARENT_LENGTH: usize = 16;
/// What a trace comes to without members that others added.
const COMPLETE: usize = 74;
/// `00-`, thirty-two digits, `-`, sixteen digits, `-`, two digits.
const TRACEPARENT_LENGTH: usize = 55;

/// Where a request stands in a trace: what `X-Amzn-Trace-Id` and `traceparent` say.
///
/// The two headers name the same ids: `Root` is the trace id of W3C Trace Context, cut in two by a dash. So a trace that came in one goes on in both.
///
/// ```
/// use portcullis_core::Trace;
///
/// let text = "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1;Lineage=1:a:0";
/// let trace = Trace::parse(text).unwrap();
/// assert_eq!(trace.root(), "1-66b3c0a8-0123456789abcdef01234567");
/// assert_eq!(trace.to_string(), text);
/// assert_eq!(trace.to_traceparent(), "00-66b3c0a80123456789abcdef01234567-0123456789abcdef-01");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    root: [u8; ROOT_LENGTH],
    parent: [u8; PARENT_LENGTH],
    /// `None` if nobody has decided yet.
    sampled: Option<bool>,
    /// Rare, so it takes little room.
    others: Option<Box<Others>>,
}

/// What others added.
#[derive(Clone, Default, PartialEq, Eq)]
struct Others {
    /// Members of `X-Amzn-Trace-Id`, from a semicolon on.
    members: String,
    /// `tracestate`.
    state: String,
}

impl Trace {
    /// A new trace that is not sampled.
    #[must_use]
    pub fn generate(now: SystemTime) -> Self {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        let unique = fastrand::u128(..) >> 32;
        Self::new(u128::from(seconds) << 96 | unique, new_span(), false)
    }

    /// The trace with this id, below the span with the id `parent`.
    #[must_use]
    pub fn new(id: u128, parent: u64, sampled: bool) -> Self {
        let mut root = *b"1-________-________________________";
        root[2..10].copy_from_slice(&hexadecimal((id >> 96) as u32));
        for (digits, shift) in root[11..].chunks_exact_mut(8).zip([64, 32, 0]) {
            digits.copy_from_slice(&hexadecimal((id >> shift) as u32));
        }
        Self {
            root,
            parent: sixteen(parent),
            sampled: Some(sampled),
            others: None,
        }
    }

    /// The trace that `X-Amzn-Trace-Id` names. Where it gives no `Parent`, one is made and the trace is not sampled;
    /// a `Parent` without `Sampled` is. `None` if there is no usable `Root`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (mut root, mut parent, mut sampled) = (None, None, None);
        let mut is_silent = true;
        let mut members = String::new();
        for member in text.split(';') {
            match member.trim().split_once('=') {
                Some(("Root", value)) => {
                    root = value.as_bytes().try_into().ok().filter(|_| is_root(value));
                }
                Some(("Parent", value)) => {
                    parent = value.as_bytes().try_into().ok().filter(|_| is_hex(value));
                }
                Some(("Sampled", word)) => {
                    is_silent = false;
                    sampled = match word {
                        "1" => Some(true),
                        "0" => Some(false),
                        // `?`: whoever comes next is to decide.
                        _ => None,
                    };
                }
                Some((name, value)) if !name.is_empty() => {
                    // Unknown members must survive; writing to a string cannot fail.
                    let _ = write!(members, ";{name}={value}");
                }
                _ => {}
            }
        }
        let others = (!members.is_empty()).then(|| {
            Box::new(Others {
                members,
                state: String::new(),
            })
        });
        if is_silent && parent.is_some() {
            sampled = Some(true);
        }
        Some(Self {
            root: root?,
            sampled,
            parent: parent.unwrap_or_else(|| sixteen(new_span())),
            others,
        })
    }

    /// The trace that `traceparent` names (W3C Trace Context, section 3.2). A version that is not known yet is read as far as it is like the known one.
    #[must_use]
    pub fn parse_traceparent(text: &str) -> Option<Self> {
        let (known, rest) = text.as_bytes().split_first_chunk::<TRACEPARENT_LENGTH>()?;
        let [v1, v2, b'-', rest_of_known @ ..] = known else {
            return None;
        };
        let version = [*v1, *v2];
        let is_whole = match rest.first() {
            None => true,
            Some(more) => *more == b'-' && version != *b"00" && text.len() <= MAX_LENGTH,
        };
        let (id, rest_of_known) = rest_of_known.split_first_chunk::<32>()?;
        let (dash, rest_of_known) = rest_of_known.split_first_chunk::<1>()?;
        let (parent, rest_of_known) = rest_of_known.split_first_chunk::<PARENT_LENGTH>()?;
        let [b'-', f1, f2] = rest_of_known else {
            return None;
        };
        let are_digits = are_lower_hex(&version)
            && are_lower_hex(id)
            && are_lower_hex(parent)
            && are_lower_hex(&[*f1, *f2]);
        if !is_whole
            || !are_digits
            || *dash != *b"-"
            || version == *b"ff"
            || *id == [b'0'; 32]
            || *parent == [b'0'; PARENT_LENGTH]
        {
            return None;
        }
        let mut root = *b"1-________-________________________";
        root[2..10].copy_from_slice(&id[..8]);
        root[11..].copy_from_slice(&id[8..]);
        Some(Self {
            root,
            parent: *parent,
            sampled: Some(digit(*f2) & 1 == 1),
            others: None,
        })
    }

    /// The trace that a request's headers name: that of `traceparent`, with its `tracestate`, or else that of `X-Amzn-Trace-Id`. Where both name
    /// the same trace, what others added to the latter is kept.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let amazon = headers
            .get(TRACE_ID)
            .and_then(|value| value.to_str().ok())
            .and_then(Self::parse);
        let mut parents = headers.get_all(TRACEPARENT).iter();
        // Two of them contradict each other.
        let (Some(parent), None) = (parents.next(), parents.next()) else {
            return amazon;
        };
        let Some(mut trace) = parent.to_str().ok().and_then(Self::parse_traceparent) else {
            return amazon;
        };
        if let Some(amazon) = amazon
            && amazon.id() == trace.id()
        {
            trace.others = amazon.others;
        }
        let mut state = String::new();
        for line in headers.get_all(TRACESTATE) {
            let Ok(line) = line.to_str() else { continue };
            if !state.is_empty() && !line.is_empty() {
                state.push(',');
            }
            state.push_str(line);
        }
        if !state.is_empty() && state.len() <= MAX_LENGTH {
            trace.others.get_or_insert_default().state = state;
        }
        Some(trace)
    }

    /// The same trace, as those see it whom the span with the id `span` calls.
    #[must_use]
    pub fn below(&self, span: u64, sampled: bool) -> Self {
        Self {
            root: self.root,
            parent: sixteen(span),
            sampled: Some(sampled),
            others: self.others.clone(),
        }
    }

    /// The same trace with another decision about its recording.
    #[must_use]
    pub const fn decided(mut self, sampled: bool) -> Self {
        self.sampled = Some(sampled);
        self
    }

    /// The trace id as AWS writes it: `1-`, eight digits of the epoch, `-`, twenty-four digits.
    #[must_use]
    pub fn root(&self) -> &str {
        str::from_utf8(&self.root).unwrap_or_default()
    }

    /// The trace id.
    #[must_use]
    pub fn id(&self) -> u128 {
        let eight = |at: usize| {
            let digits = self.root.get(at..).and_then(|digits| digits.first_chunk());
            u128::from(digits.map_or(0, |digits| number(*digits)))
        };
        eight(2) << 96 | eight(11) << 64 | eight(19) << 32 | eight(27)
    }

    /// The id of the span above, in sixteen digits.
    #[must_use]
    pub fn parent(&self) -> &str {
        str::from_utf8(&self.parent).unwrap_or_default()
    }

    /// The id of the span above.
    #[must_use]
    pub fn parent_id(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.parent;
        u64::from(number([a, b, c, d, e, f, g, h])) << 32 | u64::from(number(rest))
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        matches!(self.sampled, Some(true))
    }

    /// Whether the trace is recorded, if those above have decided that.
    #[must_use]
    pub const fn decision(&self) -> Option<bool> {
        self.sampled
    }

    /// The trace as the value of `X-Amzn-Trace-Id`.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        let complete = self.complete();
        let value = match &self.others {
            Some(others) if !others.members.is_empty() => {
                HeaderValue::try_from([&complete, others.members.as_bytes()].concat())
            }
            _ => HeaderValue::from_bytes(&complete),
        };
        value.unwrap_or(HeaderValue::from_static("-"))
    }

    /// The trace as the value of `traceparent`.
    #[must_use]
    pub fn to_traceparent(&self) -> HeaderValue {
        let mut text = *b"00-________________________________-________________-00";
        text[3..11].copy_from_slice(&self.root[2..10]);
        text[11..35].copy_from_slice(&self.root[11..]);
        text[36..52].copy_from_slice(&self.parent);
        // AWS takes capital digits, the standard does not.
        text.make_ascii_lowercase();
        if self.is_sampled() {
            text[TRACEPARENT_LENGTH - 1] = b'1';
        }
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
    }

    /// What systems that trace have noted: the value of `tracestate`.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        let state = self.others.as_ref()?.state.as_str();
        (!state.is_empty()).then_some(state)
    }

    /// Writes the trace to the headers of a request that goes out: `X-Amzn-Trace-Id`, `traceparent`, and `tracestate` if there is one. What
    /// they said before is gone.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        headers.insert(TRACE_ID, self.to_header());
        headers.insert(TRACEPARENT, self.to_traceparent());
        match self.state().and_then(|state| state.try_into().ok()) {
            Some(state) => headers.insert(TRACESTATE, state),
            None => headers.remove(TRACESTATE),
        };
    }

    /// The trace without members that others added.
    fn complete(&self) -> [u8; COMPLETE] {
        const PARENT: usize = 5 + ROOT_LENGTH + 8;
        let mut text =
            *b"Root=___________________________________;Parent=________________;Sampled=0";
        text[5..5 + ROOT_LENGTH].copy_from_slice(&self.root);
        text[PARENT..PARENT + PARENT_LENGTH].copy_from_slice(&self.parent);
        if self.is_sampled() {
            text[COMPLETE - 1] = b'1';
        }
        text
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.complete()).unwrap_or_default())?;
        match &self.others {
            Some(others) => f.write_str(&others.members),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({self})")
    }
}

/// A new id of a span. Zero means none.
fn new_span() -> u64 {
    fastrand::u64(1..)
}

fn sixteen(span: u64) -> [u8; PARENT_LENGTH] {
    let mut digits = [0; PARENT_LENGTH];
    digits[..8].copy_from_slice(&hexadecimal((span >> 32) as u32));
    digits[8..].copy_from_slice(&hexadecimal(span as u32));
    digits
}

/// All at once, without a branch for each.
fn are_lower_hex<const N: usize>(digits: &[u8; N]) -> bool {
    digits.iter().fold(true, |all, byte| {
        all & (byte.is_ascii_digit() | matches!(byte, b'a'..=b'f'))
    })
}

/// What eight hexadecimal digits stand for, all at once: the way back of `hexadecimal`.
const fn number(digits: [u8; 8]) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_be_bytes(digits);
    // Letters have bit 6.
    let word = (word & (0x0f * ONES)) + 9 * (word >> 6 & ONES);
    let word = (word | word >> 4) & 0x00ff_00ff_00ff_00ff;
    let word = (word | word >> 8) & 0x0000_ffff_0000_ffff;
    (word | word >> 16) as u32
}

/// What a hexadecimal digit stands for.
const fn digit(byte: u8) -> u8 {
    (byte & 0xf) + 9 * (byte >> 6)
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

    use http::HeaderMap;

    use super::{TRACE_ID, TRACEPARENT, TRACESTATE, Trace, number};

    #[test]
    fn digits_stand_for_what_they_do_in_the_standard_library() {
        for bits in [0, 1, 0x0123_4567, 0x89ab_cdef, 0xf0f0_f0f0, u32::MAX] {
            for text in [format!("{bits:08x}"), format!("{bits:08X}")] {
                let digits = text.as_bytes().try_into().expect("eight digits");
                assert_eq!(number(digits), bits);
            }
        }
    }

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

    #[test]
    fn both_headers_name_the_same_ids() {
        let w3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = Trace::parse_traceparent(w3c).expect("the standard's own example");
        assert_eq!(trace.root(), "1-4bf92f35-77b34da6a3ce929d0e0e4736");
        assert_eq!(trace.parent_id(), 0x00f0_67aa_0ba9_02b7);
        assert_eq!(trace.id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(trace.to_traceparent(), w3c);
        assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
    }

    #[test]
    fn capital_digits_of_aws_are_small_ones_in_the_standard() {
        let amazon = "Root=1-4BF92F35-77B34DA6A3CE929D0E0E4736;Parent=00F067AA0BA902B7;Sampled=0";
        let trace = Trace::parse(amazon).expect("a trace");
        let w3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(trace.to_traceparent(), w3c);
        assert_eq!(trace.to_string(), amazon);
    }

    #[test]
    fn what_the_standard_forbids_is_no_trace() {
        for text in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4bf92f3577b34da6a3ce929d0e0e47361-0f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse_traceparent(text), None, "{text}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more";
        let trace = Trace::parse_traceparent(later).expect("a trace");
        assert!(trace.is_sampled());
        let known = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace.to_traceparent(), known);
    }

    #[test]
    fn the_standards_header_wins_and_takes_what_others_added_along() {
        let mut headers = HeaderMap::new();
        let lineage = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=1111111111111111;Sampled=0;Lineage=a:0";
        headers.insert(TRACE_ID, lineage.parse().expect("a value"));
        let w3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        headers.insert(TRACEPARENT, w3c.parse().expect("a value"));
        headers.append(TRACESTATE, "congo=t61rcWkgMzE".parse().expect("a value"));
        headers.append(TRACESTATE, "rojo=1".parse().expect("a value"));
        let trace = Trace::from_headers(&headers).expect("a trace");
        assert_eq!(trace.state(), Some("congo=t61rcWkgMzE,rojo=1"));

        let mut out = HeaderMap::new();
        trace.below(1, true).write_to(&mut out);
        assert_eq!(
            out[TRACE_ID],
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=0000000000000001;Sampled=1;Lineage=a:0"
        );
        let below = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01";
        assert_eq!(out[TRACEPARENT], below);
        assert_eq!(out[TRACESTATE], "congo=t61rcWkgMzE,rojo=1");
    }

    #[test]
    fn two_parents_are_none() {
        let mut headers = HeaderMap::new();
        for _ in 0..2 {
            let w3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            headers.append(TRACEPARENT, w3c.parse().expect("a value"));
        }
        assert_eq!(Trace::from_headers(&headers), None);
    }

    #[test]
    fn nobody_has_decided_where_a_question_mark_or_nothing_stands() {
        let root = "Root=1-66b3c0a8-0123456789abcdef01234567";
        let asked = format!("{root};Parent=0123456789abcdef;Sampled=?");
        let asked = Trace::parse(&asked).expect("a trace");
        assert_eq!(asked.decision(), None);
        assert_eq!(Trace::parse(root).expect("a trace").decision(), None);
        let refused = Trace::parse(&format!("{root};Sampled=0")).expect("a trace");
        assert_eq!(refused.decision(), Some(false));
    }
}
