//! What every response gets on its way out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Method, Request, Response};
use tracing::Span;
use tracing::span::EnteredSpan;

use super::canary::CanaryTurn;
use super::mirror::StageMirror;
use super::observe::Watching;
use super::plan::{CacheUse, MethodPlan, Plan, StagePlan};
use crate::core::{
    ApiKind, Body, Clock, EXTENDED_REQUEST_ID, HTTP_API_REQUEST_ID, Measure, REQUEST_ID, Rejection,
    RequestContext,
};
use crate::cors::{Grant, Later};
use crate::integrations::{Compression, ContentCoding};
use crate::observe::trace::{Callee, Following, LaterCall};
use crate::responses::Captured;

/// What the API's CORS rules grant the origin of a request.
pub(super) enum Granted {
    Now(Grant),
    /// An asynchronous predicate is still being asked.
    Later(Later<Grant>),
}

/// What must be known of a request when its response goes out, whatever became of the request.
pub(super) struct Finish {
    clock: Arc<dyn Clock>,
    context: RequestContext,
    /// The kind of the API, as far as that is known without a stage.
    kind: ApiKind,
    /// Absent until it is known which stage serves the request.
    stage: Option<Arc<StagePlan>>,
    /// What the gateway responses of the API will want to read of the request.
    captured: Captured,
    /// What the API's CORS rules grant, if it has any.
    pub(super) grant: Option<Granted>,
    /// What is to be done for the canary of the stage, if there is anything.
    pub(super) canary: Option<Box<CanaryTurn>>,
    /// Who is sent a copy of the request, if anybody is.
    pub(super) mirror: Option<StageMirror>,
    /// How the response is compressed, if the API compresses any.
    compression: Option<Offer>,
    /// Who looks at the request, if anybody does.
    watching: Option<Watching>,
    /// Absent unless the request's spans are recorded.
    following: Option<Following>,
}

/// What an API compresses, and the coding that the client prefers.
struct Offer {
    compression: Compression,
    coding: Option<ContentCoding>,
}

impl Finish {
    pub(super) fn new<B>(plan: &Plan, context: RequestContext, request: &Request<B>) -> Self {
        let observers = plan.observers.as_ref();
        Self {
            clock: Arc::clone(&plan.clock),
            watching: observers.map(|all| Watching::begin(all, &context, request)),
            context,
            kind: ApiKind::Rest,
            stage: None,
            captured: Captured::default(),
            grant: None,
            canary: None,
            mirror: None,
            compression: None,
            following: None,
        }
    }

