//! What stands between hyper and the service.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use portcullis_core::{
    Body, BoxError, Clock, Connection, Decision, Rejection, RejectionKind, RequestContext,
    TrustedProxies,
};
use tower_service::Service;

use super::activity::{Activity, InFlight};
use super::body::Sent;
use super::check::{self, HeadLimits};
use super::handle::State;

/// What all connections of a server have in common.
#[derive(Debug)]
pub(super) struct Manners {
    pub(super) limits: HeadLimits,
    pub(super) health_path: Option<String>,
    pub(super) trusted_proxies: TrustedProxies,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) state: Arc<State>,
}

/// The service of one connection.
pub(super) struct Front<S> {
    pub(super) inner: S,
    pub(super) manners: Arc<Manners>,
    pub(super) connection: Arc<Connection>,
    pub(super) activity: Activity,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Front<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = Response<Sent<B>>;
    type Error = BoxError;
    type Future = FrontFuture<S, S::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let in_flight = Some(self.activity.begin(request.version() >= Version::HTTP_2));
        if let Some(response) = self.health(&request) {
            return FrontFuture {
                state: FrontState::Own {
                    response: Some(response),
                },
                in_flight,
            };
        }
        if let Err(rejection) = check::check(&mut request, self.manners.limits) {
            let response = self.refuse(&request, rejection);
            return FrontFuture {
                state: FrontState::Own {
                    response: Some(response),
                },
                in_flight,
            };
        }
        let context = RequestContext::new(&request, &*self.manners.clock);
        // Without proxies of its own the listener leaves the question to the service, which may know some.
        if !self.manners.trusted_proxies.is_empty() {
            let peer = self.connection.peer.ip();
            context.set_client(self.manners.trusted_proxies.client(peer, request.headers()));
        }
        context.set_connection(Arc::clone(&self.connection));
        request.extensions_mut().insert(context);
        FrontFuture {
            state: FrontState::Waiting {
                service: self.inner.clone(),
                request: Some(request),
            },
            in_flight,
        }
    }
}

impl<S> Front<S> {
    fn health(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let path = self.manners.health_path.as_deref()?;
        if request.uri().path() != path || !matches!(*request.method(), Method::GET | Method::HEAD)
        {
            return None;
        }
        let (status, body) = if self.manners.state.is_serving() {
            (StatusCode::OK, r#"{"status":"ok"}"#)
        } else {
            (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"status":"shutting down"}"#,
            )
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }

    fn refuse(&self, request: &Request<Incoming>, rejection: Rejection) -> Response<Body> {
        tracing::info!(
            peer = %self.connection.peer,
            method = %request.method(),
            status = rejection.status().as_u16(),
            %rejection,
            "request refused by the server"
        );
        let mut response = rejection.into_response::<Body>();
        if request.version() < Version::HTTP_2 {
            // Where a request is doubtful, so is the place at which the next one begins.
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

pin_project! {
    /// The future of [`Front`].
    pub(super) struct FrontFuture<S, F> {
        #[pin]
        state: FrontState<S, F>,
        in_flight: Option<InFlight>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum FrontState<S, F> {
        Own { response: Option<Response<Body>> },
        Waiting { service: S, request: Option<Request<Incoming>> },
        Running { #[pin] future: F },
    }
}

impl<S, B> Future for FrontFuture<S, S::Future>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<Sent<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let answer = loop {
            match this.state.as_mut().project() {
                StateProjection::Own { response } => break response.take().map(Answer::Own),
                StateProjection::Waiting { service, request } => {
                    match ready!(service.poll_ready(cx)) {
                        Ok(()) => {}
                        Err(error) => break Some(Answer::Own(failed(&error.into()))),
                    }
                    let Some(request) = request.take() else {
                        break None;
                    };
                    let future = service.call(request);
                    this.state.set(FrontState::Running { future });
                }
                StateProjection::Running { future } => {
                    break Some(match ready!(future.poll(cx)) {
                        Ok(response) => Answer::Service(response),
                        Err(error) => Answer::Own(failed(&error.into())),
                    });
                }
            }
        };
        let (Some(answer), Some(in_flight)) = (answer, this.in_flight.take()) else {
            return Poll::Ready(Err("the future was polled after its end".into()));
        };
        Poll::Ready(Ok(match answer {
            Answer::Own(response) => response.map(|body| Sent::own(body, in_flight)),
            Answer::Service(response) => response.map(|body| Sent::service(body, in_flight)),
        }))
    }
}

enum Answer<B> {
    Own(Response<Body>),
    Service(Response<B>),
}

/// An error would end the connection without an answer, and in h2 the requests beside it, too.
fn failed(error: &BoxError) -> Response<Body> {
    tracing::error!(
        error = &**error as &dyn std::error::Error,
        "the service failed"
    );
    let decision = Decision::new("serve", "service").with("error", error.to_string());
    Rejection::new(RejectionKind::ApiConfigurationError)
        .with_decision(decision)
        .into_response()
}
