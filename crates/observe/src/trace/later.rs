//! Calls that somebody else makes, if they are made at all: a cache calls on where it has nothing.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use portcullis_core::{Clock, RequestContext};
use tracing::Span;

use super::recording::Call;
use super::subject::Callee;
use super::traces::Traces;

/// A call that is made by somebody else, or not: see [`Following::call_later`](super::Following::call_later).
pub struct LaterCall {
    pub(super) traces: Traces,
    pub(super) context: RequestContext,
    pub(super) clock: Arc<dyn Clock>,
    /// The span of whoever makes it.
    pub(super) above: Span,
    /// The id of the request's span.
    pub(super) id: u64,
    pub(super) callee: Option<Callee>,
    /// Gone once the request does not wait for it any more.
    pub(super) slot: Weak<Slot>,
}

/// Where the request finds what has been begun.
#[derive(Default)]
pub(super) struct Slot(Mutex<Option<Begun>>);

pub(super) enum Begun {
    Call(Call),
    /// There is nobody to be told of who could be called.
    Phase(Span),
}

impl LaterCall {
    /// It is made. What is sent from here on stands below it.
    pub fn begin(self) {
        let Some(slot) = self.slot.upgrade() else {
            return;
        };
        let begun = match self.callee {
            Some(callee) => {
                let now = self.clock.now();
                let call = Call::begin(
                    &self.traces,
                    &self.context,
                    (&self.above, self.id),
                    callee,
                    now,
                );
                Begun::Call(call)
            }
            None => Begun::Phase(tracing::info_span!(parent: &self.above, "integration")),
        };
        slot.put(Some(begun));
    }
}

impl Slot {
    fn put(&self, begun: Option<Begun>) -> Option<Begun> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *slot, begun)
    }

    pub(super) fn take(&self) -> Option<Begun> {
        self.put(None)
    }

    /// The span of what has been begun.
    pub(super) fn span(&self) -> Option<Span> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().map(|begun| match begun {
            Begun::Call(call) => call.span.clone(),
            Begun::Phase(span) => span.clone(),
        })
    }
}

impl fmt::Debug for LaterCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaterCall")
            .field("callee", &self.callee)
            .finish_non_exhaustive()
    }
}
