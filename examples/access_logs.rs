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

use axum::extract::ConnectInfo;
use axum::{Router, routing::get};
use portcullis::core::ApiKind;
use portcullis::observe::{AccessFormat, AccessLog, LogSink, ObserveLayer, Peer};

#[tokio::main]
async fn main() {
    if let Err(error) = run().await {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let format = std::env::args().nth(1);
    let format = match format.as_deref() {
        None | Some("combined") => AccessFormat::combined(),
        Some("clf") => AccessFormat::clf(ApiKind::Rest),
        Some("json") => AccessFormat::json(ApiKind::Rest),
        Some("xml") => AccessFormat::xml(ApiKind::Rest),
        Some("csv") => AccessFormat::csv(ApiKind::Rest),
        Some(own) => AccessFormat::parse(own)?,
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
    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}
