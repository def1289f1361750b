//! The service of the layer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use portcullis_core::{Live, Rejection, RequestContext};
use tower_service::Service;

use crate::capture::Captured;
use crate::source::Scene;
use crate::table::GatewayResponses;

/// The service of [`ResponsesLayer`](crate::ResponsesLayer). See the [crate docs](crate) for an example.
#[derive(Clone, Debug)]
pub struct Responses<S> {
    inner: S,
    responses: Live<GatewayResponses>,
}

impl<S> Responses<S> {
    pub(crate) const fn new(inner: S, responses: Live<GatewayResponses>) -> Self {
        Self { inner, responses }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Responses<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponsesFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let responses = self.responses.load_full();
        let captured = responses.capture(request.method(), request.headers());
        let context = responses
            .needs_context()
            .then(|| RequestContext::of(&mut request).clone());
        ResponsesFuture {
            inner: self.inner.call(request),
            responses,
            captured,
            context,
        }
    }
}

pin_project! {
    /// The future of [`Responses`].
    #[derive(Debug)]
    pub struct ResponsesFuture<F> {
        #[pin]
        inner: F,
        responses: Arc<GatewayResponses>,
        captured: Captured,
        context: Option<RequestContext>,
    }
}

impl<F, B, E> Future for ResponsesFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if let Some(rejection) = response.extensions().get::<Rejection>() {
            let rejection = rejection.clone();
            let scene = Scene {
                rejection: &rejection,
                context: this.context.as_ref(),
                request: this.captured,
            };
            this.responses.apply(scene, &mut response);
        }
        Poll::Ready(Ok(response))
    }
}
