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
        let variant = routes.variants.get(usize::from(arm).wrapping_sub(1));
        if turn.is_some() {
            let turned = self.turned(variant.cloned(), request, turn);
            return CanaryFuture {
                state: State::Turned { turned },
            };
        }
        // Each future is made where it is to stay: moving one costs more than the choice.
        let Some(variant) = variant else {
            return CanaryFuture {
                state: State::Production {
                    future: self.production.call(request),
                },
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
            };
        }
        let turned = self.turned(Some(variant), request, None);
        CanaryFuture {
            state: State::Turned { turned },
        }
    }
}

impl<P, C> Canary<P, C> {
    /// The future of a request that waits for its variant, or of which something is to be done when it is answered.
    #[cold]
    fn turned<B>(
        &mut self,
        variant: Option<C>,
        request: Request<B>,
        turn: Option<Turn>,
    ) -> Pin<Box<Turned<P::Future, C, C::Future, B>>>
    where
        P: Service<Request<B>>,
        C: Service<Request<B>>,
    {
        let stage = match variant {
            None => Stage::Production {
                future: self.production.call(request),
            },
            Some(service) => Stage::Waiting {
                service,
                request: Some(request),
            },
        };
        Box::pin(Turned { stage, turn })
    }
}

pin_project! {
    /// The future of [`Canary`].
    pub struct CanaryFuture<F, C, G, B> {
        #[pin]
        state: State<F, C, G, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, C, G, B> {
        Production { #[pin] future: F },
        Variant { #[pin] future: G },
        // Boxed, so that other requests are no larger for it.
        Turned { turned: Pin<Box<Turned<F, C, G, B>>> },
    }
}

pin_project! {
    struct Turned<F, C, G, B> {
        #[pin]
        stage: Stage<F, C, G, B>,
        turn: Option<Turn>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F, C, G, B> {
        Production { #[pin] future: F },
        Variant { #[pin] future: G },
        Waiting { service: C, request: Option<Request<B>> },
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
        match self.project().state.project() {
            StateProjection::Production { future } => future.poll(cx),
            StateProjection::Variant { future } => future.poll(cx),
            StateProjection::Turned { turned } => turned.as_mut().poll(cx),
        }
    }
}

impl<F, C, B, ResBody, E> Future for Turned<F, C, C::Future, B>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    C: Service<Request<B>, Response = Response<ResBody>, Error = E>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut answer = loop {
            let next = match this.stage.as_mut().project() {
                StageProjection::Production { future } => break ready!(future.poll(cx)),
                StageProjection::Variant { future } => break ready!(future.poll(cx)),
                StageProjection::Waiting { service, request } => {
                    if let Err(error) = ready!(service.poll_ready(cx)) {
                        break Err(error);
                    }
                    let request = request
                        .take()
                        .expect("a future is not polled after it has completed");
                    Stage::Variant {
                        future: service.call(request),
                    }
                }
            };
            this.stage.set(next);
        };
        if let Some(turn) = this.turn.take() {
            turn.finish(&mut answer);
        }
        Poll::Ready(answer)
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
            State::Turned { .. } => "CanaryFuture(turned)",
        })
    }
}
