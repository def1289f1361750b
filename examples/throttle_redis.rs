//! Two servers in one process, as if on two machines, with one limit in Redis.
//!
//! Start `redis-server`, then `cargo run --example throttle_redis`, then
//!
//! ```text
//! for i in $(seq 6); do curl -s -w '%{http_code} ' -o /dev/null -o /dev/null localhost:3000 localhost:3001; done   # 200 five times in all
//! ```
//!
//! Stop `redis-server`: each of the two goes on with half of the limit. `REDIS_URL` names another Redis (`redis://127.0.0.1:6379`), and `LISTEN` other addresses: two with a comma between
//! them.

use axum::{Router, routing::get};
use portcullis::redis::Redis;
use portcullis::throttle::{Headers, Key, Limit, Rule, SharedBuckets, ThrottleLayer, WhenAway};
use portcullis_examples::{listen, shown};
use std::env;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    let addresses = listen("127.0.0.1:3000,127.0.0.1:3001");
    let (one, other) = addresses
        .split_once(',')
        .ok_or("LISTEN needs two addresses with a comma between them")?;
    // The throttle needs no Redis to start, but whoever looks at an example should know.
    if let Err(error) = Redis::builder(&url).build()?.get("hello").await {
        println!("there is no Redis at {url}: {error}");
        println!(
            "each server counts for itself; start one (`redis-server`), or say where it is (REDIS_URL)"
        );
    }
    tokio::try_join!(serve(one, &url), serve(other, &url))?;
    Ok(())
}

async fn serve(address: &str, url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let redis = Redis::builder(url).build()?;
    let shared = SharedBuckets::new(redis, WhenAway::Local { share: 0.5 })?;
    let throttle = ThrottleLayer::builder()
        .rule(Rule::new(
            "everybody",
            Key::shared(),
            Limit::per_second(0.2, 5)?,
        ))
        .headers(Headers::new().retry_after(true))
        .shared(shared)
        .build()?;
    let app = Router::new()
        .route("/", get(async || "hello\n"))
        .layer(throttle);
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}; try: curl -i http://{address}/");
    axum::serve(listener, app).await?;
    Ok(())
}
