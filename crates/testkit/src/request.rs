//! Short ways to a request, and to what an answer holds.
//!
//! ```
//! use portcullis_testkit::request;
//!
//! let request = request::post("/pets?kind=dog").header("x-api-key", "k").json(&["Rex"]);
//! assert_eq!(request.headers()["content-type"], "application/json");
//! ```

use std::fmt::Display;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use serde::Serialize;
use serde_json::Value;

/// A GET request.
pub fn get(uri: &str) -> RequestBuilder {
    RequestBuilder::new(Method::GET, uri)
}

/// A POST request.
pub fn post(uri: &str) -> RequestBuilder {
    RequestBuilder::new(Method::POST, uri)
}

/// An OPTIONS request as a browser sends it before a request of `method` from a page of `origin`.
pub fn preflight(uri: &str, origin: &str, method: &str) -> RequestBuilder {
    RequestBuilder::new(Method::OPTIONS, uri)
        .header("origin", origin)
        .header("access-control-request-method", method)
}

/// A request of any method, by its name as it is on the wire.
pub fn of(method: &str, uri: &str) -> RequestBuilder {
    match method.parse() {
        Ok(method) => RequestBuilder::new(method, uri),
        Err(_) => panic!("`{method}` is no method"),
    }
}

/// A request in the making; what cannot be in a request panics at once.
#[derive(Debug)]
#[must_use]
pub struct RequestBuilder {
    request: Request<()>,
}

impl RequestBuilder {
    fn new(method: Method, uri: &str) -> Self {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = match uri.parse::<Uri>() {
            Ok(uri) => uri,
            Err(error) => panic!("`{uri}` is no URI: {error}"),
        };
        Self { request }
    }

    /// Adds a header; one of the same name stays.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let Ok(parsed) = name.parse::<HeaderName>() else {
            panic!("`{name}` is no header name");
        };
        let Ok(value) = HeaderValue::from_str(value) else {
            panic!("`{value}` cannot be the value of {name}");
        };
        self.request.headers_mut().append(parsed, value);
        self
    }

    /// Puts a value into the request's extensions.
    pub fn extension(mut self, value: impl Clone + Send + Sync + 'static) -> Self {
        self.request.extensions_mut().insert(value);
        self
    }

    /// The request without a body.
    #[must_use]
    pub fn empty(self) -> Request<Full<Bytes>> {
        self.body(Bytes::new())
    }

    /// The request with a body; no header is set for it.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        self.body_as(body)
    }

    /// The request with a JSON body, and its media type unless there is one.
    #[must_use]
    pub fn json(mut self, body: &(impl Serialize + ?Sized)) -> Request<Full<Bytes>> {
        self.request
            .headers_mut()
            .entry(header::CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body(bytes),
            Err(error) => panic!("the body cannot be JSON: {error}"),
        }
    }

    /// The request with a body of another type.
    #[must_use]
    pub fn body_as<B: From<Bytes>>(self, body: impl Into<Bytes>) -> Request<B> {
        self.request.map(|()| B::from(body.into()))
    }
}

/// An answer with a status and a body, and no header.
#[must_use]
pub fn answer(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    match Response::builder()
        .status(status)
        .body(Full::new(body.into()))
    {
        Ok(response) => response,
        Err(error) => panic!("{status} is no status: {error}"),
    }
}

/// Reads a body to its end.
pub async fn bytes<B>(body: B) -> Bytes
where
    B: Body,
    B::Error: Display,
{
    match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => panic!("the body broke off: {error}"),
    }
}

/// Reads the body of an answer, which must be UTF-8.
pub async fn text<B>(response: Response<B>) -> String
where
    B: Body,
    B::Error: Display,
{
    match String::from_utf8(bytes(response.into_body()).await.into()) {
        Ok(text) => text,
        Err(error) => panic!("the body is no UTF-8: {error}"),
    }
}

/// Reads the body of an answer, which must be JSON.
pub async fn json<B>(response: Response<B>) -> Value
where
    B: Body,
    B::Error: Display,
{
    let text = text(response).await;
    match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(error) => panic!("the body is no JSON ({error}): {text}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_of_one_name_add_up() {
        let request = get("/").header("x-a", "1").header("X-A", "2").empty();
        let values: Vec<_> = request.headers().get_all("x-a").iter().collect();
        assert_eq!(values, ["1", "2"]);
    }

    #[test]
    fn json_keeps_a_media_type_that_is_there() {
        let request = post("/")
            .header("content-type", "application/hal+json")
            .json(&json!({}));
        assert_eq!(request.headers()["content-type"], "application/hal+json");
    }

    #[test]
    fn a_preflight_names_origin_and_method() {
        let request = preflight("/", "https://a.test", "PUT").empty();
        assert_eq!(request.method(), Method::OPTIONS);
        assert_eq!(request.headers()["origin"], "https://a.test");
        assert_eq!(request.headers()["access-control-request-method"], "PUT");
    }

    #[tokio::test]
    async fn an_answer_is_read_back() {
        assert_eq!(json(answer(200, r#"{"a":[1]}"#)).await, json!({"a": [1]}));
        assert_eq!(text(answer(404, "no")).await, "no");
    }

    #[test]
    fn extensions_travel_with_the_request() {
        assert_eq!(
            of("PURGE", "/").extension(7_u8).empty().extensions().get(),
            Some(&7_u8)
        );
    }
}
