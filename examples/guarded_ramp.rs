//! A ramp with guard rails: the new version's share rises every few seconds, and goes back to nothing when it fails more than the old one.
//!
//! `cargo run --example guarded_ramp` serves a version that does well; the example sends the requests itself, and prints what is decided.
//! `cargo run --example guarded_ramp -- broken` serves one of whose answers every tenth is 500, and ends with the rollback and its numbers.
//!
//! `LISTEN` is another address.

use std::error::Error;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use portcullis::canary::{CanaryLayer, MirrorLayer, Ramp, Split};
use portcullis_examples::{listener, shown};
use tower::ServiceExt;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let broken = match &*words {
        [] => false,
        [word] if word == "broken" => true,
        // The first that is one too many.
        [first, word, ..] if first == "broken" => {
            return Err(format!("`{word}` is one too many; usage: guarded_ramp [broken]").into());
        }
        [word, ..] => {
            return Err(format!("`{word}` is not known here; usage: guarded_ramp [broken]").into());
        }
    };
    let split = Split::new("v2", 0.0)?;

    let old = Router::new().route("/", get(old_version));
    let new = Router::new().route("/", get(async move || new_version(broken).await));
    // Copies of the requests to production go to the new version as well, and the answers are compared.
    let mirror = MirrorLayer::builder().share(20.0).build(new.clone())?;
    let report = mirror.handle();

    let seconds = Duration::from_secs;
    let steps = [
        (5.0, seconds(5)),
        (25.0, seconds(5)),
        (50.0, seconds(5)),
        (100.0, seconds(0)),
    ];
    let ramp = Ramp::new(steps)
        .window(seconds(5))
        // Of each version, before anything is decided: fewer would make chance a verdict.
        .min_requests(100)
        .max_error_rate_above(4.0)
        // Both wait for as long as the machine lets them, and it may be busy.
        .max_p99_times(20.0)
        .max_mismatches_above(20.0, report.comparisons())
        .on_decision(|decision| println!("{decision}"));

    let canary = CanaryLayer::new(split.clone(), [("v2", new)])?;
    let app = old.layer(mirror).layer(canary);
    let status = split.clone();
    let served = app.clone().route(
        "/ramp",
        get(async move || match status.ramp() {
            Some(ramp) => format!(
                "ramp:        {ramp}\n\
                 this window: v2 {}\n\
                 \u{20}            production {}\n\
                 copies:      {}\n",
                ramp.canary,
                ramp.baseline,
                report.report()
            ),
            None => "it has not begun\n".to_owned(),
        }),
    );

    let listener = listener("127.0.0.1:3000").await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("  curl http://{address}/      # one of the two versions");
    println!(
        "  curl http://{address}/ramp  # how the ramp stands, what both did in this window, and how answers to copied requests differ"
    );
    split.start_ramp("v2", ramp)?;
    tokio::spawn(async move {
        // Some traffic: five hundred requests a second.
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        loop {
            tick.tick().await;
            let asked = app.clone().oneshot(Request::new(Body::empty()));
            tokio::spawn(async move {
                let Ok(answer) = asked.await;
                // Whoever does not read an answer leaves nothing to compare.
                let _ = answer.into_body().collect().await;
            });
        }
    });
    axum::serve(listener, served).await?;
    Ok(())
}

async fn old_version() -> &'static str {
    tokio::time::sleep(WORK).await;
    "hello\n"
}

async fn new_version(broken: bool) -> (StatusCode, &'static str) {
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    tokio::time::sleep(WORK).await;
    let count = REQUESTS.fetch_add(1, Ordering::Relaxed);
    if broken && count.is_multiple_of(10) {
        (StatusCode::INTERNAL_SERVER_ERROR, "broken\n")
    } else {
        (StatusCode::OK, "hello\n")
    }
}

/// How long a version thinks about an answer.
const WORK: Duration = Duration::from_millis(5);
