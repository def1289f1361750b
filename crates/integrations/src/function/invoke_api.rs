//! The Invoke API of AWS Lambda, as its clients speak it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use portcullis_client::{ClientError, ClientErrorKind, ResponseBody};
use portcullis_core::{
    Body, BoxError, FunctionError, FunctionErrorKind, FunctionReply, FunctionStream, Invocation,
    REQUEST_ID, TRACE_ID,
};

use super::event_stream::EventStream;
use crate::body::read_answer;
use crate::headers::{FUNCTION_ERROR, INVOCATION_TYPE};
use crate::uri::push_query_value;

/// The type of a streamed answer.
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// The most that the service gives back at once, in bytes.
const MAX_PAYLOAD: u64 = 6_291_556;

/// How long to wait where the caller does not say: the longest that a function may run.
pub(super) const LONGEST: Duration = Duration::from_secs(900);

/// How the function's answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    Streamed,
}

/// The target of a call: path and query.
pub(super) fn path_and_query(function: &str, qualifier: Option<&str>, wanted: Wanted) -> String {
    let (version, action) = match wanted {
        Wanted::Whole => ("2015-03-31", "invocations"),
        Wanted::Streamed => ("2021-11-15", "response-streaming-invocations"),
    };
    let mut target = format!("/{version}/functions/");
    push_query_value(&mut target, function.as_bytes());
    target.push('/');
    target.push_str(action);
    push_qualifier(&mut target, qualifier);
    target
}

pub(super) fn push_qualifier(target: &mut String, qualifier: Option<&str>) {
    if let Some(qualifier) = qualifier {
        target.push_str("?Qualifier=");
        push_query_value(target, qualifier.as_bytes());
    }
}

/// The request of a call.
pub(super) fn request(uri: Uri, invocation: Invocation) -> Request<Bytes> {
    let mut request = Request::new(invocation.payload);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let kind = if invocation.asynchronous {
        "Event"
    } else {
        "RequestResponse"
    };
    let headers = request.headers_mut();
    headers.insert(INVOCATION_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(trace) = &invocation.trace {
        headers.insert(TRACE_ID, trace.to_header());
    }
    request
}

/// A whole answer.
pub(super) async fn reply(
    response: Response<ResponseBody>,
) -> Result<FunctionReply, FunctionError> {
    let (parts, body) = response.into_parts();
    check(parts.status)?;
    let payload: Bytes = read_answer(Body::new(body), Some(MAX_PAYLOAD))
        .await
        .map_err(|failure| unreachable(format!("{failure:?}")))?;
    let mut reply = FunctionReply::success(payload);
    reply.status = parts.status.as_u16();
    reply.function_error = text(&parts.headers, &FUNCTION_ERROR).map(Into::into);
    reply.request_id = text(&parts.headers, &REQUEST_ID).map(Into::into);
    Ok(reply)
}

/// An answer as it comes. One that is not framed as a stream of events is taken for what the function writes.
pub(super) fn stream(response: Response<ResponseBody>) -> Result<FunctionStream, FunctionError> {
    let (parts, body) = response.into_parts();
    check(parts.status)?;
    let is_framed = text(&parts.headers, &CONTENT_TYPE).is_some_and(|it| it == EVENT_STREAM);
    let mut stream = FunctionStream::new(if is_framed {
        Body::new(EventStream::new(body))
    } else {
        Body::new(body)
    });
    stream.status = parts.status.as_u16();
    stream.function_error = text(&parts.headers, &FUNCTION_ERROR).map(Into::into);
    stream.request_id = text(&parts.headers, &REQUEST_ID).map(Into::into);
    Ok(stream)
}

fn check(status: StatusCode) -> Result<(), FunctionError> {
    let kind = match status {
        status if status.is_success() => return Ok(()),
        StatusCode::NOT_FOUND => FunctionErrorKind::NotFound,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => FunctionErrorKind::AccessDenied,
        StatusCode::TOO_MANY_REQUESTS => FunctionErrorKind::Throttled,
        _ => FunctionErrorKind::Unreachable,
    };
    let cause = format!("the endpoint answered {status}");
    Err(FunctionError::new(kind).with_source(cause))
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

pub(super) fn not_sent(error: ClientError) -> FunctionError {
    let kind = match error.kind() {
        ClientErrorKind::Timeout => FunctionErrorKind::Timeout,
        _ => FunctionErrorKind::Unreachable,
    };
    FunctionError::new(kind).with_source(error)
}

pub(super) fn unreachable(cause: impl Into<BoxError>) -> FunctionError {
    FunctionError::new(FunctionErrorKind::Unreachable).with_source(cause)
}

/// Waits as long as the caller does.
pub(super) async fn in_time<T>(
    timeout: Option<Duration>,
    call: impl Future<Output = Result<T, FunctionError>>,
) -> Result<T, FunctionError> {
    match tokio::time::timeout(timeout.unwrap_or(LONGEST), call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(FunctionError::new(FunctionErrorKind::Timeout)),
    }
}
