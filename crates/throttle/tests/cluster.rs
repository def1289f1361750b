//! Limits that several layers share over a real cluster of three nodes.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::Full;
use portcullis_core::{ApiKeyId, CallerKey, RequestContext};
use portcullis_redis::Redis;
use portcullis_testkit::RedisCluster;
use portcullis_throttle::{
    Key, Limit, Quota, QuotaPeriod, Rule, SharedBuckets, ThrottleLayer, UsagePlan, UsagePlans,
    WhenAway,
};
use tower::{Layer, ServiceExt, service_fn};

async fn hello(_request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("hello")))
}

fn limit(burst: u32) -> Limit {
    Limit::per_second(0.001, burst).expect("a limit")
}

fn machine(cluster: &RedisCluster) -> SharedBuckets {
    let redis = Redis::cluster(cluster.urls()).deadline(Duration::from_secs(20));
    let redis = redis.build().expect("addresses");
    let shared = SharedBuckets::new(redis, WhenAway::Closed).expect("a conduct");
    shared.deadline(Duration::from_secs(20))
}

fn plans() -> UsagePlans {
    let quota = Quota::new(1000, QuotaPeriod::Month, 0).expect("a quota");
    UsagePlans::new([UsagePlan::new("p").limit(limit(100)).quota(quota).key("k")])
}

fn layer(shared: SharedBuckets, plans: &UsagePlans) -> ThrottleLayer {
    let tenant = Key::header(HeaderName::from_static("x-tenant"));
    let layer = ThrottleLayer::builder()
        .usage_plans(plans)
        .rule(Rule::new("tenant", tenant.clone(), limit(3)))
        .rule(Rule::new("tenant-slowly", tenant, limit(50)))
        .rule(Rule::new("everybody", Key::shared(), limit(40)))
        .shared(shared);
    layer.build().expect("a layer")
}

/// How many of a tenant's requests pass until one is refused.
async fn passing(layer: &ThrottleLayer, tenant: &str) -> u32 {
    for passed in 0..1000 {
        let request = Request::get("/").header("x-tenant", tenant).body(());
        let mut request = request.expect("a request");
        RequestContext::of(&mut request).set_api_key(CallerKey::new(ApiKeyId::new("k")));
        let answer = layer.layer(service_fn(hello)).oneshot(request).await;
        if answer.expect("it never fails").status() == 429 {
            return passed;
        }
    }
    panic!("nothing is refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_group_stands_in_one_slot_and_is_decided_at_once() {
    let cluster = RedisCluster::start();
    let (plans, store) = (plans(), machine(&cluster));
    let one = layer(store.clone(), &plans);
    let other = layer(machine(&cluster), &plans);
    let mut admitted = 0;
    for tenant in 0..20 {
        let layer = if tenant % 2 == 0 { &one } else { &other };
        admitted += passing(layer, &format!("t{tenant}")).await;
    }
    assert_eq!(admitted, 40, "everybody together");
    let usage = store.usage(&plans, "p", "k").await.expect("it answers");
    assert_eq!(usage.expect("a quota").used, 40);
    let nodes = cluster.keys();
    assert_eq!(
        nodes.iter().filter(|keys| **keys > 0).count(),
        1,
        "{nodes:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_spread_is_decided_slot_by_slot_and_given_back_if_one_refuses() {
    let cluster = RedisCluster::start();
    let (plans, store) = (plans(), machine(&cluster).spread());
    let one = layer(store.clone(), &plans);
    let other = layer(machine(&cluster).spread(), &plans);
    let mut admitted = 0;
    for tenant in 0..20 {
        let layer = if tenant % 2 == 0 { &one } else { &other };
        admitted += passing(layer, &format!("t{tenant}")).await;
    }
    assert_eq!(admitted, 40, "everybody together");
    let nodes = cluster.keys();
    assert!(nodes.iter().all(|keys| *keys > 0), "{nodes:?}");
    // What the plan gave for requests that others refused comes back beside them.
    for attempt in 0.. {
        let usage = store.usage(&plans, "p", "k").await.expect("it answers");
        if usage.expect("a quota").used == 40 {
            break;
        }
        assert!(attempt < 1000, "{usage:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
