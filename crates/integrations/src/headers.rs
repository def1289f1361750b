//! Which headers pass, which are dropped and which get another name.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use portcullis_core::{REQUEST_ID, TRACE_ID};

/// The header that tells an HTTP endpoint which API calls.
pub(crate) const API_ID: HeaderName = HeaderName::from_static("x-amzn-apigateway-api-id");
/// The header by which a caller of a function asks not to wait.
pub(crate) const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// What speaks of one connection only (RFC 9110, 7.6.1), apart from what `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What a REST API keeps from an HTTP endpoint, apart from the above. `Content-Encoding` is a case of its own.
const REST_PROXY_REQUEST_DROPS: [HeaderName; 9] = [
    header::CONTENT_LENGTH,
    CONTENT_MD5,
    header::EXPECT,
    header::HOST,
    header::MAX_FORWARDS,
    header::SERVER,
    header::TRAILER,
    header::VIA,
    header::WWW_AUTHENTICATE,
];

/// What a client of a REST API does not get from an HTTP endpoint, apart from the above.
const REST_PROXY_RESPONSE_DROPS: [HeaderName; 4] =
    [header::EXPECT, header::HOST, header::TRAILER, header::VIA];

/// Headers of a response that get another name in a REST API.
const REMAPPED: [(HeaderName, &str); 15] = [
    (header::AUTHORIZATION, "x-amzn-remapped-authorization"),
    (header::CONNECTION, "x-amzn-remapped-connection"),
    (header::CONTENT_LENGTH, "x-amzn-remapped-content-length"),
    (CONTENT_MD5, "x-amzn-remapped-content-md5"),
    (header::DATE, "x-amzn-remapped-date"),
    (header::EXPECT, "x-amzn-remapped-expect"),
    (header::HOST, "x-amzn-remapped-host"),
    (header::MAX_FORWARDS, "x-amzn-remapped-max-forwards"),
    (
        header::PROXY_AUTHENTICATE,
        "x-amzn-remapped-proxy-authenticate",
    ),
    (header::SERVER, "x-amzn-remapped-server"),
    (header::TRAILER, "x-amzn-remapped-trailer"),
    (header::UPGRADE, "x-amzn-remapped-upgrade"),
    (header::USER_AGENT, "x-amzn-remapped-user-agent"),
    (header::WWW_AUTHENTICATE, "x-amzn-remapped-www-authenticate"),
    (REQUEST_ID, "x-amzn-remapped-x-amzn-requestid"),
];

/// The name that a response header of a REST API gets.
pub(crate) fn remapped(name: &HeaderName) -> Option<HeaderName> {
    REMAPPED
        .iter()
        .find_map(|(own, to)| (own == name).then(|| HeaderName::from_static(to)))
}

/// Headers that neither a mapping nor an event ever sees.
pub(crate) fn is_invisible(name: &HeaderName) -> bool {
    is_hop_by_hop(name)
        || *name == header::CONTENT_LENGTH
        || *name == CONTENT_MD5
        || *name == header::EXPECT
        || *name == header::MAX_FORWARDS
        || *name == header::SERVER
        || *name == header::TRAILER
        || *name == header::WWW_AUTHENTICATE
}

pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// Headers that no mapping may set: each call of an integration that tries is answered 500.
pub(crate) fn is_forbidden(name: &HeaderName, to_aws: bool) -> bool {
    let always = *name == header::CONTENT_LENGTH
        || *name == header::TRANSFER_ENCODING
        || *name == TRACE_ID
        || *name == API_ID;
    always
        || to_aws
            && (*name == header::AUTHORIZATION
                || *name == header::CONNECTION
                || *name == header::EXPECT
                || *name == header::PROXY_AUTHENTICATE
                || *name == header::TE)
}

/// Headers that a mapping may name and that are not sent all the same.
pub(crate) fn is_dropped_when_mapped(name: &HeaderName) -> bool {
    *name != header::UPGRADE && (is_hop_by_hop(name) || *name == header::EXPECT)
}

/// Takes out what `Connection` names, and hop-by-hop headers. `TE: trailers` over HTTP/2 stays: it says that the client reads
/// trailers, and gRPC insists on it.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap, http2: bool) {
    strip_nominated(headers);
    for name in &HOP_BY_HOP {
        if *name == header::TE && http2 && headers.get(name).is_some_and(|te| te == "trailers") {
            continue;
        }
        headers.remove(name);
    }
}

fn strip_nominated(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        if !matches!(
            name.as_str(),
            "close" | "keep-alive" | "connection" | "host"
        ) {
            headers.remove(name);
        }
    }
}

