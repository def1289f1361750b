//! The deprecation of a service as a layer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::deprecation::Deprecation;

/// Tells clients with every response that what they call goes away.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use axum::{Router, routing::get};
/// use portcullis_stages::{Deprecation, DeprecationLayer};
///
/// let sunset = SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_761_599);
/// let deprecation = Deprecation::builder().sunset(sunset).successor("/v2").build()?;
/// let v1 = Router::new()
///     .route("/hats", get(async || "one hat"))
///     .layer(DeprecationLayer::new(deprecation));
/// let app: Router = Router::new().nest("/v1", v1);
/// # Ok::<(), portcullis_stages::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DeprecationLayer {
    deprecation: Deprecation,
}

/// The service of [`DeprecationLayer`].
#[derive(Clone, Debug)]
pub struct Deprecated<S> {
    inner: S,
    deprecation: Deprecation,
}

pin_project! {
    /// The future of [`Deprecated`].
    #[derive(Debug)]
    pub struct DeprecatedFuture<F> {
        #[pin]
        inner: F,
        deprecation: Deprecation,
    }
}

impl DeprecationLayer {
    /// A layer that says this.
    pub const fn new(deprecation: Deprecation) -> Self {
        Self { deprecation }
    }
}

impl<S> Layer<S> for DeprecationLayer {
    type Service = Deprecated<S>;

    fn layer(&self, inner: S) -> Deprecated<S> {
        Deprecated {
            inner,
            deprecation: self.deprecation.clone(),
        }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Deprecated<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = DeprecatedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        DeprecatedFuture {
            inner: self.inner.call(request),
            deprecation: self.deprecation.clone(),
        }
    }
}

impl<F, B, E> Future for DeprecatedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut outcome = ready!(this.inner.poll(cx));
        if let Ok(response) = &mut outcome {
            this.deprecation.write_to(response.headers_mut());
        }
        Poll::Ready(outcome)
    }
}
