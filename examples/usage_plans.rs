//! API keys with plans: a rate and a monthly quota for each, which can be read and extended.
//!
//! `cargo run --example usage_plans`, then
//!
//! ```text
//! curl -i -H 'x-api-key: free-0123456789abcdef' localhost:3000/pets    # six times: Too Many Requests, and in the log why
//! curl -i -H 'x-api-key: gold-0123456789abcdef' localhost:3000/pets
//! curl -i localhost:3000/pets                                          # Forbidden
//! curl -i localhost:3000/usage/acme                                    # what is left
//! curl -i -X PUT localhost:3000/usage/acme/500                         # grant more until the month ends
//! ```

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Router, routing::get, routing::put};
use portcullis::auth::api_key::{ApiKey, ApiKeyLayer, MemoryKeys};
use portcullis::throttle::{
    Headers, Limit, Quota, QuotaPeriod, ThrottleLayer, Usage, UsagePlan, UsagePlans,
};
use portcullis_examples::{listen, listening, shown};
use std::process::ExitCode;
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .init();

    let keys = MemoryKeys::new([
        ApiKey::new(FREE, "free-0123456789abcdef"),
        ApiKey::new("globex", "gold-0123456789abcdef"),
    ]);
    let plans = UsagePlans::new([
        UsagePlan::new("free")
            .limit(Limit::per_second(1.0, 5)?)
            .quota(Quota::new(100, QuotaPeriod::Month, 0)?)
            .key(FREE),
        UsagePlan::new("gold")
            .limit(Limit::per_second(100.0, 200)?)
            .key("globex"),
    ]);
    let throttle = ThrottleLayer::builder()
        .usage_plans(&plans)
        .headers(Headers::new().retry_after(true).rate_limit(true))
        .build()?;

    let pets = Router::new()
        .route("/pets", get(async || "cat, dog\n"))
        // Outermost first: who calls, then whether they may once more.
        .layer(
            ServiceBuilder::new()
                .layer(ApiKeyLayer::new(keys))
                .layer(throttle),
        );
    let usage = Router::new()
        .route("/usage/{key}", get(read))
        .route("/usage/{key}/{remaining}", put(grant))
        .with_state(plans);
    let listener = tokio::net::TcpListener::bind(listen("127.0.0.1:3000")).await?;
    listening(listener.local_addr()?, include_str!("usage_plans.rs"));
    axum::serve(listener, pets.merge(usage)).await?;
    Ok(())
}

type Answer = (StatusCode, String);

async fn read(State(plans): State<UsagePlans>, Path(key): Path<String>) -> Answer {
    // The plans know keys by what they have used; which keys there are, only their owner knows.
    let usage = plans.usage("free", &key).filter(|_| key == FREE);
    match usage {
        Some(usage) => (StatusCode::OK, told(&usage)),
        None => nobody(&key),
    }
}

async fn grant(
    State(plans): State<UsagePlans>,
    Path((key, remaining)): Path<(String, u64)>,
) -> Answer {
    if key != FREE || !plans.set_remaining("free", &key, remaining) {
        return nobody(&key);
    }
    read(State(plans), Path(key)).await
}

fn told(usage: &Usage) -> String {
    format!("{} used, {} left\n", usage.used, usage.remaining)
}

fn nobody(key: &str) -> Answer {
    let text = format!("`{key}` is no key with a quota\n");
    (StatusCode::NOT_FOUND, text)
}

/// The key of the plan that has a quota.
const FREE: &str = "acme";
