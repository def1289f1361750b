//! The layer over a service.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use portcullis_core::{
    ApiKeyId, ApiKind, CallerKey, Claims, Connection, ManualClock, Mode, Rejection, RequestContext,
    TrustedProxies,
};
use portcullis_throttle::{
    Buckets, ClientAddress, ConcurrencyLayer, Headers, Key, Limit, Rule, ThrottleBuilder,
    ThrottleConfig, ThrottleLayer,
};
use tower::{Layer, Service, ServiceExt, service_fn};

type Answer = Response<Full<Bytes>>;

async fn hello(_request: Request<()>) -> Result<Answer, Infallible> {
    Ok(Response::new(Full::from("hello")))
}

fn limit(rate: f64, burst: u32) -> Limit {
    Limit::per_second(rate, burst).expect("a limit")
}

fn tenant() -> Key {
    Key::header(HeaderName::from_static("x-tenant"))
}

fn request(tenant: &str) -> Request<()> {
    let request = Request::get("/").header("x-tenant", tenant).body(());
    request.expect("a request")
}

/// A request that came from this address.
fn from(address: &str) -> Request<()> {
    let mut request = Request::new(());
    let address: IpAddr = address.parse().expect("an address");
    let connection = Connection::new(SocketAddr::new(address, 4711));
    RequestContext::of(&mut request).set_connection(connection);
    request
}

async fn call(layer: &ThrottleLayer, request: Request<()>) -> Answer {
    let answer = layer.layer(service_fn(hello)).oneshot(request).await;
    answer.expect("it never fails")
}

async fn status(layer: &ThrottleLayer, request: Request<()>) -> StatusCode {
    call(layer, request).await.status()
}

/// How many of the same request pass, until one is refused.
async fn passing(layer: &ThrottleLayer, request: impl Fn() -> Request<()>) -> u32 {
    for passed in 0..1000 {
        if status(layer, request()).await == 429 {
            return passed;
        }
    }
    panic!("nothing is refused");
}

fn with_clock(clock: &ManualClock) -> ThrottleBuilder {
    ThrottleLayer::builder().buckets(&Buckets::with_clock(1000, clock.clone()))
}

#[tokio::test]
async fn a_refusal_is_the_services_own() {
    let layer = ThrottleLayer::new(Rule::new("all", Key::shared(), Limit::nothing()));
    let answer = call(&layer, request("a")).await;
    assert_eq!(answer.status(), 429);
    let decision = answer
        .extensions()
        .get::<Rejection>()
        .expect("it is there")
        .decision()
        .cloned();
    assert_eq!(decision.expect("a reason").rule(), "all");
    let mut names: Vec<_> = answer.headers().keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["content-length", "content-type", "x-amzn-errortype"]
    );
    assert_eq!(
        answer.headers()["x-amzn-errortype"],
        "TooManyRequestsException"
    );
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    assert_eq!(body, r#"{"message":"Too Many Requests"}"#);
}

#[tokio::test]
async fn an_http_api_names_no_error_type() {
    let layer = ThrottleLayer::builder()
        .rule(Rule::new("all", Key::shared(), Limit::nothing()))
        .api_kind(ApiKind::Http)
        .build()
        .expect("a layer");
    let answer = call(&layer, request("a")).await;
    assert_eq!(answer.status(), 429);
    assert!(!answer.headers().contains_key("x-amzn-errortype"));
}

#[tokio::test]
async fn clones_and_services_share_one_state_and_tenants_do_not() {
    let layer = ThrottleLayer::new(Rule::new("t", tenant(), limit(0.001, 3)));
    let mut one = layer.clone().layer(service_fn(hello));
    for _ in 0..2 {
        let service = one.ready().await.expect("ready");
        assert_eq!(
            service
                .call(request("a"))
                .await
                .expect("an answer")
                .status(),
            200
        );
    }
    assert_eq!(passing(&layer, || request("a")).await, 1);
    assert_eq!(passing(&layer, || request("b")).await, 3);
    assert_eq!(
        passing(&layer, || Request::new(())).await,
        3,
        "no header is a key, too"
    );
}

