//! Hot redeploy: a new definition takes the old one's place between two requests, and none is lost.
//!
//! `cargo run --example hot_redeploy` sends requests while it deploys, and says what came back.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;

use http::Request;
use portcullis::core::Body;
use portcullis::{ApiSpec, Gateway};
use portcullis_examples::shown;
use serde_json::json;
use tower::ServiceExt;

fn release(number: u32) -> String {
    json!({
        "openapi": "3.0.1",
        "info": { "title": "release", "version": number.to_string() },
        "paths": { "/release": { "get": {
            "responses": { "200": { "description": "200 response" } },
            "x-amazon-apigateway-integration": {
                "type": "mock",
                "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
                "responses": { "default": {
                    "statusCode": "200",
                    "responseTemplates": { "application/json": format!("\"release {number}\"") }
                } }
            }
        } } }
    })
    .to_string()
}

// One thread, so that clients and deployments take turns.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let gateway = Gateway::builder()
        .api(ApiSpec::rest(release(1)).id("demo").stage_named("prod"))
        .build()?;

    // Eight clients keep asking while five releases come out.
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move {
                let mut seen = BTreeMap::new();
                for _ in 0..2_000 {
                    let request = Request::get("/prod/release").body(Body::empty())?;
                    let response = gateway.clone().oneshot(request).await?;
                    let body = response.body().as_bytes().unwrap_or_default();
                    let answer = format!("{} {}", response.status(), String::from_utf8_lossy(body));
                    *seen.entry(answer).or_insert(0_u32) += 1;
                    tokio::task::yield_now().await;
                }
                Ok::<_, Box<dyn Error + Send + Sync>>(seen)
            })
        })
        .collect();
    for number in 2..=6 {
        // Let the clients get on: a release is out for a while.
        for _ in 0..300 {
            tokio::task::yield_now().await;
        }
        gateway.deploy("demo", release(number))?;
        println!("deployed release {number}");
    }

    let mut total = BTreeMap::new();
    for client in clients {
        for (answer, count) in client.await?.map_err(|error| error.to_string())? {
            *total.entry(answer).or_insert(0) += count;
        }
    }
    for (answer, count) in &total {
        println!("{count:6} × {answer}");
    }
    assert_eq!(
        total.values().sum::<u32>(),
        16_000,
        "every request was answered"
    );
    assert!(
        total.keys().all(|answer| answer.starts_with("200 ")),
        "and answered well"
    );

    // A wrong document changes nothing.
    let error = gateway
        .deploy("demo", "{}")
        .err()
        .map(|error| error.to_string());
    println!("a wrong document: {}", error.unwrap_or_default());
    Ok(())
}
