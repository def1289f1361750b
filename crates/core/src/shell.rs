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
    ///
    /// A guard that [reads bodies](Guard::READS_BODY) does not compile here: it needs a
    /// [`BodyGuardLayer`](crate::BodyGuardLayer).
    ///
    /// ```compile_fail,E0080
    /// # use portcullis_core::{Guard, GuardLayer, Head, Never, Verdict};
    /// struct Signature;
    ///
    /// impl Guard for Signature {
    ///     type Ask = Never;
    ///     const READS_BODY: bool = true;
    /// #   fn check(&self, _head: &Head<'_>) -> Verdict<Never> { Verdict::Pass }
    ///     // …
    /// }
    ///
    /// let layer = GuardLayer::new(Signature);
    /// ```
    pub fn new(guard: G) -> Self {
        const {
            assert!(
                !G::READS_BODY,
                "a guard that reads bodies needs a BodyGuardLayer"
            );
        }
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

impl<S, G> Guarded<S, G> {
    /// The guard, shared with every service of the same layer.
    #[must_use]
    #[inline]
    pub const fn guard(&self) -> &Arc<G> {
        &self.guard
    }

    /// The service inside, past the guard, for whoever has decided by other means that a request passes. [`poll_ready`](Service::poll_ready) makes it ready.
    #[inline]
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
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
            return GuardedFuture {
                state: State::inner(self.inner.call(request)),
            };
        }
        if G::NEEDS_CONTEXT {
            RequestContext::of(&mut request);
        }
        match self.guard.check(&Head::of(&request)) {
            Verdict::Pass => GuardedFuture {
                state: State::inner(self.inner.call(request)),
            },
            Verdict::Refuse(rejection) => match settle(mode, rejection, &mut request) {
                Some(rejection) => GuardedFuture {
                    state: State::reply(rejection),
                },
                None => GuardedFuture {
                    state: State::inner(self.inner.call(request)),
                },
            },
            Verdict::Ask(ask) => {
                let clone = self.inner.clone();
                let inner = mem::replace(&mut self.inner, clone);
                GuardedFuture {
                    state: State::wait(Wait {
                        ask,
                        mode,
                        call: Some((inner, request)),
                    }),
                }
            }
        }
    }
}

impl Rejection {
    /// Carries the refusal of `request` out, or, unless `mode` is [`Mode::Enforce`], writes it down and lets the request pass: then there is none.
    ///
    /// It is for services that refuse requests and are no guards, because they surround the call.
    #[must_use]
    pub fn settle<B>(self, mode: Mode, request: &mut Request<B>) -> Option<Self> {
        settle(mode, self, request)
    }

    /// Carries the refusal of `request` out, as [`settle`](Self::settle) does in [`Mode::Enforce`].
    #[must_use]
    pub fn enforce<B>(self, request: &Request<B>) -> Self {
        enforce(self, request)
    }
}

/// Carries a refusal out, or, in [`Mode::Observe`], writes it down and lets the request pass.
pub(crate) fn settle<B>(
    mode: Mode,
    rejection: Rejection,
    request: &mut Request<B>,
) -> Option<Rejection> {
    if mode == Mode::Enforce {
        return Some(enforce(rejection, request));
    }
    tracing::info!(%rejection, "would refuse");
    RequestContext::of(request).record_observed(rejection);
    None
}

/// Logs and writes down a refusal that is carried out.
pub(crate) fn enforce<B>(rejection: Rejection, request: &Request<B>) -> Rejection {
    tracing::debug!(%rejection, "refused");
    record(rejection, request)
}

/// Writes a refusal that is carried out to the request's context, if it has one.
pub(crate) fn record<B>(rejection: Rejection, request: &Request<B>) -> Rejection {
    if let Some(context) = request.extensions().get::<RequestContext>() {
        context.record_refusal(&rejection);
    }
    rejection
}

pin_project! {
    /// The future of [`Guarded`].
    pub struct GuardedFuture<S, G, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
        G: Guard,
    {
        #[pin]
        state: State<S::Future, ResBody, Wait<G::Ask, S, ReqBody>>,
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
        State::poll(self.project().state, cx)
    }
}

impl<S, G, ReqBody, ResBody> fmt::Debug for GuardedFuture<S, G, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
    G: Guard,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuardedFuture({})", self.state.name())
    }
}

/// A request that waits for its guard's answer, with the service that was made ready for it.
struct Wait<A, S, ReqBody> {
    ask: A,
    mode: Mode,
    call: Option<(S, Request<ReqBody>)>,
}

impl<A, S, ReqBody> Waiting for Wait<A, S, ReqBody>
where
    A: Future<Output = Result<(), Rejection>> + Unpin,
{
    type Service = S;
    type Body = ReqBody;

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(S, Request<ReqBody>), Rejection>> {
        let answer = ready!(Pin::new(&mut self.ask).poll(cx));
        let (inner, mut request) = self.call.take().expect(CALLED_ONCE);
        let refusal = answer
            .err()
            .and_then(|rejection| settle(self.mode, rejection, &mut request));
        Poll::Ready(match refusal {
            Some(rejection) => Err(rejection),
            None => Ok((inner, request)),
        })
    }
}

/// What must be waited for before the inner service can be called.
pub(crate) trait Waiting {
    type Service;
    type Body;

    /// Waits until the request passes or is refused. It is not polled again after that.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Self::Service, Request<Self::Body>), Rejection>>;
}

/// Why taking the call out of a wait cannot fail.
pub(crate) const CALLED_ONCE: &str = "the call is taken once, when the answer is there";

pin_project! {
    /// How far a guarded request has come.
    #[project = StateProjection]
    pub(crate) enum State<F, ResBody, W> {
        Inner { #[pin] future: F },
        Reply { response: Option<Response<ResBody>> },
        // Boxed, because an answer from elsewhere is slow anyway: in place, the request in it
        // would make the future of every request that passes as large, and each move of it as dear.
        Wait { wait: Box<W> },
    }
}

impl<F, ResBody, W> State<F, ResBody, W> {
    pub(crate) const fn inner(future: F) -> Self {
        Self::Inner { future }
    }

    pub(crate) fn wait(wait: W) -> Self {
        Self::Wait {
            wait: Box::new(wait),
        }
    }

    pub(crate) fn reply(rejection: Rejection) -> Self
    where
        ResBody: From<Bytes>,
    {
        Self::Reply {
            response: Some(rejection.into_response()),
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Inner { .. } => "inner",
            Self::Reply { .. } => "reply",
            Self::Wait { .. } => "wait",
        }
    }
}

impl<F, E, ResBody, W> State<F, ResBody, W>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    W: Waiting,
    W::Service: Service<Request<W::Body>, Future = F>,
    ResBody: From<Bytes>,
{
    pub(crate) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        loop {
            let next = match self.as_mut().project() {
                StateProjection::Inner { future } => return future.poll(cx),
                StateProjection::Reply { response } => {
                    return Poll::Ready(Ok(response
                        .take()
                        .expect("a future is not polled after it has completed")));
                }
                StateProjection::Wait { wait } => match ready!(wait.poll(cx)) {
                    Ok((mut inner, request)) => Self::inner(inner.call(request)),
                    Err(rejection) => Self::reply(rejection),
                },
            };
            self.set(next);
        }
    }
}
