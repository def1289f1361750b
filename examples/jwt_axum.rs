//! Tokens of OpenID Connect before routes in axum.
//!
//! `cargo run --example jwt_axum -- https://id.example.com pets`: an issuer, and whom its tokens are for. Then:
//!
//! ```text
//! curl -i localhost:3000/pets -H "Authorization: Bearer $TOKEN"
//! curl -i localhost:3000/pets
//! ```

use axum::{Extension, Router, routing::get};
use portcullis::auth::jwt::{Issuer, JwtLayer};
use portcullis::core::RequestContext;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let issuer = args
        .next()
        .unwrap_or_else(|| "https://id.example.com".to_owned());
    let audience = args.next().unwrap_or_else(|| "pets".to_owned());

    let tokens = JwtLayer::new(Issuer::discover(&issuer)?.audience(audience));
    let app = Router::new().route("/pets", get(pets)).layer(tokens);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}

async fn pets(Extension(context): Extension<RequestContext>) -> String {
    let claims = context.claims().expect("nobody passes without");
    let subject = claims.get("sub").and_then(|subject| subject.as_str());
    format!("pets of {}\n", subject.unwrap_or("nobody"))
}
