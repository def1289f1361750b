//! What stands round every layer: a request, a service that answers it, and a caller who waits.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use tower_service::Service;

pub(crate) type Body = Full<Bytes>;

/// A GET with the three headers that every client sends.
pub(crate) fn request(uri: &Uri) -> Request<Body> {
    let mut request = Request::new(Body::default());
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("api.example.com"));
    headers.insert(USER_AGENT, HeaderValue::from_static("bench/1.0"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    request
}

/// The same with another method.
pub(super) fn request_with(method: Method, uri: &Uri) -> Request<Body> {
    let mut request = request(uri);
    *request.method_mut() = method;
    request
}

/// The target of most requests.
pub(super) fn pet() -> Uri {
    Uri::from_static("/pets/42")
}

/// The bare service: a 200 with one header and a short body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hello;

impl<B> Service<Request<B>> for Hello {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(request);
        let mut response = Response::new(Body::from("hello"));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        ready(Ok(response))
    }
}

/// Calls `service` and polls until it has answered. Nothing in these rows has anything to wait for.
///
/// Never inlined: whether it is would be the compiler's whim, in each row another, and a move of the request apart.
#[inline(never)]
pub(crate) fn answer<S, B>(service: &mut S, request: Request<B>) -> S::Response
where
    S: Service<Request<B>, Error = Infallible>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let ready = service.poll_ready(&mut cx);
    debug_assert!(ready.is_ready());
    let mut future = pin!(service.call(request));
    loop {
        if let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut cx) {
            return response;
        }
    }
}

/// The bare row of most cases.
pub(super) fn bare() -> impl FnMut() -> Response<Body> {
    let uri = pet();
    move || answer(&mut Hello, request(&uri))
}
