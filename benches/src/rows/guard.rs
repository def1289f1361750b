//! The shell round a guard: what it costs beyond the check itself.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use portcullis_core::{
    ERROR_TYPE, Guard, GuardLayer, Head, Mode, Never, Rejection, RejectionKind, ResponseFuture,
    Verdict,
};
use tower_layer::Layer;
use tower_service::Service;

use super::surroundings::{Body, Hello, answer, bare, pet, request};
use crate::row::{Case, Goal, Who};

const KEY: HeaderName = HeaderName::from_static("x-api-key");

pub(super) fn cases() -> Vec<Case> {
    vec![pass(), disabled(), refused()]
}

/// A synchronous guard that lets the request through.
fn pass() -> Case {
    Case::new("guard", "pass")
        .row(Who::Bare, || keyed(Hello))
        .row(Who::Floor, || keyed(ByHand::over(Hello)))
        .row(Who::Portcullis, || keyed(guarded(Mode::Enforce)))
        .row(Who::Peer("boxed-async"), || keyed(Boxed::over(Hello)))
        .goal(Goal::OverFloor(120.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// A guard that is switched off.
fn disabled() -> Case {
    Case::new("guard", "disabled")
        .row(Who::Bare, || keyed(Hello))
        .row(Who::Portcullis, || keyed(guarded(Mode::Disabled)))
        .goal(Goal::OverBare(50.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// A guard that refuses: the dear path of others.
fn refused() -> Case {
    Case::new("guard", "refused")
        .row(Who::Bare, bare)
        .row(Who::Floor, || keyless(ByHand::over(Hello)))
        .row(Who::Portcullis, || keyless(guarded(Mode::Enforce)))
        .row(Who::Peer("boxed-async"), || keyless(Boxed::over(Hello)))
}

fn keyed<S>(mut service: S) -> impl FnMut() -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let uri = pet();
    move || {
        let mut request = request(&uri);
        request
            .headers_mut()
            .insert(KEY, HeaderValue::from_static("secret"));
        answer(&mut service, request)
    }
}

fn keyless<S>(mut service: S) -> impl FnMut() -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let uri = pet();
    move || answer(&mut service, request(&uri))
}

fn guarded(mode: Mode) -> portcullis_core::Guarded<Hello, HasKey> {
    let key = HeaderValue::from_static("secret");
    GuardLayer::new(HasKey { mode, key }).layer(Hello)
}

struct HasKey {
    mode: Mode,
    key: HeaderValue,
}

impl Guard for HasKey {
    type Ask = Never;

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        if head.headers().get(KEY) == Some(&self.key) {
            Verdict::Pass
        } else {
            Verdict::Refuse(Rejection::new(RejectionKind::InvalidApiKey))
        }
    }

    fn mode(&self) -> Mode {
        self.mode
    }
}

/// The floor: the check written into a service of its own, without modes, waits or observation.
#[derive(Clone)]
struct ByHand<S> {
    inner: S,
    key: Arc<HeaderValue>,
}

impl<S> ByHand<S> {
    fn over(inner: S) -> Self {
        Self {
            inner,
            key: Arc::new(HeaderValue::from_static("secret")),
        }
    }
}

impl<S, B> Service<Request<B>> for ByHand<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, Body>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.headers().get(KEY) == Some(&*self.key) {
            ResponseFuture::inner(self.inner.call(request))
        } else {
            ResponseFuture::reply(forbidden())
        }
    }
}

/// The peer: the same check as the usual async middleware.
#[derive(Clone)]
struct Boxed<S> {
    inner: S,
    key: Arc<HeaderValue>,
}

impl<S> Boxed<S> {
    fn over(inner: S) -> Self {
        Self {
            inner,
            key: Arc::new(HeaderValue::from_static("secret")),
        }
    }
}

impl<S, B> Service<Request<B>> for Boxed<S>
where
    S: Service<Request<B>, Response = Response<Body>, Future: Send> + Clone + Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut inner = self.inner.clone();
        let key = Arc::clone(&self.key);
        Box::pin(async move {
            if request.headers().get(KEY) == Some(&*key) {
                inner.call(request).await
            } else {
                Ok(forbidden())
            }
        })
    }
}

/// The bytes that the service sends, by hand.
fn forbidden() -> Response<Body> {
    let body = Bytes::from_static(br#"{"message":"Forbidden"}"#);
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("23"));
    headers.insert(ERROR_TYPE, HeaderValue::from_static("ForbiddenException"));
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = StatusCode::FORBIDDEN;
    *response.headers_mut() = headers;
    response
}
