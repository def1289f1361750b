//! The layer's service: the guard's shell, and the headers of answers round it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use portcullis_core::{Guarded, RequestContext};
use tower_service::Service;

use crate::headers::Headers;
use crate::layer::ThrottleLayer;

/// The service of [`ThrottleLayer`].
#[derive(Clone, Debug)]
pub struct Throttled<S> {
    guarded: Guarded<S, ThrottleLayer>,
    headers: Headers,
}

impl<S> Throttled<S> {
    pub(crate) const fn new(guarded: Guarded<S, ThrottleLayer>, headers: Headers) -> Self {
        Self { guarded, headers }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Throttled<S>
where
    Guarded<S, ThrottleLayer>: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ResBody>;
    type Error = <Guarded<S, ThrottleLayer> as Service<Request<ReqBody>>>::Error;
    type Future = ThrottledFuture<<Guarded<S, ThrottleLayer> as Service<Request<ReqBody>>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.guarded.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        // The guard notes in the context how the caller stands.
        let context = self
            .headers
            .on_every_answer()
            .then(|| RequestContext::of(&mut request).clone());
        ThrottledFuture {
            inner: self.guarded.call(request),
            headers: self.headers,
            context,
        }
    }
}

pin_project! {
    /// The future of [`Throttled`].
    pub struct ThrottledFuture<F> {
        #[pin]
        inner: F,
        headers: Headers,
        context: Option<RequestContext>,
    }
}

impl<F, ResBody, E> Future for ThrottledFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(context) = this.context else {
            return this.inner.poll(cx);
        };
        let mut answer = ready!(this.inner.poll(cx));
        if let Ok(response) = &mut answer {
            this.headers.write_to(context, response.headers_mut());
        }
        Poll::Ready(answer)
    }
}

impl<F> fmt::Debug for ThrottledFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThrottledFuture")
    }
}
