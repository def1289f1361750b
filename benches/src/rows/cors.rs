//! Cross-origin resource sharing: a plain request, one without an origin, and a preflight.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION, CONTENT_TYPE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use portcullis_cors::{CorsLayer, CorsRules};
use tower_http::cors as peer;
use tower_layer::Layer;
use tower_service::Service;

use super::surroundings::{Body, Hello, answer, bare, pet, request, request_with};
use crate::row::{Case, Goal, Who};

const ORIGINS: [&str; 2] = ["https://shop.example.com", "https://app.example.com"];

pub(super) fn cases() -> Vec<Case> {
    vec![simple(), no_origin(), preflight()]
}

/// A request of an allowed origin.
fn simple() -> Case {
    Case::new("cors", "simple")
        .row(Who::Bare, || with_origin(Hello))
        .row(Who::Floor, || with_origin(ByHand::over(Hello)))
        .row(Who::Portcullis, || with_origin(layer().layer(Hello)))
        .row(Who::Peer("tower-http"), || {
            with_origin(peer_layer().layer(Hello))
        })
        .goal(Goal::TimesFloorOverBare(1.15))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// A request of a page of the same origin, or of no browser.
fn no_origin() -> Case {
    Case::new("cors", "no-origin")
        .row(Who::Bare, bare)
        .row(Who::Floor, || without_origin(ByHand::over(Hello)))
        .row(Who::Portcullis, || without_origin(layer().layer(Hello)))
        .row(Who::Peer("tower-http"), || {
            without_origin(peer_layer().layer(Hello))
        })
        .goal(Goal::OverBare(450.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// A preflight. No service is called, so the bare row is the request alone.
fn preflight() -> Case {
    Case::new("cors", "preflight")
        .row(Who::Bare, || {
            let uri = pet();
            move || preflight_request(&uri)
        })
        .row(Who::Floor, || asked_first(ByHand::over(Hello)))
        .row(Who::Portcullis, || asked_first(layer().layer(Hello)))
        .row(Who::Peer("tower-http"), || {
            asked_first(peer_layer().layer(Hello))
        })
        .goal(Goal::TimesFloor(1.0))
        .goal(Goal::AllocationsOverBare(3.0))
}

fn with_origin<S>(mut service: S) -> impl FnMut() -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let uri = pet();
    move || {
        let mut request = request(&uri);
        let origin = HeaderValue::from_static(ORIGINS[1]);
        request.headers_mut().insert(ORIGIN, origin);
        answer(&mut service, request)
    }
}

fn without_origin<S>(mut service: S) -> impl FnMut() -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let uri = pet();
    move || answer(&mut service, request(&uri))
}

fn asked_first<S>(mut service: S) -> impl FnMut() -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let uri = pet();
    move || answer(&mut service, preflight_request(&uri))
}

fn preflight_request(uri: &http::Uri) -> Request<Body> {
    let mut request = request_with(Method::OPTIONS, uri);
    let headers = request.headers_mut();
    headers.insert(ORIGIN, HeaderValue::from_static(ORIGINS[1]));
    headers.insert(
        ACCESS_CONTROL_REQUEST_METHOD,
        HeaderValue::from_static("PUT"),
    );
    headers.insert(
        ACCESS_CONTROL_REQUEST_HEADERS,
        HeaderValue::from_static("content-type"),
    );
    request
}

fn layer() -> CorsLayer {
    let rules = CorsRules::builder()
        .allow_origins(ORIGINS)
        .allow_methods(["PUT", "DELETE"])
        .allow_headers(["content-type", "authorization"])
        .max_age(Duration::from_secs(600))
        .build();
    CorsLayer::new(rules.expect("the rules are good"))
}

fn peer_layer() -> peer::CorsLayer {
    peer::CorsLayer::new()
        .allow_origin(ORIGINS.map(HeaderValue::from_static))
        .allow_methods([Method::PUT, Method::DELETE])
        .allow_headers([CONTENT_TYPE, AUTHORIZATION])
        .max_age(Duration::from_secs(600))
}

/// The floor: these rules and no others, written out. It is correct: two origins are no origin, the service's own CORS headers
/// do not get through, and every answer says that it varies.
#[derive(Clone)]
struct ByHand<S> {
    inner: S,
    rules: Arc<Rules>,
}

struct Rules {
    origins: [HeaderValue; 2],
    preflight: HeaderMap,
}

impl<S> ByHand<S> {
    fn over(inner: S) -> Self {
        let preflight = [
            // Replaced by the origin of the request; it is here so that the table does not grow.
            (ACCESS_CONTROL_ALLOW_ORIGIN, ""),
            (ACCESS_CONTROL_ALLOW_METHODS, "PUT,DELETE"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "content-type,authorization"),
            (ACCESS_CONTROL_MAX_AGE, "600"),
            (
                VARY,
                "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            ),
        ];
        let preflight = preflight
            .into_iter()
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect();
        Self {
            inner,
            rules: Arc::new(Rules {
                origins: ORIGINS.map(HeaderValue::from_static),
                preflight,
            }),
        }
    }
}

impl<S, B> Service<Request<B>> for ByHand<S>
where
    S: Service<Request<B>, Response = Response<Body>, Future: Unpin>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ByHandFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let headers = request.headers();
        let mut origins = headers.get_all(ORIGIN).iter();
        let (first, second) = (origins.next(), origins.next());
        let origin = first.filter(|origin| second.is_none() && self.rules.origins.contains(origin));
        let origin = origin.cloned();
        if request.method() == Method::OPTIONS
            && first.is_some()
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            let mut response = Response::new(Body::default());
            *response.status_mut() = StatusCode::NO_CONTENT;
            let headers = response.headers_mut();
            match origin {
                Some(origin) => {
                    *headers = self.rules.preflight.clone();
                    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                }
                None => {
                    headers.insert(VARY, self.rules.preflight[VARY].clone());
                }
            }
            return ByHandFuture::Reply(Some(response));
        }
        ByHandFuture::Inner(self.inner.call(request), origin)
    }
}

enum ByHandFuture<F> {
    Inner(F, Option<HeaderValue>),
    Reply(Option<Response<Body>>),
}

impl<F, E> Future for ByHandFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>> + Unpin,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Inner(future, origin) => {
                let mut response = ready!(Pin::new(future).poll(cx))?;
                let headers = response.headers_mut();
                let is_cors = |name: &&HeaderName| name.as_str().starts_with("access-control-");
                while let Some(own) = headers.keys().find(is_cors).cloned() {
                    headers.remove(own);
                }
                if let Some(origin) = origin.take() {
                    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                }
                headers.append(VARY, HeaderValue::from_static("Origin"));
                Poll::Ready(Ok(response))
            }
            Self::Reply(response) => Poll::Ready(Ok(response.take().expect("it is polled once"))),
        }
    }
}
