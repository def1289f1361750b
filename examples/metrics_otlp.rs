//! Metrics of an axum router, sent to a collector of OpenTelemetry by OTLP.
//!
//! Start a collector that listens on port 4317, such as `docker run -p 4317:4317 otel/opentelemetry-collector`, then `cargo run --example metrics_otlp`, and
//!
//! ```text
//! curl localhost:3000/pets/7; curl localhost:3000/pets/8; curl localhost:3000/broken
//! ```
//!
//! They are sent each five seconds. `OTEL_EXPORTER_OTLP_ENDPOINT` names another collector, `LISTEN` another address. Without a collector requests are served all the same.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Path};
use axum::http::StatusCode;
use axum::{Router, routing::get};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use portcullis::observe::{Metrics, ObserveLayer, OpenTelemetryRecorder};
use portcullis::serve::shutdown_signal;
use portcullis_examples::{listener, listening, say_whether_there_is_a_collector, shown};

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let exporter = MetricExporter::builder().with_tonic().build()?;
    let reader = PeriodicReader::builder(exporter).with_interval(Duration::from_secs(5));
    let provider = SdkMeterProvider::builder()
        .with_resource(Resource::builder().with_service_name("pets").build())
        .with_reader(reader.build())
        .build();
    let recorder = OpenTelemetryRecorder::new(provider.meter("portcullis"));

    let metrics = Metrics::builder()
        .recorder(Arc::new(recorder))
        .route(|head| {
            let matched = head.extensions().get::<MatchedPath>();
            matched.map(MatchedPath::as_str)
        })
        .build();
    let app = Router::new()
        .route(
            "/pets/{id}",
            get(async |Path(id): Path<u32>| format!("pet {id}\n")),
        )
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(ObserveLayer::new(metrics));

    let listener = listener("127.0.0.1:3000").await?;
    listening(listener.local_addr()?, include_str!("metrics_otlp.rs"));
    say_whether_there_is_a_collector("metrics");
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown_signal())
        .await?;
    // What has not been sent. Without a collector this fails after a while.
    if let Err(error) = tokio::task::spawn_blocking(move || provider.shutdown()).await? {
        println!("the last metrics are lost: {error}");
    }
    Ok(())
}
