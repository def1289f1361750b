//! A request's way through the gateway.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header};
use http_body::Body as _;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::Gateway;
use super::api::UnknownRoute;
use super::finish::{Finish, Granted};
use super::http_cache::CachedFuture;
use super::mirror::{Behind, mirrored};
use super::plan::{MethodPlan, Plan, StagePlan};
use crate::cache::http::HttpCacheLayer;
use crate::cache::{CacheBody, CacheFuture, CacheLayer, ReadRequest};
use crate::core::{
    Body, BoxError, CacheStatus, ChainWalk, Decision, Head, MatchedRoute, Rejection, RejectionKind,
    RequestContext,
};
use crate::cors::{Check, CorsRules, Later, PreflightAnswer};
use crate::integrations::IntegrationFuture;
use crate::routing::Miss;
use crate::stages::Refusal;

/// The header by which a client asks for another method than that of the request.
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

impl<B> Service<Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = GatewayFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> GatewayFuture {
        let plan = self.plan.load();
        begin(&plan, request)
    }
}

/// Finds out what serves the request, as far as that takes no waiting.
fn begin<B>(plan: &Plan, mut request: Request<B>) -> GatewayFuture
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (context, client) = context_of(plan, &mut request);
    let mut finish = Finish::new(plan, context.clone(), &request);

    // It is read from its header each time, so it is asked for once.
    let host = context.host();
    if let Some(mutual_tls) = &plan.mutual_tls
        && let Err(rejection) = mutual_tls.check(host, &Head::of(&request))
    {
        if let Some(client) = client {
            context.set_client(client);
        }
        return GatewayFuture {
            state: finish.refuse(rejection),
            finish,
        };
    }
    let asked = plan.entry.lookup(&request, host, &context, client);
    let resolved = match plan.resolver.look_up(&asked) {
        Ok(resolved) => resolved,
        Err(refusal) => {
            let rejection = no_stage(plan, host, request.uri().path(), refusal);
            finish.enter_none(refusal.api());
            if let Some(client) = client {
                context.set_client(client);
            }
            // Without a stage there is none of its conduct; still, pages of origins that the API lets in may read why.
            let cors = plan.cors_of(&asked);
            let state = admit(&mut finish, cors, &request);
            return GatewayFuture {
                state: state.unwrap_or_else(|| finish.refuse(rejection)),
                finish,
            };
        }
    };
    let mut stage = Arc::clone(resolved.target());
    let consumed = resolved.consumed();
    resolved.note(&context);
    let endpoint_type = stage.facts.endpoint_type.as_deref();
    plan.entry
        .enter(endpoint_type, &mut request, &context, client);
    // The choice is made once, before anything looks at the definition.
    if let Some(canary) = &stage.canary {
        let (chosen, turn) = canary.begin(&mut request);
        finish.canary = turn;
        match chosen {
            Some(chosen) => stage = Arc::clone(chosen),
            None => finish.mirror.clone_from(&canary.mirror),
        }
    }
    context.set_stage(Arc::clone(&stage.facts));
    finish.enter(&stage, &request);
    let entered = finish.entered();
    if let Some(state) = admit(&mut finish, stage.api.cors.as_ref(), &request) {
        return GatewayFuture { state, finish };
    }
    let state = route(&mut finish, &stage, consumed, request);
    drop(entered);
    GatewayFuture { state, finish }
}

/// What CORS rules make of a request: the answer to a preflight, or a grant that goes out with the response.
fn admit<B>(finish: &mut Finish, rules: Option<&CorsRules>, request: &Request<B>) -> Option<State> {
    match rules?.check(request.method(), request.headers()) {
        Check::Pass(grant) => finish.grant = Some(Granted::Now(grant)),
        Check::PassLater(later) => finish.grant = Some(Granted::Later(later)),
        Check::Answer(answer) => {
            return Some(State::Reply {
                response: Some(answer.into_response()),
            });
        }
        Check::AnswerLater(later) => return Some(State::Preflight { later }),
    }
    None
}

