//! The condition keys of a request and their values.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Deserialize;

/// What a request says of the condition keys: `aws:SourceIp`, `aws:PrincipalTag/team`.
///
/// It is asked only for the keys that a policy names, so an implementation can work a value out when it is
/// asked. `()` knows no key, a pair asks its second half for what the first does not know, and
/// [`ContextEntries`] is a map.
pub trait ContextKeys {
    /// The value of `key`, which is in lower case; `None` if the request does not have it.
    fn value(&self, key: &str) -> Option<ContextKeyValue<'_>>;
}

impl ContextKeys for () {
    fn value(&self, _key: &str) -> Option<ContextKeyValue<'_>> {
        None
    }
}

impl<K: ContextKeys + ?Sized> ContextKeys for &K {
    fn value(&self, key: &str) -> Option<ContextKeyValue<'_>> {
        K::value(self, key)
    }
}

impl<A: ContextKeys, B: ContextKeys> ContextKeys for (A, B) {
    fn value(&self, key: &str) -> Option<ContextKeyValue<'_>> {
        self.0.value(key).or_else(|| self.1.value(key))
    }
}

/// The value of a condition key. Operators convert: a time compares as a date, as epoch seconds and as text.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ContextKeyValue<'a> {
    /// Text, which may spell a number, a date, an address.
    Text(&'a str),
    /// Several texts: the value of a multivalued key. An empty list is the same as no key.
    List(&'a [String]),
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A moment.
    Time(SystemTime),
    /// An address. One of IPv4 in the clothes of IPv6 counts as IPv4.
    Address(IpAddr),
}

impl<'a> ContextKeyValue<'a> {
    /// Whether it counts as no value at all, as far as `ForAllValues`, `ForAnyValue` and `Null` go.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::List(list) if list.is_empty())
    }

    /// Whether some single value in it satisfies `test`.
    pub(super) fn any(&self, mut test: impl FnMut(&Self) -> bool) -> bool {
        match self {
            Self::List(list) => list.iter().any(|text| test(&Self::Text(text))),
            single => test(single),
        }
    }

    /// A single value as text; `None` for a list, which no text stands for.
    pub(super) fn text(&self) -> Option<ShortText<'a>> {
        match *self {
            Self::Text(text) => Some(ShortText::Borrowed(text)),
            Self::List(_) => None,
            Self::Flag(flag) => Some(ShortText::Borrowed(if flag { "true" } else { "false" })),
            Self::Number(number) => Some(ShortText::write(format_args!("{number}"))),
            Self::Time(time) => {
                let time = timestamp(time)?;
                // Whole seconds, as the service writes it.
                let whole = Timestamp::from_second(time.as_second()).ok()?;
                Some(ShortText::write(format_args!("{whole}")))
            }
            Self::Address(address) => {
                Some(ShortText::write(format_args!("{}", address.to_canonical())))
            }
        }
    }
}

pub(super) fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

/// A text that is borrowed, or so short that it is written in place.
#[derive(Clone, Copy)]
pub(super) enum ShortText<'a> {
    Borrowed(&'a str),
    Written { bytes: [u8; 48], length: u8 },
}

impl ShortText<'_> {
    fn write(text: fmt::Arguments<'_>) -> Self {
        struct Buffer([u8; 48], usize);
        impl fmt::Write for Buffer {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                let end = self.1 + text.len();
                let room = self.0.get_mut(self.1..end).ok_or(fmt::Error)?;
                room.copy_from_slice(text.as_bytes());
                self.1 = end;
                Ok(())
            }
        }
        let mut buffer = Buffer([0; 48], 0);
        buffer
            .write_fmt(text)
            .expect("numbers, times and addresses are shorter than 48 bytes");
        Self::Written {
            bytes: buffer.0,
            length: u8::try_from(buffer.1).expect("at most 48"),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Written { bytes, length } => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).expect("only text was written")
            }
        }
    }
}

/// Condition keys and their values as a map: for tests, tools and whatever is known beforehand.
///
/// ```
/// use portcullis_auth::iam::{ContextEntries, ContextKeys};
///
/// let keys = ContextEntries::new()
///     .with("aws:SourceIp", "203.0.113.7")
///     .with("aws:SecureTransport", true);
/// assert!(keys.value("aws:sourceip").is_some());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "BTreeMap<String, Entry>")]
pub struct ContextEntries {
    entries: BTreeMap<String, Entry>,
}

