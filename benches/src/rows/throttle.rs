//! Rate limits: by a header, by nothing, two at once, among 100,000 keys, and refused.
//!
//! Every service here answers with axum's body, for tower_governor answers with nothing else.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body as AxumBody;
use foldhash::quality::RandomState;
use governor::clock::{DefaultClock, QuantaInstant};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use portcullis_core::{ApiKeyId, CallerKey, RequestContext, ResponseFuture};
use portcullis_throttle::{Key, Limit, Rule, ThrottleLayer, Throttled, UsagePlan, UsagePlans};
use tower_governor::GovernorError;
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::KeyExtractor;
use tower_layer::Layer;
use tower_service::Service;

use super::surroundings::{Body, answer, pet, request};
use crate::row::{Case, Goal, Who};

pub(crate) const TENANT: HeaderName = HeaderName::from_static("x-tenant");
const KEYS: usize = 100_000;

/// A limit that no row reaches but those that mean to.
const RATE: u32 = 1_000_000;
const BURST: u32 = 1_000_000;

/// governor's clock calibrates itself when it is first asked, which takes millions of instructions, in each run another number.
const CALIBRATED: u64 = 40;

pub(super) fn cases() -> Vec<Case> {
    vec![by_header(), shared(), two(), many(), refused()]
}

