//! A check of one's own before routes in axum, with answers that are kept.
//!
//! `cargo run --example custom_authorizer`, then:
//!
//! ```text
//! curl -i localhost:3000/pets -H 'X-Session: ann'      # asks, and 200
//! curl -i localhost:3000/pets -H 'X-Session: ann'      # remembers
//! curl -i localhost:3000/pets -H 'X-Session: eve'      # 403
//! curl -i localhost:3000/pets -H 'X-Session: nobody'   # 401
//! curl -i localhost:3000/pets                          # 401, and nobody is asked
//! curl -i -X POST localhost:3000/flush                 # forgets
//! ```

use std::process::ExitCode;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Extension, Router};
use portcullis::auth::custom::{
    AuthorizerError, AuthorizerReply, AuthorizerRequest, CustomAuthorizerLayer,
};
use portcullis::core::RequestContext;
use portcullis_examples::{listener, listening, logs, shown};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    logs("debug");

    let sessions = CustomAuthorizerLayer::new(ask_the_database)
        .identity_sources(["$request.header.X-Session"])?
        .cache_for(Duration::from_secs(60));
    let kept = sessions.kept().clone();

    let app = Router::new()
        .route("/pets", get(pets).layer(sessions))
        .route("/flush", post(async move || kept.flush()));
    let listener = listener("127.0.0.1:3000").await?;
    listening(listener.local_addr()?, include_str!("custom_authorizer.rs"));
    axum::serve(listener, app).await?;
    Ok(())
}

async fn ask_the_database(request: AuthorizerRequest) -> Result<AuthorizerReply, AuthorizerError> {
    println!("asked about {}", request.method_arn);
    tokio::time::sleep(Duration::from_millis(200)).await;
    match request.identity[0].as_str() {
        "ann" => Ok(AuthorizerReply::allow("ann").with_context("tier", "gold")),
        "eve" => Ok(AuthorizerReply::deny("eve")),
        _ => Err(AuthorizerError::Unauthorized),
    }
}

async fn pets(Extension(context): Extension<RequestContext>) -> String {
    let tier = context.get("authorizer.tier").unwrap_or_default();
    format!("pets for {tier}\n")
}
