//! The layer's service.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use http::{Request, Response, header};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::split::{Split, Turn};

/// The service of [`CanaryLayer`](crate::CanaryLayer): production, with its variants beside it.
pub struct Canary<P, C> {
    production: P,
    routes: Arc<Routes<C>>,
}

/// The variants, and who gets them.
pub(crate) struct Routes<C> {
    pub(crate) split: Split,
    /// In the order of the split.
    pub(crate) variants: Box<[C]>,
}

impl<P, C> Canary<P, C> {
    pub(crate) const fn new(production: P, routes: Arc<Routes<C>>) -> Self {
        Self { production, routes }
    }
}

impl<P: Clone, C> Clone for Canary<P, C> {
    fn clone(&self) -> Self {
        Self {
            production: self.production.clone(),
            routes: Arc::clone(&self.routes),
        }
    }
}

impl<P, C, ReqBody, ResBody> Service<Request<ReqBody>> for Canary<P, C>
where
    P: Service<Request<ReqBody>, Response = Response<ResBody>>,
    // A clone is made for each request that a variant gets, and waited for by that request alone.
    C: Service<Request<ReqBody>, Response = Response<ResBody>, Error = P::Error> + Clone,
{
    type Response = P::Response;
    type Error = P::Error;
    type Future = CanaryFuture<P::Future, C, C::Future, ReqBody>;

    /// Asks production alone: a variant that is not ready holds up its own requests, and no other.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), P::Error>> {
        self.production.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let routes = &*self.routes;
        let (arm, turn) = routes.split.serve(&mut request);
        // Each future is made where it is to stay: moving one costs more than the choice.
        let Some(variant) = routes.variants.get(usize::from(arm).wrapping_sub(1)) else {
            return CanaryFuture {
                state: State::Production {
                    future: self.production.call(request),
                },
                turn,
            };
        };
        let mut variant = variant.clone();
        // Who waits is asked again by the future, with a waker that wakes it.
        let asked = variant.poll_ready(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(Ok(())) = asked {
            return CanaryFuture {
                state: State::Variant {
                    future: variant.call(request),
                },
                turn,
            };
        }
        CanaryFuture {
            state: State::Waiting {
                waiting: Waiting::new(variant, request),
            },
            turn,
        }
    }
}

pin_project! {
    /// The future of [`Canary`].
    pub struct CanaryFuture<F, C, G, B> {
        #[pin]
        state: State<F, C, G, B>,
        // Boxed, since of most requests nothing is to be done.
        turn: Option<Box<Turn>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, C, G, B> {
        Production { #[pin] future: F },
        Variant { #[pin] future: G },
        // Boxed, so that requests that need not wait are no larger for it.
        Waiting { waiting: Box<Waiting<C, B>> },
    }
}

/// A request whose variant is not ready.
struct Waiting<C, B> {
    service: C,
    request: Option<Request<B>>,
}

impl<C, B> Waiting<C, B> {
    #[cold]
    fn new(service: C, request: Request<B>) -> Box<Self> {
        Box::new(Self {
            service,
            request: Some(request),
        })
    }
}

impl<F, C, B, ResBody, E> Future for CanaryFuture<F, C, C::Future, B>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    C: Service<Request<B>, Response = Response<ResBody>, Error = E>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // Where nothing is to be done with the answer it is not even looked at.
        if this.turn.is_none() {
            return match this.state.as_mut().project() {
                StateProjection::Production { future } => future.poll(cx),
                StateProjection::Variant { future } => future.poll(cx),
                StateProjection::Waiting { .. } => this.state.poll_through(cx),
            };
        }
        let mut answer = ready!(this.state.poll_through(cx));
        if let Some(turn) = this.turn.take() {
            turn.finish(&mut answer);
        }
        Poll::Ready(answer)
    }
}

impl<F, C, B, ResBody, E> State<F, C, C::Future, B>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    C: Service<Request<B>, Response = Response<ResBody>, Error = E>,
{
    /// Waits for the variant if that is not ready, and then for its answer.
    fn poll_through(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        loop {
            let next = match self.as_mut().project() {
                StateProjection::Production { future } => return future.poll(cx),
                StateProjection::Variant { future } => return future.poll(cx),
                StateProjection::Waiting { waiting } => {
                    if let Err(error) = ready!(waiting.service.poll_ready(cx)) {
                        return Poll::Ready(Err(error));
                    }
                    let request = waiting
                        .request
                        .take()
                        .expect("a future is not polled after it has completed");
                    Self::Variant {
                        future: waiting.service.call(request),
                    }
                }
            };
            self.set(next);
        }
    }
}

impl Turn {
    fn finish<B, E>(self, answer: &mut Result<Response<B>, E>) {
        if let Some(measured) = self.measured {
            let failed = answer
                .as_ref()
                .map_or(true, |own| own.status().is_server_error());
            measured.finish(failed);
        }
        if let (Some(cookie), Ok(response)) = (self.cookie, answer) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

impl<P: fmt::Debug, C> fmt::Debug for Canary<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canary")
            .field("production", &self.production)
            .field("split", &self.routes.split)
            .finish_non_exhaustive()
    }
}

impl<F, C, G, B> fmt::Debug for CanaryFuture<F, C, G, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Production { .. } => "CanaryFuture(production)",
            State::Variant { .. } => "CanaryFuture(variant)",
            State::Waiting { .. } => "CanaryFuture(waiting)",
        })
    }
}
