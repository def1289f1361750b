//! A canary in axum: a share of the users gets the new version, testers choose, and an operator promotes it.
//!
//! `cargo run --example canary_axum`, then
//!
//! ```text
//! curl -i localhost:3000/                                       # one of the two, and a cookie by which you stay there
//! for i in $(seq 20); do curl -s localhost:3000/; done          # without it, about every fifth is new
//! curl -H 'x-release: v2' localhost:3000/                       # a tester chooses
//! curl -X PUT localhost:3000/admin/weight/50                    # raises the share: whoever had the new version keeps it
//! curl -X POST localhost:3000/admin/promote; curl localhost:3000/
//! curl -X POST localhost:3000/admin/rollback; curl localhost:3000/
//! ```

use std::process::ExitCode;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post, put};
use http::{HeaderName, StatusCode};
use portcullis::canary::{CanaryLayer, Carry, Forced, Split, Sticky, StickyCookie};
use portcullis_examples::{listener, shown};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let split = Split::builder()
        .variant("v2", 20.0)
        // The example is served in the clear.
        .sticky(Sticky::own_cookie(
            StickyCookie::new("release").secure(false),
        ))
        // In production, give it a key: `.signed(SigningKey::new(…)?)`.
        .forced(Forced::header(HeaderName::from_static("x-release")))
        .carry(Carry::header(HeaderName::from_static("x-served-by")))
        .build()?;

    let old = Router::new().route("/", get(async || "the old version\n"));
    let new = Router::new().route("/", get(async || "the new version\n"));
    let shop = old.layer(CanaryLayer::new(split.clone(), [("v2", new)])?);

    let (weight, promote, rollback) = (split.clone(), split.clone(), split);
    let admin = Router::new()
        .route(
            "/weight/{percent}",
            put(
                async move |Path(percent): Path<f64>| match weight.set_weight("v2", percent) {
                    Ok(()) => (StatusCode::OK, format!("v2 gets {percent} %\n")),
                    Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
                },
            ),
        )
        .route(
            "/promote",
            post(async move || match promote.promote("v2") {
                Ok(()) => "v2 gets everything\n".to_owned(),
                Err(error) => format!("{error}\n"),
            }),
        )
        .route(
            "/rollback",
            post(async move || {
                rollback.roll_back();
                "production gets everything\n"
            }),
        );

    let listener = listener("127.0.0.1:3000").await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("  curl -i http://{address}/");
    println!("  curl -H 'x-release: v2' http://{address}/");
    println!("  curl -X PUT http://{address}/admin/weight/50");
    println!("  curl -X POST http://{address}/admin/promote");
    println!("  curl -X POST http://{address}/admin/rollback");
    // In production, put the operators' routes behind auth, on an address of their own.
    axum::serve(listener, shop.nest("/admin", admin)).await?;
    Ok(())
}