#[tokio::test]
async fn the_name_of_a_rule_is_its_scope() {
    let buckets = Buckets::new(100);
    let layer = |name: &str| {
        ThrottleLayer::builder()
            .rule(Rule::new(name, tenant(), limit(0.001, 4)))
            .buckets(&buckets)
            .build()
            .expect("a layer")
    };
    let (one, same, other) = (layer("x"), layer("x"), layer("y"));
    assert_eq!(status(&one, request("a")).await, 200);
    assert_eq!(passing(&same, || request("a")).await, 3);
    assert_eq!(passing(&other, || request("a")).await, 4);
}

#[tokio::test]
async fn what_one_rule_refuses_takes_nothing_from_the_others() {
    let layer = ThrottleLayer::builder()
        .rule(Rule::new("tenant", tenant(), limit(0.001, 10)))
        .rule(Rule::new("everybody", Key::shared(), limit(0.001, 4)))
        .build()
        .expect("a layer");
    assert_eq!(passing(&layer, || request("a")).await, 4);
    for _ in 0..20 {
        assert_eq!(status(&layer, request("b")).await, 429);
    }
    let rule = layer.rule("tenant").expect("it is there");
    assert_eq!((rule.remaining(&["a"]), rule.remaining(&["b"])), (6, 10));
    let stats = layer.stats();
    assert_eq!((stats.passed, stats.keys), (4, 2));
    let refused = [("tenant".to_owned(), 0), ("everybody".to_owned(), 21)];
    assert_eq!(stats.refused, refused);
}

#[tokio::test]
async fn observing_passes_and_writes_down_what_would_be_refused() {
    let layer = ThrottleLayer::new(Rule::new("t", tenant(), Limit::nothing()));
    layer.set_mode(Mode::Observe);
    let mut observed = request("a");
    let context = RequestContext::of(&mut observed).clone();
    assert_eq!(status(&layer, observed).await, 200);
    assert_eq!(context.observed()[0].status(), 429);
    assert_eq!(layer.stats().refused, [("t".to_owned(), 1)]);
    layer.set_mode(Mode::Disabled);
    assert_eq!(status(&layer, request("a")).await, 200);
    layer.set_mode(Mode::Enforce);
    assert_eq!(status(&layer, request("a")).await, 429);
    assert_eq!(layer.stats().refused, [("t".to_owned(), 2)]);
}

#[tokio::test]
async fn addresses_of_one_ipv6_network_are_one_client() {
    let layer = ThrottleLayer::new(Rule::new("ip", Key::client_address(), limit(0.001, 5)));
    let mut passed = 0;
    for host in 0..10_000 {
        let address = format!("2001:db8:1:2:{host:x}::{host:x}");
        passed += u32::from(status(&layer, from(&address)).await == 200);
    }
    assert_eq!(passed, 5);
    assert_eq!(layer.stats().keys, 1);
    assert_eq!(passing(&layer, || from("2001:db8:1:3::1")).await, 5);
    assert_eq!(passing(&layer, || from("192.0.2.1")).await, 5);
    assert_eq!(passing(&layer, || from("192.0.2.2")).await, 5);
    assert_eq!(
        passing(&layer, || from("::ffff:192.0.2.2")).await,
        0,
        "the same client"
    );
}

#[tokio::test]
async fn only_trusted_proxies_say_who_the_client_is() {
    let proxies = TrustedProxies::new(["10.0.0.0/8".parse().expect("a network")]);
    let client = ClientAddress::new().trust(proxies);
    let layer = ThrottleLayer::new(Rule::new("ip", client, limit(0.001, 2)));
    let forwarded = |peer: &str, client: &'static str| {
        let mut request = from(peer);
        let value = HeaderValue::from_static(client);
        request.headers_mut().insert("x-forwarded-for", value);
        request
    };
    assert_eq!(
        passing(&layer, || forwarded("10.0.0.1", "192.0.2.1")).await,
        2
    );
    assert_eq!(
        passing(&layer, || forwarded("10.0.0.1", "192.0.2.2")).await,
        2
    );
    assert_eq!(
        passing(&layer, || forwarded("203.0.113.1", "192.0.2.3")).await,
        2
    );
    assert_eq!(
        passing(&layer, || forwarded("203.0.113.1", "192.0.2.4")).await,
        0
    );
}

