//! Tokens of several issuers, each by its own rules; opaque tokens; and what each route asks for.
//!
//! `cargo run --example several_issuers`. Two of its issuers are on this machine and sign with secrets, so that it runs without a network; it prints a token of each
//! and `curl` lines to try.

use axum::{Extension, Router, routing::get};
use portcullis::auth::caller_headers::CallerHeadersLayer;
use portcullis::auth::combine::AnyOf;
use portcullis::auth::introspection::{Introspection, IntrospectionLayer};
use portcullis::auth::jwt::{Algorithm, Issuer, JwtLayer, Key, Verifier};
use portcullis::core::RequestContext;
use portcullis_examples::{listener, logs, shown};
use std::process::ExitCode;
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    logs("debug");

    // Each issuer has keys, audiences and rules of its own; a token says itself which of them it is of.
    let shop = Issuer::given("shop", [Key::secret(Algorithm::HS256, SHOP)?])?.audience("pets");
    let partner = Issuer::given("partner", [Key::secret(Algorithm::HS256, PARTNER)?])?
        .require_claim_value("tenant", "acme")
        .audience("pets");
    let staff = Issuer::discover("https://id.example.com")?.audiences(["pets", "backoffice"]);
    let pool = Issuer::user_pool(
        "arn:aws:cognito-idp:eu-west-1:111111111111:userpool/eu-west-1_AbCdEf123",
    )?
    .audience("the id of an app client");
    let tokens = JwtLayer::new(Verifier::from([shop, partner, staff, pool]));

    // Tokens that say nothing by themselves: whoever gave them out is asked.
    let opaque = Introspection::at("https://old.example.com/introspect")?
        .client_credentials("pets-api", "a secret of ours")
        .audience("pets");
    let opaque = IntrospectionLayer::new(opaque).token_in_header("x-old-token".parse()?);

    let headers = CallerHeadersLayer::new().claim("x-user-id", "sub")?;
    let app = Router::new()
        // Anybody; who brings a token is known by it.
        .route(
            "/pets",
            get(pets).layer(AnyOf::new(tokens.clone()).or(opaque).or_anonymous()),
        )
        // Only with this scope; the handler, or an upstream, reads who it is from a header.
        .route(
            "/orders",
            get(pets).layer(
                ServiceBuilder::new()
                    .layer(tokens.require_scopes(["orders:read"]))
                    .layer(headers),
            ),
        );
    let listener = listener("127.0.0.1:3000").await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    for (name, secret, claims) in [
        (
            "shop",
            SHOP,
            r#"{"iss":"shop","aud":"pets","sub":"ann","scope":"orders:read","exp":4102444800}"#,
        ),
        (
            "partner",
            PARTNER,
            r#"{"iss":"partner","aud":"pets","sub":"bob","tenant":"acme","exp":4102444800}"#,
        ),
    ] {
        println!(
            "{name}: curl -i http://{address}/orders -H 'Authorization: Bearer {}'",
            token(secret, claims)
        );
    }
    println!("The partner's token opens /pets and not /orders: 403, for want of a scope.");
    println!("nobody: curl -i http://{address}/pets");
    axum::serve(listener, app).await?;
    Ok(())
}

async fn pets(Extension(context): Extension<RequestContext>) -> String {
    match context.claims() {
        Some(claims) => {
            let subject = claims.get("sub").and_then(|subject| subject.as_str());
            format!("hello, {}\n", subject.unwrap_or("nobody"))
        }
        None => "hello, stranger\n".to_owned(),
    }
}

const SHOP: [u8; 32] = *b"the shop's secret of 32 bytes...";
const PARTNER: [u8; 32] = *b"the partner's secret, 32 bytes..";

/// A token as an issuer would make it.
fn token(secret: [u8; 32], claims: &str) -> String {
    use aws_lc_rs::hmac;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

    let header = BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let message = format!("{header}.{}", BASE64.encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let signature = BASE64.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}
