//! A limit per client address in axum.
//!
//! `cargo run --example throttle_axum`, then
//!
//! ```text
//! for i in $(seq 8); do curl -s -o /dev/null -w '%{http_code} ' localhost:3000/; done   # 200 five times, then 429
//! curl -i localhost:3000/other                                                          # the same limit, and when to come back
//! ```

use std::net::SocketAddr;
use std::process::ExitCode;

use axum::extract::ConnectInfo;
use axum::{Router, routing::get};
use portcullis::throttle::{ClientAddress, Headers, Limit, Rule, ThrottleLayer};
use portcullis_examples::{listener, listening, shown};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let client = ClientAddress::new().peer(|head| {
        let peer = head.extensions().get::<ConnectInfo<SocketAddr>>();
        peer.map(|peer| peer.0.ip())
    });
    let throttle = ThrottleLayer::builder()
        .rule(Rule::new("per-client", client, Limit::per_second(1.0, 5)?))
        .headers(Headers::new().retry_after(true).rate_limit(true))
        .build()?;

    let app = Router::new()
        .route("/", get(async || "hello\n"))
        .route("/other", get(async || "hello again\n"))
        .layer(throttle);
    let listener = listener("127.0.0.1:3000").await?;
    listening(listener.local_addr()?, include_str!("throttle_axum.rs"));
    // The address of the other end is there only if the server is asked for it.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}
