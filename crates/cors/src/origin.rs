//! Which origins are allowed: patterns, predicates, and what a request says of its origin.

use std::cmp::Ordering;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::header::ORIGIN;
use http::{HeaderMap, HeaderValue};

pub(crate) type AllowedFuture = Pin<Box<dyn Future<Output = bool> + Send>>;
pub(crate) type Predicate = Arc<dyn Fn(&HeaderValue) -> bool + Send + Sync>;
pub(crate) type AsyncPredicate = Arc<dyn Fn(HeaderValue) -> AllowedFuture + Send + Sync>;

/// What a request says of its origin.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// There is no `Origin` header.
    Absent,
    /// There is one, and it may be one origin.
    One(&'a HeaderValue),
    /// There are several.
    Several,
}

impl<'a> Origin<'a> {
    #[inline]
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut values = headers.get_all(ORIGIN).iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(one), None) => Self::One(one),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}

/// What the rules say of one origin.
pub(crate) enum Ruling {
    Allow,
    Deny,
    Ask(AllowedFuture),
}

/// One allowed origin, or many by one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// `*`
    Any,
    /// `https://*`: holds `https://`.
    Scheme(Box<str>),
    /// `https://*.example.com`: holds `https://` and `.example.com`.
    Subdomains { prefix: Box<str>, suffix: Box<str> },
    /// `https://example.com`, or `null`.
    Exact(Box<str>),
}

impl Pattern {
    /// Reads a pattern; what is wrong with it is said as the fix.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text == "null" {
            return Ok(Self::Exact(text.into()));
        }
        let (scheme, host) = text
            .split_once("://")
            .ok_or("write an origin as scheme://host, scheme://host:port, or `*`")?;
        let well_formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !well_formed {
            return Err("a scheme has letters, digits, `+`, `-` and `.` only");
        }
        let prefix = format!("{}://", scheme.to_ascii_lowercase());
        if host == "*" {
            return Ok(Self::Scheme(prefix.into()));
        }
        if let Some(suffix) = host.strip_prefix('*') {
            let named = suffix.strip_prefix('.').ok_or(
                "a `*` stands for whole labels: write scheme://*.example.com or scheme://*",
            )?;
            check_host(named)?;
            return Ok(Self::Subdomains {
                prefix: prefix.into(),
                suffix: suffix.to_ascii_lowercase().into(),
            });
        }
        check_host(host)?;
        Ok(Self::Exact(
            format!("{prefix}{}", host.to_ascii_lowercase()).into(),
        ))
    }
}

impl Pattern {
    /// Whether it names the port that its scheme has anyway, which browsers leave out: then it never matches.
    pub(crate) fn names_default_port(&self) -> bool {
        let (prefix, rest) = match self {
            Self::Any | Self::Scheme(_) => return false,
            Self::Subdomains { prefix, suffix } => (&**prefix, &**suffix),
            Self::Exact(origin) => (&**origin, &**origin),
        };
        prefix.starts_with("https://") && rest.ends_with(":443")
            || prefix.starts_with("http://") && rest.ends_with(":80")
    }
}

/// Whether `host` is a host with or without a port, as a browser writes it.
fn check_host(host: &str) -> Result<(), &'static str> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    if host.contains('*') {
        return Err(
            "a `*` may only be the whole host or its first label; use a predicate for more",
        );
    }
    if host.contains(['/', '?', '#', '@']) {
        return Err("an origin ends after its host and port: no slash, path or user");
    }
    let bracketed = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let named = match bracketed {
        Some(address) => {
            !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
        }
        None => !name.is_empty() && name.bytes().all(is_host_byte) && !name.starts_with('.'),
    };
    if !named {
        return Err("a host has letters, digits, `-`, `_` and `.` (others as punycode)");
    }
    match port {
        Some(port) if !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u16>().is_err() => {
            Err("a port is a number of at most 65535")
        }
        _ => Ok(()),
    }
}

const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// All allowed origins, compiled.
#[derive(Clone, Default)]
pub(crate) struct Origins {
    any: bool,
    ignore_case: bool,
    /// Sorted by length, then by bytes; in lower case.
    exact: Box<[Box<str>]>,
    schemes: Box<[Box<str>]>,
    subdomains: Box<[(Box<str>, Box<str>)]>,
    predicate: Option<Predicate>,
    async_predicate: Option<AsyncPredicate>,
}

