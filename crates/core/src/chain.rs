//! Guards one after the other.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use http_body::Body;
use tracing::{Instrument as _, Span};

use crate::body::BoxError;
use crate::guard::{BoxAsk, Guard, Head, Mode, Verdict};
use crate::rejection::{ApiKind, Rejection};
use crate::request_body::Held;
use crate::shell::record;

/// Guards that a request must pass in order. Cheap to clone.
///
/// `Gateway` compiles one for each method; a rule that a method does not have is not in its
/// chain and costs nothing. Guards that do not ask run without an allocation. A body that guards must see is read
/// when the first of them wants it, once for all of them; what stands behind the chain gets the same bytes.
///
/// A chain cannot make a [`RequestContext`](crate::RequestContext): whoever runs it puts one into the request.
///
/// ```
/// use std::future::poll_fn;
///
/// use http::Request;
/// use portcullis_core::{Body, Chain, ChainWalk};
/// # use portcullis_core::{Guard, Head, Never, Rejection, RejectionKind, Verdict};
/// # struct NotEmpty;
/// # impl Guard for NotEmpty {
/// #     type Ask = Never;
/// #     const READS_BODY: bool = true;
/// #     fn body_limit(&self, _head: &Head<'_>) -> Option<u64> { Some(1024) }
/// #     fn check(&self, head: &Head<'_>) -> Verdict<Never> {
/// #         match head.body() {
/// #             Some(body) if !body.bytes().is_empty() => Verdict::Pass,
/// #             _ => Verdict::Refuse(RejectionKind::BadRequestBody.into()),
/// #         }
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Rejection> {
/// let chain = Chain::new().with(NotEmpty);
/// let mut request = Request::new(Body::from("pets"));
/// let mut walk = ChainWalk::new();
/// poll_fn(|cx| chain.poll_check(&mut walk, &mut request, cx)).await?;
/// assert_eq!(request.body().as_bytes(), Some(&b"pets"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Chain {
    // A vector behind one pointer: most chains are empty or short, and all are shared.
    links: Arc<Vec<Link>>,
}

#[derive(Clone)]
struct Link {
    guard: Arc<dyn AnyGuard>,
    reads_body: bool,
    name: &'static str,
}

impl Chain {
    /// A chain that lets everything through.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The chain with `guard` at its end.
    #[must_use]
    pub fn with<G: Guard>(mut self, guard: G) -> Self {
        Arc::make_mut(&mut self.links).push(Link {
            guard: Arc::new(guard),
            reads_body: G::READS_BODY,
            name: G::NAME,
        });
        self
    }

    /// The chain with the guards of `other` behind its own.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        Arc::make_mut(&mut self.links).extend(other.links.iter().cloned());
        self
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// How many guards are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Goes on with a walk. `request` must be the same each time, and belongs to the walk until that has ended; keep `walk` with it
    /// and start with [`ChainWalk::new`].
    ///
    /// # Errors
    ///
    /// The first refusal that is enforced. Those that are only observed are written to the request's context. A body that turns out to
    /// be too large or broken while it is read is refused in every [`Mode`]: part of it is gone.
    pub fn poll_check<B>(
        &self,
        walk: &mut ChainWalk,
        request: &mut Request<B>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Rejection>>
    where
        B: Body<Data = Bytes> + From<Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        while let Some(link) = self.links.get(walk.next) {
            // What has been begun is ended, even if the guard has been switched off since.
            if let Err(rejection) = ready!(walk.held.poll(request, cx)) {
                return Poll::Ready(Err(record(rejection.for_api(walk.api), request)));
            }
            let mode = link.guard.mode();
            if mode == Mode::Disabled {
                walk.ask = None;
                walk.next += 1;
                continue;
            }
            let answer = match walk.ask.take() {
                Some(ask) => ready!(poll_ask(ask, walk, cx)),
                None => match link.want_body(walk, request) {
                    Err(rejection) => Err(rejection),
                    Ok(()) if walk.held.is_reading() => continue,
                    Ok(()) => match link.check(walk, request) {
                        Verdict::Pass => Ok(()),
                        Verdict::Refuse(rejection) => Err(rejection),
                        Verdict::Ask(ask) => ready!(poll_ask(ask, walk, cx)),
                    },
                },
            };
            if let Err(rejection) = answer {
                if mode == Mode::Enforce {
                    return Poll::Ready(Err(record(rejection, request)));
                }
                tracing::info!(%rejection, "would refuse");
                if let Some(context) = Head::of(request).context() {
                    context.record_observed(rejection);
                }
            }
            walk.next += 1;
        }
        Poll::Ready(Ok(()))
    }
}

