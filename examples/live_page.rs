//! The live page beside a gateway.
//!
//! `cargo run --example live_page -- --load`, then open <http://localhost:3000/live>, and
//!
//! ```text
//! curl -i localhost:3000/prod/pets/7
//! curl -i localhost:3000/prod/limited     # 429 now and then
//! curl -s localhost:3000/metrics          # what the page reads
//! ```
//!
//! With `--load` the example sends itself some requests, one in five to a canary. `LISTEN` is another address. Page and metrics are open here: mount them where only operators come.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, body::Body, http::Request, routing::get};
use metrics_exporter_prometheus::PrometheusBuilder;
use portcullis::core::{Guard, Head, Never, Release, Verdict};
use portcullis::definition::Stage;
use portcullis::observe::{LivePage, Metrics};
use portcullis::{ApiSpec, Gateway};
use portcullis_examples::{listener, shown};
use serde_json::json;
use tower::ServiceExt;

/// Says that requests with the header `canary` go to one, as a split would.
struct Split;

impl Guard for Split {
    type Ask = Never;

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        if let Some(context) = head.context() {
            context.set_release(match head.headers().contains_key("canary") {
                true => Release::Canary("canary".into()),
                false => Release::Production,
            });
        }
        Verdict::Pass
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&Metrics::FINE_DURATION_BUCKETS)?
        .build_recorder();
    let scrape = recorder.handle();
    let metrics = Metrics::builder().recorder(Arc::new(recorder)).build();

    let mock = |status: &str| {
        json!({ "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": format!("{{\"statusCode\": {status}}}") },
            "responses": { "default": { "statusCode": status } }
        } })
    };
    let definition = json!({
        "openapi": "3.0.1", "info": { "title": "pets", "version": "1" },
        "paths": {
            "/pets/{id}": { "get": mock("200") },
            "/limited": { "get": mock("200") },
            "/broken": { "get": mock("502") }
        }
    });
    let stage: Stage = serde_json::from_value(json!({
        "stageName": "prod",
        "methodSettings": { "limited/GET": { "throttlingRateLimit": 2, "throttlingBurstLimit": 2 } }
    }))?;
    let api = ApiSpec::rest(definition.to_string()).id("petstore");
    let gateway = Gateway::builder()
        .api(api.stage(stage))
        .guard(Split)
        .metrics(metrics)
        .build()?;

    if std::env::args().any(|argument| argument == "--load") {
        tokio::spawn(load(gateway.clone()));
    }
    let app = Router::new()
        .route("/metrics", get(move || std::future::ready(scrape.render())))
        .route_service("/live", LivePage::titled("Pets, live", "/metrics"))
        .fallback_service(gateway);
    let listener = listener("127.0.0.1:3000").await?;
    println!("listening on http://{}/live", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// Some requests, for as long as the example runs.
async fn load(gateway: Gateway) {
    let mut sent = 0_u32;
    loop {
        let path = match sent % 20 {
            0..=2 => "/prod/limited",
            3 => "/prod/broken",
            _ => "/prod/pets/7",
        };
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().unwrap_or_default();
        if sent % 5 == 4 {
            let value = axum::http::HeaderValue::from_static("1");
            request.headers_mut().insert("canary", value);
        }
        let Ok(response) = gateway.clone().oneshot(request).await;
        // A request has ended when its response has been read.
        let _ = axum::body::to_bytes(Body::new(response.into_body()), usize::MAX).await;
        sent = sent.wrapping_add(1);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