/// A bucket for each value of a header.
fn by_header() -> Case {
    Case::new("throttle", "header")
        .repeat(CALIBRATED)
        .row(Who::Bare, || one_tenant(Hello))
        .row(Who::Floor, || one_tenant(ByHand::over(Hello, BURST)))
        .row(Who::Portcullis, || one_tenant(by_tenant(BURST)))
        .row(Who::Peer("tower_governor"), || one_tenant(peer(BURST)))
        .goal(Goal::TimesFloorOverBare(1.15))
        .goal(Goal::TimesPeerOverBare("tower_governor", 0.5))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// One bucket for all: the limit of a route, a stage or an account. tower's own layer knows no other, and lets requests wait.
fn shared() -> Case {
    Case::new("throttle", "shared")
        .row(Who::Bare, || one_tenant(Hello))
        .row(Who::Portcullis, || {
            let rule = Rule::new("everybody", Key::shared(), limit(BURST));
            one_tenant(ThrottleLayer::new(rule).layer(Hello))
        })
        .row(Who::Peer("tower-rate-limit"), || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime");
            let layer = tower::limit::RateLimitLayer::new(RATE.into(), Duration::from_secs(1));
            let mut once = {
                let _inside = runtime.enter();
                one_tenant(layer.layer(Hello))
            };
            move || {
                let _inside = runtime.enter();
                once()
            }
        })
        .goal(Goal::OverBare(150.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// The plan of the caller's key and the limit of the method, beside the plan alone.
fn two() -> Case {
    Case::new("throttle", "plan-and-method")
        .row(Who::Bare, || with_key(Hello))
        .row(Who::Portcullis, || with_key(planned(true)))
        .row(Who::Peer("plan-alone"), || with_key(planned(false)))
        .goal(Goal::TimesPeerOverBare("plan-alone", 1.6))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// Each request with another of 100,000 keys: what most of it costs is memory that no cache holds.
fn many() -> Case {
    Case::new("throttle", "100k")
        .repeat(CALIBRATED)
        .row(Who::Bare, || tenants(Hello))
        .row(Who::Floor, || tenants(ByHand::over(Hello, BURST)))
        .row(Who::Portcullis, || tenants(by_tenant(BURST)))
        .row(Who::Peer("tower_governor"), || tenants(peer(BURST)))
        .goal(Goal::TimesPeerInTime("tower_governor", 0.6))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// Nothing is left. The service is not called; the bare row is what the request costs where it is.
fn refused() -> Case {
    Case::new("throttle", "refused")
        .repeat(CALIBRATED)
        .row(Who::Bare, || one_tenant(Hello))
        .row(Who::Floor, || one_tenant(ByHand::over(Hello, 1)))
        .row(Who::Portcullis, || one_tenant(by_tenant(1)))
        .row(Who::Peer("pass"), || one_tenant(by_tenant(BURST)))
        .row(Who::Peer("tower_governor"), || one_tenant(peer(1)))
        .goal(Goal::TimesPeer("pass", 1.1))
        .goal(Goal::TimesPeerInTime("tower_governor", 0.1))
}

/// A limit that is never reached, or one that is at once and not again within the hour.
fn limit(burst: u32) -> Limit {
    let limit = if burst == 1 {
        Limit::per_hour(1.0, 1)
    } else {
        Limit::per_second(f64::from(RATE), burst)
    };
    limit.expect("a limit")
}

fn by_tenant(burst: u32) -> Throttled<Hello> {
    let rule = Rule::new("tenant", Key::header(TENANT), limit(burst));
    ThrottleLayer::new(rule).layer(Hello)
}

fn planned(and_method: bool) -> Throttled<Hello> {
    let plans = UsagePlans::new([UsagePlan::new("gold").limit(limit(BURST)).key("k")]);
    let mut builder = ThrottleLayer::builder().usage_plans(&plans);
    if and_method {
        builder = builder.rule(Rule::new("GET /pets", Key::shared(), limit(BURST)));
    }
    builder.build().expect("a layer").layer(Hello)
}

pub(crate) type Answer = Response<AxumBody>;

fn one_tenant<S>(mut service: S) -> impl FnMut() -> Answer
where
    S: Service<Request<Body>, Response = Answer, Error = Infallible>,
{
    let uri = pet();
    move || {
        let mut request = request(&uri);
        let acme = HeaderValue::from_static("acme-0123456789abcdef");
        request.headers_mut().insert(TENANT, acme);
        answer(&mut service, request)
    }
}

fn tenants<S>(mut service: S) -> impl FnMut() -> Answer
where
    S: Service<Request<Body>, Response = Answer, Error = Infallible>,
{
    let uri = pet();
    let values: Vec<HeaderValue> = (0..KEYS)
        .map(|index| {
            format!("tenant-{index:020}")
                .parse()
                .expect("a header value")
        })
        .collect();
    let mut next = 0;
    let mut once = move || {
        // A step that has no factor in common with their number visits all of them.
        next = (next + 61_803) % KEYS;
        let mut request = request(&uri);
        request.headers_mut().insert(TENANT, values[next].clone());
        answer(&mut service, request)
    };
    // All of them are known before anything is measured.
    for _ in 0..KEYS {
        drop(once());
    }
    once
}

fn with_key<S>(mut service: S) -> impl FnMut() -> Answer
where
    S: Service<Request<Body>, Response = Answer, Error = Infallible>,
{
    let uri = pet();
    let key = CallerKey::new(ApiKeyId::new("k"));
    move || {
        let mut request = request(&uri);
        RequestContext::of(&mut request).set_api_key(key.clone());
        answer(&mut service, request)
    }
}

/// The bare service, with axum's body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hello;

impl<B> Service<Request<B>> for Hello {
    type Response = Answer;
    type Error = Infallible;
    type Future = Ready<Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(request);
        let mut response = Response::new(AxumBody::from("hello"));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        ready(Ok(response))
    }
}

/// The floor: a header, its hash, and governor's check of a number.
#[derive(Clone)]
struct ByHand<S> {
    inner: S,
    shared: Arc<Shared>,
}

struct Shared {
    limiter: RateLimiter<u64, DefaultKeyedStateStore<u64>, DefaultClock>,
    hasher: RandomState,
}

impl<S> ByHand<S> {
    fn over(inner: S, burst: u32) -> Self {
        Self {
            inner,
            shared: Arc::new(Shared {
                limiter: RateLimiter::keyed(quota(burst)),
                hasher: RandomState::default(),
            }),
        }
    }
}

fn quota(burst: u32) -> Quota {
    let most = NonZeroU32::new(burst).expect("more than none");
    if burst == 1 {
        Quota::per_hour(most)
    } else {
        Quota::with_period(Duration::from_secs(1) / RATE)
            .expect("a period")
            .allow_burst(most)
    }
}

impl<S, B> Service<Request<B>> for ByHand<S>
where
    S: Service<Request<B>, Response = Answer>,
{
    type Response = Answer;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, AxumBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut hasher = self.shared.hasher.build_hasher();
        if let Some(tenant) = request.headers().get(TENANT) {
            hasher.write(tenant.as_bytes());
        }
        match self.shared.limiter.check_key(&hasher.finish()) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(_) => {
                let mut response = Response::new(AxumBody::from("Too Many Requests"));
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                ResponseFuture::reply(response)
            }
        }
    }
}

pub(crate) type Peer =
    tower_governor::governor::Governor<ByTenant, NoOpMiddleware<QuantaInstant>, Hello, AxumBody>;

pub(crate) fn peer(burst: u32) -> Peer {
    let mut config = GovernorConfigBuilder::default();
    let mut config = config.key_extractor(ByTenant);
    if burst == 1 {
        config.per_second(3600);
    } else {
        config.period(Duration::from_secs(1) / RATE);
    }
    let config = config.burst_size(burst).finish().expect("neither is zero");
    GovernorLayer::new(config).layer(Hello)
}

/// The key as tower_governor's documentation extracts one from a header.
#[derive(Clone, Debug)]
pub(crate) struct ByTenant;

impl KeyExtractor for ByTenant {
    type Key = String;

    fn extract<B>(&self, request: &Request<B>) -> Result<String, GovernorError> {
        let tenant = request.headers().get(TENANT);
        tenant
            .and_then(|tenant| tenant.to_str().ok())
            .map(str::to_owned)
            .ok_or(GovernorError::UnableToExtractKey)
    }
}
