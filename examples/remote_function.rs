//! A function behind an endpoint that speaks the Invoke API of AWS Lambda, as its emulators do.
//!
//! ```text
//! cargo run --example remote_function                                        # with an endpoint of its own
//! FUNCTION_URL=http://127.0.0.1:9000 cargo run --example remote_function     # with yours
//! ```
//!
//! An image of a function that was made for Lambda is such an endpoint: `docker run -p 9000:8080 image`, and its URL is
//! `http://127.0.0.1:9000/2015-03-31/functions/function/invocations`. Then:
//!
//! ```text
//! curl -i localhost:8080/pets/7
//! curl -i localhost:8080/pets/none
//! ```
//!
//! The second pet makes the function fail, as a function of Lambda does, and the answer is 502. The gateway is that of `functions/remote.yaml`.

use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use portcullis::GatewayConfig;
use portcullis_examples::{listening, shown};
use serde_json::{Value, json};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let url = match std::env::var("FUNCTION_URL") {
        Ok(url) => url,
        Err(_) => start_endpoint().await?,
    };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let config =
        GatewayConfig::load_with(folder.join("functions/remote.yaml"), |name| match name {
            "FUNCTION_URL" => Some(url.clone()),
            _ => std::env::var(name).ok(),
        })?;
    let gateway = config.gateway()?.build()?;
    let server = config.server()?.bind().await?;
    listening(
        server.handle().local_addrs()[0],
        include_str!("remote_function.rs"),
    );
    server.run(gateway).await;
    Ok(())
}

/// The least that such an endpoint is.
async fn start_endpoint() -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = Router::new().route("/2015-03-31/functions/{name}/invocations", post(invoke));
    tokio::spawn(async move { axum::serve(listener, app).await });
    println!("the endpoint of the function is {url}");
    Ok(url)
}

async fn invoke(Path(name): Path<String>, Json(event): Json<Value>) -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    let pet = event["pathParameters"]["id"].as_str();
    println!("`{name}` is called for {pet:?}");
    if pet == Some("none") {
        headers.insert(
            "x-amz-function-error",
            "Unhandled".parse().expect("a value"),
        );
        let error = json!({"errorMessage": "no such pet", "errorType": "NotFound"});
        return (headers, Json(error));
    }
    let body = json!({"id": pet, "name": "Rex"}).to_string();
    let reply = json!({
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": body
    });
    (headers, Json(reply))
}
