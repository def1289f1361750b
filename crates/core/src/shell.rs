//! The one tower shell round a guard.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::context::RequestContext;
use crate::guard::{Guard, Head, Mode, Verdict};
use crate::rejection::Rejection;

/// A [`Guard`] as a layer. Clones, and the services made by them, share the guard.
///
/// Over an inner service that never fails the guarded one never fails: a refusal is an answer.
/// On the pass path of a guard that does not ask it allocates nothing and boxes nothing.
#[must_use]
pub struct GuardLayer<G> {
    guard: Arc<G>,
}

impl<G: Guard> GuardLayer<G> {
    /// A layer that asks `guard` about every request.
    /// (`Arc<G>` is a guard too, so one object can serve in several places.)
    pub fn new(guard: G) -> Self {
        Self {
            guard: Arc::new(guard),
        }
    }

    /// The guard, shared with every service made by this layer.
    #[must_use]
    pub const fn guard(&self) -> &Arc<G> {
        &self.guard
    }
}

impl<G> Clone for GuardLayer<G> {
    fn clone(&self) -> Self {
        Self {
            guard: Arc::clone(&self.guard),
        }
    }
}

impl<G: fmt::Debug> fmt::Debug for GuardLayer<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GuardLayer").field(&self.guard).finish()
    }
}

impl<S, G> Layer<S> for GuardLayer<G> {
    type Service = Guarded<S, G>;

    fn layer(&self, inner: S) -> Guarded<S, G> {
        Guarded {
            inner,
            guard: Arc::clone(&self.guard),
        }
    }
}

/// The service of [`GuardLayer`].
pub struct Guarded<S, G> {
    inner: S,
    guard: Arc<G>,
}

impl<S: Clone, G> Clone for Guarded<S, G> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            guard: Arc::clone(&self.guard),
        }
    }
}

impl<S: fmt::Debug, G: fmt::Debug> fmt::Debug for Guarded<S, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("inner", &self.inner)
            .field("guard", &self.guard)
            .finish()
    }
}

impl<S, G, ReqBody, ResBody> Service<Request<ReqBody>> for Guarded<S, G>
where
    // The clone is made only when a guard asks: the ready service must go along with the wait.
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    G: Guard,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = GuardedFuture<S, G, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let mode = self.guard.mode();
        if mode == Mode::Disabled {
            return GuardedFuture::inner(self.inner.call(request));
        }
        if G::NEEDS_CONTEXT {
            RequestContext::of(&mut request);
        }
        match self.guard.check(&Head::of(&request)) {
            Verdict::Pass => GuardedFuture::inner(self.inner.call(request)),
            Verdict::Refuse(rejection) => match settle(mode, rejection, &mut request) {
                Some(rejection) => GuardedFuture::reply(rejection),
                None => GuardedFuture::inner(self.inner.call(request)),
            },
            Verdict::Ask(ask) => {
                let clone = self.inner.clone();
                let inner = mem::replace(&mut self.inner, clone);
                GuardedFuture {
                    state: State::Ask {
                        wait: Box::new(Wait {
                            ask,
                            mode,
                            call: Some((inner, request)),
                        }),
                    },
                }
            }
        }
    }
}

/// Carries a refusal out, or, in [`Mode::Observe`], writes it down and lets the request pass.
fn settle<B>(mode: Mode, rejection: Rejection, request: &mut Request<B>) -> Option<Rejection> {
    if mode == Mode::Enforce {
        if let Some(context) = request.extensions().get::<RequestContext>() {
            context.record_refusal(&rejection);
        }
        tracing::debug!(%rejection, "refused");
        return Some(rejection);
    }
    tracing::info!(%rejection, "would refuse");
    RequestContext::of(request).record_observed(rejection);
    None
}

pin_project! {
    /// The future of [`Guarded`].
    pub struct GuardedFuture<S, G, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
        G: Guard,
    {
        #[pin]
        state: State<S::Future, ResBody, G::Ask, S, ReqBody>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, ResBody, A, S, ReqBody> {
        Inner { #[pin] future: F },
        Reply { response: Option<Response<ResBody>> },
        // Boxed, because an answer from elsewhere is slow anyway: in place, the request in it
        // would make the future of every request that passes as large, and each move of it as dear.
        Ask { wait: Box<Wait<A, S, ReqBody>> },
    }
}

/// A request that waits for its guard's answer, with the service that was made ready for it.
struct Wait<A, S, ReqBody> {
    ask: A,
    mode: Mode,
    call: Option<(S, Request<ReqBody>)>,
}

impl<S, G, ReqBody, ResBody> GuardedFuture<S, G, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
    G: Guard,
    ResBody: From<Bytes>,
{
    const fn inner(future: S::Future) -> Self {
        Self {
            state: State::Inner { future },
        }
    }

    fn reply(rejection: Rejection) -> Self {
        Self {
            state: State::Reply {
                response: Some(rejection.into_response()),
            },
        }
    }
}

impl<S, G, ReqBody, ResBody> Future for GuardedFuture<S, G, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    G: Guard,
    ResBody: From<Bytes>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => return future.poll(cx),
                StateProjection::Reply { response } => {
                    return Poll::Ready(Ok(response
                        .take()
                        .expect("a future is not polled after it has completed")));
                }
                StateProjection::Ask { wait } => {
                    let answer = ready!(Pin::new(&mut wait.ask).poll(cx));
                    let (mut inner, mut request) = wait
                        .call
                        .take()
                        .expect("the call is taken once, when the answer is there");
                    let refusal = answer
                        .err()
                        .and_then(|rejection| settle(wait.mode, rejection, &mut request));
                    match refusal {
                        Some(rejection) => State::Reply {
                            response: Some(rejection.into_response()),
                        },
                        None => State::Inner {
                            future: inner.call(request),
                        },
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S, G, ReqBody, ResBody> fmt::Debug for GuardedFuture<S, G, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
    G: Guard,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Inner { .. } => "GuardedFuture(inner)",
            State::Reply { .. } => "GuardedFuture(reply)",
            State::Ask { .. } => "GuardedFuture(ask)",
        })
    }
}
