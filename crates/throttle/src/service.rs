//! The layer's service: the guard's shell, with a short way past it where there is nothing to wait for and nothing to tell.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use portcullis_core::{Guarded, GuardedFuture, Head, Mode, Rejection, RequestContext};
use tower_service::Service;

use crate::headers::Headers;
use crate::layer::ThrottleLayer;

/// The service of [`ThrottleLayer`].
#[derive(Clone, Debug)]
pub struct Throttled<S> {
    guarded: Guarded<S, ThrottleLayer>,
}

impl<S> Throttled<S> {
    pub(crate) const fn new(guarded: Guarded<S, ThrottleLayer>) -> Self {
        Self { guarded }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Throttled<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future =
        ThrottledFuture<S::Future, GuardedFuture<S, ThrottleLayer, ReqBody, ResBody>, ResBody>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.guarded.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let layer = &**self.guarded.guard();
        let shared = layer.shared();
        let (Some(sole), Mode::Enforce) = (layer.sole(), shared.mode()) else {
            return self.call_otherwise(request);
        };
        // What costs most here are moves of the request and of the service's future. So each state is made where it stays, and of a request that passes only its headers are
        // lent to others: of what they could have kept the compiler has to make copies.
        match shared.decide_by(sole, request.headers()) {
            Ok(()) => ThrottledFuture {
                state: State::Inner {
                    future: self.guarded.inner_mut().call(request),
                },
            },
            Err(rejection) => ThrottledFuture {
                state: State::Reply {
                    response: Some(answer(rejection, request)),
                },
            },
        }
    }
}

/// The answer to a request that is refused.
#[expect(
    clippy::needless_pass_by_value,
    reason = "what is only lent may be kept, and then requests that pass are copied"
)]
fn answer<ReqBody, ResBody: From<Bytes>>(
    rejection: Rejection,
    request: Request<ReqBody>,
) -> Response<ResBody> {
    rejection.enforce(&request).into_response()
}

impl<S> Throttled<S> {
    /// Decides at once by all that there is to know of a request, or leaves it to the guard's shell.
    #[inline(never)]
    fn call_otherwise<ReqBody, ResBody>(
        &mut self,
        request: Request<ReqBody>,
    ) -> <Self as Service<Request<ReqBody>>>::Future
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
        ResBody: From<Bytes>,
    {
        let shared = self.guarded.guard().shared();
        if !shared.is_simple() || shared.mode() != Mode::Enforce {
            return self.call_guarded(request);
        }
        match shared.decide(&Head::of(&request)) {
            Ok(()) => ThrottledFuture {
                state: State::Inner {
                    future: self.guarded.inner_mut().call(request),
                },
            },
            Err(rejection) => ThrottledFuture {
                state: State::Reply {
                    response: Some(answer(rejection, request)),
                },
            },
        }
    }

    /// Keeps what answers shall tell.
    fn call_guarded<ReqBody, ResBody>(
        &mut self,
        mut request: Request<ReqBody>,
    ) -> <Self as Service<Request<ReqBody>>>::Future
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
        ResBody: From<Bytes>,
    {
        let headers = self.guarded.guard().shared().headers;
        // The guard notes in the context how the caller stands.
        let context = headers
            .on_every_answer()
            .then(|| RequestContext::of(&mut request).clone());
        ThrottledFuture {
            state: State::Guarded {
                future: self.guarded.call(request),
                headers,
                context,
            },
        }
    }
}

pin_project! {
    /// The future of [`Throttled`].
    pub struct ThrottledFuture<F, G, ResBody> {
        #[pin]
        state: State<F, G, ResBody>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, G, ResBody> {
        Inner { #[pin] future: F },
        Reply { response: Option<Response<ResBody>> },
        Guarded { #[pin] future: G, headers: Headers, context: Option<RequestContext> },
    }
}

impl<F, G, ResBody, E> Future for ThrottledFuture<F, G, ResBody>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    G: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner { future } => future.poll(cx),
            StateProjection::Reply { response } => Poll::Ready(Ok(response
                .take()
                .expect("a future is not polled after it has completed"))),
            StateProjection::Guarded {
                future,
                headers,
                context,
            } => {
                let mut answer = ready!(future.poll(cx));
                if let (Ok(response), Some(context)) = (&mut answer, context) {
                    headers.write_to(context, response.headers_mut());
                }
                Poll::Ready(answer)
            }
        }
    }
}

impl<F, G, ResBody> fmt::Debug for ThrottledFuture<F, G, ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThrottledFuture")
    }
}