#[tokio::test]
async fn the_peer_can_come_from_the_application() {
    let client = ClientAddress::new().peer(|head| head.extensions().get::<IpAddr>().copied());
    let layer = ThrottleLayer::new(Rule::new("ip", client, limit(0.001, 1)));
    let request = |address: &str| {
        let mut request = Request::new(());
        let address: IpAddr = address.parse().expect("an address");
        request.extensions_mut().insert(address);
        request
    };
    assert_eq!(passing(&layer, || request("192.0.2.1")).await, 1);
    assert_eq!(passing(&layer, || request("192.0.2.2")).await, 1);
    assert_eq!(
        passing(&layer, || Request::new(())).await,
        1,
        "without one, all share a bucket"
    );
    assert_eq!(passing(&layer, || Request::new(())).await, 0);
}

#[tokio::test]
async fn callers_are_known_by_key_principal_and_claim() {
    let layer = |key: Key| ThrottleLayer::new(Rule::new("r", key, limit(0.001, 1)));
    let with_key = |id: &'static str| {
        let mut request = Request::new(());
        RequestContext::of(&mut request).set_api_key(CallerKey::new(ApiKeyId::new(id)));
        request
    };
    let keys = layer(Key::api_key());
    assert_eq!(passing(&keys, || with_key("a")).await, 1);
    assert_eq!(passing(&keys, || with_key("b")).await, 1);

    let with_claims = |json: &'static str| {
        let mut request = Request::new(());
        RequestContext::of(&mut request).set_claims(Claims::from_json(json));
        request
    };
    for (key, one, other) in [
        (Key::principal(), r#"{"sub":"a"}"#, r#"{"sub":"b"}"#),
        (Key::claim("tier"), r#"{"tier":1}"#, r#"{"tier":2}"#),
    ] {
        let layer = layer(key);
        assert_eq!(passing(&layer, || with_claims(one)).await, 1);
        assert_eq!(passing(&layer, || with_claims(other)).await, 1);
        assert_eq!(passing(&layer, || with_claims(one)).await, 0);
    }

    let signed = |arn: &'static str| {
        let mut request = Request::new(());
        RequestContext::of(&mut request).update_identity(|own| own.user_arn = Some(arn.into()));
        request
    };
    let principals = layer(Key::principal());
    assert_eq!(
        passing(&principals, || signed("arn:aws:iam::1:user/a")).await,
        1
    );
    assert_eq!(
        passing(&principals, || signed("arn:aws:iam::1:user/b")).await,
        1
    );
}

#[tokio::test]
async fn keys_compose_and_their_parts_do_not_run_together() {
    let two = HeaderName::from_static("x-two");
    let key = tenant().and(Key::header(two.clone())).and(Key::method());
    let layer = ThrottleLayer::new(Rule::new("r", key, limit(0.001, 1)));
    let request = |one: &str, second: &str, method: &str| {
        let request = Request::builder().method(method).header("x-tenant", one);
        request.header(&two, second).body(()).expect("a request")
    };
    for (one, second, method) in [
        ("ab", "c", "GET"),
        ("a", "bc", "GET"),
        ("ab", "c", "PUT"),
        ("abc", "", "GET"),
    ] {
        assert_eq!(
            passing(&layer, || request(one, second, method)).await,
            1,
            "{one} {second}"
        );
    }
}

#[tokio::test]
async fn a_limit_changes_and_what_was_spent_stays_spent() {
    let clock = ManualClock::default();
    let rules = with_clock(&clock)
        .rule(Rule::new("keyed", tenant(), limit(1.0, 10)))
        .rule(Rule::new("shared", Key::shared(), limit(1000.0, 1000)));
    let layer = rules.build().expect("a layer");
    let keyed = layer.rule("keyed").expect("it is there");
    for _ in 0..4 {
        assert_eq!(status(&layer, request("a")).await, 200);
    }
    assert_eq!(keyed.remaining(&["a"]), 6);
    keyed.set_limit(limit(100.0, 5));
    assert_eq!(
        passing(&layer, || request("a")).await,
        1,
        "four of five are spent"
    );
    clock.advance(Duration::from_millis(20));
    assert_eq!(
        passing(&layer, || request("a")).await,
        2,
        "and are earned at the new rate"
    );
    keyed.set_limit_of(&["a"], limit(100.0, 50));
    assert_eq!(passing(&layer, || request("a")).await, 45);
    assert_eq!(passing(&layer, || request("b")).await, 5);
    keyed.clear_limit_of(&["a"]);
    keyed.reset(&["a"]);
    assert_eq!(passing(&layer, || request("a")).await, 5);

    let shared = layer.rule("shared").expect("it is there");
    shared.set_limit(Limit::nothing());
    assert_eq!(status(&layer, request("c")).await, 429);
    shared.set_limit(limit(1.0, 1000));
    assert_eq!(status(&layer, request("c")).await, 200);
}

