//! Metrics of an axum router for Prometheus, under the names of API Gateway and of the OpenTelemetry conventions.
//!
//! `cargo run --example prometheus_axum` (`LISTEN` is another address), then
//!
//! ```text
//! curl localhost:3000/pets/7; curl localhost:3000/pets/8; curl localhost:3000/broken
//! curl localhost:3000/metrics     # one series for /pets/{id}, whatever the ids
//! ```

use std::process::ExitCode;
use std::time::Duration;

use axum::extract::{MatchedPath, Path};
use axum::http::StatusCode;
use axum::{Router, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use portcullis::observe::{Metrics, ObserveLayer};
use portcullis_examples::{listener, listening, shown};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let name = |name: &str| Matcher::Full(name.to_owned());
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(
            name("http.server.request.duration"),
            &Metrics::DURATION_BUCKETS,
        )?
        .set_buckets_for_metric(name("apigateway.Latency"), &Metrics::LATENCY_BUCKETS)?
        .install_recorder()?;

    // Routes as they are declared are labels; paths never are.
    let metrics = Metrics::builder()
        .route(|head| {
            let matched = head.extensions().get::<MatchedPath>();
            matched.map(MatchedPath::as_str)
        })
        .build();

    // What histograms collect is put into their buckets now and then, also while nobody reads.
    let upkeep = prometheus.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });

    let app = Router::new()
        .route(
            "/pets/{id}",
            get(async |Path(id): Path<u32>| format!("pet {id}\n")),
        )
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(ObserveLayer::new(metrics))
        // Outside of the layer, so that scrapes are not counted.
        .route("/metrics", get(async move || prometheus.render()));

    let listener = listener("127.0.0.1:3000").await?;
    listening(listener.local_addr()?, include_str!("prometheus_axum.rs"));
    axum::serve(listener, app).await?;
    Ok(())
}
