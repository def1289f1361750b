//! Functions elsewhere, by the Lambda Invoke API.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderName, Method, Request, StatusCode, Uri};
use portcullis_client::{Client, ClientErrorKind};
use portcullis_core::{
    Body, Function, FunctionError, FunctionErrorKind, FunctionFuture, FunctionReply, Invocation,
    REQUEST_ID,
};

use crate::body::read_answer;
use crate::headers::INVOCATION_TYPE;

const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");

/// The service's own limit on what a function may answer.
pub(super) const MAX_REPLY_BYTES: u64 = 6_291_556;

/// An endpoint that speaks the Lambda Invoke API.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    client: Client,
    /// Without a slash at its end.
    base: String,
}

impl Endpoint {
    pub(super) fn new(client: Client, base: &Uri) -> Self {
        Self {
            client,
            base: base.to_string().trim_end_matches('/').to_owned(),
        }
    }

    fn request(&self, call: Invocation) -> Result<Request<Body>, http::Error> {
        let mut uri = format!("{}/2015-03-31/functions/{}/invocations", self.base, call.name);
        if let Some(qualifier) = &call.qualifier {
            uri.push_str("?Qualifier=");
            uri.push_str(qualifier);
        }
        let kind = if call.asynchronous { "Event" } else { "RequestResponse" };
        Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(INVOCATION_TYPE, HeaderValue::from_static(kind))
            .body(Body::from(call.payload))
    }
}

impl Function for Endpoint {
    fn invoke(&self, call: Invocation) -> FunctionFuture {
        let endpoint = self.clone();
        Box::pin(async move {
            let timeout = call.timeout;
            let unreachable = |error: &dyn std::error::Error| {
                FunctionError::new(FunctionErrorKind::Unreachable).with_source(error.to_string())
            };
            let request = endpoint.request(call).map_err(|error| unreachable(&error))?;
            let exchange = async {
                let response = endpoint.client.send(request).await.map_err(|error| {
                    let kind = match error.kind() {
                        ClientErrorKind::Timeout => FunctionErrorKind::Timeout,
                        _ => FunctionErrorKind::Unreachable,
                    };
                    FunctionError::new(kind).with_source(error)
                })?;
                let (parts, body) = response.into_parts();
                let payload = read_answer(Body::new(body), Some(MAX_REPLY_BYTES)).await;
                let payload = payload.map_err(|failure| {
                    FunctionError::new(FunctionErrorKind::Unreachable)
                        .with_source(format!("{failure:?}"))
                })?;
                reply(&parts, payload)
            };
            match timeout {
                Some(timeout) => tokio::time::timeout(timeout, exchange)
                    .await
                    .unwrap_or_else(|_| Err(FunctionError::new(FunctionErrorKind::Timeout))),
                None => exchange.await,
            }
        })
    }
}

fn reply(parts: &http::response::Parts, payload: Bytes) -> Result<FunctionReply, FunctionError> {
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let kind = match parts.status {
        status if status.is_success() => {
            let mut reply = FunctionReply::success(payload);
            reply.status = status.as_u16();
            reply.function_error = text(&FUNCTION_ERROR).map(Into::into);
            reply.request_id = text(&REQUEST_ID).map(Into::into);
            return Ok(reply);
        }
        StatusCode::NOT_FOUND => FunctionErrorKind::NotFound,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => FunctionErrorKind::AccessDenied,
        StatusCode::TOO_MANY_REQUESTS => FunctionErrorKind::Throttled,
        _ => FunctionErrorKind::Unreachable,
    };
    let source = format!("the endpoint answered {}", parts.status);
    Err(FunctionError::new(kind).with_source(source))
}
