//! What ten million requests leave behind in memory that are counted, logged and traced.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use http::HeaderValue;
use http::header::USER_AGENT;
use metrics_exporter_prometheus::PrometheusBuilder;
use portcullis_observe::trace::{SamplingRules, Traces};
use portcullis_observe::{AccessFormat, AccessLog, LogSink, Metrics, ObserveLayer};
use tower_layer::Layer;
use tracing::dispatcher::{self, Dispatch};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use crate::measure::resident;
use crate::rows::surroundings::{Hello, answer, request};

const MILLION: usize = 1_000_000;
const ALL: usize = 10 * MILLION;

/// How many requests there are between two times that the exporter puts its samples into buckets, as it does now and then.
const UPKEEP: usize = 10_000;

/// Sends them, and prints the resident memory after each million.
pub(crate) fn run() -> Result<()> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&Metrics::DURATION_BUCKETS)?
        .build_recorder();
    let exporter = recorder.handle();
    let metrics = Metrics::builder().recorder(Arc::new(recorder));
    let metrics = metrics.route(|_| Some("/pets/{id}")).build();
    let sink = LogSink::writer(io::sink());
    let log = AccessLog::new(AccessFormat::combined(), sink.clone());
    let traces = Traces::builder("bench").sampling(SamplingRules::all());
    let mut service = ObserveLayer::new((metrics, (log, traces.build()))).layer(Hello);
    // A registry forgets spans when a layer above it does.
    let spans = Dispatch::new(tracing_subscriber::registry().with(LevelFilter::INFO));

    println!("| requests | resident MiB |\n|--:|--:|");
    let mut first = 0.0;
    for sent in 0..=ALL {
        if sent % UPKEEP == 0 {
            exporter.run_upkeep();
        }
        if sent % MILLION == 0 {
            let mebibytes = resident()? / 1_048_576.0;
            println!("| {sent} | {mebibytes:.1} |");
            match sent / MILLION {
                // By then everything that is made once is there.
                1 => first = mebibytes,
                _ if first > 0.0 && mebibytes > first + 8.0 => bail!("memory grows"),
                _ => {}
            }
        }
        let uri = format!("/pets/{sent}?page={}", sent % 97).parse()?;
        let mut request = request(&uri);
        let agent = HeaderValue::try_from(format!("agent \"{sent}\""))?;
        request.headers_mut().insert(USER_AGENT, agent);
        let response = dispatcher::with_default(&spans, || answer(&mut service, request));
        if response.status() != 200 {
            bail!("request {sent} was answered {}", response.status());
        }
    }
    if !sink.flush(Duration::from_secs(60)) {
        bail!("the log is stuck");
    }
    let stats = sink.stats();
    println!(
        "\n{} lines were written, {} dropped",
        stats.written, stats.dropped
    );
    Ok(())
}
