//! Two machines that share a cache: memory before Redis.
//!
//! `redis-server --port 6379 &`, then `cargo run --example cache_two_tiers`, then
//!
//! ```text
//! curl -s localhost:3000/time; sleep 2; curl -s localhost:3001/time   # the same second, though two machines answer
//! curl -s -X POST localhost:3000/purge                                # flushed on one
//! curl -s localhost:3001/time                                         # and gone on the other
//! ```
//!
//! Another address of Redis goes into `REDIS_URL`, and those of the machines into `LISTEN`, with a comma between. Stop Redis: each machine
//! goes on for itself, and the log says so; start it again, and they share. With `CACHE_KEY="$(openssl rand -base64 32)"`, what is in Redis is encrypted.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use portcullis::cache::{
    CacheLayer, CacheRules, EncryptionKeys, Purge, RedisStore, ResponseCache, TwoTiers,
};
use portcullis::redis::Redis;
use portcullis_examples::{listen, logs, shown};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> ExitCode {
    // It says when Redis is away, and when it is back.
    logs("info");
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut machines = JoinSet::new();
    for address in listen("127.0.0.1:3000,127.0.0.1:3001").split(',') {
        let app = machine().await?;
        let address = address.trim();
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.map_err(|error| format!("cannot listen on `{address}`: {error}"))?;
        println!("listening on http://{}", listener.local_addr()?);
        machines.spawn(async move { axum::serve(listener, app).await });
    }
    while let Some(ended) = machines.join_next().await {
        ended??;
    }
    Ok(())
}

/// What each machine runs.
async fn machine() -> Result<Router, Box<dyn Error>> {
    let address = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    let redis = Redis::builder(&*address).build();
    let redis = redis.map_err(|error| format!("REDIS_URL is `{address}`: {error}"))?;
    if let Err(error) = redis.get("hello").await {
        println!("{error}: until Redis is there, each machine caches for itself");
    }
    let redis = match env::var("CACHE_KEY") {
        Ok(key) => {
            let keys = EncryptionKeys::from_base64([key]);
            let keys = keys.map_err(|error| format!("CACHE_KEY: {}", error.fix()))?;
            RedisStore::encrypted(redis, keys)
        }
        Err(_) => RedisStore::new(redis),
    };
    let store = TwoTiers::new(64 * 1024 * 1024, redis);
    let cache = ResponseCache::builder().build(store);
    // Both answer to one name; here they differ in their ports.
    let rules = CacheRules::builder().ttl(Duration::from_secs(60)).build()?;
    Ok(Router::new()
        .route("/time", get(time))
        .layer(CacheLayer::new(&cache, rules))
        .layer(axum::middleware::map_request(one_name))
        .route("/purge", post(async move || purge(&cache).await)))
}

async fn one_name<B>(mut request: http::Request<B>) -> http::Request<B> {
    let name = http::HeaderValue::from_static("shop.example");
    request.headers_mut().insert(http::header::HOST, name);
    request
}

async fn time() -> String {
    #[expect(clippy::disallowed_methods, reason = "an answer that changes")]
    let now = SystemTime::now();
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    format!("{seconds}\n")
}

async fn purge(cache: &ResponseCache) -> (StatusCode, String) {
    match cache.purge(Purge::prefix("/time")).await {
        Ok(count) => (StatusCode::OK, format!("{count} in memory here\n")),
        Err(error) => {
            let text = format!("gone here, and elsewhere when Redis is back: {error}\n");
            (StatusCode::ACCEPTED, text)
        }
    }
}
