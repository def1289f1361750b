//! The store over a real server, which is killed and comes back.

use std::time::Duration;

use portcullis_redis::{Redis, Script};
use portcullis_testkit::RedisServer;
use tokio::net::TcpListener;

fn redis(address: &str) -> Redis {
    Redis::builder(address).build().expect("an address")
}

#[tokio::test]
async fn what_is_stored_is_there_until_it_is_removed() {
    let server = RedisServer::start();
    let redis = redis(&server.url());
    assert_eq!(redis.get("a").await.unwrap(), None);
    redis.set("a", b"\0\xff").await.unwrap();
    assert_eq!(redis.get("a").await.unwrap().unwrap(), b"\0\xff");
    assert!(redis.remove("a").await.unwrap());
    assert!(!redis.remove("a").await.unwrap());
    assert_eq!(redis.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_stored_for_a_while_is_gone_after_it() {
    let server = RedisServer::start();
    let redis = redis(&server.url());
    redis.set_for("short", "x", Duration::ZERO).await.unwrap();
    redis
        .set_for("long", "x", Duration::from_secs(60))
        .await
        .unwrap();
    // The server counts by its own clock.
    for _ in 0..1000 {
        if redis.get("short").await.unwrap().is_none() {
            break;
        }
    }
    assert_eq!(redis.get("short").await.unwrap(), None);
    assert!(redis.get("long").await.unwrap().is_some());
}

#[tokio::test]
async fn two_prefixes_do_not_meet() {
    let server = RedisServer::start();
    let one = redis(&server.url());
    let other = Redis::builder(server.url())
        .prefix("other:")
        .build()
        .unwrap();
    one.set("a", "x").await.unwrap();
    assert_eq!(other.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_is_killed_is_an_error_within_the_deadline_and_served_again_when_it_is_back()
{
    let mut server = RedisServer::start();
    let redis = redis(&server.url());
    redis.set("a", "x").await.unwrap();
    server.kill();
    for _ in 0..3 {
        let error = redis.get("a").await.unwrap_err();
        assert!(error.is_away(), "{error}");
    }
    server.restart();
    let mut answer = redis.get("a").await;
    for _ in 0..20 {
        if answer.is_ok() {
            break;
        }
        answer = redis.get("a").await;
    }
    assert_eq!(answer.expect("it is back"), None);
}

#[tokio::test]
async fn a_connection_that_broke_while_it_was_idle_costs_no_command() {
    let mut server = RedisServer::start();
    let redis = redis(&server.url());
    redis.set("a", "x").await.unwrap();
    server.kill();
    server.restart();
    assert_eq!(redis.get("a").await.expect("it is sent once more"), None);
}

#[tokio::test]
async fn a_program_starts_without_its_store() {
    let mut server = RedisServer::start();
    server.kill();
    let redis = redis(&server.url());
    assert!(redis.get("a").await.unwrap_err().is_away());
    server.restart();
    let mut answer = redis.get("a").await;
    for _ in 0..20 {
        if answer.is_ok() {
            break;
        }
        answer = redis.get("a").await;
    }
    assert_eq!(answer.expect("it is there"), None);
}

#[tokio::test]
async fn a_store_that_says_nothing_is_given_up_and_too_many_do_not_wait() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("redis://{}", silent.local_addr().unwrap());
    let builder = Redis::builder(address).deadline(Duration::from_millis(200));
    let redis = builder.max_waiting(1).build().unwrap();
    let (one, other) = tokio::join!(redis.get("a"), redis.get("a"));
    let (one, other) = (one.unwrap_err(), other.unwrap_err());
    assert!(one.is_away(), "{one}");
    assert!(other.is_busy(), "{other}");
}

#[test]
fn an_address_that_is_none_is_told_without_its_password() {
    for address in [
        "",
        "http://hunter2@x",
        "redis://u:hunter2@:x/",
        "rediss://u:hunter2@x",
    ] {
        let error = Redis::builder(address).build().unwrap_err();
        assert!(error.is_address(), "{error}");
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{error:?}"
        );
    }
    let redis = redis("redis://u:hunter2@127.0.0.1:1");
    assert!(!format!("{redis:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_script_runs_though_the_server_has_forgotten_it() {
    let mut server = RedisServer::start();
    let redis = redis(&server.url());
    let add = Script::new("return {redis.call('INCRBY', KEYS[1], ARGV[1]), 7}");
    assert_eq!(redis.script(&add, &["n"], &["2"]).await.unwrap(), [2, 7]);
    assert_eq!(redis.script(&add, &["n"], &["3"]).await.unwrap(), [5, 7]);
    server.restart();
    // The connection broke; what may have run is not run again.
    let _ = redis.script(&add, &["n"], &["3"]).await;
    assert!(redis.script(&add, &["n"], &["0"]).await.is_ok());
}
