//! Refusals: complete answers that outer layers can restyle, count and log.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::decision::Decision;
use crate::rejection_kind::RejectionKind;

/// The two kinds of APIs, whose refusals look different.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "the service has these two over HTTP"
)]
pub enum ApiKind {
    /// A REST API: `{"message":"Internal server error"}`, with `x-amzn-ErrorType`.
    #[default]
    Rest,
    /// An HTTP API: `{"message":"Internal Server Error"}`, without.
    Http,
}

/// The header that names the error to clients of REST APIs.
pub const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The refusal of a request: what the caller sees, and, apart from it, why.
///
/// A layer that refuses answers with [`into_response`](Self::into_response): a complete answer, which
/// carries the rejection in its extensions. An outer layer can take it from there and restyle, count or log it.
///
/// ```
/// use http_body_util::Full;
/// use portcullis_core::{Rejection, RejectionKind};
///
/// let response = Rejection::new(RejectionKind::Throttled).into_response::<Full<bytes::Bytes>>();
/// assert_eq!(response.status(), 429);
/// assert_eq!(response.headers()["x-amzn-errortype"], "TooManyRequestsException");
/// assert!(response.extensions().get::<Rejection>().is_some());
/// ```
#[derive(Clone)]
pub struct Rejection {
    kind: RejectionKind,
    api: ApiKind,
    status: StatusCode,
    /// `None`: the kind's own message.
    message: Option<Cow<'static, str>>,
    headers: Option<Arc<HeaderMap>>,
    validation_error: Option<Arc<str>>,
    decision: Option<Arc<Decision>>,
}

