//! Which headers pass, which are dropped and which get another name.

use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use portcullis_core::{REQUEST_ID, TRACE_ID};

/// The header that tells an HTTP endpoint which API calls.
pub(crate) const API_ID: HeaderName = HeaderName::from_static("x-amzn-apigateway-api-id");
/// The header that says of a function's answer that it is an error.
pub(crate) const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
/// The header by which a caller of a function asks not to wait.
pub(crate) const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// The headers that are treated in any special way. A set of them is a word with a bit for each.
static KNOWN: [HeaderName; 22] = [
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    CONTENT_MD5,
    header::EXPECT,
    header::HOST,
    header::MAX_FORWARDS,
    header::SERVER,
    header::TRAILER,
    header::VIA,
    header::WWW_AUTHENTICATE,
    header::CONTENT_ENCODING,
    header::AUTHORIZATION,
    header::DATE,
    header::USER_AGENT,
    REQUEST_ID,
];

/// The set that holds one name; nothing if it is not known.
const fn set_of(name: &[u8]) -> u32 {
    match name {
        b"connection" => 1 << 0,
        b"keep-alive" => 1 << 1,
        b"proxy-connection" => 1 << 2,
        b"proxy-authenticate" => 1 << 3,
        b"proxy-authorization" => 1 << 4,
        b"te" => 1 << 5,
        b"transfer-encoding" => 1 << 6,
        b"upgrade" => 1 << 7,
        b"content-length" => 1 << 8,
        b"content-md5" => 1 << 9,
        b"expect" => 1 << 10,
        b"host" => 1 << 11,
        b"max-forwards" => 1 << 12,
        b"server" => 1 << 13,
        b"trailer" => 1 << 14,
        b"via" => 1 << 15,
        b"www-authenticate" => 1 << 16,
        b"content-encoding" => 1 << 17,
        b"authorization" => 1 << 18,
        b"date" => 1 << 19,
        b"user-agent" => 1 << 20,
        b"x-amzn-requestid" => 1 << 21,
        _ => 0,
    }
}

const CONNECTION: u32 = set_of(b"connection");
const TE: u32 = set_of(b"te");
const CONTENT_ENCODING: u32 = set_of(b"content-encoding");
const AUTHORIZATION: u32 = set_of(b"authorization");

/// What speaks of one connection only (RFC 9110, 7.6.1), apart from what `Connection` names.
const HOP_BY_HOP: u32 = CONNECTION
    | set_of(b"keep-alive")
    | set_of(b"proxy-connection")
    | set_of(b"proxy-authenticate")
    | set_of(b"proxy-authorization")
    | TE
    | set_of(b"transfer-encoding")
    | set_of(b"upgrade");

/// What a REST API keeps from an HTTP endpoint, apart from the above. `Content-Encoding` is a case of its own.
const REST_PROXY_REQUEST_DROPS: u32 = set_of(b"content-length")
    | set_of(b"content-md5")
    | set_of(b"expect")
    | set_of(b"host")
    | set_of(b"max-forwards")
    | set_of(b"server")
    | set_of(b"trailer")
    | set_of(b"via")
    | set_of(b"www-authenticate");

/// What an HTTP API keeps from an HTTP endpoint, apart from what speaks of the connection.
const HTTP_API_REQUEST_DROPS: u32 = set_of(b"content-length") | set_of(b"expect") | set_of(b"host");

/// What a client of a REST API does not get from an HTTP endpoint, apart from what speaks of the connection.
const REST_PROXY_RESPONSE_DROPS: u32 =
    set_of(b"expect") | set_of(b"host") | set_of(b"trailer") | set_of(b"via");

/// What a client of a REST API gets from an HTTP endpoint under another name.
const REST_PROXY_RESPONSE_RENAMES: u32 = AUTHORIZATION
    | CONNECTION
    | set_of(b"content-length")
    | set_of(b"content-md5")
    | set_of(b"date")
    | set_of(b"max-forwards")
    | set_of(b"server")
    | set_of(b"user-agent")
    | set_of(b"www-authenticate")
    | set_of(b"x-amzn-requestid");

/// Which of the known headers are there. One walk is cheaper than a look-up of each.
fn known(headers: &HeaderMap) -> u32 {
    let sets = headers.keys().map(|name| set_of(name.as_str().as_bytes()));
    sets.fold(0, |all, one| all | one)
}

/// The names in a set.
fn names_in(mut set: u32) -> impl Iterator<Item = &'static HeaderName> {
    std::iter::from_fn(move || {
        let name = KNOWN.get(set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(name)
    })
}

fn remove(headers: &mut HeaderMap, set: u32) {
    for name in names_in(set) {
        headers.remove(name);
    }
}

