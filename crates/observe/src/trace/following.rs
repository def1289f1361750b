//! A request that is followed by whoever is no layer.

use std::sync::Arc;

use http::Response;
use portcullis_core::{Clock, RequestContext};
use tracing::Span;
use tracing::span::EnteredSpan;

use super::later::LaterCall;
use super::recording::Recording;
use super::subject::Callee;
use super::traces::Traces;
use crate::body::ObservedBody;
use crate::observation::{Observation, Shared};

/// A request that is recorded, from [`Traces::follow`] to the end of its response. Dropped before, it was cancelled.
#[derive(Debug)]
pub struct Following {
    observation: Observation<Traces>,
}

impl Following {
    pub(super) fn new(
        traces: &Traces,
        context: &RequestContext,
        clock: &Arc<dyn Clock>,
        recording: Box<Recording>,
    ) -> Self {
        let shared = Arc::new(Shared {
            observer: traces.clone(),
            clock: Arc::clone(clock),
        });
        Self {
            observation: Observation::resume(shared, context.clone(), Some(recording)),
        }
    }

    /// Enters the span of what is being done: of the call, of the phase, or of the request itself.
    pub fn enter(&mut self) -> EnteredSpan {
        match self.recording() {
            Some(recording) => recording.enter(),
            None => Span::none().entered(),
        }
    }

    /// A phase begins, and the one before it ends. `make` makes its span, below that of the request.
    pub fn begin_phase(&mut self, make: impl FnOnce() -> Span) {
        if let Some(recording) = self.recording() {
            recording.begin_phase(make);
        }
    }

    /// The phase has ended.
    pub fn end_phase(&mut self) {
        if let Some(recording) = self.recording() {
            recording.end_phase();
        }
    }

    /// The request is passed on to `callee`. Until [`called`](Self::called), that is where [`RequestContext::write_trace`] sends it from.
    pub fn call(&mut self, callee: &Callee) {
        let now = self.observation.now();
        if let Some(recording) = self.recording() {
            recording.call(callee, now);
        }
    }

    /// Somebody else may call `callee`: whoever has begun a phase of this request. Until [`called`](Self::called), [`LaterCall::begin`] does below that phase what
    /// [`call`](Self::call) does below the request; without a callee, it begins a phase there.
    pub fn call_later(
        &mut self,
        callee: Option<&Callee>,
        clock: &Arc<dyn Clock>,
    ) -> Option<LaterCall> {
        self.recording()
            .map(|recording| recording.call_later(callee, clock))
    }

    /// The callee has answered, or has failed to.
    pub fn called(&mut self, has_failed: bool) {
        let now = self.observation.now();
        if let Some(recording) = self.recording() {
            recording.called(now, has_failed);
        }
    }

    /// The response is there. The request ends with its body.
    pub fn respond<B: http_body::Body>(
        mut self,
        mut response: Response<B>,
    ) -> Response<ObservedBody<B, Traces>> {
        self.observation.respond(&mut response);
        response.map(|inner| ObservedBody::new(inner, Some(self.observation)))
    }

    fn recording(&mut self) -> Option<&mut Recording> {
        self.observation.watch_mut()?.as_deref_mut()
    }
}
