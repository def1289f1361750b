//! Guards one after the other.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::guard::{BoxAsk, Guard, Head, Mode, Verdict};
use crate::rejection::Rejection;

/// Guards that a request must pass in order. Cheap to clone.
///
/// `Gateway` compiles one for each method; a rule that a method does not have is not in its
/// chain and costs nothing. Guards that do not ask run without an allocation.
///
/// A chain cannot make a [`RequestContext`](crate::RequestContext): whoever runs it puts one into the request.
#[derive(Clone, Default)]
pub struct Chain {
    // A vector behind one pointer: most chains are empty or short, and all are shared.
    guards: Arc<Vec<Arc<dyn AnyGuard>>>,
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
        Arc::make_mut(&mut self.guards).push(Arc::new(guard));
        self
    }

    /// The chain with the guards of `other` behind its own.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        Arc::make_mut(&mut self.guards).extend(other.guards.iter().cloned());
        self
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.guards.is_empty()
    }

    /// How many guards are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.guards.len()
    }

    /// Goes on with a walk. `head` must be that of the same request each time; keep `walk` with it and start
    /// with [`ChainWalk::new`].
    ///
    /// # Errors
    ///
    /// The first refusal that is enforced. Those that are only observed are written to the request's context.
    pub fn poll_check(
        &self,
        walk: &mut ChainWalk,
        head: &Head<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Rejection>> {
        while let Some(guard) = self.guards.get(walk.next) {
            let mode = guard.mode();
            if mode != Mode::Disabled {
                let answer = match walk.ask.take() {
                    Some(ask) => ready!(poll_ask(ask, walk, cx)),
                    None => match guard.check(head) {
                        Verdict::Pass => Ok(()),
                        Verdict::Refuse(rejection) => Err(rejection),
                        Verdict::Ask(ask) => ready!(poll_ask(ask, walk, cx)),
                    },
                };
                if let Err(rejection) = answer {
                    if mode == Mode::Enforce {
                        if let Some(context) = head.context() {
                            context.record_refusal(&rejection);
                        }
                        return Poll::Ready(Err(rejection));
                    }
                    tracing::info!(%rejection, "would refuse");
                    if let Some(context) = head.context() {
                        context.record_observed(rejection);
                    }
                }
            } else {
                // The guard was switched off while it was being asked.
                walk.ask = None;
            }
            walk.next += 1;
        }
        Poll::Ready(Ok(()))
    }
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
        write!(f, "Chain({} guards)", self.guards.len())
    }
}

/// How far a request has come along a [`Chain`].
#[derive(Default)]
pub struct ChainWalk {
    next: usize,
    ask: Option<BoxAsk>,
}

impl ChainWalk {
    /// A walk that has not begun.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: 0, ask: None }
    }
}

impl fmt::Debug for ChainWalk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainWalk")
            .field("next", &self.next)
            .field("asking", &self.ask.is_some())
            .finish()
    }
}

/// [`Guard`] without its associated type: asking is boxed, checking is not.
trait AnyGuard: Send + Sync {
    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk>;
    fn mode(&self) -> Mode;
}

impl<G: Guard> AnyGuard for G {
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
