//! Layers alone, in axum: CORS, a guard of one's own, and refusals restyled.
//!
//! `cargo run --example layers_axum`, then:
//!
//! ```text
//! curl -i localhost:3000/pets -H 'origin: https://shop.example.com'
//! curl -i localhost:3000/pets -H 'origin: https://shop.example.com' -H 'x-maintenance: 1'
//! curl -i -X OPTIONS localhost:3000/pets -H 'origin: https://shop.example.com' -H 'access-control-request-method: PUT'
//! ```

use axum::{Json, Router, routing::get};
use portcullis::core::{Guard, GuardLayer, Head, Never, Rejection, RejectionKind, Verdict};
use portcullis::cors::{CorsLayer, CorsRules};
use portcullis::responses::{GatewayResponses, ResponseConfig, ResponsesLayer};
use portcullis_examples::{listener, listening, logs, shown};
use std::process::ExitCode;

/// Refuses what says that it is meant for a time of maintenance.
struct Maintenance;

impl Guard for Maintenance {
    type Ask = Never;

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        if head.headers().contains_key("x-maintenance") {
            Verdict::Refuse(Rejection::new(RejectionKind::AccessDenied))
        } else {
            Verdict::Pass
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    logs("info");
    let cors = CorsRules::builder()
        .allow_origins(["https://*.example.com"])
        .allow_methods(["GET", "PUT"])
        .build()?;
    let responses = GatewayResponses::builder()
        .response(
            ResponseConfig::new("ACCESS_DENIED")
                .status(503)
                .header("Retry-After", "'120'")
                .template(
                    "application/json",
                    r#"{"message": "We are cleaning the cages."}"#,
                ),
        )
        .build()?;

    let app = Router::new()
        .route("/pets", get(async || Json(["cat", "dog"])))
        // The layer that is added last stands outermost: CORS outside everything that refuses.
        .layer(GuardLayer::new(Maintenance))
        .layer(ResponsesLayer::new(responses))
        .layer(CorsLayer::new(cors));

    let listener = listener("127.0.0.1:3000").await?;
    listening(listener.local_addr()?, include_str!("layers_axum.rs"));
    axum::serve(listener, app).await?;
    Ok(())
}
