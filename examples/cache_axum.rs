//! A cached route in axum.
//!
//! `cargo run --example cache_axum`, then
//!
//! ```text
//! curl -s localhost:3000/time; sleep 1; curl -s localhost:3000/time    # the same second twice
//! curl -s localhost:3000/time?other                                    # another key
//! curl -s -X POST localhost:3000/purge                                 # how many were forgotten
//! ```

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::routing::{get, post};
use portcullis::cache::{CacheLayer, CacheRules, Purge, ResponseCache};
use portcullis_examples::{listener, listening, shown};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let cache = ResponseCache::in_memory(64 * 1024 * 1024);
    let rules = CacheRules::builder().ttl(Duration::from_secs(30)).build()?;
    let app = Router::new()
        .route("/time", get(time))
        .layer(CacheLayer::new(&cache, rules))
        .route("/purge", post(async move || purge(&cache).await));

    let listener = listener("127.0.0.1:3000").await?;
    listening(listener.local_addr()?, include_str!("cache_axum.rs"));
    axum::serve(listener, app).await?;
    Ok(())
}

async fn time() -> String {
    #[expect(clippy::disallowed_methods, reason = "an answer that changes")]
    let now = SystemTime::now();
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    format!("{seconds}\n")
}

async fn purge(cache: &ResponseCache) -> String {
    match cache.purge(Purge::prefix("/time")).await {
        Ok(count) => format!("{count}\n"),
        Err(error) => format!("{error}\n"),
    }
}