impl Rejection {
    /// A refusal of this kind, with the status and message that the service gives it.
    #[must_use]
    pub const fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            api: ApiKind::Rest,
            status: kind.status(),
            message: None,
            headers: None,
            validation_error: None,
            decision: None,
        }
    }

    /// The refusal of a request whose body has more than `limit` bytes.
    #[must_use]
    pub fn too_large(limit: u64) -> Self {
        let rejection = Self::new(RejectionKind::RequestTooLarge);
        if limit == SERVICE_BODY_LIMIT {
            rejection
        } else {
            rejection.with_message(format!("HTTP content length exceeded {limit} bytes."))
        }
    }

    /// Sets the real status, where it is not the kind's nominal one (502 for a function's malformed reply, say).
    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets the message that the caller reads.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Adds a header to the answer: `Retry-After`, `WWW-Authenticate`, `Allow`.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        Arc::make_mut(self.headers.get_or_insert_default()).append(name, value);
        self
    }

    /// Sets what was wrong with a body, in detail: `$context.error.validationErrorString`. The caller
    /// does not see it unless a gateway response shows it.
    #[must_use]
    pub fn with_validation_error(mut self, detail: impl Into<Arc<str>>) -> Self {
        self.validation_error = Some(detail.into());
        self
    }

    /// Sets the decision behind the refusal, which is for logs, metrics and traces.
    #[must_use]
    pub fn with_decision(mut self, decision: Decision) -> Self {
        self.decision = Some(Arc::new(decision));
        self
    }

    /// Turns the refusal into the one that an API of this kind gives.
    ///
    /// HTTP APIs have their own statuses and messages, keep only what was said about a malformed request, and
    /// answer 500 where a REST API says 502, 503 where it says 504.
    #[must_use]
    pub fn for_api(mut self, api: ApiKind) -> Self {
        if self.api != api && api == ApiKind::Http {
            let bad_gateway = self.kind == RejectionKind::IntegrationFailure
                && self.status == StatusCode::BAD_GATEWAY;
            self.status = if bad_gateway {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                self.kind.http_api_status()
            };
            self.message = if bad_gateway {
                Some(Cow::Borrowed("Internal Server Error"))
            } else if self.status == StatusCode::BAD_REQUEST {
                self.message
                    .or_else(|| Some(Cow::Borrowed(self.kind.http_api_message())))
            } else {
                None
            };
        }
        self.api = api;
        self
    }

    /// What kind of refusal it is.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Which kind of API it is worded for.
    #[must_use]
    pub const fn api(&self) -> ApiKind {
        self.api
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The message that the caller reads; `None` prints as `null`.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match (&self.message, self.api) {
            (Some(message), _) => Some(message),
            (None, ApiKind::Rest) => self.kind.message(),
            (None, ApiKind::Http) => Some(self.kind.http_api_message()),
        }
    }

    /// The message as JSON, quotes included: `$context.error.messageString`.
    #[must_use]
    pub fn message_string(&self) -> String {
        serde_json::Value::from(self.message()).to_string()
    }

    /// What was wrong with the body, in detail.
    #[must_use]
    pub fn validation_error(&self) -> Option<&str> {
        self.validation_error.as_deref()
    }

    /// The decision behind the refusal.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        self.decision.as_deref()
    }

    /// The headers that [`with_header`](Self::with_header) added.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.headers.as_deref()
    }

    /// The content type and the body of the default answer.
    #[must_use]
    pub fn body(&self) -> (HeaderValue, Bytes) {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        const TEXT: HeaderValue = HeaderValue::from_static("text/plain");
        let rest = self.api == ApiKind::Rest;
        if rest && self.kind == RejectionKind::RequestTooLarge {
            let text = self
                .message
                .clone()
                .or_else(|| self.kind.message().map(Cow::Borrowed));
            return match text.unwrap_or_default() {
                Cow::Borrowed(text) => (TEXT, Bytes::from_static(text.as_bytes())),
                Cow::Owned(text) => (TEXT, Bytes::from(text)),
            };
        }
        let ready = match (&self.message, rest) {
            (Some(_), _) => None,
            (None, true) => self.kind.json(),
            (None, false) => Some(self.kind.http_api_json()),
        };
        if let Some(ready) = ready {
            return (JSON, Bytes::from_static(ready.as_bytes()));
        }
        // The service capitalises the member for this one type.
        let member = if rest && self.kind == RejectionKind::AccessDenied {
            "Message"
        } else {
            "message"
        };
        // Nearly every message stands in JSON as it is; then the body is one allocation.
        let body = match self.message().filter(|message| needs_no_escape(message)) {
            Some(message) => ["{\"", member, "\":\"", message, "\"}"].concat(),
            None => format!("{{\"{member}\":{}}}", self.message_string()),
        };
        (JSON, Bytes::from(body))
    }

    /// The whole answer. The rejection stays in its extensions.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        // What has no message of its own looks the same each time, and copying that is cheaper than making it anew.
        let (mut headers, body) = match &self.message {
            None => self.usual().clone(),
            Some(_) => {
                let (content_type, body) = self.body();
                (self.new_headers(content_type, body.len()), body)
            }
        };
        if let Some(own) = &self.headers {
            for (name, value) in own.iter() {
                headers.append(name, value.clone());
            }
        }
        let mut response = Response::new(B::from(body));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response.extensions_mut().insert(self);
        response
    }
}

impl Rejection {
    fn new_headers(&self, content_type: HeaderValue, length: usize) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CONTENT_LENGTH, content_length(length));
        if self.api == ApiKind::Rest {
            headers.insert(ERROR_TYPE, HeaderValue::from_static(self.kind.error_type()));
        }
        headers
    }

    /// The headers and the body of a refusal of this kind that says what its kind says.
    fn usual(&self) -> &'static (HeaderMap, Bytes) {
        static USUAL: [[OnceLock<(HeaderMap, Bytes)>; 2]; KINDS] =
            [const { [const { OnceLock::new() }; 2] }; KINDS];
        let usual = &USUAL[self.kind as usize % KINDS][self.api as usize];
        usual.get_or_init(|| {
            let mut usual = Self::new(self.kind);
            usual.api = self.api;
            let (content_type, body) = usual.body();
            (usual.new_headers(content_type, body.len()), body)
        })
    }
}

/// More than there are kinds of refusals.
const KINDS: usize = 64;

/// The bytes that a body may have in the service. The kind's own message names it.
const SERVICE_BODY_LIMIT: u64 = 10 * 1024 * 1024;