/// Finds the method, and goes as far with it as takes no waiting.
fn route<B>(
    finish: &mut Finish,
    stage: &StagePlan,
    consumed: usize,
    mut request: Request<B>,
) -> State
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let api = &stage.api;
    let context = finish.context();
    if api.method_override
        && let Some(method) = request.headers_mut().remove(METHOD_OVERRIDE)
        && let Ok(method) = Method::from_bytes(method.as_bytes())
    {
        context.override_method(method.clone());
        *request.method_mut() = method;
    }
    let routed = match request.uri().path().get(consumed..) {
        Some("") | None => "/",
        Some(routed) => routed,
    };
    let span = context.phase(|| tracing::info_span!("route"));
    let found = span.in_scope(|| api.routes.find(request.method(), routed));
    let method = match found {
        Ok(method) => Arc::clone(method),
        Err(miss) => {
            return finish.refuse(unknown_route(stage, request.method(), routed, miss));
        }
    };
    context.set_route(MatchedRoute::new(
        Arc::clone(&method.route),
        request.uri(),
        consumed,
    ));
    finish.found(&method);
    if request.method().as_str().len() + routed.len() > stage.longest_target {
        let decision = Decision::new("gateway", "method-arn");
        let rejection = Rejection::new(RejectionKind::UriTooLong).with_decision(decision);
        return finish.refuse(rejection);
    }
    if declared_length(&request).is_some_and(|length| length > api.max_body_bytes) {
        return finish.refuse(too_large(api.max_body_bytes).for_api(api.kind));
    }

    let mut request = request.map(|body| {
        // Nothing is not worth a box.
        if body.is_end_stream() {
            Body::empty()
        } else {
            Body::new(body)
        }
    });
    finish.trace(&mut request);
    if method.guards.is_empty() {
        return call(finish, &method, request);
    }
    let records_spans = finish.context().records_spans();
    finish.begin_phase(|| tracing::info_span!("guards"));
    State::Guards {
        walk: ChainWalk::new()
            .api(api.kind)
            .max_body(api.max_body_bytes)
            .records_spans(records_spans),
        late: None,
        request: Some(request),
        method,
    }
}

/// The context that an outer layer made, or one of our own, and the client behind trusted proxies.
fn context_of<B>(plan: &Plan, request: &mut Request<B>) -> (RequestContext, Option<IpAddr>) {
    let context = match request.extensions().get::<RequestContext>() {
        Some(context) => context.clone(),
        None => {
            let context = RequestContext::new(request, &*plan.clock);
            request.extensions_mut().insert(context.clone());
            context
        }
    };
    let client = plan.entry.client(request, &context);
    (context, client)
}

fn declared_length<B>(request: &Request<B>) -> Option<u64> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn too_large(limit: u64) -> Rejection {
    let decision = Decision::new("gateway", "max-body-bytes").with("limit", limit);
    Rejection::too_large(limit).with_decision(decision)
}

/// A client that sends its body too slowly holds nothing for long.
fn too_slow() -> Rejection {
    let decision = Decision::new("gateway", "body-timeout").with("seconds", BODY_TIMEOUT.as_secs());
    Rejection::new(RejectionKind::MalformedRequest).with_decision(decision)
}

/// How long a client may take to send a body that guards must see: as long as an integration may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a client gets for a host or a path that no stage serves.
fn no_stage(plan: &Plan, host: Option<&str>, path: &str, refusal: Refusal) -> Rejection {
    let decision = Decision::new("stages", refusal.reason().as_str())
        .with("host", host.unwrap_or_default().to_owned())
        .with("path", path.to_owned())
        .with("stages", plan.stage_names());
    tracing::info!(%decision, "no such stage");
    refusal.to_rejection().with_decision(decision)
}

/// What a client gets for a path or method that the API does not have.
pub(super) fn unknown_route(
    stage: &StagePlan,
    method: &Method,
    path: &str,
    miss: Miss,
) -> Rejection {
    let api = &stage.api;
    let mut decision = Decision::new(
        "routing",
        match miss {
            Miss::Path => "unknown-path",
            Miss::Method => "unknown-method",
        },
    )
    .with("method", method.to_string())
    .with("path", path.to_owned());
    // Looking for the nearest route costs something, and only the log reads it.
    if tracing::enabled!(tracing::Level::INFO)
        && let Some(nearest) = api.routes.nearest(path)
    {
        decision = decision.with("nearest", nearest);
    }
    tracing::info!(%decision, "no such route");
    let rejection = match (api.unknown_route, miss) {
        (UnknownRoute::AsService, _) => RejectionKind::MissingAuthenticationToken.into(),
        (UnknownRoute::NotFound, Miss::Path) => Rejection::new(RejectionKind::ResourceNotFound),
        (UnknownRoute::NotFound, Miss::Method) => {
            let rejection = Rejection::new(RejectionKind::MethodNotAllowed);
            match HeaderValue::try_from(api.routes.allowed(path)) {
                Ok(allowed) => rejection.with_header(header::ALLOW, allowed),
                Err(_) => rejection,
            }
        }
    };
    rejection.with_decision(decision).for_api(api.kind)
}

