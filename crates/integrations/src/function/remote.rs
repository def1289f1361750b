//! Functions behind an endpoint that speaks the Invoke API of AWS Lambda.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use portcullis_client::{Client, ClientErrorKind};
use portcullis_core::{
    Body, BoxError, FunctionError, FunctionErrorKind, FunctionFuture, FunctionReply, Invocation,
    REQUEST_ID,
};

use crate::body::read_answer;
use crate::headers::INVOCATION_TYPE;
use crate::uri::{UriFault, UriTemplate, push_query_value};

const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");

/// The most that the service gives back, in bytes.
const MAX_PAYLOAD: u64 = 6_291_556;

/// How long to wait where the caller does not say: the longest that a function may run.
const LONGEST: Duration = Duration::from_secs(900);

/// One function elsewhere.
#[derive(Debug)]
pub(crate) struct Remote {
    url: String,
    /// The URL is the whole address, not only where the API starts.
    is_complete: bool,
    client: Client,
}

impl Remote {
    pub(crate) fn new(url: &str, client: Client) -> Result<Self, UriFault> {
        UriTemplate::parse(url)?;
        if url.contains(['?', '#', '{']) {
            return Err(UriFault::NotAnAddress(url.to_owned()));
        }
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            is_complete: url.contains("/2015-03-31/functions/"),
            client,
        })
    }

    fn uri(&self, invocation: &Invocation) -> Result<Uri, BoxError> {
        let mut uri = self.url.clone();
        if !self.is_complete {
            uri.push_str("/2015-03-31/functions/");
            push_query_value(&mut uri, invocation.name.as_bytes());
            uri.push_str("/invocations");
        }
        if let Some(qualifier) = &invocation.qualifier {
            uri.push_str("?Qualifier=");
            push_query_value(&mut uri, qualifier.as_bytes());
        }
        Ok(uri.parse::<Uri>()?)
    }

    pub(crate) fn invoke(&self, invocation: Invocation) -> FunctionFuture {
        let uri = self.uri(&invocation);
        let client = self.client.clone();
        Box::pin(async move {
            let uri = uri.map_err(unreachable)?;
            let timeout = invocation.timeout.unwrap_or(LONGEST);
            match tokio::time::timeout(timeout, exchange(client, uri, invocation)).await {
                Ok(reply) => reply,
                Err(_) => Err(FunctionError::new(FunctionErrorKind::Timeout)),
            }
        })
    }
}

async fn exchange(
    client: Client,
    uri: Uri,
    invocation: Invocation,
) -> Result<FunctionReply, FunctionError> {
    let mut request = Request::new(Body::from(invocation.payload));
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
    let response = client.send(request).await.map_err(|error| {
        let kind = match error.kind() {
            ClientErrorKind::Timeout => FunctionErrorKind::Timeout,
            _ => FunctionErrorKind::Unreachable,
        };
        FunctionError::new(kind).with_source(error)
    })?;
    let (parts, body) = response.into_parts();
    let failed = match parts.status {
        status if status.is_success() => None,
        StatusCode::NOT_FOUND => Some(FunctionErrorKind::NotFound),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Some(FunctionErrorKind::AccessDenied),
        StatusCode::TOO_MANY_REQUESTS => Some(FunctionErrorKind::Throttled),
        _ => Some(FunctionErrorKind::Unreachable),
    };
    if let Some(kind) = failed {
        let cause = format!("the endpoint answered {}", parts.status);
        return Err(FunctionError::new(kind).with_source(cause));
    }
    let payload: Bytes = read_answer(Body::new(body), Some(MAX_PAYLOAD))
        .await
        .map_err(|failure| unreachable(format!("{failure:?}")))?;
    let mut reply = FunctionReply::success(payload);
    reply.status = parts.status.as_u16();
    reply.function_error = text(&parts.headers, &FUNCTION_ERROR).map(Into::into);
    reply.request_id = text(&parts.headers, &REQUEST_ID).map(Into::into);
    Ok(reply)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn unreachable(cause: impl Into<BoxError>) -> FunctionError {
    FunctionError::new(FunctionErrorKind::Unreachable).with_source(cause)
}
