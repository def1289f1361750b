//! What shows the metrics and sends the spans that a configuration names.

use std::error::Error;
use std::net::ToSocketAddrs;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use portcullis::GatewayConfig;
use portcullis::observe::{LivePage, Metrics};
use std::time::Duration;
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::filter;

/// What runs beside a gateway, to be ended after it.
#[derive(Debug)]
pub struct Exporters {
    spans: Option<SdkTracerProvider>,
    started: Started,
}

/// Which exporters were set up: they are as long as the program runs, whatever the configuration says later.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    metrics: bool,
    spans: bool,
}

impl Started {
    fn by(config: Option<&GatewayConfig>) -> Self {
        let traces = config.and_then(|config| config.traces.as_ref());
        Self {
            metrics: config.is_some_and(|config| config.metrics.is_some()),
            spans: traces.is_some_and(|traces| traces.open_telemetry),
        }
    }

    /// Says in the log what a configuration that is read again names, and what will not be there before the program starts again.
    pub fn compare(self, config: &GatewayConfig) {
        let asked = Self::by(Some(config));
        if asked.metrics && !self.metrics {
            tracing::warn!("`metrics` are new, and nothing shows them before a restart");
        }
        if asked.spans && !self.spans {
            tracing::warn!("`openTelemetry` is new, and no spans are sent before a restart");
        }
    }
}

impl Exporters {
    /// Logs as [`logs`](crate::logs) does, and sets up what the configuration names: with `metrics` an exporter for Prometheus, at `/metrics` of the address in the variable
    /// `METRICS_LISTEN` (127.0.0.1:9464), with the live page at `/live`; with `openTelemetry` one that sends spans by OTLP to `OTEL_EXPORTER_OTLP_ENDPOINT`
    /// (<http://localhost:4317>).
    ///
    /// # Errors
    ///
    /// If an exporter cannot be made.
    pub async fn start(own: &str, config: Option<&GatewayConfig>) -> Result<Self, Box<dyn Error>> {
        let started = Started::by(config);
        let spans = match started.spans {
            true => Some(sender()?),
            false => None,
        };
        let exported = spans.as_ref().map(|spans| {
            let tracer = spans.tracer("portcullis");
            let layer = tracing_opentelemetry::layer().with_tracer(tracer);
            layer.with_filter(LevelFilter::INFO)
        });
        let printed = tracing_subscriber::fmt::layer().log_internal_errors(false);
        tracing_subscriber::registry()
            .with(exported)
            .with(printed.with_filter(filter(own)))
            .init();
        if started.metrics {
            show_metrics().await?;
        }
        if started.spans {
            say_whether_there_is_a_collector("spans");
        }
        Ok(Self { spans, started })
    }

    /// Which there are.
    #[must_use]
    pub const fn started(&self) -> Started {
        self.started
    }

    /// Sends the last spans.
    pub async fn end(self) {
        let Some(spans) = self.spans else { return };
        let ended = tokio::task::spawn_blocking(move || spans.shutdown()).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last spans are lost");
        }
    }
}

/// Says where what is exported goes, and whether somebody listens there: the exporter itself waits for a collector, and says nothing.
pub fn say_whether_there_is_a_collector(what: &str) {
    let endpoint = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT");
    let endpoint = endpoint.unwrap_or_else(|_| "http://localhost:4317".to_owned());
    let address = endpoint.split("://").last().unwrap_or_default();
    let address = address.split('/').next().unwrap_or_default();
    let reached = address
        .to_socket_addrs()
        .map(|mut found| found.any(|it| std::net::TcpStream::connect(it).is_ok()));
    match reached {
        Ok(true) => println!("{what} go to {endpoint}"),
        Ok(false) => println!("no collector listens at {endpoint}: {what} are lost until one does"),
        Err(error) => println!("{endpoint} cannot be looked up ({error}): {what} are lost"),
    }
}

fn sender() -> Result<SdkTracerProvider, Box<dyn Error>> {
    let resource = Resource::builder().with_service_name("portcullis");
    Ok(SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_batch_exporter(SpanExporter::builder().with_tonic().build()?)
        .build())
}

/// On a listener of its own: metrics are for operators.
async fn show_metrics() -> Result<(), Box<dyn Error>> {
    let exporter = PrometheusBuilder::new()
        .set_buckets(&Metrics::FINE_DURATION_BUCKETS)?
        .install_recorder()?;
    let upkeep = exporter.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    let address = std::env::var("METRICS_LISTEN");
    let address = address.unwrap_or_else(|_| "127.0.0.1:9464".to_owned());
    let listener = match TcpListener::bind(&address).await {
        Ok(listener) => listener,
        Err(error) => {
            println!(
                "nobody sees the metrics: cannot listen on `{address}`: {error}; METRICS_LISTEN is another address"
            );
            return Ok(());
        }
    };
    println!(
        "metrics at http://{0}/metrics, live at http://{0}/live",
        listener.local_addr()?
    );
    let page = LivePage::new("/metrics");
    let router = Router::new()
        .route("/metrics", get(async move || exporter.render()))
        .route_service("/live", page);
    tokio::spawn(async { axum::serve(listener, router).await });
    Ok(())
}
