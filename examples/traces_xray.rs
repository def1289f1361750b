//! Segments for AWS X-Ray, with a daemon that prints them instead of sending them on.
//!
//! `cargo run --example traces_xray`, then
//!
//! ```text
//! curl -i localhost:3000/orders/7
//! curl -i localhost:3000/broken -H 'X-Amzn-Trace-Id: Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1'
//! curl -i localhost:3000/health     # never recorded
//! ```
//!
//! With `AWS_XRAY_DAEMON_ADDRESS` set, segments go to the daemon that is there. `LISTEN` is another address to listen on.

use std::process::ExitCode;

use axum::{Router, http::StatusCode, routing::get};
use portcullis::observe::ObserveLayer;
use portcullis::observe::trace::{SamplingRules, Traces, XrayDaemon};
use portcullis_examples::{listener, logs, shown};
use tokio::net::UdpSocket;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    logs("info");
    let daemon = match std::env::var("AWS_XRAY_DAEMON_ADDRESS") {
        Ok(address) => address,
        Err(_) => printing_daemon().await?,
    };
    // What the SDKs of X-Ray take as local rules.
    let rules = SamplingRules::from_json(
        r#"{
            "version": 2,
            "rules": [{"description": "health", "host": "*", "http_method": "GET", "url_path": "/health", "fixed_target": 0, "rate": 0}],
            "default": {"fixed_target": 100, "rate": 0.05}
        }"#,
    )?;
    let traces = Traces::builder("orders")
        .sampling(rules)
        .xray(XrayDaemon::new(&daemon)?)
        .build();

    let app = Router::new()
        .route("/orders/{id}", get(async || "an order\n"))
        .route(
            "/broken",
            get(async || (StatusCode::BAD_GATEWAY, "broken\n")),
        )
        .route("/health", get(async || "well\n"))
        .layer(ObserveLayer::new(traces));
    let listener = listener("127.0.0.1:3000").await?;
    println!(
        "listening on http://{}, segments go to {daemon}",
        listener.local_addr()?
    );
    axum::serve(listener, app).await?;
    Ok(())
}

/// Prints what it gets; its address.
async fn printing_daemon() -> std::io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?.to_string();
    tokio::spawn(async move {
        let mut datagram = vec![0; 65_536];
        while let Ok(length) = socket.recv(&mut datagram).await {
            println!("{}", String::from_utf8_lossy(&datagram[..length]));
        }
    });
    Ok(address)
}
