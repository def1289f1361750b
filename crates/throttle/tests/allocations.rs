//! What the layer allocates by itself: nothing, as long as requests pass.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use portcullis_core::{ApiKeyId, CallerKey, Connection, RequestContext};
use portcullis_throttle::{
    Key, Limit, Quota, QuotaPeriod, Rule, ThrottleLayer, UsagePlan, UsagePlans,
};
use tower::{Layer, Service, service_fn};

fn answer(_: Request<()>) -> Ready<Result<Response<Full<Bytes>>, Infallible>> {
    ready(Ok(Response::new(Full::default())))
}

/// The allocations of one request whose answer is ready at once.
fn allocations<S>(service: &mut S, request: Request<()>, status: u16) -> u64
where
    S: Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>,
{
    let counts = measure(|| {
        let mut future = pin!(service.call(request));
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(response)) = polled else {
            panic!("it is ready at once");
        };
        assert_eq!(response.status(), status);
    });
    counts.count_total
}

fn request() -> Request<()> {
    let mut request = Request::new(());
    let value = HeaderValue::from_static("acme");
    request.headers_mut().insert("x-tenant", value);
    let context = RequestContext::of(&mut request);
    context.set_api_key(CallerKey::new(ApiKeyId::new("a")));
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    context.set_connection(Connection::new(address));
    request
}

#[test]
fn a_request_that_passes_costs_no_allocation() {
    let limit = Limit::per_second(1000.0, 1000).expect("a limit");
    let tenant = Key::header(HeaderName::from_static("x-tenant"));
    let layer = ThrottleLayer::builder()
        .rule(Rule::new("tenant", tenant, limit))
        .rule(Rule::new(
            "client",
            Key::client_address().and(Key::api_key()),
            limit,
        ))
        .rule(Rule::new(
            "everybody",
            Key::shared().and(Key::method()),
            limit,
        ))
        .rule(Rule::new("all", Key::shared(), limit))
        .build()
        .expect("a layer");
    let mut service = layer.layer(service_fn(answer));
    // The first request of a key makes its bucket.
    allocations(&mut service, request(), 200);
    for _ in 0..10 {
        assert_eq!(allocations(&mut service, request(), 200), 0);
    }
}

#[test]
fn a_layer_with_one_rule_costs_no_allocation_whatever_it_counts_by() {
    let limit = Limit::per_second(1000.0, 1000).expect("a limit");
    let header = || Key::header(HeaderName::from_static("x-tenant"));
    for key in [
        Key::shared(),
        header(),
        header().and(Key::method()),
        Key::client_address(),
    ] {
        let layer = ThrottleLayer::new(Rule::new("one", key.clone(), limit));
        let mut service = layer.layer(service_fn(answer));
        allocations(&mut service, request(), 200);
        assert_eq!(allocations(&mut service, request(), 200), 0, "{key:?}");
        assert_eq!(layer.stats().passed, 2, "{key:?}");
    }
}

#[test]
fn a_refusal_costs_its_answer_and_no_more() {
    let layer = ThrottleLayer::new(Rule::new("all", Key::shared(), Limit::nothing()));
    let mut service = layer.layer(service_fn(answer));
    let plain = || {
        let mut request = Request::new(());
        request.extensions_mut().clear();
        request
    };
    allocations(&mut service, plain(), 429);
    // The two tables of headers, and the map of extensions with the refusal in it.
    let counted = allocations(&mut service, plain(), 429);
    assert!(counted <= 5, "{counted}");
}

#[test]
fn a_usage_plan_with_a_quota_costs_no_allocation() {
    let limit = Limit::per_second(1000.0, 1000).expect("a limit");
    let quota = Quota::new(1000, QuotaPeriod::Day, 0).expect("a quota");
    let plans = UsagePlans::new([UsagePlan::new("p").limit(limit).quota(quota).key("a")]);
    let layer = ThrottleLayer::builder().usage_plans(&plans).build();
    let mut service = layer.expect("a layer").layer(service_fn(answer));
    allocations(&mut service, request(), 200);
    assert_eq!(allocations(&mut service, request(), 200), 0);
    assert_eq!(plans.usage("p", "a").expect("it has a quota").used, 2);
}
