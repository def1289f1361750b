//! Limits that several layers share over a real Redis, which is killed, stopped, emptied and slowed down under them.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::Full;
use portcullis_core::{ApiKeyId, CallerKey, ManualClock, Rejection, RequestContext};
use portcullis_redis::Redis;
use portcullis_testkit::RedisServer;
use portcullis_throttle::{
    Buckets, Headers, Key, Limit, Quota, QuotaPeriod, Rule, SharedBuckets, ThrottleBuilder,
    ThrottleLayer, UsagePlan, UsagePlans, WhenAway,
};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

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

/// The buckets as one more machine sees them. Tests of exact numbers wait long for a busy machine.
fn machine(server: &RedisServer, when_away: WhenAway) -> SharedBuckets {
    let redis = Redis::builder(server.url()).deadline(Duration::from_secs(20));
    let redis = redis.build().expect("an address");
    let shared = SharedBuckets::new(redis, when_away).expect("a share");
    shared.deadline(Duration::from_secs(20))
}

fn layer(shared: &SharedBuckets, limit: Limit) -> ThrottleLayer {
    let rule = Rule::new("tenant", tenant(), limit);
    let builder = ThrottleLayer::builder().rule(rule).shared(shared.clone());
    builder.build().expect("a layer")
}

async fn call(layer: &ThrottleLayer, tenant: &str) -> Answer {
    let request = Request::get("/").header("x-tenant", tenant).body(());
    let request = request.expect("a request");
    let answer = layer.layer(service_fn(hello)).oneshot(request).await;
    answer.expect("it never fails")
}

async fn status(layer: &ThrottleLayer, tenant: &str) -> StatusCode {
    call(layer, tenant).await.status()
}

async fn passing(layer: &ThrottleLayer, tenant: &str) -> u32 {
    for passed in 0..1000 {
        if status(layer, tenant).await == 429 {
            return passed;
        }
    }
    panic!("nothing is refused");
}