/// Boxed, since only a key with the body waits for it.
type ReadForCache = Pin<Box<dyn Future<Output = Result<ReadRequest, Rejection>> + Send>>;

pin_project! {
    /// The future of [`Gateway`]: one request's way through it.
    pub struct GatewayFuture {
        #[pin]
        state: State,
        finish: Finish,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State {
        Reply { response: Option<Response<Body>> },
        Preflight { later: Later<PreflightAnswer> },
        Guards {
            walk: ChainWalk,
            // When the client must have sent its body; made only for one that has to be waited for.
            late: Option<Pin<Box<Sleep>>>,
            request: Option<Request<Body>>,
            method: Arc<MethodPlan>,
        },
        Integration { #[pin] future: IntegrationFuture, started: Instant },
        Cached { #[pin] future: CacheFuture<IntegrationFuture, Body, Rejection>, started: Instant },
        // The body is a part of the key.
        ReadForCache { future: ReadForCache, cache: CacheLayer, method: Arc<MethodPlan> },
        // Boxed, so that requests without such a cache are no larger for it.
        HttpCached { future: Pin<Box<CachedFuture>>, layer: HttpCacheLayer, started: Instant },
    }
}

impl Finish {
    fn refuse(&self, rejection: Rejection) -> State {
        State::Reply {
            response: Some(self.refusal(rejection)),
        }
    }
}

impl Finish {
    /// The response from a cache, or from the integration behind it.
    fn cached(
        &mut self,
        outcome: Result<Response<CacheBody<Body>>, Rejection>,
        started: Instant,
    ) -> Response<Body> {
        self.called(outcome.is_err());
        let response = match outcome {
            Ok(response) => response,
            Err(rejection) => return self.refusal(rejection),
        };
        if let Some(rejection) = response.extensions().get::<Rejection>() {
            return self.refusal(rejection.clone());
        }
        // A hit has no integration whose time could be told.
        if self.context().cache_status().and_then(CacheStatus::is_hit) != Some(true) {
            self.measure_integration(started);
        }
        response.map(Body::from)
    }
}

fn call(finish: &mut Finish, method: &Arc<MethodPlan>, mut request: Request<Body>) -> State {
    finish.tell_of_caller(&mut request);
    if method.streams {
        finish.leave_as_it_is();
        // What passes as it comes is nothing to compare.
        finish.mirror = None;
    }
    let context = finish.context();
    let caches = method.caches.as_ref();
    if let Some(cache) = caches.and_then(|caches| caches.of(context, finish.cache_use())) {
        let reads = caches.is_some_and(|caches| caches.reads_bodies);
        if reads && !request.body().is_end_stream() {
            let (reader, api) = (cache.clone(), finish.api());
            let read = async move {
                let read = tokio::time::timeout(BODY_TIMEOUT, reader.read(request)).await;
                read.unwrap_or_else(|_| Err(too_slow()))
                    .map_err(|rejection| rejection.for_api(api))
            };
            return State::ReadForCache {
                future: Box::pin(read),
                cache: cache.clone(),
                method: Arc::clone(method),
            };
        }
        let call = behind_cache(finish, method);
        let _entered = finish.entered();
        return State::Cached {
            started: finish.clock().now(),
            future: cache.serve(request, call),
        };
    }
    let mirror = finish.mirror.take();
    let context = finish.context();
    // They do not know releases apart.
    let is_canary = || context.release().is_canary() == Some(true);
    let caches = method.http_caches.as_ref().filter(|_| !is_canary());
    if let Some(layer) = caches.and_then(|caches| caches.of(context)) {
        let context = context.clone();
        finish.begin_phase(|| tracing::info_span!("cache"));
        let later = finish.call_later(method.callee.as_ref());
        let behind = Behind::new(method, &context, mirror, later);
        let started = finish.clock().now();
        let _entered = finish.entered();
        return State::HttpCached {
            started,
            future: Box::pin(layer.serve(behind, request)),
            layer: layer.clone(),
        };
    }
    finish.call(method.callee.as_ref());
    let _entered = finish.entered();
    let context = finish.context();
    State::Integration {
        started: finish.clock().now(),
        future: match mirror {
            None => method.integration.call(request, context),
            Some(mirror) => mirrored(&mirror, method, context, request),
        },
    }
}

/// A cached method's integration, as what its cache calls.
fn behind_cache(
    finish: &mut Finish,
    method: &Arc<MethodPlan>,
) -> impl FnOnce(Request<Body>) -> IntegrationFuture + Send + 'static {
    finish.begin_phase(|| tracing::info_span!("cache"));
    let (mirror, later) = (
        finish.mirror.take(),
        finish.call_later(method.callee.as_ref()),
    );
    let mut behind = Behind::new(method, finish.context(), mirror, later);
    move |request| behind.call(request)
}

impl Future for GatewayFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // An asynchronous predicate is asked beside the integration, not after it.
        let finish = this.finish;
        let _ = finish.poll_grant(cx);
        loop {
            let entered = finish.entered();
            let response = match this.state.as_mut().project() {
                StateProjection::Reply { response } => response
                    .take()
                    .expect("a future is not polled after it has completed"),
                StateProjection::Preflight { later } => {
                    ready!(Pin::new(later).poll(cx)).into_response()
                }
                StateProjection::Guards {
                    walk,
                    late,
                    request,
                    method,
                } => {
                    let waiting = request
                        .as_mut()
                        .expect("the request is taken once, when its guards are through");
                    let passed = match method.guards.poll_check(walk, waiting, cx) {
                        Poll::Ready(passed) => passed,
                        Poll::Pending if walk.is_reading_body() => {
                            let late = late
                                .get_or_insert_with(|| Box::pin(tokio::time::sleep(BODY_TIMEOUT)));
                            ready!(late.as_mut().poll(cx));
                            Err(too_slow().for_api(finish.api()))
                        }
                        Poll::Pending => return Poll::Pending,
                    };
                    match (passed, request.take()) {
                        (Ok(()), Some(request)) => {
                            let next = call(finish, method, request);
                            drop(entered);
                            this.state.set(next);
                            continue;
                        }
                        (Ok(()), None) => Response::default(),
                        (Err(rejection), _) => finish.refusal(rejection),
                    }
                }
                StateProjection::Integration { future, started } => {
                    let outcome = ready!(future.poll(cx));
                    finish.called(outcome.is_err());
                    if outcome.is_ok() {
                        finish.measure_integration(*started);
                    }
                    match outcome {
                        Ok(response) => response,
                        Err(rejection) => finish.refusal(rejection),
                    }
                }
                StateProjection::HttpCached {
                    future,
                    layer,
                    started,
                } => {
                    let outcome = ready!(future.as_mut().poll(cx));
                    let has_failed = outcome.is_err();
                    let mut response = finish.cached(outcome, *started);
                    if has_failed {
                        layer.mark_failure(finish.context(), response.headers_mut());
                    }
                    response
                }
                StateProjection::ReadForCache {
                    future,
                    cache,
                    method,
                } => match ready!(future.as_mut().poll(cx)) {
                    Ok(read) => {
                        let call = behind_cache(finish, method);
                        let next = State::Cached {
                            started: finish.clock().now(),
                            future: cache.serve_read(read, call),
                        };
                        drop(entered);
                        this.state.set(next);
                        continue;
                    }
                    Err(rejection) => finish.refusal(rejection),
                },
                StateProjection::Cached { future, started } => {
                    let outcome = ready!(future.poll(cx));
                    finish.cached(outcome, *started)
                }
            };
            drop(entered);
            if finish.poll_grant(cx).is_pending() {
                let response = Some(response);
                this.state.set(State::Reply { response });
                return Poll::Pending;
            }
            return Poll::Ready(Ok(finish.complete(response)));
        }
    }
}

impl fmt::Debug for GatewayFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Reply { .. } => "GatewayFuture(reply)",
            State::Preflight { .. } => "GatewayFuture(preflight)",
            State::Guards { .. } => "GatewayFuture(guards)",
            State::Integration { .. } => "GatewayFuture(integration)",
            State::Cached { .. } => "GatewayFuture(cached)",
            State::ReadForCache { .. } => "GatewayFuture(reading)",
            State::HttpCached { .. } => "GatewayFuture(cached by HTTP)",
        })
    }
}

const _: fn() = || {
    fn assert_send<T: Send + 'static>() {}
    assert_send::<GatewayFuture>();
};
