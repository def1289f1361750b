//! What of a response is stored.

use std::sync::Arc;

use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING,
    ORIGIN, SET_COOKIE, VARY,
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
        let said = Said::by(headers);
        if !rules.ignores_vary
            && (said.varies && rules.varies(headers) || wish.is_echoed(&rules, headers))
        {
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
        draft.headers(headers, |name| {
            rules.keeps(name) && !said.connection.is_some_and(|named| names(named, name))
        });
        draft.target(
            wish.target
                .as_ref()
                .map_or("/", PathAndQuery::as_str)
                .as_bytes(),
        );
        tags(headers, &mut draft);
        if let Some(coding) = said.coding
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

/// What of a response's headers decides about the others, found in one walk.
#[derive(Default)]
struct Said<'a> {
    connection: Option<&'a HeaderValue>,
    coding: Option<&'a HeaderValue>,
    varies: bool,
}

impl<'a> Said<'a> {
    fn by(headers: &'a HeaderMap) -> Self {
        let mut said = Self::default();
        for (name, value) in headers {
            if *name == CONNECTION {
                said.connection.get_or_insert(value);
            } else if *name == CONTENT_ENCODING {
                said.coding.get_or_insert(value);
            } else if *name == VARY {
                said.varies = true;
            }
        }
        said
    }
}

impl CacheRules {
    /// Whether a header is stored: not if it is about one connection, one message or one request.
    fn keeps(&self, name: &HeaderName) -> bool {
        if *name == SET_COOKIE {
            return self.replays_cookies;
        }
        !is_of_one(name.as_str()) && !self.dropped.contains(name)
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

/// Whether a header is about one connection, one message or one request: those of the protocol, and those by which gateways, proxies and frameworks tell requests
/// apart. By length, so that a name is compared with few.
fn is_of_one(name: &str) -> bool {
    match name.len() {
        2 => name == "te",
        3 => name == "age",
        4 => name == "date",
        7 => matches!(name, "trailer" | "upgrade" | "warning" | "x-cache"),
        10 => matches!(
            name,
            "connection" | "keep-alive" | "tracestate" | "x-amz-id-2"
        ),
        11 => matches!(name, "traceparent" | "x-amz-cf-id"),
        12 => matches!(name, "x-request-id" | "x-amz-cf-pop"),
        13 => name == "server-timing",
        14 => matches!(name, "content-length" | "x-amz-apigw-id"),
        15 => matches!(name, "x-amzn-trace-id" | "apigw-requestid"),
        16 => matches!(
            name,
            "www-authenticate"
                | "proxy-connection"
                | "x-amzn-requestid"
                | "x-correlation-id"
                | "x-amz-request-id"
        ),
        17 => name == "transfer-encoding",
        18 => name == "proxy-authenticate",
        20 => name == "x-amzn-remapped-date",
        25 => name == "proxy-authentication-info",
        _ => false,
    }
}

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
    for (name, line) in headers {
        let separator = if *name == SURROGATE_KEY {
            ' '
        } else if *name == CACHE_TAG {
            ','
        } else {
            continue;
        };
        let tags = line.to_str().unwrap_or_default().split(separator);
        for tag in tags.map(str::trim).filter(|tag| !tag.is_empty()) {
            draft.tag(tag.as_bytes());
        }
    }
}

const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

#[cfg(test)]
mod tests {
    use super::is_of_one;

    #[test]
    fn a_header_of_one_request_is_known_by_its_name() {
        for name in [
            "connection",
            "content-length",
            "date",
            "transfer-encoding",
            "trailer",
            "te",
            "upgrade",
            "age",
            "warning",
            "www-authenticate",
            "proxy-authenticate",
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
        ] {
            assert!(is_of_one(name), "{name}");
        }
        for name in ["content-type", "etag", "x-own", "vary", "set-cookie"] {
            assert!(!is_of_one(name), "{name}");
        }
    }
}
