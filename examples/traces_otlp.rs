//! A gateway and a service in axum behind it, whose spans are exported by OTLP as one tree.
//!
//! Start a collector that listens on port 4317, such as `docker run -p 4317:4317 -p 16686:16686 jaegertracing/jaeger`, then
//! `cargo run --example traces_otlp`, and
//!
//! ```text
//! curl -i localhost:3000/prod/pets/7
//! curl -i localhost:3000/prod/pets/7 -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
//! ```
//!
//! and look for `pets` in the collector's user interface. `OTEL_EXPORTER_OTLP_ENDPOINT` names another collector, `LISTEN` another address. Without a
//! collector requests are served all the same, and the spans are lost; the example says so when it starts.

use std::process::ExitCode;

use axum::{Router, routing::get};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use portcullis::observe::ObserveLayer;
use portcullis::observe::trace::{OpenTelemetry, SamplingRules, Traces};
use portcullis::serve::{Server, shutdown_signal};
use portcullis::{ApiSpec, Gateway};
use portcullis_examples::{listen, say_whether_there_is_a_collector, shown};
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main]
async fn main() -> ExitCode {
    shown(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let exporter = SpanExporter::builder().with_tonic().build()?;
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("pets").build())
        .with_batch_exporter(exporter)
        .build();
    let exported = tracing_opentelemetry::layer().with_tracer(provider.tracer("pets"));
    let printed = tracing_subscriber::fmt::layer();
    tracing_subscriber::registry()
        .with(exported.with_filter(LevelFilter::INFO))
        .with(printed.with_filter(LevelFilter::INFO))
        .init();

    say_whether_there_is_a_collector("spans");

    let traces = |service: &str| {
        let traces = Traces::builder(service).sampling(SamplingRules::all());
        traces.bridge(OpenTelemetry::new()).build()
    };
    let backend = Router::new()
        .route("/pets/{id}", get(async || "a cat\n"))
        .layer(ObserveLayer::new(traces("backend")));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, backend).await });

    let definition = json!({
        "openapi": "3.0.1", "info": { "title": "pets", "version": "1" },
        "paths": { "/pets/{id}": { "get": {
            "parameters": [{ "name": "id", "in": "path", "required": true }],
            "x-amazon-apigateway-integration": {
                "type": "http_proxy", "httpMethod": "GET", "uri": format!("http://{address}/pets/{{id}}"),
                "requestParameters": { "integration.request.path.id": "method.request.path.id" }
            }
        } } }
    });
    let gateway = Gateway::builder()
        .api(
            ApiSpec::rest(definition.to_string())
                .id("petstore")
                .stage_named("prod"),
        )
        .traces(traces("gateway"))
        .trace_every_stage(true)
        .build()?;
    let server = Server::builder()
        .listen(listen("127.0.0.1:3000"))
        .bind()
        .await?;
    let handle = server.handle();
    println!(
        "listening on http://{}/prod/pets/7",
        handle.local_addrs()[0]
    );
    tokio::spawn(async move {
        shutdown_signal().await;
        handle.shutdown();
    });
    server.run(gateway).await;
    // The last spans are still in the queue.
    if let Err(error) = tokio::task::spawn_blocking(move || provider.shutdown()).await? {
        println!("the last spans are lost: {error}");
    }
    Ok(())
}
