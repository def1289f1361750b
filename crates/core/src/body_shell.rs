//! The tower shell round a guard that reads bodies.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::body::BoxError;
use crate::context::RequestContext;
use crate::guard::{Guard, Head, Mode, Verdict};
use crate::rejection::Rejection;
use crate::request_body::Held;
use crate::shell::{CALLED_ONCE, State, Waiting, enforce, settle};

/// A [`Guard`] that [reads bodies](Guard::READS_BODY) as a layer. Clones, and the services made by them, share the guard.
///
/// It reads what its guard [wants to see](Guard::body_limit) and hands the same bytes on; every other body passes through unread.
/// So it asks for a request body that can be made from bytes, as axum's and [`Body`](crate::Body) can; over hyper's `Incoming`
/// stands a [`BoxRequestBodyLayer`](crate::BoxRequestBodyLayer). Trailers end here.
///
/// A body over the limit is answered 413, by its declared length before a byte of it is read; a broken one is answered 400. In
/// [`Mode::Observe`] such an answer is only written down where the whole body is still there to be handed on. How long a
/// client may take to send its body is for a timeout outside this layer to say.
///
/// ```
/// use http::{Request, Response};
/// use portcullis_core::{Body, BodyGuardLayer, Guard, Head, Never, RejectionKind, Verdict};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// /// Takes JSON of up to 64 KiB.
/// struct JsonOnly;
///
/// impl Guard for JsonOnly {
///     type Ask = Never;
///     const READS_BODY: bool = true;
///
///     fn body_limit(&self, _head: &Head<'_>) -> Option<u64> {
///         Some(64 * 1024)
///     }
///
///     fn check(&self, head: &Head<'_>) -> Verdict<Never> {
///         match head.body().map(|body| body.json()) {
///             Some(Ok(_)) => Verdict::Pass,
///             _ => Verdict::Refuse(RejectionKind::BadRequestBody.into()),
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let echo = service_fn(async |request: Request<Body>| {
///     Ok::<_, std::convert::Infallible>(Response::new(request.into_body()))
/// });
/// let service = BodyGuardLayer::new(JsonOnly).layer(echo);
///
/// let echoed = service.clone().oneshot(Request::new(Body::from("[1]"))).await?;
/// assert_eq!(echoed.body().as_bytes(), Some(&b"[1]"[..]));
/// assert_eq!(service.oneshot(Request::new(Body::from("[1"))).await?.status(), 400);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct BodyGuardLayer<G> {
    guard: Arc<G>,
}

impl<G: Guard> BodyGuardLayer<G> {
    /// A layer that asks `guard` about every request.
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

impl<G> Clone for BodyGuardLayer<G> {
    fn clone(&self) -> Self {
        Self {
            guard: Arc::clone(&self.guard),
        }
    }
}

impl<G: fmt::Debug> fmt::Debug for BodyGuardLayer<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BodyGuardLayer").field(&self.guard).finish()
    }
}

impl<S, G> Layer<S> for BodyGuardLayer<G> {
    type Service = BodyGuarded<S, G>;

    fn layer(&self, inner: S) -> BodyGuarded<S, G> {
        BodyGuarded {
            inner,
            guard: Arc::clone(&self.guard),
        }
    }
}

/// The service of [`BodyGuardLayer`].
pub struct BodyGuarded<S, G> {
    inner: S,
    guard: Arc<G>,
}

impl<S: Clone, G> Clone for BodyGuarded<S, G> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            guard: Arc::clone(&self.guard),
        }
    }
}

impl<S: fmt::Debug, G: fmt::Debug> fmt::Debug for BodyGuarded<S, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyGuarded")
            .field("inner", &self.inner)
            .field("guard", &self.guard)
            .finish()
    }
}