/// What a REST API leaves of a client's headers for an HTTP proxy.
pub(crate) fn for_rest_proxy(headers: &mut HeaderMap, http2: bool, has_body: bool) {
    strip_hop_by_hop(headers, http2);
    for name in &REST_PROXY_REQUEST_DROPS {
        headers.remove(name);
    }
    // The service drops it, also from a body that is encoded. With a body that would change what the body means.
    if !has_body {
        headers.remove(header::CONTENT_ENCODING);
    }
    let signed = |value: &HeaderValue| value.as_bytes().starts_with(b"AWS4-");
    if headers.get(header::AUTHORIZATION).is_some_and(signed) {
        headers.remove(header::AUTHORIZATION);
    }
}

/// What an HTTP API leaves of a client's headers.
pub(crate) fn for_http_api(headers: &mut HeaderMap, http2: bool) {
    strip_hop_by_hop(headers, http2);
    for name in [header::CONTENT_LENGTH, header::EXPECT, header::HOST] {
        headers.remove(name);
    }
}

/// What a REST API makes of the headers of an HTTP proxy's endpoint.
pub(crate) fn from_rest_proxy(headers: &mut HeaderMap) {
    let all = REMAPPED;
    let renamed: Vec<_> = all
        .iter()
        .filter(|(name, _)| !REST_PROXY_RESPONSE_DROPS.contains(name))
        .filter(|(name, _)| !matches!(*name, header::PROXY_AUTHENTICATE | header::UPGRADE))
        .filter_map(|(name, to)| Some((name, *to, headers.get(name)?.clone())))
        .collect();
    let length = headers.get(header::CONTENT_LENGTH).cloned();
    strip_hop_by_hop(headers, false);
    for name in &REST_PROXY_RESPONSE_DROPS {
        headers.remove(name);
    }
    for (name, to, value) in renamed {
        headers.remove(name);
        headers.insert(HeaderName::from_static(to), value);
    }
    // The length is true of what is passed on, too, and the only one that an answer to HEAD has.
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length);
    }
}

/// What an HTTP API makes of the headers of its endpoint.
pub(crate) fn from_http_api(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers, false);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, value.parse().expect("a value"));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_connection_names_goes_with_it() {
        let mut map = headers(&[
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("x-open", "1"),
            ("keep-alive", "timeout=1"),
        ]);
        strip_hop_by_hop(&mut map, false);
        assert_eq!(names(&map), ["x-open"]);
    }

    #[test]
    fn a_client_cannot_have_the_host_taken_out() {
        let mut map = headers(&[("connection", "host"), ("host", "a")]);
        strip_hop_by_hop(&mut map, false);
        assert_eq!(names(&map), ["host"]);
    }

    #[test]
    fn only_trailers_over_http2_stay_in_te() {
        for (te, http2, stays) in [
            ("trailers", true, true),
            ("trailers", false, false),
            ("gzip", true, false),
        ] {
            let mut map = headers(&[("te", te)]);
            strip_hop_by_hop(&mut map, http2);
            assert_eq!(map.contains_key("te"), stays, "{te} {http2}");
        }
    }

    #[test]
    fn a_signature_is_meant_for_the_gateway_and_a_token_may_be_for_the_endpoint() {
        let mut map = headers(&[("authorization", "AWS4-HMAC-SHA256 Credential=x")]);
        for_rest_proxy(&mut map, false, false);
        assert!(map.is_empty());
        let mut map = headers(&[("authorization", "Bearer x")]);
        for_rest_proxy(&mut map, false, false);
        assert_eq!(names(&map), ["authorization"]);
    }

    #[test]
    fn a_body_keeps_its_encoding() {
        let mut map = headers(&[("content-encoding", "gzip")]);
        for_rest_proxy(&mut map, false, true);
        assert_eq!(names(&map), ["content-encoding"]);
        for_rest_proxy(&mut map, false, false);
        assert!(map.is_empty());
    }

    #[test]
    fn an_endpoints_headers_are_renamed_as_recorded() {
        let mut map = headers(&[
            ("connection", "keep-alive"),
            ("content-length", "2"),
            ("content-encoding", "gzip"),
            ("date", "today"),
            ("server", "gunicorn"),
            ("transfer-encoding", "chunked"),
            ("via", "1.1 x"),
            ("www-authenticate", "Basic"),
            ("x-amzn-requestid", "1"),
            ("set-cookie", "a=1"),
        ]);
        from_rest_proxy(&mut map);
        assert_eq!(
            names(&map),
            [
                "content-encoding",
                "content-length",
                "set-cookie",
                "x-amzn-remapped-connection",
                "x-amzn-remapped-content-length",
                "x-amzn-remapped-date",
                "x-amzn-remapped-server",
                "x-amzn-remapped-www-authenticate",
                "x-amzn-remapped-x-amzn-requestid",
            ]
        );
    }
}
