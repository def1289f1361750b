//! The store over a real cluster of three nodes.

use std::time::Duration;

use portcullis_redis::{Redis, Script};
use portcullis_testkit::RedisCluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_scripts_find_their_nodes() {
    let cluster = RedisCluster::start();
    // One node is enough to find the others.
    let redis = Redis::cluster([cluster.urls()[0].clone()]).deadline(Duration::from_secs(20));
    let redis = redis.build().expect("an address");
    let add = Script::new(
        "return {redis.call('INCRBY', KEYS[1], ARGV[1]), redis.call('INCRBY', KEYS[2], ARGV[1])}",
    );
    for key in 0..100 {
        let (one, other) = (format!("{{{key}}}:one"), format!("{{{key}}}:other"));
        let sums = redis.script(&add, &[&one, &other], &["2"]).await;
        assert_eq!(sums.expect("it answers"), [2, 2]);
        let kept = redis.get(&one).await.expect("it answers");
        assert_eq!(kept.as_deref(), Some(&b"2"[..]));
    }
    let keys = cluster.keys();
    assert_eq!(keys.iter().sum::<u64>(), 200);
    assert!(keys.iter().all(|keys| *keys > 0), "{keys:?}");
    let apart = redis.script(&add, &["{a}", "{b}"], &["2"]).await;
    let error = apart.expect_err("they stand in two slots");
    assert!(!error.is_away(), "{error}");
}

#[tokio::test]
async fn a_cluster_without_an_address_is_none() {
    let none: [&str; 0] = [];
    let error = Redis::cluster(none).build().expect_err("no address");
    assert!(error.is_address());
    assert_eq!(error.to_string(), "the address of the store is missing");
    assert!(Redis::cluster(["rediss://127.0.0.1"]).build().is_err());
}
