//! Links that can be handed on: signed in their query, for one method and path, for a while.
//!
//! `cargo run --example presigned_url` serves a download for signed requests, and prints a link to it that works for ten minutes in any browser.

use std::process::ExitCode;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use axum::{Router, routing::get};
use portcullis::auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis::auth::iam::Principal;
use portcullis::auth::sigv4::{SigV4Layer, SigV4Rules, SigV4Verifier};
use portcullis::core::{Clock, SystemClock};
use portcullis_examples::{listener, logs, shown};

const KEY: &str = "AKIDLINKS";
const SECRET: &str = "the-links-secret";

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    logs("debug");

    // The layer honours the life that a link says, a week at most. With a replay guard each would work once.
    let verifier = SigV4Verifier::new(SigV4Rules::new("eu-west-1", "execute-api")?);
    let links = Caller::new(Principal::from_arn("arn:aws:iam::123456789012:user/links")?);
    let keys = MemoryCredentials::new([Credential::new(KEY, SECRET, links)]);
    let app = Router::new()
        .route("/reports/{name}", get(async || "what you were to read\n"))
        .layer(SigV4Layer::new(verifier, keys));

    let listener = listener("127.0.0.1:3000").await?;
    let url = format!("http://{}/reports/2026.txt", listener.local_addr()?);
    println!("listening on http://{}", listener.local_addr()?);
    println!("  curl -i '{}'", presigned(&url, Duration::from_secs(600))?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// The URL with a signature in its query, by the signer of the AWS SDK for Rust.
fn presigned(url: &str, life: Duration) -> Result<http::Uri, Box<dyn std::error::Error>> {
    let identity = Credentials::new(KEY, SECRET, None, None, "example").into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(life);
    let params = SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("execute-api")
        .time(SystemClock::new().wall())
        .settings(settings)
        .build()?
        .into();
    let signable = SignableRequest::new("GET", url, [].into_iter(), SignableBody::Bytes(b""))?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    let mut request = http::Request::get(url).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.uri().clone())
}