#[tokio::test]
async fn a_request_can_cost_more_than_one_token_or_none() {
    let rule = Rule::new("t", tenant(), limit(1.0, 5)).cost(|head| {
        let cost = head.uri().path().trim_start_matches('/');
        cost.parse().unwrap_or(1)
    });
    let clock = ManualClock::default();
    let layer = with_clock(&clock)
        .rule(rule)
        .headers(Headers::new().retry_after(true));
    let layer = layer.build().expect("a layer");
    let request = |cost: u32| {
        Request::get(format!("/{cost}"))
            .body(())
            .expect("a request")
    };
    assert_eq!(
        status(&layer, request(6)).await,
        429,
        "more than there ever are"
    );
    assert!(
        !call(&layer, request(6))
            .await
            .headers()
            .contains_key("retry-after")
    );
    assert_eq!(status(&layer, request(3)).await, 200);
    let refused = call(&layer, request(4)).await;
    assert_eq!(refused.headers()["retry-after"], "2");
    assert_eq!(status(&layer, request(2)).await, 200);
    assert_eq!(status(&layer, request(0)).await, 200);
}

#[tokio::test]
async fn every_answer_can_say_how_the_client_stands() {
    let clock = ManualClock::default();
    let headers = Headers::new()
        .retry_after(true)
        .rate_limit(true)
        .x_rate_limit(true);
    let layer = with_clock(&clock)
        .rule(Rule::new("tenant", tenant(), limit(0.5, 2)))
        .rule(Rule::new("all", Key::shared(), limit(100.0, 100)))
        .headers(headers)
        .build()
        .expect("a layer");
    let passed = call(&layer, request("a")).await;
    assert_eq!(
        passed.headers()["ratelimit-policy"],
        r#""tenant";q=2;w=4, "all";q=100;w=1"#
    );
    assert_eq!(
        passed.headers()["ratelimit"],
        r#""tenant";r=1;t=2, "all";r=99;t=1"#
    );
    assert_eq!(passed.headers()["x-ratelimit-limit"], "2");
    assert_eq!(passed.headers()["x-ratelimit-remaining"], "1");
    assert!(!passed.headers().contains_key("retry-after"));
    call(&layer, request("a")).await;
    let refused = call(&layer, request("a")).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "2");
    assert_eq!(refused.headers()["ratelimit"], r#""tenant";r=0;t=4"#);
    assert_eq!(refused.headers()["x-ratelimit-reset"], "4");
}

#[tokio::test]
async fn a_refusal_says_what_is_left_of_the_limits_that_would_have_let_it_pass() {
    let clock = ManualClock::default();
    let layer = with_clock(&clock)
        .rule(Rule::new("free", tenant(), limit(1.0, 7)).cost(|_| 0))
        .rule(Rule::new("tenant", tenant(), limit(0.5, 5)))
        .rule(Rule::new("stage", Key::shared(), limit(1.0, 9)))
        .rule(Rule::new("all", Key::shared(), limit(0.25, 2)))
        .headers(Headers::new().rate_limit(true).x_rate_limit(true))
        .build()
        .expect("a layer");
    let told = async |tenant: &'static str| {
        let answer = call(&layer, request(tenant)).await;
        let left = answer.headers()["ratelimit"].clone();
        (answer.status().as_u16(), left)
    };
    let mut left = r#""free";r=7;t=0, "tenant";r=4;t=2, "stage";r=8;t=1, "all";r=1;t=4"#;
    assert_eq!(told("a").await, (200, HeaderValue::from_static(left)));
    left = r#""free";r=7;t=0, "tenant";r=3;t=4, "stage";r=7;t=2, "all";r=0;t=8"#;
    assert_eq!(told("a").await, (200, HeaderValue::from_static(left)));
    // However often it is refused, nothing is taken of the others, and so it says.
    for _ in 0..3 {
        assert_eq!(told("a").await, (429, HeaderValue::from_static(left)));
    }
    left = r#""free";r=7;t=0, "tenant";r=5;t=0, "stage";r=7;t=2, "all";r=0;t=8"#;
    assert_eq!(told("b").await, (429, HeaderValue::from_static(left)));
}

