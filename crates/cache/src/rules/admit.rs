//! What of a response is stored.

use std::sync::Arc;

use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, AGE, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING,
    CONTENT_LENGTH, DATE, ORIGIN, PROXY_AUTHENTICATE, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, VARY, WARNING, WWW_AUTHENTICATE,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, response};

use super::{Asked, CacheRules};
use crate::entry::Draft;
use crate::fill::{Admission, Admit, Landing};

/// What of a request decides whether its response is stored.
#[derive(Debug)]
pub(crate) struct Wish {
    target: Option<PathAndQuery>,
    origin: Option<HeaderValue>,
}

impl Wish {
    pub(crate) fn of(asked: &Asked<'_>) -> Self {
        Self {
            target: asked.uri.path_and_query().cloned(),
            origin: asked.headers.get(ORIGIN).cloned(),
        }
    }
}

/// Stores what the rules say.
#[derive(Debug)]
pub(crate) struct RulesAdmit {
    pub(crate) rules: Arc<CacheRules>,
    pub(crate) wish: Wish,
}

impl Admit for RulesAdmit {
    fn admit(self, head: &mut response::Parts, landing: &mut Landing) -> Admission {
        let Self { rules, wish } = self;
        if !rules.stores(head.status) {
            return if head.status.is_server_error() {
                Admission::Failed
            } else {
                Admission::Private
            };
        }
        let headers = &head.headers;
        if !rules.ignores_vary && (rules.varies(headers) || wish.is_echoed(&rules, headers)) {
            return Admission::Private;
        }
        if rules.respects_no_store && forbids_storing(headers) {
            return Admission::Private;
        }
        #[cfg(feature = "encryption")]
        if rules.encrypts && !landing.cache().store().encrypts() {
            return Admission::Private;
        }
        let mut draft = Draft::new(head.status);
        #[cfg(feature = "encryption")]
        if rules.encrypts {
            draft.confidential();
        }
        let named = headers.get(CONNECTION);
        draft.headers(headers, |name| {
            rules.keeps(name) && !named.is_some_and(|named| names(named, name))
        });
        draft.target(
            wish.target
                .as_ref()
                .map_or("/", PathAndQuery::as_str)
                .as_bytes(),
        );
        tags(headers, &mut draft);
        if let Some(coding) = headers.get(CONTENT_ENCODING)
            && coding.as_bytes() != b"identity"
        {
            draft.meta(coding.as_bytes());
        }
        let now = landing.cache().now();
        let until = now.after(rules.ttl);
        draft.times(now, until, until);
        Admission::Store {
            draft,
            limit: rules.max_body,
        }
    }
}

impl CacheRules {
    /// Whether a header is stored: not if it is about one connection, one message or one request.
    fn keeps(&self, name: &HeaderName) -> bool {
        if *name == SET_COOKIE {
            return self.replays_cookies;
        }
        let of_one = [
            CONNECTION,
            CONTENT_LENGTH,
            DATE,
            TRANSFER_ENCODING,
            TRAILER,
            TE,
            UPGRADE,
            AGE,
            WARNING,
            WWW_AUTHENTICATE,
            PROXY_AUTHENTICATE,
        ];
        if of_one.contains(name) || self.dropped.contains(name) {
            return false;
        }
        !OF_ONE_REQUEST.contains(&name.as_str())
    }

    /// Whether a response depends on a header that is no part of the key.
    fn varies(&self, headers: &HeaderMap) -> bool {
        headers.get_all(VARY).iter().any(|line| {
            let Ok(line) = line.to_str() else {
                return true;
            };
            line.split(',').map(str::trim).any(|name| {
                // Compressed responses are kept apart.
                !name.is_empty()
                    && !name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str())
                    && !HeaderName::from_bytes(name.as_bytes())
                        .is_ok_and(|name| self.has_header(&name))
            })
        })
    }
}

impl Wish {
    /// Whether a response grants something to the origin of this request by its name.
    fn is_echoed(&self, rules: &CacheRules, headers: &HeaderMap) -> bool {
        self.origin.is_some()
            && headers.get(ACCESS_CONTROL_ALLOW_ORIGIN) == self.origin.as_ref()
            && !rules.has_header(&ORIGIN)
    }
}

/// Headers by which gateways, proxies and frameworks tell requests apart.
const OF_ONE_REQUEST: [&str; 18] = [
    "proxy-authentication-info",
    "keep-alive",
    "proxy-connection",
    "x-amzn-requestid",
    "x-amz-apigw-id",
    "x-amzn-trace-id",
    "apigw-requestid",
    "x-request-id",
    "x-correlation-id",
    "x-amz-cf-id",
    "x-amz-cf-pop",
    "x-amz-request-id",
    "x-amz-id-2",
    "x-amzn-remapped-date",
    "traceparent",
    "tracestate",
    "server-timing",
    "x-cache",
];

/// Whether a `Connection` header names another as one of its hop.
fn names(connection: &HeaderValue, name: &HeaderName) -> bool {
    let listed = connection.to_str().unwrap_or_default().split(',');
    listed
        .map(str::trim)
        .any(|listed| listed.eq_ignore_ascii_case(name.as_str()))
}

fn forbids_storing(headers: &HeaderMap) -> bool {
    headers.get_all(CACHE_CONTROL).iter().any(|line| {
        let line = line.to_str().unwrap_or_default();
        line.split(',').any(|directive| {
            let name = directive.split('=').next().unwrap_or_default().trim();
            name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("private")
        })
    })
}

/// Takes tags from `Surrogate-Key` (with spaces between) and `Cache-Tag` (with commas).
pub(crate) fn tags(headers: &HeaderMap, draft: &mut Draft) {
    for (name, separator) in [("surrogate-key", ' '), ("cache-tag", ',')] {
        for line in headers.get_all(name) {
            let tags = line.to_str().unwrap_or_default().split(separator);
            for tag in tags.map(str::trim).filter(|tag| !tag.is_empty()) {
                draft.tag(tag.as_bytes());
            }
        }
    }
}