    pub(super) fn context(&self) -> &RequestContext {
        &self.context
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The kind of the API that the request is for, as far as that is known.
    pub(super) fn api(&self) -> ApiKind {
        self.stage
            .as_ref()
            .map_or(self.kind, |stage| stage.api.kind)
    }

    /// What the release that serves the request has of the stage's cache.
    pub(super) fn cache_use(&self) -> CacheUse {
        let stage = self.stage.as_ref();
        stage.map_or(CacheUse::None, |stage| stage.cache_use)
    }

    /// The request turns out to be for no stage, at most for an API of this kind.
    pub(super) const fn enter_none(&mut self, kind: ApiKind) {
        self.kind = kind;
    }

    /// The request turns out to be for this stage.
    pub(super) fn enter<B>(&mut self, stage: &Arc<StagePlan>, request: &Request<B>) {
        self.captured = stage
            .api
            .responses
            .capture(request.method(), request.headers());
        // The answer to HEAD has no body, and the length of the one to GET.
        if let Some(compression) = stage.api.compression
            && request.method() != Method::HEAD
        {
            self.compression = Some(Offer {
                compression,
                coding: ContentCoding::preferred(request.headers()),
            });
        }
        if let Some(traces) = &stage.traces {
            self.following = traces.follow(request, &self.context, &self.clock);
        }
        self.stage = Some(Arc::clone(stage));
        if let Some(watching) = &mut self.watching {
            watching.enter(stage, request);
        }
    }

    /// The request goes to its method's guards.
    pub(super) fn trace(&mut self, request: &mut Request<Body>) {
        if let Some(watching) = &mut self.watching {
            watching.trace(request);
        }
    }

    /// The request turns out to be for this method.
    pub(super) const fn found(&mut self, method: &MethodPlan) {
        if let Some(watching) = &mut self.watching {
            watching.found(method);
        }
    }

    /// Enters the span of what is being done, if spans are recorded.
    pub(super) fn entered(&mut self) -> Option<EnteredSpan> {
        self.following.as_mut().map(Following::enter)
    }

    /// A phase begins, of which there is a span if spans are recorded.
    pub(super) fn begin_phase(&mut self, make: impl FnOnce() -> Span) {
        if let Some(following) = &mut self.following {
            following.begin_phase(make);
        }
    }

    /// What stands behind the method is called.
    pub(super) fn call(&mut self, callee: Option<&Callee>) {
        if let Some(following) = &mut self.following {
            match callee {
                Some(callee) => following.call(callee),
                None => following.begin_phase(|| tracing::info_span!("integration")),
            }
        }
    }

    /// What stands behind the method may be called by a cache, whose phase has begun.
    pub(super) fn call_later(&mut self, callee: Option<&Callee>) -> Option<Box<LaterCall>> {
        let following = self.following.as_mut()?;
        following.call_later(callee, &self.clock).map(Box::new)
    }

    /// It has answered, or has failed to.
    pub(super) fn called(&mut self, has_failed: bool) {
        if let Some(following) = &mut self.following {
            following.called(has_failed);
        }
    }

    /// Puts into a request that is let in what its API tells integrations of the caller.
    pub(super) fn tell_of_caller<B>(&self, request: &mut Request<B>) {
        let stage = self.stage.as_ref();
        if let Some(headers) = stage.and_then(|stage| stage.api.caller_headers.as_ref()) {
            headers.apply(request.headers_mut(), &self.context);
        }
    }

    /// The response is not to be compressed.
    pub(super) fn leave_as_it_is(&mut self) {
        self.compression = None;
    }

    /// Waits until it is known what the origin is granted.
    pub(super) fn poll_grant(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(Granted::Later(later)) = &mut self.grant {
            let grant = ready!(Pin::new(later).poll(cx));
            self.grant = Some(Granted::Now(grant));
        }
        Poll::Ready(())
    }

    /// The answer to a request that is refused, as the API restyles it.
    pub(super) fn refusal(&self, rejection: Rejection) -> Response<Body> {
        self.context.record_refusal(&rejection);
        tracing::debug!(request_id = %self.context.request_id(), %rejection, "refused");
        match &self.stage {
            Some(stage) => stage
                .api
                .responses
                .restyle(&rejection, &self.context, &self.captured),
            None => rejection.into_response(),
        }
    }

    /// Notes how long the integration took, unless it has measured that better itself.
    pub(super) fn measure_integration(&self, started: Instant) {
        if self.context.measured(Measure::IntegrationLatency).is_some() {
            return;
        }
        let taken = self.clock.now().saturating_duration_since(started);
        let millis = i64::try_from(taken.as_millis()).unwrap_or(i64::MAX);
        self.context.measure(Measure::IntegrationLatency, millis);
    }

    /// Adds what every response has, and notes what it came to. It is called once; by reference, because moves of what is in here cost as much as the headers.
    pub(super) fn complete(&mut self, mut response: Response<Body>) -> Response<Body> {
        let kind = self.api();
        let headers = response.headers_mut();
        match kind {
            ApiKind::Rest => {
                headers.insert(REQUEST_ID, self.context.request_id().to_header());
                let extended = self.context.extended_request_id().to_header();
                headers.insert(EXTENDED_REQUEST_ID, extended);
            }
            ApiKind::Http => {
                let id = self.context.extended_request_id().to_header();
                headers.insert(HTTP_API_REQUEST_ID, id);
            }
        }
        if let Some(stage) = &self.stage {
            let limits = stage.api.limit_headers;
            limits.write_to(&self.context, headers);
            if let Some(deprecation) = &stage.deprecation {
                deprecation.write_to(headers);
            }
        }
        if let Some(Granted::Now(grant)) = self.grant.take() {
            grant.decorate(headers);
        }
        if let Some(turn) = self.canary.take() {
            turn.finish(&mut response);
        }
        let status = response.status().as_u16();
        self.context.measure(Measure::Status, status.into());
        if let Some(offer) = self.compression.take() {
            response = offer.compression.apply(offer.coding, response);
        }
        if let Some(following) = self.following.take() {
            response = following.respond(response).map(Body::new);
        }
        if let Some(watching) = self.watching.take() {
            response = watching.respond(response);
        }
        response
    }
}
