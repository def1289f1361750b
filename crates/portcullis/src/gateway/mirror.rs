//! Copies of production's requests, on their way to the canary of the stage.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Extensions, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::canary::{CANARY, KeptSplit};
use super::plan::{MethodPlan, StagePlan};
use super::service::unknown_route;
use crate::canary::{MirrorBody, MirrorLayer};
use crate::core::{Body, MatchedRoute, Rejection, RequestContext};
use crate::integrations::IntegrationFuture;
use crate::observe::trace::LaterCall;

/// Sends copies to the canary of a stage.
pub(super) type StageMirror = MirrorLayer<CanaryCopy>;

/// What stands behind a method, as what a cache calls, with a mirror before it if its stage has one. Refusals are errors, so that the cache may have something to serve in
/// their place.
#[derive(Clone)]
pub(super) struct Behind {
    method: Arc<MethodPlan>,
    context: RequestContext,
    mirror: Option<StageMirror>,
    /// The call, for the spans of a request that is recorded. The first that is made is it.
    later: Option<Arc<Mutex<Option<Box<LaterCall>>>>>,
}

impl Behind {
    pub(super) fn new(
        method: &Arc<MethodPlan>,
        context: &RequestContext,
        mirror: Option<StageMirror>,
        later: Option<Box<LaterCall>>,
    ) -> Self {
        Self {
            method: Arc::clone(method),
            context: context.clone(),
            mirror,
            later: later.map(|later| Arc::new(Mutex::new(Some(later)))),
        }
    }
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
        match &self.mirror {
            None => self.method.integration.call(request, &self.context),
            Some(mirror) => mirrored(mirror, &self.method, &self.context, request),
        }
    }
}

/// Calls what stands behind a method, and lets the mirror see it.
pub(super) fn mirrored(
    mirror: &StageMirror,
    method: &Arc<MethodPlan>,
    context: &RequestContext,
    request: Request<Body>,
) -> IntegrationFuture {
    let answered = mirror.layer(Live { method, context }).call(request);
    IntegrationFuture::boxed(async move { Ok(answered.await?.map(Body::new)) })
}

/// Production's integration, whose bodies are looked at as they pass.
struct Live<'a> {
    method: &'a Arc<MethodPlan>,
    context: &'a RequestContext,
}

impl Service<Request<MirrorBody<Body>>> for Live<'_> {
    type Response = Response<Body>;
    type Error = Rejection;
    type Future = IntegrationFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<MirrorBody<Body>>) -> IntegrationFuture {
        let integration = &self.method.integration;
        integration.call(request.map(Body::new), self.context)
    }
}

/// What a copy has of its request: a context of its own, and the route by which production serves it.
pub(super) fn extensions_of_copy(of: &Extensions) -> Extensions {
    let mut extensions = Extensions::new();
    if let Some(context) = of.get::<RequestContext>() {
        if let Some(route) = context.route() {
            extensions.insert(route.clone());
        }
        extensions.insert(context.for_copy());
    }
    extensions
}

/// What stands behind the methods of a canary: its integrations, by its own routes. Its guards are not asked, since production's have let the request in
/// and have counted it, and its cache is passed by.
#[derive(Clone)]
pub(super) struct CanaryCopy {
    pub(super) stage: Arc<StagePlan>,
    pub(super) kept: Arc<KeptSplit>,
}

impl Service<Request<Body>> for CanaryCopy {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        self.kept.split.mark(CANARY, &mut request);
        let outcome = self.answer(request);
        // A refusal is an answer like any other here: it differs from production's.
        Box::pin(async move {
            let answer = match outcome {
                Ok(answer) => answer.await,
                Err(rejection) => Err(rejection),
            };
            Ok(answer.unwrap_or_else(|rejection| rejection.into_response()))
        })
    }
}

impl CanaryCopy {
    fn answer(&self, mut request: Request<Body>) -> Result<IntegrationFuture, Rejection> {
        let stage = &*self.stage;
        let context = RequestContext::of(&mut request).clone();
        context.set_stage(Arc::clone(&stage.facts));
        let found = request.extensions_mut().remove::<MatchedRoute>();
        let (start, path) = match &found {
            Some(route) => (route.start(), route.path()),
            None => (0, request.uri().path()),
        };
        let method = stage.api.routes.find(request.method(), path);
        let method = method.map_err(|miss| unknown_route(stage, request.method(), path, miss))?;
        let route = MatchedRoute::new(Arc::clone(&method.route), request.uri(), start);
        context.set_route(route);
        Ok(method.integration.call(request, &context))
    }
}
