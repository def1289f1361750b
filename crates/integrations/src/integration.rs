//! One type for all integrations, and its future.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use portcullis_core::{Body, Rejection, RequestContext};

use crate::aws::AwsService;
use crate::config::IntegrationKind;
use crate::function::{FunctionProxy, LambdaAction};
use crate::http_api::{MappedProxy, ServiceProxy};
use crate::http_backend::HttpBackend;
use crate::http_proxy::HttpProxy;
use crate::mock::Mock;
use crate::unserved::Unserved;

/// What stands behind a method. Immutable, and cheap to clone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Integration {
    /// `MOCK`
    Mock(Mock),
    /// `HTTP`
    Http(HttpBackend),
    /// `HTTP_PROXY`
    HttpProxy(HttpProxy),
    /// `AWS`, calling a function.
    Lambda(LambdaAction),
    /// `AWS`, calling a service.
    Service(AwsService),
    /// `AWS_PROXY`
    Function(FunctionProxy),
    /// `AWS_PROXY` of an HTTP API, calling an action of a service.
    ServiceProxy(ServiceProxy),
    /// `HTTP_PROXY` or `AWS_PROXY` of an HTTP API, with parameter mapping.
    MappedProxy(MappedProxy),
    /// Something that is not served yet.
    Unserved(Unserved),
}

impl Integration {
    /// Calls what stands behind the method.
    ///
    /// A refusal is an `Err`, worded for the kind of API, so that a gateway can restyle it.
    pub fn call(&self, request: Request<Body>, context: &RequestContext) -> IntegrationFuture {
        match self {
            Self::Mock(mock) => mock.call(request, context),
            Self::Http(http) => http.call(request, context),
            Self::HttpProxy(proxy) => proxy.call(request, context),
            Self::Lambda(lambda) => lambda.call(request, context),
            Self::Service(service) => service.call(request, context),
            Self::Function(function) => function.call(request, context),
            Self::ServiceProxy(proxy) => proxy.call(request, context),
            Self::MappedProxy(proxy) => proxy.call(request, context),
            Self::Unserved(unserved) => unserved.call(request, context),
        }
    }

    /// Which kind it is; `None` if it is not served.
    #[must_use]
    pub fn kind(&self) -> Option<IntegrationKind> {
        match self {
            Self::Mock(_) => Some(IntegrationKind::Mock),
            Self::Http(_) => Some(IntegrationKind::Http),
            Self::HttpProxy(_) => Some(IntegrationKind::HttpProxy),
            Self::Lambda(_) | Self::Service(_) => Some(IntegrationKind::Aws),
            Self::Function(_) | Self::ServiceProxy(_) => Some(IntegrationKind::AwsProxy),
            Self::MappedProxy(proxy) => Some(proxy.kind()),
            Self::Unserved(_) => None,
        }
    }
}

macro_rules! from {
    ($($variant:ident($kind:ty)),*) => {$(
        impl From<$kind> for Integration {
            fn from(integration: $kind) -> Self {
                Self::$variant(integration)
            }
        }
    )*};
}
from!(
    Mock(Mock),
    Http(HttpBackend),
    HttpProxy(HttpProxy),
    Lambda(LambdaAction),
    Service(AwsService),
    Function(FunctionProxy),
    ServiceProxy(ServiceProxy),
    MappedProxy(MappedProxy),
    Unserved(Unserved)
);

type Outcome = Result<Response<Body>, Rejection>;

/// The future of [`Integration::call`]. A mock's is ready at once and not boxed.
#[must_use = "futures do nothing unless they are polled"]
pub struct IntegrationFuture(State);

enum State {
    Ready(Option<Outcome>),
    Boxed(Pin<Box<dyn Future<Output = Outcome> + Send>>),
}

impl IntegrationFuture {
    pub(crate) const fn ready(outcome: Outcome) -> Self {
        Self(State::Ready(Some(outcome)))
    }

    /// A future of something that surrounds a call.
    pub fn boxed(future: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self(State::Boxed(Box::pin(future)))
    }
}

impl Future for IntegrationFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        match &mut self.0 {
            State::Ready(outcome) => match outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                // Polled again after its end, as no caller does.
                None => Poll::Pending,
            },
            State::Boxed(future) => future.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for IntegrationFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "IntegrationFuture(ready)",
            State::Boxed(_) => "IntegrationFuture(boxed)",
        })
    }
}

/// The future of an integration that is used as a service: refusals are answers.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct ServiceFuture {
    inner: IntegrationFuture,
    context: RequestContext,
}

impl ServiceFuture {
    pub(crate) const fn new(inner: IntegrationFuture, context: RequestContext) -> Self {
        Self { inner, context }
    }
}

impl Future for ServiceFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match ready!(Pin::new(&mut self.inner).poll(cx)) {
            Ok(response) => response,
            Err(rejection) => {
                self.context.record_refusal(&rejection);
                rejection.into_response()
            }
        }))
    }
}

/// Makes an integration a service of its own.
macro_rules! integration_service {
    ($kind:ty) => {
        impl<B> tower_service::Service<http::Request<B>> for $kind
        where
            B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
            B::Error: Into<portcullis_core::BoxError>,
        {
            type Response = http::Response<portcullis_core::Body>;
            type Error = std::convert::Infallible;
            type Future = $crate::integration::ServiceFuture;

            fn poll_ready(
                &mut self,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Result<(), Self::Error>> {
                std::task::Poll::Ready(Ok(()))
            }

            fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
                let context = portcullis_core::RequestContext::of(&mut request).clone();
                let future = <$kind>::call(self, request.map(portcullis_core::Body::new), &context);
                $crate::integration::ServiceFuture::new(future, context)
            }
        }
    };
}
pub(crate) use integration_service;

integration_service!(Integration);
