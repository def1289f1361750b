//! Quotas that several machines share over a real Redis.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use portcullis_core::{ApiKeyId, CallerKey, ManualClock, RequestContext};
use portcullis_redis::Redis;
use portcullis_testkit::RedisServer;
use portcullis_throttle::{
    Buckets, Headers, Key, Limit, Quota, QuotaPeriod, Rule, SharedBuckets, ThrottleBuilder,
    ThrottleLayer, UsagePlan, UsagePlans, WhenAway,
};
use tower::{Layer, ServiceExt, service_fn};

type Answer = Response<Full<Bytes>>;

const DAY: Duration = Duration::from_secs(86_400);

async fn hello(_request: Request<()>) -> Result<Answer, Infallible> {
    Ok(Response::new(Full::from("hello")))
}

/// One process with plans of its own, over the same server as the others.
struct Machine {
    plans: UsagePlans,
    shared: SharedBuckets,
    layer: ThrottleLayer,
}

impl Machine {
    fn new(server: &RedisServer, limit: u64, clock: &ManualClock) -> Self {
        Self::with(server, limit, clock, WhenAway::Closed, |builder| builder)
    }

    fn with(
        server: &RedisServer,
        limit: u64,
        clock: &ManualClock,
        when_away: WhenAway,
        more: impl FnOnce(ThrottleBuilder) -> ThrottleBuilder,
    ) -> Self {
        let redis = Redis::builder(server.url()).deadline(Duration::from_secs(20));
        let redis = redis.build().expect("an address");
        let shared = SharedBuckets::new(redis, when_away).expect("a share");
        Self::over(shared.deadline(Duration::from_secs(20)), limit, clock, more)
    }

    fn over(
        shared: SharedBuckets,
        limit: u64,
        clock: &ManualClock,
        more: impl FnOnce(ThrottleBuilder) -> ThrottleBuilder,
    ) -> Self {
        let quota = Quota::new(limit, QuotaPeriod::Day, 0).expect("a quota");
        let plans =
            UsagePlans::with_clock([UsagePlan::new("p").quota(quota).key("k")], clock.clone());
        let builder = ThrottleLayer::builder()
            .usage_plans(&plans)
            .buckets(&Buckets::with_clock(100, clock.clone()))
            .shared(shared.clone());
        Self {
            plans,
            shared,
            layer: more(builder).build().expect("a layer"),
        }
    }

    async fn call(&self) -> Answer {
        let mut request = Request::new(());
        RequestContext::of(&mut request).set_api_key(CallerKey::new(ApiKeyId::new("k")));
        let answer = self.layer.layer(service_fn(hello)).oneshot(request).await;
        answer.expect("it never fails")
    }

    async fn status(&self) -> StatusCode {
        self.call().await.status()
    }

    /// How many requests pass until one is refused.
    async fn passing(&self) -> u64 {
        for passed in 0..100_000 {
            if self.status().await == 429 {
                return passed;
            }
        }
        panic!("nothing is refused");
    }

