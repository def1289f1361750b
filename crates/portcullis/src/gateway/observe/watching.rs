//! One request, while it is looked at.

use std::mem;
use std::sync::Arc;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body as _;

use super::Observers;
use super::body::Watched;
use super::tracing::Kept;
use super::{MethodObservers, StageObservers};
use crate::core::{Body, Measure, RequestContext};
use crate::gateway::plan::{MethodPlan, StagePlan};
use crate::observe::{Captured, Exchange, InFlight, Outcome};

/// A request that is looked at until its response has ended. It ends once: when that is seen, or when it is dropped.
pub(in crate::gateway) struct Watching {
    observers: Arc<Observers>,
    context: RequestContext,
    /// The stage that serves it, and the index of the method.
    stage: Option<Arc<StagePlan>>,
    method: Option<usize>,
    /// What its log lines want to know of it, where they want more than its context has.
    captured: Option<Box<Captures>>,
    /// What its execution log wants to show of it.
    kept: Option<Box<Kept>>,
    /// The bytes of its body, as far as its head says.
    received: u64,
    _in_flight: Option<InFlight>,
    ended: bool,
}

#[derive(Default)]
struct Captures {
    gateway: Captured,
    stage: Captured,
}

impl Watching {
    pub(in crate::gateway) fn begin<B>(
        observers: &Arc<Observers>,
        context: &RequestContext,
        request: &Request<B>,
    ) -> Self {
        let captured = observers.log.as_ref().and_then(|log| {
            let gateway = log.capture_beyond_context(request.uri(), request.headers())?;
            Some(Box::new(Captures {
                gateway,
                stage: Captured::default(),
            }))
        });
        let in_flight = observers.metrics.as_ref();
        Self {
            observers: Arc::clone(observers),
            context: context.clone(),
            stage: None,
            method: None,
            captured,
            kept: None,
            received: content_length(request.headers()).unwrap_or(0),
            _in_flight: in_flight.map(|metrics| metrics.enter(request.method(), context)),
            ended: false,
        }
    }

    /// The request turns out to be for this stage.
    pub(in crate::gateway) fn enter<B>(&mut self, stage: &Arc<StagePlan>, request: &Request<B>) {
        let log = stage.observers.log.as_ref();
        let own = log.and_then(|log| log.capture_beyond_context(request.uri(), request.headers()));
        if let Some(own) = own {
            self.captured.get_or_insert_default().stage = own;
        }
        self.stage = Some(Arc::clone(stage));
    }

    /// The request turns out to be for this method.
    pub(in crate::gateway) const fn found(&mut self, method: &MethodPlan) {
        self.method = Some(method.index);
    }

    /// The request goes to its method's guards. Where it is traced, what passes of its body is kept.
    pub(in crate::gateway) fn trace(&mut self, request: &mut Request<Body>) {
        let traced = self.observers.execution.is_some()
            && self
                .method_observers()
                .is_some_and(|method| method.traced && method.level.is_some());
        if !traced {
            return;
        }
        let kept = self.kept.insert(Box::default());
        self.context.set_call_record(kept.record.clone());
        kept.request_headers.clone_from(request.headers());
        let body = mem::take(request.body_mut());
        *request.body_mut() = kept.request_body.of(body);
    }

    fn stage_observers(&self) -> Option<&StageObservers> {
        self.stage.as_ref().map(|stage| &stage.observers)
    }

    fn method_observers(&self) -> Option<&MethodObservers> {
        self.stage_observers()?.methods.get(self.method?)
    }

    /// The response is there. What is in memory is as good as sent; what comes bit by bit is looked at until it ends.
    pub(in crate::gateway) fn respond(mut self, response: Response<Body>) -> Response<Body> {
        if let Some(captured) = &mut self.captured {
            captured.gateway.respond(response.headers());
            captured.stage.respond(response.headers());
        }
        let response = match &mut self.kept {
            Some(kept) => {
                kept.response_headers = Some(response.headers().clone());
                response.map(|body| kept.response_body.of(body))
            }
            None => response,
        };
        let status = response.status();
        let bodiless = self.context.method() == Method::HEAD
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let known = if bodiless {
            Some(0)
        } else {
            response.body().as_bytes().map(|bytes| bytes.len() as u64)
        };
        if let Some(sent) = known {
            self.end(Outcome::Complete, Some(status), sent);
            return response;
        }
        let expected = response.body().size_hint().exact();
        let expected = expected.or_else(|| content_length(response.headers()));
        response.map(|body| Body::new(Watched::new(body, self, status, expected)))
    }

    /// The request has ended. What comes after its end changes nothing.
    pub(super) fn end(&mut self, outcome: Outcome, status: Option<StatusCode>, sent: u64) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let context = &self.context;
        let now = self.observers.clock.now();
        let latency = now.saturating_duration_since(context.started());
        if let Some(status) = status {
            context.measure(Measure::Status, status.as_u16().into());
        }
        context.measure(Measure::ResponseLength, clamp(sent.into()));
        context.measure(Measure::ResponseLatency, clamp(latency.as_millis()));
        let processed = self.received.saturating_add(sent);
        context.measure(Measure::DataProcessed, clamp(processed.into()));
        let exchange = Exchange::new(context, outcome, status, sent, latency);
        self.measure(&exchange);
        self.log(&exchange);
    }

    fn measure(&self, exchange: &Exchange<'_>) {
        let method = self.method_observers();
        let bound = match (self.stage_observers(), method) {
            (_, Some(method)) => method.metrics.as_ref(),
            (Some(stage), None) => stage.unmatched.as_ref(),
            (None, None) => None,
        };
        match (bound, &self.observers.metrics) {
            (Some(bound), _) => bound.record(exchange),
            (None, Some(metrics)) => metrics.record(None, exchange),
            (None, None) => {}
        }
        if let Some(emf) = &self.observers.emf {
            emf.record(None, method.is_some_and(|method| method.detailed), exchange);
        }
    }

    fn log(&self, exchange: &Exchange<'_>) {
        let nothing = Captures::default();
        let captured = self.captured.as_deref().unwrap_or(&nothing);
        if let Some(log) = &self.observers.log {
            log.write(&captured.gateway, exchange);
        }
        if let Some(log) = self.stage_observers().and_then(|stage| stage.log.as_ref()) {
            log.write(&captured.stage, exchange);
        }
        let level = self.method_observers().and_then(|method| method.level);
        if let (Some(log), Some(level)) = (&self.observers.execution, level) {
            match &self.kept {
                Some(kept) => kept.trace(|trace| log.write(level, Some(trace), exchange)),
                None => log.write(level, None, exchange),
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled, None, 0);
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn clamp(number: u128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