/// The number as a header value, which allocates only where the number is large.
fn content_length(length: usize) -> HeaderValue {
    /// The numbers below 1,000 in three digits.
    static DIGITS: [[u8; 3]; 1000] = {
        let mut all = [[b'0'; 3]; 1000];
        let mut number = 0;
        while number < all.len() {
            all[number] = [
                b'0' + (number / 100) as u8,
                b'0' + (number / 10 % 10) as u8,
                b'0' + (number % 10) as u8,
            ];
            number += 1;
        }
        all
    };
    let Some(digits) = DIGITS.get(length) else {
        return HeaderValue::from(length);
    };
    let leading = usize::from(length < 100) + usize::from(length < 10);
    HeaderValue::from_maybe_shared(Bytes::from_static(&digits[leading..]))
        .unwrap_or_else(|_| HeaderValue::from(length))
}

/// Whether `text` is the same within the quotes of JSON.
fn needs_no_escape(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
}

impl From<RejectionKind> for Rejection {
    fn from(kind: RejectionKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("kind", &self.kind)
            .field("status", &self.status.as_u16())
            .field("message", &self.message())
            .field("decision", &self.decision)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.status.as_u16(),
            self.message().unwrap_or("null")
        )?;
        match &self.decision {
            Some(decision) => write!(f, " ({decision})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(rejection: &Rejection) -> String {
        String::from_utf8(rejection.body().1.to_vec()).expect("bodies are text")
    }

    #[test]
    fn each_kind_has_the_headers_of_its_own_body() {
        for api in [ApiKind::Rest, ApiKind::Http] {
            for kind in RejectionKind::ALL {
                let rejection = Rejection::new(*kind).for_api(api);
                let (content_type, body) = rejection.body();
                let response = rejection.into_response::<Bytes>();
                let headers = response.headers();
                assert_eq!(headers[CONTENT_TYPE], content_type, "{kind:?}");
                let length = body.len().to_string();
                assert_eq!(headers[CONTENT_LENGTH], length, "{kind:?}");
                let error_type = (api == ApiKind::Rest).then(|| kind.error_type());
                let told = headers.get(ERROR_TYPE).map(|value| value.to_str().unwrap());
                assert_eq!(told, error_type, "{kind:?}");
                assert_eq!(*response.body(), body, "{kind:?}");
            }
        }
    }

    #[test]
    fn a_denial_of_access_has_a_capital_message() {
        let denied = Rejection::new(RejectionKind::AccessDenied);
        assert_eq!(
            body(&denied),
            r#"{"Message":"User is not authorized to access this resource"}"#
        );
        assert_eq!(
            body(&denied.for_api(ApiKind::Http)),
            r#"{"message":"Forbidden"}"#
        );
    }

    #[test]
    fn a_broken_authorizer_has_a_null_message() {
        let broken = Rejection::new(RejectionKind::AuthorizerConfigurationError);
        assert_eq!(body(&broken), r#"{"message":null}"#);
    }

    #[test]
    fn a_body_that_is_too_large_is_answered_in_plain_text() {
        let response =
            Rejection::new(RejectionKind::RequestTooLarge).into_response::<crate::Body>();
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
        assert_eq!(
            response.body().as_bytes(),
            Some(&b"HTTP content length exceeded 10485760 bytes."[..])
        );
    }

    #[test]
    fn the_length_of_a_body_is_written_in_decimal() {
        for length in (0..=1100).chain([10_485_760]) {
            assert_eq!(content_length(length), *length.to_string());
        }
    }

    #[test]
    fn a_message_cannot_break_out_of_its_json() {
        let rejection =
            Rejection::new(RejectionKind::MalformedRequest).with_message("a \"quote\"\n");
        assert_eq!(body(&rejection), r#"{"message":"a \"quote\"\n"}"#);
    }

    #[test]
    fn a_malformed_reply_of_a_function_is_502_in_one_kind_of_api_and_500_in_the_other() {
        let malformed = Rejection::new(RejectionKind::IntegrationFailure)
            .with_status(StatusCode::BAD_GATEWAY)
            .with_message("Internal server error");
        assert_eq!(malformed.status(), 502);
        let http = malformed.for_api(ApiKind::Http);
        assert_eq!(http.status(), 500);
        assert_eq!(body(&http), r#"{"message":"Internal Server Error"}"#);
    }

    #[test]
    fn an_http_api_has_no_error_type_header() {
        let response = Rejection::new(RejectionKind::Throttled)
            .for_api(ApiKind::Http)
            .into_response::<crate::Body>();
        assert!(!response.headers().contains_key(ERROR_TYPE));
    }
}