impl Origins {
    pub(crate) fn new(
        patterns: Vec<Pattern>,
        ignore_case: bool,
        predicate: Option<Predicate>,
        async_predicate: Option<AsyncPredicate>,
    ) -> Self {
        let (mut any, mut exact, mut schemes, mut subdomains) = (false, vec![], vec![], vec![]);
        for pattern in patterns {
            match pattern {
                Pattern::Any => any = true,
                Pattern::Scheme(prefix) => schemes.push(prefix),
                Pattern::Subdomains { prefix, suffix } => subdomains.push((prefix, suffix)),
                Pattern::Exact(origin) => exact.push(origin),
            }
        }
        exact.sort_unstable_by(|a, b| by_length(a.as_bytes(), b.as_bytes()));
        exact.dedup();
        Self {
            any,
            ignore_case,
            exact: exact.into(),
            schemes: schemes.into(),
            subdomains: subdomains.into(),
            predicate,
            async_predicate,
        }
    }

    #[inline]
    pub(crate) fn rule(&self, origin: &HeaderValue) -> Ruling {
        if self.has_exact(origin.as_bytes()) {
            return Ruling::Allow;
        }
        self.rule_by_pattern(origin)
    }

    fn has_exact(&self, origin: &[u8]) -> bool {
        if !self.ignore_case {
            return self
                .exact
                .binary_search_by(|known| by_length(known.as_bytes(), origin))
                .is_ok();
        }
        let first = self
            .exact
            .partition_point(|known| known.len() < origin.len());
        self.exact[first..]
            .iter()
            .take_while(|known| known.len() == origin.len())
            .any(|known| known.as_bytes().eq_ignore_ascii_case(origin))
    }

    fn rule_by_pattern(&self, origin: &HeaderValue) -> Ruling {
        let bytes = origin.as_bytes();
        // A list of origins is no origin; browsers never send one, and no pattern may match a part of it.
        if bytes.is_empty() || bytes.iter().any(|b| matches!(b, b' ' | b',' | b'\t')) {
            return Ruling::Deny;
        }
        let strip_prefix = |prefix: &str| {
            let (start, rest) = bytes.split_at_checked(prefix.len())?;
            let same = if self.ignore_case {
                start.eq_ignore_ascii_case(prefix.as_bytes())
            } else {
                start == prefix.as_bytes()
            };
            same.then_some(rest)
        };
        let matches = self.any
            || self
                .schemes
                .iter()
                .any(|prefix| strip_prefix(prefix).is_some_and(is_authority))
            || self.subdomains.iter().any(|(prefix, suffix)| {
                strip_prefix(prefix)
                    .and_then(|rest| rest.strip_suffix(suffix.as_bytes()))
                    .is_some_and(|labels| {
                        !labels.is_empty() && labels.iter().copied().all(is_host_byte)
                    })
            })
            || self.predicate.as_ref().is_some_and(|allows| allows(origin));
        match (&self.async_predicate, matches) {
            (_, true) => Ruling::Allow,
            (None, false) => Ruling::Deny,
            (Some(ask), false) => Ruling::Ask(ask(origin.clone())),
        }
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origins")
            .field("any", &self.any)
            .field("exact", &self.exact)
            .field("schemes", &self.schemes)
            .field("subdomains", &self.subdomains)
            .field("predicate", &self.predicate.is_some())
            .field("async_predicate", &self.async_predicate.is_some())
            .finish_non_exhaustive()
    }
}

/// Whether what follows `scheme://` may be a host with a port, of whatever name.
fn is_authority(rest: &[u8]) -> bool {
    !rest.is_empty()
        && rest
            .iter()
            .all(|&b| is_host_byte(b) || matches!(b, b':' | b'[' | b']'))
}

