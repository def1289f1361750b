//! Preflights: which requests are some, and what they are answered.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::check::PreflightAnswer;
use crate::grant::TRUE;

pub(crate) const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// A list of names that a preflight may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// These; one of them may be `*`.
    List(Box<[Box<str>]>),
    /// Whatever is asked for.
    Mirror,
}

impl Names {
    /// The list as a header has it; `None` where it is made for each request.
    pub(crate) fn joined(&self) -> Option<String> {
        match self {
            Self::List(names) => Some(names.join(",")),
            Self::Mirror => None,
        }
    }

    pub(crate) fn has(&self, wanted: &str) -> bool {
        match self {
            Self::List(names) => names.iter().any(|name| **name == *wanted),
            Self::Mirror => true,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::List(names) if names.is_empty())
    }

    fn has_header(&self, wanted: &[u8]) -> bool {
        match self {
            Self::List(names) => names
                .iter()
                .any(|name| **name == *"*" || name.as_bytes().eq_ignore_ascii_case(wanted)),
            Self::Mirror => true,
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::List(Box::new([]))
    }
}

/// What answers are made of.
pub(crate) struct Parts {
    /// `*`, where that is what every origin is told.
    pub(crate) fixed_origin: Option<HeaderValue>,
    pub(crate) methods: Option<HeaderValue>,
    pub(crate) headers: Option<HeaderValue>,
    pub(crate) expose: Option<HeaderValue>,
    pub(crate) max_age: Option<i64>,
    pub(crate) credentials: bool,
    /// The names that an answer depends on.
    pub(crate) vary: Option<HeaderValue>,
}

/// The answers to preflights, built beforehand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    /// With a place for the origin and, if need be, the method: filling it in does not grow the table.
    granted: HeaderMap,
    denied: HeaderMap,
    fixed_origin: bool,
    mirror_method: bool,
    mirror_headers: bool,
    private_network: bool,
}

impl Answers {
    pub(crate) fn new(
        parts: Parts,
        methods: &Names,
        headers: &Names,
        private_network: bool,
    ) -> Self {
        const PLACE: HeaderValue = HeaderValue::from_static("");
        let mut denied = HeaderMap::with_capacity(1);
        if let Some(vary) = parts.vary {
            denied.insert(VARY, vary);
        }
        let mut granted = denied.clone();
        let fixed_origin = parts.fixed_origin.is_some();
        granted.insert(
            ACCESS_CONTROL_ALLOW_ORIGIN,
            parts.fixed_origin.unwrap_or(PLACE),
        );
        let mirror_method = *methods == Names::Mirror;
        if mirror_method {
            granted.insert(ACCESS_CONTROL_ALLOW_METHODS, PLACE);
        }
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_METHODS, parts.methods),
            (ACCESS_CONTROL_ALLOW_HEADERS, parts.headers),
            (ACCESS_CONTROL_EXPOSE_HEADERS, parts.expose),
            (ACCESS_CONTROL_MAX_AGE, parts.max_age.map(HeaderValue::from)),
            (
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                parts.credentials.then_some(TRUE),
            ),
        ] {
            if let Some(value) = value {
                granted.insert(name, value);
            }
        }
        // The first clone of a value turns it into a shared one, which allocates: here, not on a request.
        drop(granted.clone());
        Self {
            granted,
            denied,
            fixed_origin,
            mirror_method,
            mirror_headers: *headers == Names::Mirror,
            private_network,
        }
    }

    /// The answer to an origin that is not allowed, or to an `OPTIONS` that is no preflight.
    pub(crate) fn denied(&self) -> PreflightAnswer {
        PreflightAnswer::new(self.denied.clone())
    }

    /// The answer to an origin that is allowed.
    pub(crate) fn granted(
        &self,
        origin: Option<&HeaderValue>,
        request: &HeaderMap,
    ) -> PreflightAnswer {
        let mut answer = self.granted.clone();
        if let (false, Some(origin)) = (self.fixed_origin, origin) {
            fill(&mut answer, &ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        if self.mirror_method
            && let Some(method) = request.get(ACCESS_CONTROL_REQUEST_METHOD)
        {
            fill(&mut answer, &ACCESS_CONTROL_ALLOW_METHODS, method);
        }
        if self.mirror_headers {
            for names in request.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
                answer.append(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
        }
        if self.private_network
            && request
                .get(REQUEST_PRIVATE_NETWORK)
                .is_some_and(|value| value == "true")
        {
            answer.insert(ALLOW_PRIVATE_NETWORK, TRUE);
        }
        PreflightAnswer::new(answer)
    }
}

/// Fills in the place that the built table has for `name`. (`insert` would first make room for one more.)
///
/// The places are among the first that were built, so the walk is short.
fn fill(answer: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) {
    if let Some((_, place)) = answer.iter_mut().find(|(known, _)| *known == name) {
        *place = value.clone();
    }
}

/// Whether an HTTP API grants what this preflight asks for: its method and all of its headers.
/// (By the standard, the browser compares them with the answer by itself.)
pub(crate) fn grants_all(request: &HeaderMap, methods: &Names, headers: &Names) -> bool {
    let mut wanted = request.get_all(ACCESS_CONTROL_REQUEST_METHOD).iter();
    let (Some(method), None) = (wanted.next(), wanted.next()) else {
        return false;
    };
    let method_granted = method
        .to_str()
        .is_ok_and(|method| methods.has("*") || methods.has(method));
    method_granted
        && request
            .get_all(ACCESS_CONTROL_REQUEST_HEADERS)
            .iter()
            .flat_map(|value| value.as_bytes().split(|&b| b == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|name| !name.is_empty())
            .all(|name| headers.has_header(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Names {
        Names::List(names.iter().map(|name| Box::from(*name)).collect())
    }

    #[track_caller]
    fn check(methods: &[&str], headers: &[&str], request: &[(&'static str, &str)], expected: bool) {
        let mut map = HeaderMap::new();
        for (name, value) in request {
            map.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        assert_eq!(grants_all(&map, &list(methods), &list(headers)), expected);
    }

    const METHOD: &str = "access-control-request-method";
    const HEADERS: &str = "access-control-request-headers";

    #[test]
    fn methods_are_compared_with_their_case() {
        check(&["GET"], &[], &[(METHOD, "GET")], true);
        check(&["GET"], &[], &[(METHOD, "get")], false);
        check(&["*"], &[], &[(METHOD, "BREW")], true);
        check(&[], &[], &[(METHOD, "GET")], false);
        check(&["GET"], &[], &[], false);
        check(&["*"], &[], &[(METHOD, "GET"), (METHOD, "PUT")], false);
    }

    #[test]
    fn all_headers_must_be_known_whatever_their_case() {
        let some = ["X-A", "x-b"];
        check(
            &["*"],
            &some,
            &[(METHOD, "GET"), (HEADERS, "x-a, X-B")],
            true,
        );
        check(
            &["*"],
            &some,
            &[(METHOD, "GET"), (HEADERS, "x-a,x-c")],
            false,
        );
        check(
            &["*"],
            &some,
            &[(METHOD, "GET"), (HEADERS, "x-a"), (HEADERS, "x-c")],
            false,
        );
        check(
            &["*"],
            &["*"],
            &[(METHOD, "GET"), (HEADERS, "x-a,x-c")],
            true,
        );
        check(&["*"], &[], &[(METHOD, "GET"), (HEADERS, "x-a")], false);
        check(&["*"], &[], &[(METHOD, "GET"), (HEADERS, "")], true);
    }
}
