//! A ramp with guard rails: the new version's share rises every few seconds, and goes back to nothing when it fails more than the old one.
//!
//! `cargo run --example guarded_ramp` serves a version that does well; the example sends the requests itself, and prints what is decided.
//! `cargo run --example guarded_ramp -- broken` serves one of whose answers every tenth is 500, and ends with the rollback and its numbers.
//!
//! ```text
//! curl localhost:3000/         # one of the two
//! curl localhost:3000/ramp     # how the ramp stands
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use portcullis::canary::{CanaryLayer, MirrorLayer, Ramp, Split};
use tower::ServiceExt;

#[tokio::main]
async fn main() {
    if let Err(error) = run().await {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let broken = std::env::args().nth(1).is_some_and(|word| word == "broken");
    let split = Split::new("v2", 0.0)?;

    let old = Router::new().route("/", get(async || "hello\n"));
    let new = Router::new().route("/", get(async move || new_version(broken)));
    // Copies of the requests to production go to the new version as well, and the answers are compared.
    let mirror = MirrorLayer::builder().share(20.0).build(new.clone())?;
    let report = mirror.handle();

    let seconds = Duration::from_secs;
    let steps = [
        (5.0, seconds(4)),
        (25.0, seconds(4)),
        (50.0, seconds(4)),
        (100.0, seconds(0)),
    ];
    let ramp = Ramp::new(steps)
        .window(seconds(2))
        .min_requests(50)
        .max_error_rate_above(2.0)
        // The versions do next to nothing, so their latencies are noise.
        .max_p99_times(20.0)
        .max_mismatches_above(20.0, report.comparisons())
        .on_decision(|decision| println!("{decision}"));

    let canary = CanaryLayer::new(split.clone(), [("v2", new)])?;
    let app = old.layer(mirror).layer(canary);
    let status = split.clone();
    let served = app.clone().route(
        "/ramp",
        get(async move || match status.ramp() {
            Some(ramp) => format!("{ramp}\n{}\n", report.report()),
            None => "it has not begun\n".to_owned(),
        }),
    );

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("  curl http://{address}/ramp");
    split.start_ramp("v2", ramp)?;
    tokio::spawn(async move {
        // Some traffic: five hundred requests a second.
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        loop {
            tick.tick().await;
            let _ = app.clone().oneshot(Request::new(Body::empty())).await;
        }
    });
    axum::serve(listener, served).await?;
    Ok(())
}

fn new_version(broken: bool) -> (StatusCode, &'static str) {
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    let count = REQUESTS.fetch_add(1, Ordering::Relaxed);
    if broken && count.is_multiple_of(10) {
        (StatusCode::INTERNAL_SERVER_ERROR, "broken\n")
    } else {
        (StatusCode::OK, "hello\n")
    }
}