#[tokio::test]
async fn when_there_is_no_place_new_keys_share_one_bucket() {
    let clock = ManualClock::default();
    let layer = ThrottleLayer::builder()
        .rule(Rule::new("t", tenant(), limit(1.0, 3)))
        .buckets(&Buckets::with_clock(2, clock.clone()))
        .build()
        .expect("a layer");
    assert_eq!(passing(&layer, || request("a")).await, 3);
    assert_eq!(status(&layer, request("b")).await, 200);
    assert_eq!(status(&layer, request("c")).await, 200);
    assert_eq!(passing(&layer, || request("d")).await, 2, "c and d share");
    assert_eq!(
        status(&layer, request("a")).await,
        429,
        "no flood fills a bucket"
    );
    assert_eq!(layer.stats().overflowed, 4);
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        passing(&layer, || request("d")).await,
        3,
        "b's place is free"
    );
}

#[tokio::test]
async fn a_concurrency_limit_counts_until_the_body_has_ended() {
    let layer = ConcurrencyLayer::new("c", tenant(), 2).expect("a layer");
    let service = layer.layer(service_fn(hello));
    let call = |tenant: &str| service.clone().oneshot(request(tenant));
    let (one, two) = (
        call("a").await.expect("an answer"),
        call("a").await.expect("an answer"),
    );
    assert_eq!(
        (one.status(), two.status()),
        (StatusCode::OK, StatusCode::OK)
    );
    let refused = call("a").await.expect("an answer");
    assert_eq!(refused.status(), 429);
    assert_eq!(call("b").await.expect("an answer").status(), 200);
    let text = one.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(text, "hello");
    assert_eq!(layer.in_flight(), 1);
    let waiting = call("a");
    drop(waiting);
    assert_eq!(call("a").await.expect("an answer").status(), 200);
    drop(two);
    assert_eq!(layer.in_flight(), 0);
    let observing = layer.clone().mode(Mode::Observe).layer(service_fn(hello));
    let held: Vec<_> = futures(&observing).await;
    assert!(held.iter().all(|answer| answer.status() == 200));
    assert_eq!(layer.in_flight(), 2, "only those within the limit count");
}

async fn futures<S>(service: &S) -> Vec<S::Response>
where
    S: Service<Request<()>, Error = Infallible> + Clone,
{
    let mut answers = Vec::new();
    for _ in 0..4 {
        let answer = service.clone().oneshot(request("a")).await;
        answers.push(answer.expect("it never fails"));
    }
    answers
}

#[track_caller]
fn check_config(json: &str, expected: &str) {
    let config: ThrottleConfig = serde_json::from_str(json).expect("a configuration");
    let error = ThrottleLayer::try_from(config).expect_err("it is wrong");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_configuration_names_the_field_that_is_wrong() {
    check_config(
        r#"{"rules": [{"name": "a", "rate": 0, "burst": 1}]}"#,
        "rules.a.rate: `0` is not a rate; give a number above 0, at most 10000000 a second",
    );
    check_config(
        r#"{"rules": [{"name": "a", "rate": 1, "burst": 0}]}"#,
        "rules.a.burst: `0` lets nothing pass; give at least 1, or say that nothing passes",
    );
    check_config(
        r#"{"rules": [{"name": "a", "key": "cookie", "rate": 1, "burst": 1}]}"#,
        "rules.a.key: `cookie` is nothing that a limit counts by; \
         use clientAddress, apiKey, principal, route, method, stage, header:NAME or claim:NAME",
    );
    check_config(
        r#"{"v6Prefix": 0}"#,
        "v6Prefix: `0` is no prefix of an IPv6 address; give 1 to 128",
    );
    check_config(
        r#"{"rules": [{"name": "a", "rate": 1, "burst": 1}, {"name": "a", "rate": 1, "burst": 1}]}"#,
        "rules.name: `a` is the name of two rules; give each rule a name of its own",
    );
}
