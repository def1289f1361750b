//! Which requests never reach a service.

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Version};
use portcullis_core::{Decision, Rejection, RejectionKind};

/// What a head may measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadLimits {
    /// Names, values and what separates them, of all headers together.
    pub(super) header_bytes: usize,
    /// The path with the query.
    pub(super) uri_bytes: usize,
}

/// Refuses a request that is not HTTP as it should be, and lets `Host` say what the target says.
pub(super) fn check<B>(request: &mut Request<B>, limits: HeadLimits) -> Result<(), Rejection> {
    check_sizes(request, limits)?;
    if request.method() == Method::CONNECT {
        return Err(malformed("target", "CONNECT is not served"));
    }
    if request.uri().path() == "*" {
        if request.method() == Method::OPTIONS {
            // No API stands behind the server as a whole.
            let decision = Decision::new("serve", "target").with("reason", "asterisk form");
            return Err(Rejection::new(RejectionKind::ResourceNotFound).with_decision(decision));
        }
        return Err(malformed("target", "only OPTIONS may ask for `*`"));
    }
    if request.version() >= Version::HTTP_2 {
        check_authority(request)
    } else {
        check_transfer_coding(request.headers())?;
        check_host(request)
    }
}

fn check_sizes<B>(request: &Request<B>, limits: HeadLimits) -> Result<(), Rejection> {
    let uri = request.uri();
    let uri_bytes = uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if uri_bytes > limits.uri_bytes {
        return Err(too_large(
            RejectionKind::UriTooLong,
            "uri",
            uri_bytes,
            limits.uri_bytes,
        ));
    }
    // A line is `name: value\r\n`. What h2 has in `:authority` stands for `Host`.
    const SEPARATORS: usize = 4;
    let authority = match uri.authority() {
        Some(authority) if !request.headers().contains_key(HOST) => {
            HOST.as_str().len() + authority.as_str().len() + SEPARATORS
        }
        _ => 0,
    };
    let lines = request.headers().iter();
    let header_bytes = lines.fold(authority, |sum, (name, value)| {
        sum + name.as_str().len() + value.len() + SEPARATORS
    });
    if header_bytes > limits.header_bytes {
        return Err(too_large(
            RejectionKind::HeadersTooLarge,
            "headers",
            header_bytes,
            limits.header_bytes,
        ));
    }
    Ok(())
}

/// RFC 9112, sections 3.2 and 3.2.2.
fn check_host<B>(request: &mut Request<B>) -> Result<(), Rejection> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(malformed("host", "there is more than one `Host`"));
    }
    match host {
        Some(host) => {
            parse_host(host)?;
        }
        None if request.version() == Version::HTTP_11 => {
            return Err(malformed("host", "there is no `Host`"));
        }
        None => {}
    }
    let uri = request.uri();
    let Some(authority) = uri.authority() else {
        return Ok(());
    };
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(_) => return Err(malformed("target", "the scheme is not HTTP's")),
        None => return Err(malformed("target", "only CONNECT may ask for a host alone")),
    }
    check_no_user(authority)?;
    let authority = HeaderValue::from_str(authority.as_str())
        .map_err(|_| malformed("target", "the host is none"))?;
    // Whatever `Host` said: it is the target that counts, and everybody behind must read the same.
    request.headers_mut().insert(HOST, authority);
    Ok(())
}

/// RFC 9113, section 8.3.1.
fn check_authority<B>(request: &Request<B>) -> Result<(), Rejection> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(malformed("host", "there is more than one `Host`"));
    }
    let host = host.map(parse_host).transpose()?;
    match (request.uri().authority(), host) {
        (None, None) => Err(malformed("host", "there is no `:authority`")),
        (None, Some(_)) => Ok(()),
        (Some(authority), None) => check_no_user(authority),
        (Some(authority), Some(host)) => {
            check_no_user(authority)?;
            if authority.as_str().eq_ignore_ascii_case(host.as_str()) {
                Ok(())
            } else {
                Err(malformed("host", "`Host` and `:authority` differ"))
            }
        }
    }
}

fn parse_host(value: &HeaderValue) -> Result<Authority, Rejection> {
    let authority = Authority::try_from(value.as_bytes())
        .map_err(|_| malformed("host", "`Host` is no host"))?;
    check_no_user(&authority)?;
    let rest = &authority.as_str()[authority.host().len()..];
    let port = rest.strip_prefix(':').unwrap_or(rest);
    if authority.host().is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed("host", "`Host` is no host"));
    }
    Ok(authority)
}

fn check_no_user(authority: &Authority) -> Result<(), Rejection> {
    if authority.as_str().contains('@') {
        return Err(malformed("host", "a host has no user"));
    }
    Ok(())
}

/// hyper takes `chunked` off and hands the rest on; an upstream would not know of it.
fn check_transfer_coding(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None)
            if coding
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(b"chunked") =>
        {
            Ok(())
        }
        _ => Err(malformed(
            "transfer-encoding",
            "only `chunked` is understood",
        )),
    }
}

fn malformed(rule: &'static str, reason: &'static str) -> Rejection {
    let decision = Decision::new("serve", rule).with("reason", reason);
    Rejection::new(RejectionKind::MalformedRequest).with_decision(decision)
}

fn too_large(kind: RejectionKind, rule: &'static str, bytes: usize, limit: usize) -> Rejection {
    let decision = Decision::new("serve", rule)
        .with("bytes", bytes)
        .with("limit", limit);
    Rejection::new(kind).with_decision(decision)
}