/// The value of one of the [`ContextEntries`]: made from text, a list of texts, a flag, a number, a time or an address.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextEntry(Entry);

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Entry {
    Flag(bool),
    Number(i64),
    Decimal(f64),
    Text(String),
    List(Vec<String>),
    #[serde(skip)]
    Time(SystemTime),
    #[serde(skip)]
    Address(IpAddr),
}

impl ContextEntries {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this value of `key`, whose case does not matter. A later value takes the place of an earlier one.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<ContextEntry>) -> Self {
        self.insert(key, value);
        self
    }

    /// Sets the value of `key`, whose case does not matter.
    pub fn insert(&mut self, key: &str, value: impl Into<ContextEntry>) {
        self.entries
            .insert(key.to_lowercase(), normal(value.into().0));
    }
}

/// A decimal is kept as its text, which is what conditions compare.
fn normal(entry: Entry) -> Entry {
    match entry {
        Entry::Decimal(number) => Entry::Text(number.to_string()),
        other => other,
    }
}

impl From<BTreeMap<String, Entry>> for ContextEntries {
    fn from(entries: BTreeMap<String, Entry>) -> Self {
        let entries = entries
            .into_iter()
            .map(|(key, entry)| (key.to_lowercase(), normal(entry)))
            .collect();
        Self { entries }
    }
}

impl ContextKeys for ContextEntries {
    fn value(&self, key: &str) -> Option<ContextKeyValue<'_>> {
        Some(match self.entries.get(key)? {
            Entry::Flag(flag) => ContextKeyValue::Flag(*flag),
            Entry::Number(number) => ContextKeyValue::Number(*number),
            Entry::Text(text) => ContextKeyValue::Text(text),
            Entry::List(list) => ContextKeyValue::List(list),
            Entry::Time(time) => ContextKeyValue::Time(*time),
            Entry::Address(address) => ContextKeyValue::Address(*address),
            // `normal` has turned them all into text.
            Entry::Decimal(_) => return None,
        })
    }
}

macro_rules! entry_from {
    ($($source:ty => $make:expr),* $(,)?) => {
        $(impl From<$source> for ContextEntry {
            fn from(value: $source) -> Self {
                Self($make(value))
            }
        })*
    };
}

entry_from! {
    &str => |text: &str| Entry::Text(text.to_owned()),
    String => Entry::Text,
    Vec<String> => Entry::List,
    bool => Entry::Flag,
    i64 => Entry::Number,
    SystemTime => Entry::Time,
    IpAddr => Entry::Address,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_kind_of_value_has_the_text_that_the_service_writes() {
        let text = |value: ContextKeyValue<'_>| value.text().map(|text| text.as_str().to_owned());
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_208_000_700);
        assert_eq!(
            text(ContextKeyValue::Time(time)).as_deref(),
            Some("2024-02-29T12:00:00Z")
        );
        assert_eq!(text(ContextKeyValue::Flag(true)).as_deref(), Some("true"));
        assert_eq!(text(ContextKeyValue::Number(-7)).as_deref(), Some("-7"));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(
            text(ContextKeyValue::Address(mapped)).as_deref(),
            Some("192.0.2.1")
        );
        let long: IpAddr = "1111:2222:3333:4444:5555:6666:7777:8888".parse().unwrap();
        assert_eq!(
            text(ContextKeyValue::Address(long)).as_deref(),
            Some("1111:2222:3333:4444:5555:6666:7777:8888")
        );
        assert_eq!(text(ContextKeyValue::List(&[])), None);
    }

    #[test]
    fn entries_read_from_json_and_forget_the_case_of_their_keys() {
        let entries: ContextEntries = serde_json::from_str(
            r#"{"aws:TagKeys": ["a"], "s3:Max-Keys": 10, "n": 1.5, "aws:SecureTransport": true}"#,
        )
        .unwrap();
        assert_eq!(
            entries.value("s3:max-keys"),
            Some(ContextKeyValue::Number(10))
        );
        assert_eq!(entries.value("n"), Some(ContextKeyValue::Text("1.5")));
        assert_eq!(
            entries.value("aws:securetransport"),
            Some(ContextKeyValue::Flag(true))
        );
        assert!(matches!(
            entries.value("aws:tagkeys"),
            Some(ContextKeyValue::List(_))
        ));
    }
}