/// Headers of a response that get another name in a REST API.
static REMAPPED: [(HeaderName, HeaderName); 15] = [
    (
        header::AUTHORIZATION,
        HeaderName::from_static("x-amzn-remapped-authorization"),
    ),
    (
        header::CONNECTION,
        HeaderName::from_static("x-amzn-remapped-connection"),
    ),
    (
        header::CONTENT_LENGTH,
        HeaderName::from_static("x-amzn-remapped-content-length"),
    ),
    (
        CONTENT_MD5,
        HeaderName::from_static("x-amzn-remapped-content-md5"),
    ),
    (
        header::DATE,
        HeaderName::from_static("x-amzn-remapped-date"),
    ),
    (
        header::EXPECT,
        HeaderName::from_static("x-amzn-remapped-expect"),
    ),
    (
        header::HOST,
        HeaderName::from_static("x-amzn-remapped-host"),
    ),
    (
        header::MAX_FORWARDS,
        HeaderName::from_static("x-amzn-remapped-max-forwards"),
    ),
    (
        header::PROXY_AUTHENTICATE,
        HeaderName::from_static("x-amzn-remapped-proxy-authenticate"),
    ),
    (
        header::SERVER,
        HeaderName::from_static("x-amzn-remapped-server"),
    ),
    (
        header::TRAILER,
        HeaderName::from_static("x-amzn-remapped-trailer"),
    ),
    (
        header::UPGRADE,
        HeaderName::from_static("x-amzn-remapped-upgrade"),
    ),
    (
        header::USER_AGENT,
        HeaderName::from_static("x-amzn-remapped-user-agent"),
    ),
    (
        header::WWW_AUTHENTICATE,
        HeaderName::from_static("x-amzn-remapped-www-authenticate"),
    ),
    (
        REQUEST_ID,
        HeaderName::from_static("x-amzn-remapped-x-amzn-requestid"),
    ),
];

/// The name that a response header of a REST API gets.
pub(crate) fn remapped(name: &HeaderName) -> Option<HeaderName> {
    REMAPPED
        .iter()
        .find_map(|(own, to)| (own == name).then(|| to.clone()))
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
    set_of(name.as_str().as_bytes()) & HOP_BY_HOP != 0
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
    strip(headers, http2, 0);
}

/// The same, and takes out the `others`. Says which of the known headers were there.
fn strip(headers: &mut HeaderMap, http2: bool, others: u32) -> u32 {
    let there = known(headers);
    if there & CONNECTION != 0 {
        strip_nominated(headers);
    }
    let mut going = there & (HOP_BY_HOP | others);
    if going & TE != 0 && http2 && headers.get(header::TE).is_some_and(|te| te == "trailers") {
        going &= !TE;
    }
    remove(headers, going);
    there
}

fn strip_nominated(headers: &mut HeaderMap) {
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
    // The service drops an encoding also from a body that has one. With a body that would change what the body means.
    let encoding = if has_body { 0 } else { CONTENT_ENCODING };
    let there = strip(headers, http2, REST_PROXY_REQUEST_DROPS | encoding);
    let signed = |value: &HeaderValue| value.as_bytes().starts_with(b"AWS4-");
    if there & AUTHORIZATION != 0 && headers.get(header::AUTHORIZATION).is_some_and(signed) {
        headers.remove(header::AUTHORIZATION);
    }
}

/// What an HTTP API leaves of a client's headers.
pub(crate) fn for_http_api(headers: &mut HeaderMap, http2: bool) {
    strip(headers, http2, HTTP_API_REQUEST_DROPS);
}

/// What a REST API makes of the headers of an HTTP proxy's endpoint.
pub(crate) fn from_rest_proxy(headers: &mut HeaderMap) {
    let there = known(headers) & REST_PROXY_RESPONSE_RENAMES;
    // In here, and not in a list that allocates: every answer has some.
    let mut renamed = [const { None }; REST_PROXY_RESPONSE_RENAMES.count_ones() as usize];
    for (name, place) in names_in(there).zip(&mut renamed) {
        let value = if *name == header::CONNECTION {
            // What it says is still to be read.
            headers.get(name).cloned()
        } else if *name == header::CONTENT_LENGTH {
            // It is true of what is passed on, too, and the only length that an answer to HEAD has.
            only_one(headers, name)
        } else {
            headers.remove(name)
        };
        *place = value.zip(remapped(name));
    }
    strip(headers, false, REST_PROXY_RESPONSE_DROPS);
    for (value, name) in renamed.into_iter().flatten() {
        headers.insert(name, value);
    }
}

/// The first value of a header, which is the only one from now on.
fn only_one(headers: &mut HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    match headers.entry(name) {
        Entry::Occupied(mut entry) => {
            let first = entry.get().clone();
            Some(entry.insert(first))
        }
        Entry::Vacant(_) => None,
    }
}

/// What an HTTP API makes of the headers of its endpoint.
pub(crate) fn from_http_api(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers, false);
}

/// Takes out what a chunked answer says of its framing, which is not how it goes on: a length beside the coding means nothing (RFC 9112,
/// section 6.3).
///
/// # Errors
///
/// If the answer has another coding, which nobody has taken off.
pub(crate) fn take_framing(headers: &mut HeaderMap) -> Result<(), String> {
    let Some(coding) = headers.get(header::TRANSFER_ENCODING) else {
        return Ok(());
    };
    let is_only = headers.get_all(header::TRANSFER_ENCODING).iter().count() == 1;
    if !is_only
        || !coding
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"chunked")
    {
        return Err(format!("its transfer coding {coding:?} is not understood"));
    }
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    Ok(())
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
    fn a_known_header_has_the_bit_of_its_place() {
        for (place, name) in KNOWN.iter().enumerate() {
            assert_eq!(set_of(name.as_str().as_bytes()), 1 << place, "{name}");
        }
        let renamed: Vec<_> = names_in(REST_PROXY_RESPONSE_RENAMES).collect();
        assert_eq!(renamed.len(), 10);
        assert!(renamed.iter().all(|name| remapped(name).is_some()));
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
