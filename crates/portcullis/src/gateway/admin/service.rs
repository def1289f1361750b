//! A request's way through the admin API.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower_service::Service;

use super::AdminService;
use super::answer::{json, refusal};
use super::endpoints::{Found, Operation, Takes, find, like};
use super::operations::{Call, run};
use crate::core::{Body, BoxError};

/// How long a client may take to send its body.
const PATIENCE: Duration = Duration::from_secs(30);

impl<B> Service<Request<B>> for AdminService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AdminFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> AdminFuture {
        let (parts, body) = request.into_parts();
        let (endpoint, parameters) = match find(&parts.method, parts.uri.path()) {
            Found::Endpoint(endpoint, parameters) => (endpoint, parameters),
            Found::Methods(methods) => return AdminFuture::now(not_allowed(&methods)),
            Found::Nothing => {
                let path = parts.uri.path();
                let known = like(path).join(", ");
                let message = format!("there is nothing at `{path}`; there are: {known}");
                return AdminFuture::now(refusal(StatusCode::NOT_FOUND, &message));
            }
        };
        let site = parts.headers.get("sec-fetch-site");
        let foreign = site.is_some_and(|site| site != "same-origin" && site != "none");
        if foreign && endpoint.method != Method::GET {
            let message = "a browser sent this for another site";
            return AdminFuture::now(refusal(StatusCode::FORBIDDEN, message));
        }
        if endpoint.operation == Operation::Description {
            return AdminFuture::now(json(StatusCode::OK, &super::description::document()));
        }
        let mut call = Call {
            operation: endpoint.operation,
            parameters,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: Bytes::new(),
        };
        let (handle, limit) = (self.handle.clone(), self.max_body_bytes);
        let takes = endpoint.body;
        AdminFuture {
            running: Box::pin(async move {
                if takes != Takes::Nothing {
                    match read(body, limit).await {
                        Ok(body) => call.body = body,
                        Err(response) => return response,
                    }
                }
                // What is asked for compiles definitions, and writes files.
                let done = tokio::task::spawn_blocking(move || run(&handle, &call));
                done.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "the admin API");
                    let message = "it failed; the log says more";
                    refusal(StatusCode::INTERNAL_SERVER_ERROR, message)
                })
            }),
        }
    }
}

/// The whole body, or the answer to one that cannot be had.
async fn read<B>(body: B, limit: usize) -> Result<Bytes, Response<Body>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let body = Limited::new(body, limit);
    match tokio::time::timeout(PATIENCE, Box::pin(body).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Ok(Err(_)) => Err(refusal(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(refusal(
            StatusCode::REQUEST_TIMEOUT,
            "the body took longer than 30 seconds",
        )),
    }
}

fn too_large(limit: usize) -> Response<Body> {
    let message = format!("a body may have {limit} bytes");
    refusal(StatusCode::PAYLOAD_TOO_LARGE, &message)
}

fn not_allowed(methods: &[&str]) -> Response<Body> {
    let methods = methods.join(", ");
    let message = format!("this path takes {methods}");
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, &message);
    if let Ok(methods) = HeaderValue::try_from(methods) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// The future of [`AdminService`].
pub struct AdminFuture {
    running: Pin<Box<dyn Future<Output = Response<Body>> + Send>>,
}

impl AdminFuture {
    fn now(response: Response<Body>) -> Self {
        let answer: Ready<_> = ready(response);
        Self {
            running: Box::pin(answer),
        }
    }
}

impl Future for AdminFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.running.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for AdminFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminFuture")
    }
}
