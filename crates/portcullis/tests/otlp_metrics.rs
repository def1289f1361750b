//! Metrics as a collector of OpenTelemetry gets them: by OTLP, from a gateway that is called over a socket.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use portcullis::observe::{Metrics, OpenTelemetryRecorder};
use portcullis::serve::Server;
use portcullis::{ApiSpec, Gateway};
use portcullis_testkit::wire;
use serde_json::json;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

/// A collector, with the metrics that it was sent last, by name.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<BTreeMap<String, Metric>>>);

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        let of_services = request.into_inner().resource_metrics.into_iter();
        let of_scopes = of_services.flat_map(|it| it.scope_metrics);
        let metrics = of_scopes.flat_map(|it| it.metrics);
        let named = metrics.map(|metric| (metric.name.clone(), metric));
        self.0.lock().expect("the collector").extend(named);
        Ok(tonic::Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Collector {
    async fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let collector = Self::default();
        let service = MetricsServiceServer::new(collector.clone());
        let server = tonic::transport::Server::builder();
        tokio::spawn(server.serve_with_incoming(service, TcpIncoming::from(listener)));
        (collector, address)
    }

    #[track_caller]
    fn metric(&self, name: &str) -> Metric {
        let metrics = self.0.lock().expect("the collector");
        let metric = metrics.get(name);
        metric.cloned().unwrap_or_else(|| {
            let names: Vec<_> = metrics.keys().collect();
            panic!("there is no `{name}` in {names:?}")
        })
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<&str, &str> {
    attributes
        .iter()
        .filter_map(|it| match it.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some((it.key.as_str(), text.as_str())),
            _ => None,
        })
        .collect()
}

fn gateway(metrics: Metrics) -> Gateway {
    let mock = json!({
        "type": "mock",
        "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
        "responses": { "default": { "statusCode": "200" } }
    });
    let document = json!({
        "openapi": "3.0.1", "info": { "title": "pets", "version": "1" },
        "paths": { "/pets/{id}": { "get": { "x-amazon-apigateway-integration": mock } } }
    });
    let stage =
        json!({ "stageName": "prod", "methodSettings": { "*/*": { "metricsEnabled": true } } });
    let api = ApiSpec::rest(document.to_string()).id("petstore");
    Gateway::builder()
        .api(api.stage(serde_json::from_value(stage).expect("a stage")))
        .metrics(metrics)
        .build()
        .expect("a gateway")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_counters_histograms_and_gauges_with_their_units() {
    let (collector, endpoint) = Collector::start().await;
    let exporter = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(format!("http://{endpoint}"))
        .build()
        .expect("an exporter");
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter)
        .build();
    let recorder = OpenTelemetryRecorder::new(provider.meter("portcullis"));
    let metrics = Metrics::builder().recorder(Arc::new(recorder)).build();
    metrics.upstream("pets", "http://10.0.0.1:80", true, 3);
    let server = Server::builder().listen("127.0.0.1:0").bind();
    let server = server.await.expect("a port");
    let address = server.handle().local_addrs()[0];
    tokio::spawn(server.run(gateway(metrics)));
    for (path, status) in [
        ("/prod/pets/1", 200),
        ("/prod/pets/2", 200),
        ("/prod/none", 403),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: pets\r\nconnection: close\r\n\r\n");
        assert_eq!(wire::send(address, request).await.status, status);
    }
    let flushed = tokio::task::spawn_blocking(move || provider.force_flush()).await;
    flushed.expect("no panic").expect("an export");

    let count = collector.metric("apigateway.Count");
    assert_eq!(count.unit, "1");
    assert_eq!(count.description, "Requests.");
    let Some(Data::Sum(sum)) = count.data else {
        panic!("a counter is a sum")
    };
    assert!(sum.is_monotonic);
    let of_pets = sum.data_points.iter().find(|point| {
        let own = texts(&point.attributes);
        own.get("Resource") == Some(&"/pets/{id}") && own.get("Stage") == Some(&"prod")
    });
    let of_pets = of_pets.expect("a series of the method");
    assert_eq!(of_pets.value, Some(number_data_point::Value::AsInt(2)));

    let duration = collector.metric("http.server.request.duration");
    assert_eq!(duration.unit, "s");
    let Some(Data::Histogram(histogram)) = duration.data else {
        panic!("a duration is a histogram")
    };
    let of_pets = histogram
        .data_points
        .iter()
        .find(|point| texts(&point.attributes).get("http.route") == Some(&"/pets/{id}"));
    let of_pets = of_pets.expect("a series of the route");
    assert_eq!(of_pets.count, 2);
    assert_eq!(of_pets.explicit_bounds, Metrics::DURATION_BUCKETS);

    let in_flight = collector.metric("portcullis.upstream.in_flight");
    let Some(Data::Gauge(gauge)) = in_flight.data else {
        panic!("what is in flight is a gauge")
    };
    let [point] = &gauge.data_points[..] else {
        panic!("{:?}", gauge.data_points)
    };
    assert_eq!(texts(&point.attributes)["target"], "http://10.0.0.1:80");
    assert_eq!(point.value, Some(number_data_point::Value::AsDouble(3.0)));
    let active = collector.metric("http.server.active_requests");
    let Some(Data::Gauge(active)) = active.data else {
        panic!("requests in flight are a gauge")
    };
    assert!(
        active
            .data_points
            .iter()
            .all(|point| point.value == Some(number_data_point::Value::AsDouble(0.0)))
    );
}
