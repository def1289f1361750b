//! Two machines over a real Redis, which is killed and comes back.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use portcullis_cache::{CacheLayer, CacheRules, Purge, RedisStore, ResponseCache, TwoTiers};
use portcullis_core::Body;
use portcullis_redis::Redis;
use portcullis_testkit::RedisServer;
use tower::{Layer, ServiceExt, service_fn};

/// One more machine with a cache, before an origin that numbers its answers.
#[derive(Clone)]
struct Machine {
    cache: ResponseCache,
    calls: Arc<AtomicUsize>,
}

fn store(server: &RedisServer) -> RedisStore {
    let redis = Redis::builder(server.url()).deadline(Duration::from_secs(5));
    RedisStore::new(redis.build().expect("an address"))
}

fn two_tiers(server: &RedisServer, calls: &Arc<AtomicUsize>) -> Machine {
    Machine {
        cache: ResponseCache::builder().build(TwoTiers::new(1 << 20, store(server))),
        calls: Arc::clone(calls),
    }
}

impl Machine {
    async fn get(&self, target: &str) -> String {
        let calls = Arc::clone(&self.calls);
        let origin = service_fn(move |_: Request<Body>| {
            let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
            let response = Response::builder().header("surrogate-key", "pets");
            let response = response.body(Full::<Bytes>::from(number.to_string()));
            async move { Ok::<_, Infallible>(response.expect("a response")) }
        });
        let rules = CacheRules::builder()
            .scope("api/prod")
            .build()
            .expect("rules");
        let request = Request::get(target).body(Body::empty()).expect("a request");
        let answer = CacheLayer::new(&self.cache, rules)
            .layer(origin)
            .oneshot(request);
        let body = answer.await.expect("infallible").into_body();
        let body = body.collect().await.expect("a body").to_bytes();
        String::from_utf8(body.to_vec()).expect("text")
    }

    /// Asks until the answer is another than `old`, as it will be once a word has gone round.
    async fn get_other_than(&self, target: &str, old: &str) -> String {
        for _ in 0..500 {
            let answer = self.get(target).await;
            if answer != old {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{target} is still {old}");
    }

    /// A target below `path` that both machines serve with the same, and what that is. (To store a response in Redis does not hold it up, so that the other may
    /// have come too early.)
    async fn shared_with(&self, other: &Self, path: &str) -> (String, String) {
        for number in 0..200 {
            let target = format!("{path}/{number}");
            let here = self.get(&target).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
            if other.get(&target).await == here {
                return (target, here);
            }
        }
        panic!("nothing below {path} is shared");
    }
}

#[tokio::test]
async fn what_one_machine_stores_the_other_serves() {
    let server = RedisServer::start();
    let calls = Arc::default();
    let (one, other) = (two_tiers(&server, &calls), two_tiers(&server, &calls));
    one.shared_with(&other, "/pets").await;
}

#[tokio::test]
async fn a_flush_on_one_machine_is_seen_by_the_other() {
    let server = RedisServer::start();
    let calls = Arc::default();
    let (one, other) = (two_tiers(&server, &calls), two_tiers(&server, &calls));
    for (path, purge) in [
        ("/a", Purge::scope(b"api/prod")),
        ("/b", Purge::tag("pets")),
        ("/c", Purge::prefix("/c/")),
        ("/d", Purge::everything()),
    ] {
        let (target, old) = one.shared_with(&other, path).await;
        one.cache.purge(purge).await.expect("it is there");
        assert_ne!(one.get(&target).await, old);
        other.get_other_than(&target, &old).await;
    }
    // What is not meant stays.
    let (target, old) = one.shared_with(&other, "/e").await;
    let purge = Purge::tag("owners");
    one.cache.purge(purge).await.expect("it is there");
    assert_eq!(one.get(&target).await, old);
    assert_eq!(other.get(&target).await, old);
}

#[tokio::test]
async fn a_machine_that_starts_later_serves_nothing_that_was_purged() {
    let server = RedisServer::start();
    let calls = Arc::default();
    let (one, other) = (two_tiers(&server, &calls), two_tiers(&server, &calls));
    let (target, old) = one.shared_with(&other, "/pets").await;
    let purge = Purge::tag("pets");
    one.cache.purge(purge).await.expect("it is there");
    let late = two_tiers(&server, &calls);
    assert_ne!(late.get(&target).await, old);
}

#[tokio::test]
async fn requests_pass_while_the_store_is_away() {
    let redis = Redis::builder("redis://127.0.0.1:1").deadline(Duration::from_secs(5));
    let store = RedisStore::new(redis.build().expect("an address"));
    let machine = Machine {
        cache: ResponseCache::builder().build(store),
        calls: Arc::default(),
    };
    assert_eq!(machine.get("/pets").await, "1");
    assert_eq!(machine.get("/pets").await, "2");
    assert!(machine.cache.stats().store_errors >= 2);
    assert!(machine.cache.purge(Purge::everything()).await.is_err());
}

#[tokio::test]
async fn a_machine_that_was_cut_off_makes_good_for_what_it_missed() {
    let mut server = RedisServer::start();
    let calls = Arc::default();
    let (one, other) = (two_tiers(&server, &calls), two_tiers(&server, &calls));
    let (target, old) = one.shared_with(&other, "/old").await;
    // The server loses its data and its log: what was purged in between cannot be known.
    server.kill();
    server.restart();
    one.get_other_than(&target, &old).await;
    other.get_other_than(&target, &old).await;
    let (target, new) = one.shared_with(&other, "/new").await;
    let purge = Purge::tag("pets");
    one.cache.purge(purge).await.expect("it is back");
    other.get_other_than(&target, &new).await;
}