    /// What was used on all machines together, and what is left.
    async fn usage(&self) -> (u64, u64) {
        let usage = self.shared.usage(&self.plans, "p", "k").await;
        let usage = usage.expect("it answers").expect("a quota");
        (usage.used, usage.remaining)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_requests_at_once_on_two_machines_use_exactly_the_quota() {
    let server = RedisServer::start();
    let clock = ManualClock::default();
    let machines: Vec<_> = (0..2)
        .map(|_| Arc::new(Machine::new(&server, 50, &clock)))
        .collect();
    let admitted = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..1000)
        .map(|index| {
            let (machine, admitted) = (Arc::clone(&machines[index % 2]), Arc::clone(&admitted));
            tokio::spawn(async move {
                let passed = machine.status().await == 200;
                admitted.fetch_add(u64::from(passed), Ordering::Relaxed);
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(admitted.load(Ordering::Relaxed), 50);
    for machine in &machines {
        assert_eq!(machine.usage().await, (50, 0));
        let heard = machine.plans.usage("p", "k").expect("a quota");
        assert_eq!(heard.used, 50, "and each knows it");
    }
}

#[tokio::test]
async fn a_used_up_quota_is_refused_in_the_services_words_with_the_time_until_the_next() {
    let server = RedisServer::start();
    let clock = ManualClock::default();
    let headers = Headers::new().retry_after(true).rate_limit(true);
    let machine = Machine::with(&server, 2, &clock, WhenAway::Closed, |builder| {
        builder.headers(headers)
    });
    assert_eq!(
        machine.call().await.headers()["ratelimit-policy"],
        r#""quota/p";q=2;w=86400"#
    );
    assert_eq!(machine.status().await, 200);
    let refused = machine.call().await;
    assert_eq!(refused.status(), 429);
    assert_eq!(
        refused.headers()["x-amzn-errortype"],
        "LimitExceededException"
    );
    let usage = machine.plans.usage("p", "k").expect("a quota");
    let now = std::time::UNIX_EPOCH
        + portcullis_core::Clock::wall(&clock)
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after it");
    let left = usage
        .until
        .duration_since(now)
        .expect("it is ahead")
        .as_secs();
    assert_eq!(refused.headers()["retry-after"], left.to_string());
    let body = refused.into_body().collect().await.expect("a body");
    assert_eq!(body.to_bytes(), r#"{"message":"Limit Exceeded"}"#);
}

#[tokio::test]
async fn what_a_rule_refuses_does_not_count() {
    let server = RedisServer::start();
    let clock = ManualClock::default();
    let limit = Limit::per_second(0.001, 3).expect("a limit");
    let machine = Machine::with(&server, 10, &clock, WhenAway::Closed, |builder| {
        builder.rule(Rule::new("everybody", Key::shared(), limit))
    });
    assert_eq!(machine.passing().await, 3);
    assert_eq!(machine.passing().await, 0);
    assert_eq!(machine.usage().await, (3, 7));
}

#[tokio::test]
async fn what_is_granted_on_one_machine_is_there_on_the_other() {
    let server = RedisServer::start();
    let clock = ManualClock::default();
    let one = Machine::new(&server, 3, &clock);
    let other = Machine::new(&server, 3, &clock);
    assert_eq!(one.passing().await, 3);
    let set = one.shared.set_remaining(&one.plans, "p", "k", 4).await;
    let set = set.expect("it answers").expect("a quota");
    assert_eq!((set.used, set.remaining), (3, 4));
    assert_eq!(other.usage().await, (3, 4));
    assert_eq!(other.passing().await, 4);
    assert_eq!(one.passing().await, 0);
    let none = one.shared.usage(&one.plans, "other", "k").await;
    assert_eq!(none.expect("nobody is asked"), None);
}

#[tokio::test]
async fn a_new_period_begins_once_and_a_clock_that_is_behind_brings_nothing_back() {
    let server = RedisServer::start();
    let (ahead, behind) = (ManualClock::default(), ManualClock::default());
    let one = Machine::new(&server, 3, &ahead);
    let other = Machine::new(&server, 3, &behind);
    assert_eq!(one.passing().await, 3);
    assert_eq!(other.passing().await, 0);
    ahead.advance(DAY);
    assert_eq!(one.status().await, 200, "a new day");
    assert_eq!(other.passing().await, 2, "what is left of the new one");
    assert_eq!(one.passing().await, 0);
    behind.advance(DAY);
    assert_eq!(other.passing().await, 0);
}

#[tokio::test]
async fn what_was_used_is_known_to_a_server_that_comes_back_empty() {
    let mut server = RedisServer::start();
    let clock = ManualClock::default();
    let redis = Redis::builder(server.url()).deadline(Duration::from_millis(500));
    let redis = redis.build().expect("an address");
    let shared = SharedBuckets::new(redis, WhenAway::Local { share: 0.5 }).expect("a share");
    // Answers that are awaited for long here come at once: nobody listens.
    let shared = shared.deadline(Duration::from_millis(500));
    let machine = Machine::over(shared, 10, &clock, |builder| builder);
    while machine.plans.usage("p", "k").expect("a quota").used == 0
        || machine.shared.decided_away() > 0
    {
        assert_eq!(machine.shared.decided_away(), 0, "the machine is too slow");
        assert_eq!(machine.status().await, 200);
    }
    assert_eq!(machine.status().await, 200);
    server.kill();
    assert_eq!(machine.passing().await, 4, "half of what was left");
    assert!(machine.shared.is_away());
    let stats = machine.layer.stats().store.expect("it has one");
    assert!(stats.away);
    assert!(stats.decided_away >= 4, "{stats:?}");
    server.restart();
    for attempt in 0.. {
        assert!(attempt < 200, "it never answers again");
        let usage = machine.shared.usage(&machine.plans, "p", "k").await;
        if let Ok(usage) = usage {
            let usage = usage.expect("a quota");
            assert_eq!((usage.used, usage.remaining), (6, 4));
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    clock.advance(Duration::from_secs(1));
    assert_eq!(machine.passing().await, 4);
}

#[tokio::test]
async fn an_open_door_is_counted_all_the_same() {
    let mut server = RedisServer::start();
    let clock = ManualClock::default();
    let machine = Machine::with(&server, 5, &clock, WhenAway::Open, |builder| builder);
    assert_eq!(machine.status().await, 200);
    server.kill();
    for _ in 0..10 {
        assert_eq!(machine.status().await, 200);
    }
    server.restart();
    clock.advance(Duration::from_secs(1));
    assert_eq!(machine.status().await, 429, "eleven of five");
    assert_eq!(machine.usage().await, (11, 0));
}

#[tokio::test]
async fn a_quota_is_leased_in_small_parts_and_never_exceeded() {
    const LIMIT: u64 = 4000;
    let server = RedisServer::start();
    let clock = ManualClock::default();
    let machines: Vec<_> = (0..2)
        .map(|_| {
            let redis = Redis::builder(server.url()).deadline(Duration::from_secs(20));
            let shared = SharedBuckets::new(redis.build().expect("an address"), WhenAway::Closed);
            let shared = shared.expect("a conduct").deadline(Duration::from_secs(20));
            let shared = shared.lease(100).expect("a lease");
            Machine::over(shared, LIMIT, &clock, |builder| builder)
        })
        .collect();
    let mut admitted = 0;
    for round in 0..LIMIT + 1000 {
        let machine = &machines[usize::from(round % 3 == 0)];
        admitted += u64::from(machine.status().await == 200);
        // What is fetched beside the requests has a chance to come in.
        if round % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // A refusal is remembered for a second.
        clock.advance(Duration::from_millis(2));
    }
    assert!(admitted <= LIMIT, "{admitted}");
    assert!(
        admitted >= LIMIT - 2 * 40,
        "{admitted}: a hundredth is held by each"
    );
    let asked: u64 = machines.iter().map(|machine| machine.shared.asked()).sum();
    assert!(asked < LIMIT / 2, "{asked}");
}
