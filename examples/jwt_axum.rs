//! Tokens of OpenID Connect before routes in axum.
//!
//! `cargo run --example jwt_axum -- https://id.example.com pets`: an issuer, and whom its tokens are for. It prints what to try. `LISTEN` is another address.

use axum::{Extension, Router, routing::get};
use portcullis::auth::jwt::{Issuer, JwtLayer};
use portcullis::core::RequestContext;
use portcullis_examples::{listener, shown};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let issuer = args
        .next()
        .unwrap_or_else(|| "https://id.example.com".to_owned());
    let audience = args.next().unwrap_or_else(|| "pets".to_owned());

    let tokens = JwtLayer::new(Issuer::discover(&issuer)?.audience(audience.as_str()));
    let app = Router::new().route("/pets", get(pets)).layer(tokens);
    let listener = listener("127.0.0.1:3000").await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}; with a token of {issuer} for {audience}:");
    println!("  curl -i http://{address}/pets -H \"Authorization: Bearer $TOKEN\"");
    println!("and without one, which is answered 401:");
    println!("  curl -i http://{address}/pets");
    axum::serve(listener, app).await?;
    Ok(())
}

async fn pets(Extension(context): Extension<RequestContext>) -> String {
    let claims = context.claims().expect("nobody passes without");
    let subject = claims.get("sub").and_then(|subject| subject.as_str());
    format!("pets of {}\n", subject.unwrap_or("nobody"))
}
