//! What clients are told of a version that goes away.

use std::sync::Arc;
use std::time::SystemTime;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::error::{ConfigError, Fault};

/// What clients are told of an API, or a version of one, that goes away: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and links about both.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use http::HeaderMap;
/// use portcullis_stages::Deprecation;
///
/// let deprecation = Deprecation::builder()
///     .since(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600))
///     .sunset(SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_761_599))
///     .successor("https://api.example.com/v2")
///     .build()?;
/// let mut headers = HeaderMap::new();
/// deprecation.write_to(&mut headers);
/// assert_eq!(headers["deprecation"], "@1767225600");
/// assert_eq!(headers["sunset"], "Thu, 31 Dec 2026 23:59:59 GMT");
/// assert_eq!(headers["link"], "<https://api.example.com/v2>; rel=\"successor-version\"");
/// # Ok::<(), portcullis_stages::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deprecation {
    lines: Arc<Lines>,
}

/// The headers as they are written.
#[derive(Debug, PartialEq, Eq)]
struct Lines {
    deprecation: Option<HeaderValue>,
    sunset: Option<HeaderValue>,
    links: Vec<HeaderValue>,
}

/// Builds a [`Deprecation`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct DeprecationBuilder {
    since: Option<SystemTime>,
    sunset: Option<SystemTime>,
    /// Relation and target.
    links: Vec<(&'static str, String)>,
}

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

impl Deprecation {
    /// Begins one that says nothing yet.
    pub fn builder() -> DeprecationBuilder {
        DeprecationBuilder::default()
    }

    /// Puts it into a response's headers. Where whoever made the response speaks of its deprecation or its sunset, that stays; links are added to others.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        let lines = &*self.lines;
        for (name, value) in [(DEPRECATION, &lines.deprecation), (SUNSET, &lines.sunset)] {
            if let (Some(value), false) = (value, headers.contains_key(&name)) {
                headers.insert(name, value.clone());
            }
        }
        for link in &lines.links {
            headers.append(header::LINK, link.clone());
        }
    }
}

impl DeprecationBuilder {
    /// From when on nobody should build on it, in the past or in the future: `Deprecation`.
    pub const fn since(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// When it is expected to be gone: `Sunset`.
    pub const fn sunset(mut self, time: SystemTime) -> Self {
        self.sunset = Some(time);
        self
    }

    /// Where the deprecation is explained: a `Link` with the relation `deprecation`.
    pub fn link(self, url: impl Into<String>) -> Self {
        self.with_link("deprecation", url.into())
    }

    /// Where the end is explained: a `Link` with the relation `sunset`.
    pub fn sunset_link(self, url: impl Into<String>) -> Self {
        self.with_link("sunset", url.into())
    }

    /// Where the next version is: a `Link` with the relation `successor-version` (RFC 5829).
    pub fn successor(self, url: impl Into<String>) -> Self {
        self.with_link("successor-version", url.into())
    }

    fn with_link(mut self, relation: &'static str, url: String) -> Self {
        self.links.push((relation, url));
        self
    }

    /// Checks it.
    ///
    /// # Errors
    ///
    /// If it has no date, or ends before it begins, or a time or a link cannot be written.
    pub fn build(self) -> Result<Deprecation, ConfigError> {
        let mut faults = Vec::new();
        let mut fault = |at: &str, problem: &str, fix: &str| {
            faults.push(Fault::new(at, problem, fix));
        };
        if self.since.is_none() && self.sunset.is_none() {
            fault(
                "deprecation",
                "it has no date",
                "set `since`, `sunset` or both",
            );
        }
        if let (Some(since), Some(sunset)) = (self.since, self.sunset)
            && sunset < since
        {
            fault(
                "sunset",
                "is before `since`",
                "what is gone cannot become deprecated: RFC 9745 asks for the other order",
            );
        }
        let mut time = |at: &str, time: Option<SystemTime>| {
            let time = time.map(Timestamp::try_from)?;
            let written = time.ok().filter(|time| time.as_second() >= 0);
            if written.is_none() {
                fault(at, "is out of range", "use a time from 1970 to 9999");
            }
            written
        };
        let since = time("since", self.since);
        let sunset = time("sunset", self.sunset);
        let deprecation = since.map(|since| format!("@{}", since.as_second()));
        let sunset = sunset.and_then(|sunset| {
            let printer = DateTimePrinter::new();
            printer.timestamp_to_rfc9110_string(&sunset).ok()
        });
        let mut links = Vec::new();
        for (relation, url) in &self.links {
            let fine = !url.is_empty()
                && url
                    .chars()
                    .all(|char| matches!(char, '!'..='~') && !"<>\"".contains(char));
            match HeaderValue::try_from(format!("<{url}>; rel=\"{relation}\"")) {
                Ok(link) if fine => links.push(link),
                _ => fault(
                    relation,
                    "is no link",
                    "write an address such as https://example.com/changes",
                ),
            }
        }
        let lines = Lines {
            deprecation: deprecation.and_then(|text| text.try_into().ok()),
            sunset: sunset.and_then(|text| text.try_into().ok()),
            links,
        };
        ConfigError::unless_faulty(
            faults,
            Deprecation {
                lines: Arc::new(lines),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[track_caller]
    fn check(builder: DeprecationBuilder, expected: &[(&str, &str)]) {
        let mut headers = HeaderMap::new();
        builder.build().expect("it is fine").write_to(&mut headers);
        let found: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_part_is_a_header() {
        check(
            Deprecation::builder().since(at(7)),
            &[("deprecation", "@7")],
        );
        check(
            Deprecation::builder()
                .sunset(at(0))
                .link("https://a/")
                .sunset_link("/gone"),
            &[
                ("sunset", "Thu, 01 Jan 1970 00:00:00 GMT"),
                ("link", "<https://a/>; rel=\"deprecation\""),
                ("link", "</gone>; rel=\"sunset\""),
            ],
        );
    }

    #[test]
    fn what_the_response_says_itself_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(DEPRECATION, HeaderValue::from_static("@1"));
        headers.insert(header::LINK, HeaderValue::from_static("</>; rel=next"));
        let own = Deprecation::builder()
            .since(at(7))
            .sunset(at(8))
            .successor("/v2");
        own.build().expect("it is fine").write_to(&mut headers);
        assert_eq!(headers[DEPRECATION], "@1");
        assert_eq!(headers.get_all(header::LINK).iter().count(), 2);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(9);
        let bad = [
            Deprecation::builder(),
            Deprecation::builder().link("https://a"),
            Deprecation::builder().since(at(9)).sunset(at(8)),
            Deprecation::builder().since(before),
            Deprecation::builder().since(at(9)).link("a b"),
            Deprecation::builder().since(at(9)).link("a>; rel=\"next\""),
            Deprecation::builder().since(at(9)).successor(""),
        ];
        for bad in bad {
            assert!(bad.clone().build().is_err(), "{bad:?}");
        }
    }
}
