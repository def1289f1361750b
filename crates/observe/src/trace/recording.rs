//! A request whose spans are recorded.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use portcullis_core::{Clock, Measure, RequestContext, Trace};
use tracing::Span;
use tracing::span::EnteredSpan;

use super::later::{Begun, LaterCall, Slot};
use super::span;
use super::subject::{Callee, Subject};
use super::traces::Traces;
use crate::exchange::Exchange;

/// What is kept of a request that is recorded.
#[cfg_attr(
    not(feature = "xray"),
    expect(dead_code, reason = "only segments tell all of it")
)]
pub struct Recording {
    traces: Traces,
    context: RequestContext,
    pub(super) subject: Arc<Subject>,
    span: Span,
    /// The id of its span.
    pub(super) id: u64,
    /// The id of the span above, if there is one.
    pub(super) parent: Option<u64>,
    /// The span of an outer layer, from which calls go out again when this one has ended.
    outer: Option<u64>,
    /// The rule by which it is recorded, where one decided.
    pub(super) rule: Option<Arc<str>>,
    /// The route as an application declares it, where the context knows none.
    pub(super) route: Option<Box<str>>,
    /// What is being done of it.
    phase: Option<Span>,
    calling: Option<Call>,
    /// Where a call is found that somebody else makes.
    later: Option<Arc<Slot>>,
    pub(super) calls: Vec<Call>,
    /// What the response says of its length.
    pub(super) length: Option<u64>,
}

/// A call of what stands behind a method.
#[cfg_attr(
    not(feature = "xray"),
    expect(dead_code, reason = "only segments tell all of it")
)]
pub(super) struct Call {
    pub(super) span: Span,
    pub(super) id: u64,
    pub(super) callee: Callee,
    pub(super) started: Instant,
    pub(super) ended: Instant,
    pub(super) status: Option<u16>,
    /// There was no answer.
    pub(super) has_failed: bool,
}

/// More calls of one request than this are not told one by one.
const MAX_CALLS: usize = 16;

impl Recording {
    #[expect(clippy::too_many_arguments, reason = "they are what is kept")]
    pub(super) fn new(
        traces: Traces,
        context: RequestContext,
        subject: Arc<Subject>,
        span: Span,
        id: u64,
        parent: Option<u64>,
        outer: Option<u64>,
        rule: Option<Arc<str>>,
    ) -> Self {
        Self {
            traces,
            context,
            subject,
            span,
            id,
            parent,
            outer,
            rule,
            route: None,
            phase: None,
            calling: None,
            later: None,
            calls: Vec::new(),
            length: None,
        }
    }

    /// The span to do its work in.
    pub(super) fn enter(&self) -> EnteredSpan {
        let later = self.later.as_ref().and_then(|slot| slot.span());
        let calling = self.calling.as_ref().map(|call| &call.span);
        let calling = later.as_ref().or(calling);
        let span = calling.or(self.phase.as_ref()).unwrap_or(&self.span);
        span.clone().entered()
    }

    /// A phase begins, and the one before it ends.
    pub(super) fn begin_phase(&mut self, make: impl FnOnce() -> Span) {
        self.phase = None;
        let _entered = self.span.enter();
        self.phase = Some(make());
    }

    pub(super) fn end_phase(&mut self) {
        self.phase = None;
    }

    pub(super) fn call(&mut self, callee: &Callee, now: Instant) {
        self.phase = None;
        let above = (&self.span, self.id);
        let call = Call::begin(&self.traces, &self.context, above, callee.clone(), now);
        self.calling = Some(call);
    }

    pub(super) fn call_later(
        &mut self,
        callee: Option<&Callee>,
        clock: &Arc<dyn Clock>,
    ) -> LaterCall {
        let slot = Arc::new(Slot::default());
        let later = LaterCall {
            traces: self.traces.clone(),
            context: self.context.clone(),
            clock: Arc::clone(clock),
            above: self.phase.as_ref().unwrap_or(&self.span).clone(),
            id: self.id,
            callee: callee.cloned(),
            slot: Arc::downgrade(&slot),
        };
        self.later = Some(slot);
        later
    }

    pub(super) fn called(&mut self, now: Instant, has_failed: bool) {
        let later = self.later.take().and_then(|slot| slot.take());
        let call = match later {
            Some(Begun::Call(call)) => Some(call),
            Some(Begun::Phase(_)) => None,
            None => self.calling.take(),
        };
        let Some(mut call) = call else {
            return;
        };
        self.context.set_span(self.id);
        let status = self.context.measured(Measure::IntegrationStatus);
        call.status = status.and_then(|status| status.try_into().ok());
        call.ended = now;
        call.has_failed = has_failed;
        let status = call.status.map(StatusCode::from_u16);
        match status {
            Some(Ok(status)) => span::note_status(&call.span, status, false),
            _ if has_failed => {
                call.span.record("otel.status_code", "error");
            }
            _ => {}
        }
        // Its span ends here.
        call.span = Span::none();
        if self.calls.len() < MAX_CALLS {
            self.calls.push(call);
        }
    }

    pub(super) fn respond(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.phase = None;
        self.span
            .record("http.response.status_code", status.as_u16());
        let length = headers.get(CONTENT_LENGTH);
        self.length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    }

    /// The route that the request matched, if it is known.
    pub(super) fn route(&self) -> Option<&str> {
        let matched = self.context.route();
        matched
            .map(|matched| matched.route().template.as_str())
            .or(self.route.as_deref())
    }

    pub(super) fn end(mut self, exchange: &Exchange<'_>) {
        // One that was cancelled may still be waiting.
        let now = self.context.started() + exchange.latency();
        self.called(now, true);
        let bridge = self.traces.shared.bridge.as_deref();
        span::note_end(&self.span, bridge, self.route(), exchange);
        #[cfg(feature = "xray")]
        if let Some(daemon) = &self.traces.shared.xray {
            daemon.send(&self, exchange);
        }
        self.context.set_span(self.outer.unwrap_or(self.id));
    }
}

impl Call {
    /// A call begins: what is sent from here on stands below it. `above` is the span of whoever makes it, with the id of the request's.
    pub(super) fn begin(
        traces: &Traces,
        context: &RequestContext,
        above: (&Span, u64),
        callee: Callee,
        now: Instant,
    ) -> Self {
        let (above, own) = above;
        let span = span::of_call(above, &callee);
        let bridge = traces.shared.bridge.as_ref();
        let linked = bridge.and_then(|bridge| bridge.link(&span, None));
        let id = match linked {
            Some(own) => own.parent_id(),
            // The bridge knows nothing of it, so nobody may stand below it.
            None if bridge.is_some() => own,
            None => {
                let trace = context.trace().map_or(0, Trace::id);
                let own = Trace::new(trace, span::new_id(), true);
                span::note_ids(&span, &own);
                own.parent_id()
            }
        };
        context.set_span(id);
        Self {
            span,
            id,
            callee,
            started: now,
            ended: now,
            status: None,
            has_failed: false,
        }
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("context", &self.context)
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}
