//! Access logs of an axum router in every format.
//!
//! `cargo run --example access_logs -- json` (or `combined`, `clf`, `xml`, `csv`, or a format of your own; `LISTEN` is another address), then
//!
//! ```text
//! curl localhost:3000/pets/7
//! curl -A '"}, {"forged": "line"' localhost:3000/pets/8      # stays one line, and valid
//! curl -H 'authorization: Bearer secret' localhost:3000/     # is not in the log
//! ```
//!
//! `cargo run --example access_logs -- '$context.httpMethod $context.path $context.status $request.header.authorization'`

use std::net::SocketAddr;
use std::process::ExitCode;

use axum::extract::ConnectInfo;
use axum::{Router, routing::get};
use portcullis::core::ApiKind;
use portcullis::observe::{AccessFormat, AccessLog, LogSink, ObserveLayer, Peer};
use portcullis_examples::{listener, listening, shown};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

/// Numbers need no quotes, and what is not there is `null`.
const JSON: &str = r#"{"id": "$context.requestId", "ip": "$context.identity.sourceIp", "time": "$context.requestTime", "method": "$context.httpMethod", "path": "$context.path", "status": $context.status, "bytes": $context.responseLength, "ms": $context.responseLatency, "agent": "$context.identity.userAgent"}"#;

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let format = std::env::args().nth(1);
    let format = format.as_deref().unwrap_or("combined");
    let format = match format {
        // The console's own does not say what clients call themselves.
        "json" => AccessFormat::parse(JSON)?,
        name => match AccessFormat::named(name, ApiKind::Rest) {
            Some(ready) => ready,
            None => AccessFormat::parse(name)?,
        },
    };
    // A file would be `LogSink::file("access.log")?`, and a new one each day `LogSink::builder("access").rolling_file(…)?`.
    let log = AccessLog::new(format, LogSink::stdout());
    let peer = Peer::new(|head| {
        let peer = head.extensions().get::<ConnectInfo<SocketAddr>>();
        peer.map(|peer| peer.0)
    });

    let app = Router::new()
        .route("/", get(async || "hello\n"))
        .route("/pets/{id}", get(async || "a pet\n"))
        .layer(ObserveLayer::new((peer, log)));
    let listener = listener("127.0.0.1:3000").await?;
    listening(listener.local_addr()?, include_str!("access_logs.rs"));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}