impl<S, G, ReqBody, ResBody> Service<Request<ReqBody>> for BodyGuarded<S, G>
where
    // The clone is made only when there is something to wait for: the ready service must go along with the wait.
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    G: Guard,
    ReqBody: Body<Data = Bytes> + From<Bytes> + Unpin,
    ReqBody::Error: Into<BoxError>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BodyGuardedFuture<S, G, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let mode = self.guard.mode();
        if mode == Mode::Disabled {
            return BodyGuardedFuture {
                state: State::inner(self.inner.call(request)),
            };
        }
        if G::NEEDS_CONTEXT {
            RequestContext::of(&mut request);
        }
        let mut held = Held::Nothing;
        let step = match want(&*self.guard, &mut held, &request) {
            Err(rejection) => Step::Settle(rejection),
            Ok(()) if held.is_reading() => Step::Wait(None),
            Ok(()) => step(&*self.guard, &held, &request),
        };
        let refusal = match step {
            Step::Pass => None,
            Step::Settle(rejection) => settle(mode, rejection, &mut request),
            Step::Wait(ask) => {
                let clone = self.inner.clone();
                return BodyGuardedFuture {
                    state: State::wait(Wait {
                        guard: Arc::clone(&self.guard),
                        held,
                        ask,
                        mode,
                        call: Some((mem::replace(&mut self.inner, clone), request)),
                    }),
                };
            }
        };
        BodyGuardedFuture {
            state: match refusal {
                Some(rejection) => State::reply(rejection),
                None => State::inner(self.inner.call(request)),
            },
        }
    }
}

/// What to do next with a request.
enum Step<A> {
    Pass,
    Settle(Rejection),
    /// For the guard's answer, or first for the body.
    Wait(Option<A>),
}

fn want<G: Guard, B: Body>(
    guard: &G,
    held: &mut Held,
    request: &Request<B>,
) -> Result<(), Rejection> {
    if !G::READS_BODY {
        return Ok(());
    }
    match guard.body_limit(&Head::of(request)) {
        Some(limit) => held.want(request, limit),
        None => Ok(()),
    }
}

fn step<G: Guard, B>(guard: &G, held: &Held, request: &Request<B>) -> Step<G::Ask> {
    match guard.check(&held.head(request)) {
        Verdict::Pass => Step::Pass,
        Verdict::Refuse(rejection) => Step::Settle(rejection),
        Verdict::Ask(ask) => Step::Wait(Some(ask)),
    }
}

pin_project! {
    /// The future of [`BodyGuarded`].
    pub struct BodyGuardedFuture<S, G, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
        G: Guard,
    {
        #[pin]
        state: State<S::Future, ResBody, Wait<G, S, ReqBody>>,
    }
}

impl<S, G, ReqBody, ResBody> Future for BodyGuardedFuture<S, G, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    G: Guard,
    ReqBody: Body<Data = Bytes> + From<Bytes> + Unpin,
    ReqBody::Error: Into<BoxError>,
    ResBody: From<Bytes>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        State::poll(self.project().state, cx)
    }
}

impl<S, G, ReqBody, ResBody> fmt::Debug for BodyGuardedFuture<S, G, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
    G: Guard,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyGuardedFuture({})", self.state.name())
    }
}

/// A request that waits for its body and then for its guard's answer, with the service that was made ready for it.
struct Wait<G: Guard, S, ReqBody> {
    guard: Arc<G>,
    held: Held,
    ask: Option<G::Ask>,
    mode: Mode,
    call: Option<(S, Request<ReqBody>)>,
}

impl<G, S, ReqBody> Waiting for Wait<G, S, ReqBody>
where
    G: Guard,
    ReqBody: Body<Data = Bytes> + From<Bytes> + Unpin,
    ReqBody::Error: Into<BoxError>,
{
    type Service = S;
    type Body = ReqBody;

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(S, Request<ReqBody>), Rejection>> {
        let (_, request) = self.call.as_mut().expect(CALLED_ONCE);
        // What is read of a body that turns out to be too large or broken cannot be handed on, in no mode.
        if let Err(rejection) = ready!(self.held.poll(request, cx)) {
            return Poll::Ready(Err(enforce(rejection, request)));
        }
        let answer = loop {
            if let Some(ask) = &mut self.ask {
                break ready!(Pin::new(ask).poll(cx));
            }
            match step(&*self.guard, &self.held, request) {
                Step::Pass => break Ok(()),
                Step::Settle(rejection) => break Err(rejection),
                Step::Wait(ask) => self.ask = ask,
            }
        };
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
