//! The configuration, and the decision about each request.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use portcullis_core::{Clock, Head, RequestContext, Trace};
use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::following::Following;
use super::recording::Recording;
use super::sampling::{Candidate, SamplingRules};
use super::subject::Subject;
use super::{SpanBridge, span};
use crate::exchange::Exchange;
use crate::observer::Observer;
use crate::series::RouteOf;

/// Follows traces: an [`Observer`] for [`ObserveLayer`](crate::ObserveLayer). Clones share everything.
///
/// See the [module](crate::trace) for an example.
#[derive(Clone)]
pub struct Traces {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    subject: Arc<Subject>,
    sampling: SamplingRules,
    incoming: Incoming,
    route: Option<Box<RouteOf>>,
    pub(super) bridge: Option<Box<dyn SpanBridge>>,
    #[cfg(feature = "xray")]
    pub(super) xray: Option<super::xray::XrayDaemon>,
}

/// How far a caller's word on a trace counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller gives an id and a decision: both count, one, or neither"
)]
pub enum Incoming {
    /// Its trace goes on, and what the caller decided of recording holds, as in the service.
    #[default]
    Follow,
    /// Its trace goes on; whether it is recorded is decided anew. For callers that cannot be trusted with the cost of recording.
    Identify,
    /// A new trace begins.
    Ignore,
}

/// Builds [`Traces`].
#[must_use]
pub struct TracesBuilder {
    subject: Subject,
    sampling: SamplingRules,
    incoming: Incoming,
    route: Option<Box<RouteOf>>,
    bridge: Option<Box<dyn SpanBridge>>,
    #[cfg(feature = "xray")]
    xray: Option<super::xray::XrayDaemon>,
}

impl Traces {
    /// Traces of the service with this name. A gateway names each of its stages itself.
    pub fn builder(service: impl Into<Arc<str>>) -> TracesBuilder {
        TracesBuilder {
            subject: Subject::new(service),
            sampling: SamplingRules::standard(),
            incoming: Incoming::default(),
            route: None,
            bridge: None,
            #[cfg(feature = "xray")]
            xray: None,
        }
    }

    /// Begins to follow a request whose headers are these, for whoever is no layer. What is called from here on gets the trace by
    /// [`RequestContext::write_trace`]. `None` if it is not recorded.
    #[must_use]
    pub fn follow(
        &self,
        headers: &HeaderMap,
        context: &RequestContext,
        subject: &Arc<Subject>,
        clock: &Arc<dyn Clock>,
    ) -> Option<Following> {
        let recording = self.begin(headers, context, subject)?;
        Some(Following::new(self, context, clock, recording))
    }

    fn begin(
        &self,
        headers: &HeaderMap,
        context: &RequestContext,
        subject: &Arc<Subject>,
    ) -> Option<Box<Recording>> {
        let shared = &*self.shared;
        if !shared.is_heard() {
            shared.pass_unheard(headers, context, subject);
            return None;
        }
        // An outer layer in this process may follow the trace already.
        let outer = context.span();
        let above = match outer {
            Some(_) => context.outgoing_trace(),
            None if shared.incoming == Incoming::Ignore => None,
            None => Trace::from_headers(headers),
        };
        let counts = outer.is_some() || shared.incoming == Incoming::Follow;
        let decision = above.as_ref().and_then(Trace::decision);
        let (is_sampled, rule) = match decision.filter(|_| counts) {
            Some(decision) => (decision, None),
            None if subject.begins => {
                let rule = shared.rule(headers, context, subject);
                (rule.is_some(), rule)
            }
            None => (false, None),
        };
        if !is_sampled {
            if outer.is_none() {
                pass_by(above, context, false);
            }
            return None;
        }
        let span = span::of_request(context, subject, rule.as_deref());
        let linked = shared.bridge.as_ref().and_then(|bridge| {
            let parent = above.clone().map(|above| above.decided(true));
            bridge.link(&span, parent.as_ref())
        });
        if linked.is_none() && span.is_disabled() && !shared.sends_segments() {
            // Nobody would know the span that others would stand below.
            if outer.is_none() {
                pass_by(above, context, true);
            }
            return None;
        }
        let own = linked.unwrap_or_else(|| {
            let new = || Trace::generate(context.received());
            let id = above.as_ref().map_or_else(|| new().id(), Trace::id);
            let own = Trace::new(id, span::new_id(), true);
            span::note_ids(&span, &own);
            own
        });
        let parent = above.as_ref().filter(|above| above.id() == own.id());
        // What others added to the trace goes on with it.
        context.trace_or(|| match parent {
            Some(above) => above.below(own.parent_id(), own.is_sampled()),
            None => own.clone(),
        });
        context.set_span(own.parent_id());
        own.is_sampled().then(|| {
            Box::new(Recording::new(
                self.clone(),
                context.clone(),
                Arc::clone(subject),
                span,
                own.parent_id(),
                parent.map(Trace::parent_id),
                outer,
                rule,
            ))
        })
    }
}

impl Shared {
    /// Whether there is anybody in this program to tell of spans.
    #[inline]
    fn is_heard(&self) -> bool {
        LevelFilter::current() >= Level::INFO || self.sends_segments()
    }