/// Compares lengths first: most comparisons then need no byte.
fn by_length(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn allows(patterns: &[&str], origin: &str) -> bool {
        rule(patterns, false, origin)
    }

    #[track_caller]
    fn rule(patterns: &[&str], ignore_case: bool, origin: &str) -> bool {
        let patterns = patterns
            .iter()
            .map(|p| Pattern::parse(p).expect("the pattern is good"))
            .collect();
        let origins = Origins::new(patterns, ignore_case, None, None);
        let origin = HeaderValue::from_str(origin).expect("the origin is a header");
        matches!(origins.rule(&origin), Ruling::Allow)
    }

    #[test]
    fn an_exact_origin_matches_itself_only() {
        let list = [
            "https://b.example",
            "https://a.example:8443",
            "tauri://localhost",
        ];
        assert!(allows(&list, "https://b.example"));
        assert!(allows(&list, "https://a.example:8443"));
        assert!(allows(&list, "tauri://localhost"));
        for other in [
            "https://a.example",
            "http://b.example",
            "https://b.example.org",
            "https://xb.example",
            "https://b.example/",
            "https://b.example https://b.example",
            "https://B.example",
            "null",
            "",
        ] {
            assert!(!allows(&list, other), "{other}");
        }
    }

    #[test]
    fn a_configured_origin_is_brought_into_the_form_that_browsers_send() {
        assert!(allows(&["HTTPS://Example.COM"], "https://example.com"));
    }

    #[test]
    fn case_is_ignored_where_that_is_asked_for() {
        for list in [["http://MyORIGIN.com"], ["http://*"]] {
            assert!(rule(&list, true, "HTTP://myorigin.com"));
        }
        assert!(!rule(&["http://myorigin.com"], true, "http://myorigin.org"));
    }

    #[test]
    fn a_subdomain_wildcard_matches_whole_labels_of_any_depth() {
        let list = ["https://*.example.com", "http://*.example.com:8080"];
        assert!(allows(&list, "https://a.example.com"));
        assert!(allows(&list, "https://a.b.example.com"));
        assert!(allows(&list, "http://a.example.com:8080"));
        for other in [
            "https://example.com",
            "https://.example.com",
            "https://evilexample.com",
            "https://a.example.com.evil.org",
            "https://a.example.com:8443",
            "http://a.example.com",
            "https://evil.org/.example.com",
            "https://evil.org:1.example.com",
            "https://u@a.example.com",
            "https://evil.org,https://a.example.com",
        ] {
            assert!(!allows(&list, other), "{other}");
        }
    }

    #[test]
    fn a_scheme_wildcard_is_no_wildcard_for_other_schemes() {
        assert!(allows(&["https://*"], "https://localhost:4000"));
        assert!(allows(&["https://*"], "https://[::1]:4000"));
        assert!(!allows(&["https://*"], "http://localhost:4000"));
        assert!(!allows(&["https://*"], "https://"));
        assert!(!allows(
            &["https://*"],
            "https://a.example, http://b.example"
        ));
        assert!(!allows(&["https://*"], "null"));
    }

    #[test]
    fn null_is_matched_by_itself_and_by_any() {
        assert!(allows(&["null"], "null"));
        assert!(allows(&["*"], "null"));
        assert!(!allows(&["https://null"], "null"));
    }

    #[test]
    fn the_port_of_the_scheme_is_noticed() {
        for (text, expected) in [
            ("https://example.com:443", true),
            ("http://*.example.com:80", true),
            ("http://example.com:443", false),
            ("https://example.com", false),
            ("https://[::443]", false),
            ("null", false),
        ] {
            let pattern = Pattern::parse(text).expect("the pattern is good");
            assert_eq!(pattern.names_default_port(), expected, "{text}");
        }
    }

    #[test]
    fn a_broken_pattern_is_refused() {
        for text in [
            "",
            "example.com",
            "https:/",
            "https://",
            "https://example.com/",
            "https://example.com/path",
            "https://user@example.com",
            "https://ex ample.com",
            "https://*example.com",
            "https://*.",
            "https://a.*.com",
            "https://*.*.com",
            "https://localhost:*",
            "https://example.com:70000",
            "https://example.com:+1",
            "https://example.com:",
            "https://bücher.example",
            "https://[::1",
            "://example.com",
            "1s://example.com",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_makes_the_reader_panic(text in ".{0,40}") {
            let _ = Pattern::parse(&text);
        }

        #[test]
        fn a_wildcard_matches_exactly_the_hosts_that_end_in_it(
            host in "[a-z0-9]{1,5}(\\.[a-z0-9]{1,5}){0,3}",
        ) {
            let under = host.ends_with(".ab") && host.len() > 3;
            prop_assert_eq!(allows(&["https://*.ab"], &format!("https://{host}")), under);
        }

        #[test]
        fn a_long_list_finds_what_is_in_it(mut list in prop::collection::vec("[a-z]{1,6}", 1..40), other in "[a-z]{1,6}") {
            for name in &mut list {
                name.insert_str(0, "https://");
            }
            let patterns: Vec<&str> = list.iter().map(String::as_str).collect();
            for origin in &list {
                prop_assert!(allows(&patterns, origin));
                prop_assert!(rule(&patterns, true, &origin.to_uppercase()));
            }
            let other = format!("https://{other}");
            prop_assert_eq!(allows(&patterns, &other), list.contains(&other));
        }
    }
}
