//! Routes in axum for whoever has a key, from a file that is read again when it changes.
//!
//! `cargo run --example api_keys`, or with a CSV or JSON file of your own behind `--`; then:
//!
//! ```text
//! curl -i localhost:3000/hello -H 'x-api-key: acme-0123456789abcdef'
//! curl -i localhost:3000/hello -H 'x-api-key: guessed-0123456789ab'
//! curl -i localhost:3000/hello
//! ```
//!
//! The log says of each refusal what was wrong with the key. Change the file, and within a second requests count by it.

use std::process::ExitCode;
use std::time::Duration;

use axum::{Extension, Router, routing::get};
use portcullis::auth::api_key::{ApiKeyLayer, FileKeys};
use portcullis::core::RequestContext;
use portcullis_examples::{listener, listening, logs, shown};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    logs("debug");

    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/keys.csv");
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| bundled.to_owned());
    let keys = FileKeys::open(path)?;
    println!("{} keys", keys.len());

    let app = Router::new()
        .route("/hello", get(hello))
        .layer(ApiKeyLayer::new(keys.clone()));

    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            match keys.reload_if_changed() {
                Ok(false) => {}
                Ok(true) => println!("{} keys", keys.len()),
                // The keys that were there stay.
                Err(error) => eprintln!("{error}"),
            }
        }
    });
    let listener = listener("127.0.0.1:3000").await?;
    listening(listener.local_addr()?, include_str!("api_keys.rs"));
    axum::serve(listener, app).await?;
    Ok(())
}

async fn hello(Extension(context): Extension<RequestContext>) -> String {
    match context.api_key() {
        Some(key) => format!("hello, {}\n", key.id()),
        None => "hello, whoever you are\n".to_owned(),
    }
}