impl Link {
    /// Asks the guard, in a span of its own where spans are recorded.
    fn check<B>(&self, walk: &ChainWalk, request: &Request<B>) -> Verdict<BoxAsk> {
        let head = walk.held.head(request);
        if !walk.records_spans {
            return self.guard.check(&head);
        }
        let span = tracing::info_span!(
            "guard",
            otel.name = self.name,
            refused = tracing::field::Empty
        );
        match span.in_scope(|| self.guard.check(&head)) {
            Verdict::Ask(ask) => Verdict::Ask(Box::pin(answer(ask).instrument(span))),
            Verdict::Refuse(rejection) => {
                span.record("refused", tracing::field::display(&rejection));
                Verdict::Refuse(rejection)
            }
            Verdict::Pass => Verdict::Pass,
        }
    }

    /// Asks the guard whether it must see the body.
    fn want_body<B: Body>(
        &self,
        walk: &mut ChainWalk,
        request: &Request<B>,
    ) -> Result<(), Rejection> {
        if !self.reads_body {
            return Ok(());
        }
        match self.guard.body_limit(&walk.held.head(request)) {
            Some(limit) => walk
                .held
                .want(request, limit.min(walk.max_body))
                .map_err(|rejection| rejection.for_api(walk.api)),
            None => Ok(()),
        }
    }
}

/// The answer to a question, noted in the span that it is waited for in.
async fn answer(ask: BoxAsk) -> Result<(), Rejection> {
    ask.await.inspect_err(|rejection| {
        Span::current().record("refused", tracing::field::display(rejection));
    })
}

fn poll_ask(
    mut ask: BoxAsk,
    walk: &mut ChainWalk,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Rejection>> {
    let answer = ask.as_mut().poll(cx);
    if answer.is_pending() {
        walk.ask = Some(ask);
    }
    answer
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({} guards)", self.links.len())
    }
}

/// How far a request has come along a [`Chain`].
pub struct ChainWalk {
    next: usize,
    ask: Option<BoxAsk>,
    held: Held,
    max_body: u64,
    api: ApiKind,
    records_spans: bool,
}

impl ChainWalk {
    /// A walk that has not begun.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            next: 0,
            ask: None,
            held: Held::Nothing,
            max_body: u64::MAX,
            api: ApiKind::Rest,
            records_spans: false,
        }
    }

    /// The walk of a request to an API of this kind: what the chain itself says of bodies is worded for it.
    #[must_use]
    pub const fn api(mut self, kind: ApiKind) -> Self {
        self.api = kind;
        self
    }

    /// The walk of a request whose body may have at most `bytes`, whatever guards would take. No cap unless set.
    #[must_use]
    pub const fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// The walk of a request whose spans are recorded, or not: whether each guard is a span below the one that is entered. Not unless set.
    #[must_use]
    pub const fn records_spans(mut self, records: bool) -> Self {
        self.records_spans = records;
        self
    }

    /// Whether it waits for the client to send more of its body, and for nothing else: what a deadline should be set to.
    #[must_use]
    pub const fn is_reading_body(&self) -> bool {
        self.held.is_reading()
    }
}

impl Default for ChainWalk {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ChainWalk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainWalk")
            .field("next", &self.next)
            .field("asking", &self.ask.is_some())
            .field("reading_body", &self.held.is_reading())
            .finish()
    }
}

/// [`Guard`] without its associated items: asking is boxed, checking is not.
trait AnyGuard: Send + Sync {
    fn body_limit(&self, head: &Head<'_>) -> Option<u64>;
    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk>;
    fn mode(&self) -> Mode;
}

impl<G: Guard> AnyGuard for G {
    fn body_limit(&self, head: &Head<'_>) -> Option<u64> {
        Guard::body_limit(self, head)
    }

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        match Guard::check(self, head) {
            Verdict::Pass => Verdict::Pass,
            Verdict::Refuse(rejection) => Verdict::Refuse(rejection),
            Verdict::Ask(ask) => Verdict::Ask(Box::pin(ask)),
        }
    }

    fn mode(&self) -> Mode {
        Guard::mode(self)
    }
}

const _: fn() = || {
    fn assert_send<T: Send>() {}
    assert_send::<Pin<Box<ChainWalk>>>();
};
