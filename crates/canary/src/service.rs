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
    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let split = &self.routes.split;
        let Some(arm) = split.serve(&request) else {
            return self.take_turn(request);
        };
        if split.carries() {
            let mut request = request;
            split.carry(arm, &mut request);
            return self.send(arm, request);
        }
        self.send(arm, request)
    }
}

impl<P, C> Canary<P, C> {
    /// Each future is made where it is to stay, and a request that is not changed is not moved: moves cost more than the choice.
    #[inline]
    fn send<B>(&mut self, arm: u8, request: Request<B>) -> CanaryFuture<P::Future, C, C::Future, B>
    where
        P: Service<Request<B>>,
        C: Service<Request<B>> + Clone,
    {
        let variants = &self.routes.variants;
        let Some(variant) = variants.get(usize::from(arm).wrapping_sub(1)) else {
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
        CanaryFuture {
            state: State::Turned {
                turned: Turned::waiting(variant, request, None),
            },
        }
    }

    /// The future of a request of which something may have to be done when it is answered.
    #[inline(never)]
    fn take_turn<B>(&mut self, mut request: Request<B>) -> CanaryFuture<P::Future, C, C::Future, B>
    where
        P: Service<Request<B>>,
        C: Service<Request<B>> + Clone,
    {
        let (arm, turn) = self.routes.split.take_turn(&mut request);
        if turn.is_none() {
            return self.send(arm, request);
        }
        let variants = &self.routes.variants;
        let turned = match variants.get(usize::from(arm).wrapping_sub(1)) {
            Some(variant) => Turned::waiting(variant.clone(), request, turn),
            None => {
                let future = self.production.call(request);
                let stage = Stage::Production { future };
                Box::pin(Turned { stage, turn })
            }
        };
        CanaryFuture {
            state: State::Turned { turned },
        }
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

impl<F, C, G, B> Turned<F, C, G, B> {
    /// One that calls its variant when that is ready.
    #[cold]
    fn waiting(service: C, request: Request<B>, turn: Option<Turn>) -> Pin<Box<Self>> {
        let request = Some(request);
        let stage = Stage::Waiting { service, request };
        Box::pin(Self { stage, turn })
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
