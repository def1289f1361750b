//! Two servers in one process, as if on two machines, with one limit in Redis.
//!
//! Start `redis-server`, then `cargo run --example throttle_redis`, then
//!
//! ```text
//! for i in $(seq 6); do curl -s -o /dev/null -w '%{http_code} ' localhost:3000 localhost:3001; done   # 200 five times in all
//! ```
//!
//! Stop `redis-server`: each of the two goes on with half of the limit.

use axum::{Router, routing::get};
use portcullis::redis::Redis;
use portcullis::throttle::{Headers, Key, Limit, Rule, SharedBuckets, ThrottleLayer, WhenAway};
use portcullis_examples::shown;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    tokio::try_join!(serve(3000), serve(3001))?;
    Ok(())
}

async fn serve(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let redis = Redis::builder("redis://127.0.0.1:6379").build()?;
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
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