    /// Lets a trace pass where nobody is told of it. Whether it is sampled is decided all the same: others may record it.
    fn pass_unheard(&self, headers: &HeaderMap, context: &RequestContext, subject: &Subject) {
        if context.span().is_some() {
            return;
        }
        let trace = context.trace_or(|| {
            let above = match self.incoming {
                Incoming::Ignore => None,
                Incoming::Follow | Incoming::Identify => Trace::from_headers(headers),
            };
            let above = match above {
                Some(trace) if self.incoming == Incoming::Follow && trace.decision().is_some() => {
                    return trace;
                }
                above => above,
            };
            let sampled = subject.begins && self.rule(headers, context, subject).is_some();
            above
                .unwrap_or_else(|| Trace::generate(context.received()))
                .decided(sampled)
        });
        context.set_span(trace.parent_id());
    }

    #[cfg(feature = "xray")]
    const fn sends_segments(&self) -> bool {
        self.xray.is_some()
    }

    #[cfg(not(feature = "xray"))]
    #[expect(
        clippy::unused_self,
        reason = "with segments it looks at what there is"
    )]
    const fn sends_segments(&self) -> bool {
        false
    }

    fn rule(
        &self,
        headers: &HeaderMap,
        context: &RequestContext,
        subject: &Subject,
    ) -> Option<Arc<str>> {
        let candidate = || {
            let (host, path) = (context.host().unwrap_or_default(), context.uri().path());
            let method = context.method();
            let mut candidate = Candidate::new(&subject.name, host, method, path, headers);
            candidate.service_type = subject.service_type.as_deref().unwrap_or_default();
            candidate.resource_arn = subject.resource_arn.as_deref().unwrap_or_default();
            candidate
        };
        let rule = self.sampling.decide_by(candidate, context.received());
        rule.map(Arc::clone)
    }
}

/// Lets a trace pass that is not recorded here: whoever is called stands below the caller, and knows whether it is sampled.
fn pass_by(above: Option<Trace>, context: &RequestContext, sampled: bool) {
    let trace = context.trace_or(|| {
        let trace = above.unwrap_or_else(|| Trace::generate(context.received()));
        trace.decided(sampled)
    });
    context.set_span(trace.parent_id());
}

impl Observer for Traces {
    type Watch = Option<Box<Recording>>;

    fn begin<B>(&self, request: &mut Request<B>, context: &RequestContext) -> Self::Watch {
        let mut recording = Self::begin(self, request.headers(), context, &self.shared.subject)?;
        if let Some(route) = &self.shared.route {
            recording.route = route(&Head::of(request)).map(Into::into);
        }
        Some(recording)
    }

    fn respond<B>(
        &self,
        watch: &mut Self::Watch,
        _context: &RequestContext,
        response: &mut Response<B>,
    ) {
        if let Some(recording) = watch {
            recording.respond(response.status(), response.headers());
        }
    }

    fn work<T>(&self, watch: &mut Self::Watch, work: impl FnOnce() -> T) -> T {
        match watch {
            Some(recording) => {
                let _entered = recording.enter();
                work()
            }
            None => work(),
        }
    }

    fn end(&self, watch: Self::Watch, exchange: &Exchange<'_>) {
        if let Some(recording) = watch {
            recording.end(exchange);
        }
    }
}

impl TracesBuilder {
    /// Which requests are recorded, of those about which nobody has decided before. [`SamplingRules::standard`] unless set: one in each second, and one in twenty of the
    /// rest.
    pub fn sampling(mut self, rules: SamplingRules) -> Self {
        self.sampling = rules;
        self
    }

    /// How far a caller's word counts. [`Incoming::Follow`] unless set.
    pub const fn incoming(mut self, incoming: Incoming) -> Self {
        self.incoming = incoming;
        self
    }

    /// How the route of a request is found that has none in its context: its declaration, never its path. Spans are named by it. With axum:
    ///
    /// ```
    /// use axum::extract::MatchedPath;
    /// use portcullis_observe::trace::Traces;
    ///
    /// let traces = Traces::builder("orders")
    ///     .route(|head| head.extensions().get::<MatchedPath>().map(MatchedPath::as_str))
    ///     .build();
    /// # let _ = traces;
    /// ```
    pub fn route(
        mut self,
        route: impl for<'a> Fn(&Head<'a>) -> Option<&'a str> + Send + Sync + 'static,
    ) -> Self {
        self.route = Some(Box::new(route));
        self
    }

    /// Takes the ids of spans from whoever records them.
    pub fn bridge(mut self, bridge: impl SpanBridge) -> Self {
        self.bridge = Some(Box::new(bridge));
        self
    }

    /// Sends a segment for each request that is recorded to the daemon of X-Ray.
    #[cfg(feature = "xray")]
    pub fn xray(mut self, daemon: super::xray::XrayDaemon) -> Self {
        self.xray = Some(daemon);
        self
    }

    /// Those traces.
    #[must_use]
    pub fn build(self) -> Traces {
        Traces {
            shared: Arc::new(Shared {
                subject: Arc::new(self.subject),
                sampling: self.sampling,
                incoming: self.incoming,
                route: self.route,
                bridge: self.bridge,
                #[cfg(feature = "xray")]
                xray: self.xray,
            }),
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces")
            .field("service", &self.shared.subject.name)
            .field("sampling", &self.shared.sampling)
            .field("incoming", &self.shared.incoming)
            .field("bridge", &self.shared.bridge.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TracesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracesBuilder")
            .field("service", &self.subject.name)
            .field("sampling", &self.sampling)
            .field("incoming", &self.incoming)
            .finish_non_exhaustive()
    }
}