#[tokio::test]
async fn machines_share_a_limit_and_what_one_learns_clients_of_the_other_are_told() {
    let server = RedisServer::start();
    let (here, there) = (
        machine(&server, WhenAway::Closed),
        machine(&server, WhenAway::Closed),
    );
    let one = layer(&here, limit(0.001, 5));
    let other = ThrottleLayer::builder()
        .rule(Rule::new("tenant", tenant(), limit(0.001, 5)))
        .headers(Headers::new().retry_after(true).rate_limit(true))
        .shared(there.clone())
        .build()
        .expect("a layer");
    assert_eq!(status(&one, "a").await, 200);
    assert_eq!(status(&one, "a").await, 200);
    let passed = call(&other, "a").await;
    assert_eq!(passed.headers()["ratelimit"], r#""tenant";r=2;t=3000"#);
    assert_eq!(passing(&one, "a").await, 2);
    let refused = call(&other, "a").await;
    assert_eq!(refused.status(), 429);
    let wait: u32 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((900..=1000).contains(&wait), "{wait}");
    assert_eq!(passing(&other, "b").await, 5);
    assert_eq!((here.decided_away(), there.decided_away()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_requests_at_once_on_two_machines_are_let_in_as_often_as_the_limit_says() {
    let server = RedisServer::start();
    let layers: Vec<_> = (0..2)
        .map(|_| layer(&machine(&server, WhenAway::Closed), limit(0.001, 50)))
        .collect();
    let admitted = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..1000)
        .map(|index| {
            let (layer, admitted) = (layers[index % 2].clone(), Arc::clone(&admitted));
            tokio::spawn(async move {
                let passed = status(&layer, "a").await == 200;
                admitted.fetch_add(u32::from(passed), Ordering::Relaxed);
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(admitted.load(Ordering::Relaxed), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_machines_keep_a_rate_within_one_in_a_hundred() {
    const RATE: f64 = 400.0;
    const BURST: u32 = 400;
    let server = RedisServer::start();
    let done = Arc::new(AtomicBool::new(false));
    let admitted = Arc::new(AtomicU32::new(0));
    let start = Instant::now();
    let tasks: Vec<_> = (0..8)
        .map(|index| {
            let layer = layer(&machine(&server, WhenAway::Closed), limit(RATE, BURST));
            let (done, admitted) = (Arc::clone(&done), Arc::clone(&admitted));
            tokio::spawn(async move {
                let _ = index;
                while !done.load(Ordering::Relaxed) {
                    let passed = status(&layer, "a").await == 200;
                    admitted.fetch_add(u32::from(passed), Ordering::Relaxed);
                }
            })
        })
        .collect();
    // A burst as large as a second's tokens: a machine that stalls for less loses none.
    tokio::time::sleep(Duration::from_secs(2)).await;
    done.store(true, Ordering::Relaxed);
    let allowed = || RATE.mul_add(start.elapsed().as_secs_f64(), f64::from(BURST));
    for task in tasks {
        task.await.expect("no panic");
    }
    // What was earned while a busy machine let nobody ask is taken as well.
    let least = allowed();
    let layer = layer(&machine(&server, WhenAway::Closed), limit(RATE, BURST));
    let rest = passing(&layer, "a").await;
    let most = allowed();
    let admitted = f64::from(admitted.load(Ordering::Relaxed) + rest);
    assert!(admitted >= least * 0.99, "{admitted} of {least}");
    assert!(admitted <= most * 1.01, "{admitted} of {most}");
}

#[tokio::test]
async fn all_rules_of_a_request_are_decided_at_once_and_a_refusal_takes_from_none() {
    let server = RedisServer::start();
    let shared = machine(&server, WhenAway::Closed);
    let layer = ThrottleLayer::builder()
        .rule(Rule::new("tenant", tenant(), limit(0.001, 10)))
        .rule(Rule::new("everybody", Key::shared(), limit(0.001, 4)))
        .headers(Headers::new().rate_limit(true))
        .shared(shared.clone())
        .build()
        .expect("a layer");
    assert_eq!(passing(&layer, "a").await, 4);
    let refused = call(&layer, "b").await;
    let rejection = refused
        .extensions()
        .get::<Rejection>()
        .expect("it is there");
    assert_eq!(rejection.decision().expect("a reason").rule(), "everybody");
    assert_eq!(
        refused.headers()["ratelimit"],
        r#""tenant";r=10;t=0, "everybody";r=0;t=4000"#,
        "nothing was taken of the first"
    );
    let alone = ThrottleLayer::builder()
        .rule(Rule::new("tenant", tenant(), limit(0.001, 10)))
        .shared(shared.clone())
        .build()
        .expect("a layer");
    assert_eq!(passing(&alone, "b").await, 10, "nothing was taken");
    assert_eq!(passing(&alone, "a").await, 6);
    assert_eq!(shared.asked(), 6 + 11 + 7, "one question for each request");
}

#[tokio::test]
async fn a_refusal_says_what_is_left_by_leases_and_alone_as_well() {
    let mut server = RedisServer::start();
    let clock = ManualClock::default();
    let layer = |shared: &SharedBuckets| {
        ThrottleLayer::builder()
            .rule(Rule::new("tenant", tenant(), limit(0.001, 10)))
            .rule(Rule::new("everybody", Key::shared(), limit(0.001, 2)))
            .headers(Headers::new().rate_limit(true))
            .buckets(&Buckets::with_clock(100, clock.clone()))
            .shared(shared.clone())
            .build()
            .expect("a layer")
    };
    let told = async |layer: &ThrottleLayer, tenant: &'static str| {
        let answer = call(layer, tenant).await;
        let left = answer.headers()["ratelimit"].to_str().map(str::to_owned);
        (answer.status().as_u16(), left.expect("it is text"))
    };
    let leasing = machine(&server, WhenAway::Local { share: 1.0 });
    let leased = layer(&leasing.lease(4).expect("a lease"));
    let first = r#""tenant";r=9;t=1000, "everybody";r=1;t=1000"#;
    assert_eq!(told(&leased, "a").await, (200, first.to_owned()));
    let second = r#""tenant";r=8;t=2000, "everybody";r=0;t=2000"#;
    assert_eq!(told(&leased, "a").await, (200, second.to_owned()));
    // Once by the server's word, then by what is remembered of it.
    let other = r#""tenant";r=10;t=0, "everybody";r=0;t=2000"#;
    assert_eq!(told(&leased, "b").await, (429, other.to_owned()));
    assert_eq!(told(&leased, "b").await, (429, other.to_owned()));
    let alone = layer(&machine(&server, WhenAway::Local { share: 1.0 }));
    server.kill();
    assert_eq!(told(&alone, "a").await, (200, first.to_owned()));
    assert_eq!(told(&alone, "a").await, (200, second.to_owned()));
    assert_eq!(told(&alone, "a").await, (429, second.to_owned()));
    assert_eq!(told(&alone, "b").await, (429, other.to_owned()));
}

#[tokio::test]
async fn a_limit_changes_for_all_and_what_was_spent_stays_spent() {
    let server = RedisServer::start();
    let shared = machine(&server, WhenAway::Closed);
    let layer = layer(&shared, limit(0.001, 10));
    for _ in 0..4 {
        assert_eq!(status(&layer, "a").await, 200);
    }
    let rule = layer.rule("tenant").expect("it is there");
    rule.set_limit(limit(0.01, 6));
    assert_eq!(passing(&layer, "a").await, 2);
    rule.set_limit(Limit::nothing());
    assert_eq!(status(&layer, "b").await, 429);
}

#[tokio::test]
async fn plans_share_their_rates_and_a_quota_counts_only_what_passes() {
    let server = RedisServer::start();
    let plan = || {
        let quota = Quota::new(100, QuotaPeriod::Month, 0).expect("a quota");
        UsagePlan::new("p")
            .limit(limit(0.001, 3))
            .quota(quota)
            .key("k")
    };
    let plans: Vec<_> = (0..2).map(|_| UsagePlans::new([plan()])).collect();
    let layers: Vec<_> = plans
        .iter()
        .map(|plans| {
            let shared = machine(&server, WhenAway::Closed);
            let builder = ThrottleLayer::builder().usage_plans(plans).shared(shared);
            builder.build().expect("a layer")
        })
        .collect();
    let mut admitted = 0;
    for index in 0..10 {
        let mut request = Request::new(());
        RequestContext::of(&mut request).set_api_key(CallerKey::new(ApiKeyId::new("k")));
        let service = layers[index % 2].layer(service_fn(hello));
        let answer = service.oneshot(request).await.expect("it never fails");
        admitted += u32::from(answer.status() == 200);
    }
    assert_eq!(admitted, 3);
    let usage = machine(&server, WhenAway::Closed);
    let usage = usage.usage(&plans[0], "p", "k").await;
    assert_eq!(usage.expect("it answers").expect("a quota").used, 3);
}

/// A layer with a deadline as in earnest, under a clock that the test moves.
fn impatient(
    server: &RedisServer,
    when_away: WhenAway,
    clock: &ManualClock,
) -> (ThrottleLayer, SharedBuckets) {
    let redis = Redis::builder(server.url()).deadline(Duration::from_millis(500));
    let redis = redis.build().expect("an address");
    let shared = SharedBuckets::new(redis, when_away).expect("a share");
    let shared = shared.deadline(Duration::from_millis(50));
    (over(&shared, clock).build().expect("a layer"), shared)
}

fn over(shared: &SharedBuckets, clock: &ManualClock) -> ThrottleBuilder {
    ThrottleLayer::builder()
        .rule(Rule::new("tenant", tenant(), limit(0.001, 4)))
        .buckets(&Buckets::with_clock(100, clock.clone()))
        .shared(shared.clone())
}

/// Asks until the server has answered once, for as long as that takes.
async fn until_it_answers(layer: &ThrottleLayer, shared: &SharedBuckets, clock: &ManualClock) {
    for attempt in 0..200 {
        clock.advance(Duration::from_millis(100));
        let before = shared.decided_away();
        status(layer, &format!("probe {attempt}")).await;
        if shared.decided_away() == before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never answers again");
}

#[tokio::test]
async fn while_the_server_is_gone_each_layer_does_what_it_was_told_to() {
    let mut server = RedisServer::start();
    let clock = ManualClock::default();
    let (open, open_shared) = impatient(&server, WhenAway::Open, &clock);
    let (closed, _) = impatient(&server, WhenAway::Closed, &clock);
    let (local, shared) = impatient(&server, WhenAway::Local { share: 0.5 }, &clock);
    until_it_answers(&open, &open_shared, &clock).await;
    server.kill();
    for _ in 0..20 {
        assert_eq!(status(&open, "a").await, 200);
    }
    let refused = call(&closed, "a").await;
    assert_eq!(refused.status(), 429);
    let rejection = refused
        .extensions()
        .get::<Rejection>()
        .expect("it is there");
    assert_eq!(
        rejection.decision().expect("a reason").rule(),
        "shared-buckets-away"
    );
    let polite = over(&machine(&server, WhenAway::Closed), &clock);
    let polite = polite.headers(Headers::new().retry_after(true)).build();
    let refused = call(&polite.expect("a layer"), "a").await;
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(passing(&local, "a").await, 2, "half of four");
    assert_eq!(passing(&local, "b").await, 2);
    let asked = shared.asked();
    for _ in 0..100 {
        status(&local, "c").await;
    }
    assert_eq!(
        shared.asked(),
        asked,
        "nobody waits for a server that is known to be gone"
    );

    server.restart();
    until_it_answers(&local, &shared, &clock).await;
    assert_eq!(
        passing(&local, "a").await,
        4,
        "it came back with nothing in it"
    );
    until_it_answers(&open, &open_shared, &clock).await;
    assert_eq!(status(&open, "a").await, 429, "the limit holds again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_holds_nobody_up_and_is_asked_again_when_it_goes_on() {
    let server = RedisServer::start();
    let clock = ManualClock::default();
    let (layer, shared) = impatient(&server, WhenAway::Local { share: 1.0 }, &clock);
    until_it_answers(&layer, &shared, &clock).await;
    server.pause();
    let start = Instant::now();
    let tasks: Vec<_> = (0..2000)
        .map(|index| {
            let layer = layer.clone();
            tokio::spawn(async move { status(&layer, &format!("t{}", index % 10)).await })
        })
        .collect();
    let mut admitted = 0;
    for task in tasks {
        admitted += u32::from(task.await.expect("no panic") == 200);
    }
    assert_eq!(
        admitted, 40,
        "ten tenants, four each, by this process alone"
    );
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    server.resume();
    until_it_answers(&layer, &shared, &clock).await;
}

#[tokio::test]
async fn a_slow_server_is_not_waited_for_beyond_the_deadline() {
    let server = RedisServer::start();
    let clock = ManualClock::default();
    let (layer, shared) = impatient(&server, WhenAway::Open, &clock);
    until_it_answers(&layer, &shared, &clock).await;
    let mut control = TcpStream::connect(server.addr()).expect("it listens");
    control
        .write_all(b"CLIENT PAUSE 2000 ALL\r\n")
        .expect("it reads");
    let mut reply = [0; 5];
    control.read_exact(&mut reply).expect("it answers");
    assert_eq!(&reply, b"+OK\r\n");
    let before = shared.decided_away();
    let start = Instant::now();
    assert_eq!(status(&layer, "a").await, 200);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(shared.decided_away(), before + 1);
    until_it_answers(&layer, &shared, &clock).await;
}

#[tokio::test]
async fn leased_tokens_are_spent_without_asking_and_never_more_than_there_are() {
    const BURST: u32 = 2000;
    let server = RedisServer::start();
    let clock = ManualClock::default();
    let machines: Vec<_> = (0..2)
        .map(|_| {
            let shared = machine(&server, WhenAway::Closed)
                .lease(200)
                .expect("a lease");
            let layer = ThrottleLayer::builder()
                .rule(Rule::new("tenant", tenant(), limit(0.001, BURST)))
                .buckets(&Buckets::with_clock(100, clock.clone()))
                .shared(shared.clone())
                .build();
            (layer.expect("a layer"), shared)
        })
        .collect();
    let mut admitted = 0;
    let mut decisions = 0;
    for round in 0..2 * BURST {
        let (layer, _) = &machines[round as usize % 2];
        decisions += 1;
        admitted += u32::from(status(layer, "a").await == 200);
        // What is fetched beside the requests has a chance to come in: no client is faster than the way to the server.
        if round % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    assert!(admitted <= BURST, "{admitted}");
    assert!(
        admitted >= BURST - 2 * 200,
        "{admitted}: no more than the leases can be left"
    );
    let asked: u64 = machines.iter().map(|(_, shared)| shared.asked()).sum();
    assert!(
        asked * 50 <= decisions,
        "{asked} questions for {decisions} decisions"
    );
    clock.advance(Duration::from_secs(2));
    let before = machines[0].1.asked();
    status(&machines[0].0, "b").await;
    assert_eq!(machines[0].1.asked(), before + 1);
    assert!(machine(&server, WhenAway::Open).lease(1).is_err());
}

#[tokio::test]
async fn layers_over_buckets_of_their_own_leave_a_server_alone_for_the_same_time() {
    let mut server = RedisServer::start();
    let clock = ManualClock::default();
    let (older, shared) = impatient(&server, WhenAway::Open, &clock);
    until_it_answers(&older, &shared, &clock).await;
    clock.advance(Duration::from_secs(3600));
    let younger = over(&shared, &clock).build().expect("a layer");
    server.kill();
    assert_eq!(status(&older, "a").await, 200);
    assert!(shared.is_away());
    let asked = shared.asked();
    assert_eq!(status(&younger, "a").await, 200);
    assert_eq!(shared.asked(), asked, "it is known to be gone");
    server.restart();
    until_it_answers(&younger, &shared, &clock).await;
    clock.advance(Duration::from_secs(1));
    until_it_answers(&older, &shared, &clock).await;
}

#[test]
fn a_share_is_a_part() {
    let redis = || {
        Redis::builder("redis://127.0.0.1:1")
            .build()
            .expect("an address")
    };
    for share in [0.0, -1.0, 1.1, f64::NAN] {
        let error = SharedBuckets::new(redis(), WhenAway::Local { share }).expect_err("no share");
        assert_eq!(error.field(), "whenAway.share");
    }
}
