//! Metrics of a gateway for CloudWatch, as lines of its embedded metric format.
//!
//! `cargo run --example cloudwatch_metrics` (`LISTEN` is another address), then
//!
//! ```text
//! for i in $(seq 3); do curl localhost:8080/pets; done; curl localhost:8080/none
//! ```
//!
//! Five seconds later there are two lines on standard output: one for the method, and one for requests that no method serves. The CloudWatch agent, Lambda and Fluent Bit make metrics of such lines.

use std::process::ExitCode;
use std::time::Duration;

use portcullis::Gateway;
use portcullis::observe::{Emf, LogSink};
use portcullis::serve::{Server, shutdown_signal};
use portcullis_examples::{listen, listening, shown};
use serde_json::json;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let export = json!({
        "openapi": "3.0.1",
        "info": { "title": "Pet store", "version": "1.0" },
        "paths": { "/pets": { "get": {
            "responses": { "200": { "description": "200 response" } },
            "x-amazon-apigateway-integration": {
                "type": "mock",
                "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
                "responses": { "default": {
                    "statusCode": "200",
                    "responseTemplates": { "application/json": "[\"cat\", \"dog\"]\n" }
                } }
            }
        } } }
    });
    let emf = Emf::builder()
        .namespace("Shop")
        .interval(Duration::from_secs(5))
        .build(LogSink::stdout())?;
    let gateway = Gateway::builder()
        .export(export.to_string())
        .emf(emf)
        .build()?;

    let server = Server::builder()
        .listen(listen("127.0.0.1:8080"))
        .bind()
        .await?;
    let address = server.handle().local_addrs()[0];
    listening(address, include_str!("cloudwatch_metrics.rs"));
    println!("metrics are written each 5 seconds, or with the hundredth request");
    let handle = server.handle();
    tokio::spawn(async move {
        shutdown_signal().await;
        handle.shutdown();
    });
    server.run(gateway).await;
    Ok(())
}
