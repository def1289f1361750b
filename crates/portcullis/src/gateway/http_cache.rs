//! A cache by RFC 9111 between the routes of an HTTP API and their integrations.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::plan::MethodPlan;
use crate::cache::ResponseCache;
use crate::cache::http::{HttpCacheFuture, HttpCacheLayer, HttpCacheRulesBuilder};
use crate::core::{Body, Rejection, RequestContext};
use crate::integrations::IntegrationFuture;
use crate::observe::trace::LaterCall;

/// The future of a request that goes through it.
pub(super) type CachedFuture = HttpCacheFuture<IntegrationFuture, Body, Rejection>;

/// The caches of an API, by the stage that serves a request.
#[derive(Debug)]
pub(super) struct HttpCaches {
    stages: Vec<(Box<str>, HttpCacheLayer)>,
}

impl HttpCaches {
    /// One for each stage, under what is purged with it.
    ///
    /// # Errors
    ///
    /// If the rules cannot be kept.
    pub(super) fn new<'a>(
        rules: &HttpCacheRulesBuilder,
        cache: &ResponseCache,
        stages: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Result<Self, crate::cache::ConfigError> {
        let layer = |(stage, scope): (&str, String)| {
            let rules = rules.clone().scope(scope).build()?;
            Ok((stage.into(), HttpCacheLayer::new(cache, rules)))
        };
        Ok(Self {
            stages: stages.into_iter().map(layer).collect::<Result<_, _>>()?,
        })
    }

    /// The one for a request, if its stage has one.
    pub(super) fn of(&self, context: &RequestContext) -> Option<&HttpCacheLayer> {
        let stage = context.stage().map(|stage| &*stage.stage);
        let own = self.stages.iter().find(|(own, _)| Some(&**own) == stage);
        own.map(|(_, layer)| layer)
    }
}

/// Answers from a cache, or calls the integration.
pub(super) fn call(
    layer: &HttpCacheLayer,
    method: &Arc<MethodPlan>,
    context: &RequestContext,
    later: Option<Box<LaterCall>>,
    request: Request<Body>,
) -> CachedFuture {
    let integration = Behind {
        method: Arc::clone(method),
        context: context.clone(),
        later: later.map(|later| Arc::new(Mutex::new(Some(later)))),
    };
    layer.serve(integration, request)
}

/// A method's integration, as what the cache calls. Its refusals are errors, so that the cache may have something to serve in their place.
#[derive(Clone)]
struct Behind {
    method: Arc<MethodPlan>,
    context: RequestContext,
    /// The call, for the spans of a request that is recorded. The first that is made is it.
    later: Option<Arc<Mutex<Option<Box<LaterCall>>>>>,
}

impl Service<Request<Body>> for Behind {
    type Response = Response<Body>;
    type Error = Rejection;
    type Future = IntegrationFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> IntegrationFuture {
        let later = self.later.take();
        let call = later.and_then(|later| later.lock().ok()?.take());
        if let Some(call) = call {
            call.begin();
        }
        self.method.integration.call(request, &self.context)
    }
}
