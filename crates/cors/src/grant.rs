//! What the headers of an answer to a real request become.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const TRUE: HeaderValue = HeaderValue::from_static("true");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// What the policy grants to the origin of one request. It is applied to the headers of whatever answers the
/// request: the service, a refusal, a gateway error.
///
/// It holds everything that it needs: rules that are replaced meanwhile do not change it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The value of `Access-Control-Allow-Origin`; `None` grants nothing.
    pub(crate) origin: Option<HeaderValue>,
    pub(crate) expose: Option<HeaderValue>,
    pub(crate) credentials: bool,
    pub(crate) vary: bool,
}

impl Grant {
    /// Grants nothing.
    pub(crate) const fn nothing(vary: bool) -> Self {
        Self {
            origin: None,
            expose: None,
            credentials: false,
            vary,
        }
    }

    /// Whether the origin may read the answer.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.origin.is_some()
    }

    /// Sets the headers: CORS headers that are there already go, those of the policy come, and `Vary` gets
    /// `Origin` where the answer depends on it.
    pub fn decorate(self, headers: &mut HeaderMap) {
        // One walk over the names is cheaper than a look-up of each name.
        let (mut foreign, mut varies) = (false, false);
        for name in headers.keys() {
            foreign |= is_cors(name);
            varies |= *name == VARY;
        }
        if foreign {
            strip(headers);
        }
        if self.vary && !varies {
            headers.insert(VARY, VARY_ORIGIN);
        } else if self.vary && !names_origin(headers) {
            headers.append(VARY, VARY_ORIGIN);
        }
        let Some(origin) = self.origin else {
            return;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        if let Some(expose) = self.expose {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose);
        }
    }
}

/// Whether the name is one by which a server grants something. All of them, those that are yet to come
/// included, start alike.
fn is_cors(name: &HeaderName) -> bool {
    name.as_str().starts_with("access-control-")
}

#[cold]
fn strip(headers: &mut HeaderMap) {
    while let Some(name) = headers.keys().find(|name| is_cors(name)).cloned() {
        headers.remove(name);
    }
}

/// Whether a `Vary` that is there says `Origin` already, or that everything matters.
fn names_origin(headers: &HeaderMap) -> bool {
    headers.get_all(VARY).iter().any(|value| {
        value
            .as_bytes()
            .split(|&b| b == b',')
            .map(<[u8]>::trim_ascii)
            .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_vary(before: &[&'static str], after: &[&str]) {
        let mut headers = HeaderMap::new();
        for value in before {
            headers.append(VARY, HeaderValue::from_static(value));
        }
        Grant::nothing(true).decorate(&mut headers);
        let values: Vec<_> = headers.get_all(VARY).iter().collect();
        assert_eq!(values, after);
    }

    #[test]
    fn vary_is_added_once() {
        check_vary(&[], &["Origin"]);
        check_vary(&["Accept"], &["Accept", "Origin"]);
        check_vary(&["Accept , ORIGIN"], &["Accept , ORIGIN"]);
        check_vary(&["Accept", "origin"], &["Accept", "origin"]);
        check_vary(&["*"], &["*"]);
        check_vary(&["X-Origin"], &["X-Origin", "Origin"]);
    }

    #[test]
    fn every_header_that_grants_something_goes() {
        let mut headers = HeaderMap::new();
        for name in [
            "access-control-allow-origin",
            "access-control-allow-credentials",
            "access-control-allow-private-network",
            "access-control-something-new",
            "x-kept",
        ] {
            headers.append(name, HeaderValue::from_static("1"));
            headers.append(name, HeaderValue::from_static("2"));
        }
        Grant::nothing(false).decorate(&mut headers);
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["x-kept"], "1");
    }
}
