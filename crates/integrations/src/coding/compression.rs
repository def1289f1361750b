//! Which responses are compressed.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap,
    HeaderValue, VARY,
};
use http::{Response, StatusCode};
use http_body::Body as _;
use portcullis_core::Body;

use super::ContentCoding;
use super::body::{Compressed, compress};
use crate::error::ConfigError;

/// Compresses responses from a size on: `minimumCompressionSize` of a REST API.
///
/// ```
/// use http::{HeaderMap, HeaderValue, Response};
/// use portcullis_core::Body;
/// use portcullis_integrations::{Compression, ContentCoding};
///
/// let compression = Compression::new(1024)?;
/// let mut request = HeaderMap::new();
/// request.insert("accept-encoding", HeaderValue::from_static("gzip"));
///
/// let response = Response::new(Body::from("pets ".repeat(1000)));
/// let response = compression.apply(ContentCoding::preferred(&request), response);
/// assert_eq!(response.headers()["content-encoding"], "gzip");
/// assert!(response.body().as_bytes().unwrap().len() < 100);
/// # Ok::<(), portcullis_integrations::ConfigError>(())
/// ```
///
/// # Semantics
///
/// A response is compressed if the client names a coding, its body has at least the minimum, and it has no
/// `Content-Encoding` yet. Apart from what the service documents:
///
/// - A body whose length is not known counts as large enough. It is compressed as it passes; where it pauses, what has come
///   is sent.
/// - Parts of a body (206), and what `Cache-Control: no-transform` protects, stay as they are.
/// - `Vary` names `Accept-Encoding` on every response that another client might have got compressed, and a strong `ETag`
///   becomes a weak one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    minimum: u64,
}

/// The largest minimum that the service takes.
const LARGEST: u64 = 10 << 20;

/// Bodies up to this are compressed at once.
const AT_ONCE: usize = 64 << 10;

impl Compression {
    /// Compresses responses of at least `minimum` bytes; 0 compresses all that have a body.
    ///
    /// # Errors
    ///
    /// If it is more than 10,485,760.
    pub fn new(minimum: u64) -> Result<Self, ConfigError> {
        if minimum > LARGEST {
            let fault = format!("is {minimum}; at most {LARGEST} bytes are allowed");
            return Err(ConfigError::new("/minimumCompressionSize", fault));
        }
        Ok(Self { minimum })
    }

    /// Compresses `response` with `coding`, the client's [`preferred`](ContentCoding::preferred) one, if it is to be.
    #[must_use]
    pub fn apply(
        &self,
        coding: Option<ContentCoding>,
        mut response: Response<Body>,
    ) -> Response<Body> {
        if !self.concerns(&response) {
            return response;
        }
        let headers = response.headers_mut();
        vary(headers);
        let Some(coding) = coding else {
            return response;
        };
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        headers.remove(CONTENT_LENGTH);
        headers.remove(ACCEPT_RANGES);
        weaken(headers);
        let body = std::mem::take(response.body_mut());
        *response.body_mut() = match body.as_bytes() {
            Some(bytes) if bytes.len() <= AT_ONCE => Bytes::from(compress(bytes, coding)).into(),
            _ => Body::new(Compressed::new(body, coding)),
        };
        response
    }

    /// Whether a client that accepts a coding gets the response in it.
    fn concerns(&self, response: &Response<Body>) -> bool {
        let status = response.status();
        let headers = response.headers();
        let size = response.body().size_hint();
        let large = match size.exact() {
            Some(0) => false,
            Some(exact) => exact >= self.minimum,
            None => true,
        };
        let protected = headers.get_all(CACHE_CONTROL).iter().any(|line| {
            line.to_str()
                .is_ok_and(|line| line.contains("no-transform"))
        });
        large
            && !status.is_informational()
            && status != StatusCode::NO_CONTENT
            && status != StatusCode::NOT_MODIFIED
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && !protected
    }
}

/// Says that the response depends on what the client accepts.
fn vary(headers: &mut HeaderMap) {
    let said = headers.get_all(VARY).iter().any(|line| {
        let names = line.to_str().unwrap_or_default().split(',');
        names
            .map(str::trim)
            .any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding"))
    });
    if !said {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// A strong validator is that of other bytes (RFC 9110, 8.8.1).
fn weaken(headers: &mut HeaderMap) {
    if let Some(tag) = headers.get(ETAG)
        && tag.as_bytes().starts_with(b"\"")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(minimum: u64, response: http::response::Builder, body: &'static str, expected: bool) {
        let response = response.body(Body::from(body)).expect("a response");
        let compression = Compression::new(minimum).expect("in range");
        let response = compression.apply(Some(ContentCoding::Gzip), response);
        let coding = response.headers().get(CONTENT_ENCODING);
        let compressed = coding.is_some_and(|coding| coding == "gzip");
        assert_eq!(compressed, expected);
        assert_eq!(response.headers().contains_key(VARY), expected);
    }

    #[test]
    fn a_response_is_compressed_from_the_minimum_on() {
        check(4, Response::builder(), "abc", false);
        check(3, Response::builder(), "abc", true);
        check(0, Response::builder(), "a", true);
        check(0, Response::builder(), "", false);
    }

    #[test]
    fn what_must_stay_as_it_is_stays_so() {
        let builder = Response::builder;
        check(0, builder().status(404), "abc", true);
        check(0, builder().status(304), "abc", false);
        check(0, builder().header("content-encoding", "br"), "abc", false);
        let range = builder().status(206).header("content-range", "bytes 0-2/9");
        check(0, range, "abc", false);
        let protected = builder().header("cache-control", "public, no-transform");
        check(0, protected, "abc", false);
    }

    #[test]
    fn a_client_that_names_no_coding_gets_the_body_as_it_is() {
        let compression = Compression::new(0).expect("in range");
        let response = compression.apply(None, Response::new(Body::from("abc")));
        assert_eq!(response.body().as_bytes(), Some(&b"abc"[..]));
        assert_eq!(response.headers()[VARY], "accept-encoding");
    }

    #[test]
    fn headers_are_true_of_the_compressed_body() {
        let response = Response::builder()
            .header("content-length", "3")
            .header("accept-ranges", "bytes")
            .header("etag", "\"1\"")
            .header("vary", "Origin");
        let response = response.body(Body::from("abc")).expect("a response");
        let compression = Compression::new(0).expect("in range");
        let response = compression.apply(Some(ContentCoding::Deflate), response);
        let headers = response.headers();
        assert_eq!(headers["content-encoding"], "deflate");
        assert_eq!(headers["etag"], "W/\"1\"");
        assert!(!headers.contains_key("content-length"));
        assert!(!headers.contains_key("accept-ranges"));
        let vary: Vec<_> = headers.get_all("vary").iter().collect();
        assert_eq!(vary, ["Origin", "accept-encoding"]);
    }

    #[test]
    fn a_minimum_past_the_services_own_limit_is_an_error() {
        assert!(Compression::new(10_485_760).is_ok());
        let error = Compression::new(10_485_761).expect_err("too large");
        assert_eq!(error.field(), "/minimumCompressionSize");
    }
}
