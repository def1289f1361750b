//! Spans as a collector of OpenTelemetry gets them, across a hop: gateway, `HTTP_PROXY`, and a service in axum with the layer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_sdk::trace::SdkTracerProvider;
use portcullis::core::{Decision, Guard, Head, Never, Rejection, RejectionKind, Verdict};
use portcullis::observe::ObserveLayer;
use portcullis::observe::trace::{OpenTelemetry, SamplingRules, Traces};
use portcullis::serve::Server;
use portcullis::{ApiSpec, Gateway};
use portcullis_testkit::wire;
use serde_json::json;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tracing_subscriber::layer::SubscriberExt;

/// A collector.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let of_services = request.into_inner().resource_spans.into_iter();
        let of_scopes = of_services.flat_map(|it| it.scope_spans);
        let spans = of_scopes.flat_map(|it| it.spans);
        self.0.lock().expect("the collector").extend(spans);
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let collector = Self::default();
        let service = TraceServiceServer::new(collector.clone());
        let server = tonic::transport::Server::builder();
        tokio::spawn(server.serve_with_incoming(service, TcpIncoming::from(listener)));
        (collector, address)
    }

    /// The spans of a trace so far.
    fn trace(&self, id: &str) -> Tree {
        let all = self.0.lock().expect("the collector");
        let spans = all.iter().filter(|span| hex(&span.trace_id) == id);
        Tree(spans.cloned().collect())
    }
}

/// The spans of one trace.
struct Tree(Vec<Span>);

impl Tree {
    #[track_caller]
    fn only(&self, name: &str) -> &Span {
        let mut named = self.0.iter().filter(|span| span.name == name);
        let names: Vec<_> = self.0.iter().map(|span| &span.name).collect();
        match (named.next(), named.next()) {
            (Some(span), None) => span,
            _ => panic!("not one `{name}` in {names:?}"),
        }
    }

    #[track_caller]
    fn is_below(&self, name: &str, above: &str) {
        let (span, above) = (self.only(name), self.only(above));
        assert_eq!(hex(&span.parent_span_id), hex(&above.span_id), "{name}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        other => format!("{other:?}"),
    };
    let of = |it: &Option<opentelemetry_proto::tonic::common::v1::AnyValue>| {
        it.as_ref().and_then(|it| it.value.as_ref()).map(text)
    };
    let all = span.attributes.iter();
    all.map(|it| (it.key.as_str(), of(&it.value).unwrap_or_default()))
        .collect()
}

/// Refuses whoever sends `deny`.
struct Deny;

impl Guard for Deny {
    type Ask = Never;

    const NAME: &'static str = "deny";

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        if head.headers().contains_key("deny") {
            let decision = Decision::new("test", "deny-header");
            Verdict::Refuse(Rejection::new(RejectionKind::AccessDenied).with_decision(decision))
        } else {
            Verdict::Pass
        }
    }
}

async fn backend() -> SocketAddr {
    // What the caller decided holds; by itself it records nothing.
    let none = SamplingRules::new([]).expect("no rules");
    let traces = Traces::builder("backend").sampling(none);
    let app = Router::new()
        .route("/pets/{id}", get(async || "a cat"))
        .layer(ObserveLayer::new(
            traces.bridge(OpenTelemetry::new()).build(),
        ));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

fn gateway(backend: SocketAddr) -> Gateway {
    let document = json!({
        "openapi": "3.0.1", "info": { "title": "pets", "version": "1" },
        "paths": {
            "/pets/{id}": { "get": {
                "parameters": [{ "name": "id", "in": "path", "required": true }],
                "x-amazon-apigateway-integration": {
                    "type": "http_proxy", "httpMethod": "GET", "uri": format!("http://{backend}/pets/{{id}}"),
                    "requestParameters": { "integration.request.path.id": "method.request.path.id" }
                }
            } },
            "/mapped/{id}": { "get": {
                "parameters": [{ "name": "id", "in": "path", "required": true }],
                "x-amazon-apigateway-integration": {
                    "type": "http", "httpMethod": "GET", "uri": format!("http://{backend}/pets/{{id}}"),
                    "requestParameters": { "integration.request.path.id": "method.request.path.id" },
                    "responses": { "default": { "statusCode": "200", "responseTemplates": { "application/json": "mapped" } } }
                }
            } },
            "/gone": { "get": { "x-amazon-apigateway-integration": {
                "type": "http_proxy", "httpMethod": "GET", "uri": "http://127.0.0.1:1/"
            } } }
        }
    });
    let traces = Traces::builder("gateway").bridge(OpenTelemetry::new());
    Gateway::builder()
        .api(
            ApiSpec::rest(document.to_string())
                .id("petstore")
                .stage_named("prod"),
        )
        .guard(Deny)
        .traces(traces.sampling(SamplingRules::all()).build())
        .trace_every_stage(true)
        .build()
        .expect("a gateway")
}

// One test, since a subscriber is for the whole process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_the_spans_of_both_services_with_the_right_parents() {
    let (collector, endpoint) = Collector::start().await;
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(format!("http://{endpoint}"))
        .build()
        .expect("an exporter");
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .build();
    let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(otel);
    tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");

    let backend = backend().await;
    let server = Server::builder().listen("127.0.0.1:0").bind();
    let server = server.await.expect("a port");
    let address = server.handle().local_addrs()[0];
    tokio::spawn(server.run(gateway(backend)));
    let ask = async |target: &str, headers: &str| {
        let request =
            format!("GET {target} HTTP/1.1\r\nhost: pets\r\n{headers}connection: close\r\n\r\n");
        wire::send(address, request).await
    };

    // By the header of the standard, through a proxy.
    let theirs = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    assert_eq!(ask("/prod/pets/7", theirs).await.status, 200);
    // By the header of AWS, through mappings.
    let amazon = "x-amzn-trace-id: Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1\r\n";
    assert_eq!(ask("/prod/mapped/7", amazon).await.status, 200);
    // Refused, and broken.
    let refused =
        "traceparent: 00-00000000000000000000000000000001-00f067aa0ba902b7-01\r\ndeny: 1\r\n";
    assert_eq!(ask("/prod/pets/7", refused).await.status, 403);
    let broken = "traceparent: 00-00000000000000000000000000000002-00f067aa0ba902b7-01\r\n";
    assert_eq!(ask("/prod/gone", broken).await.status, 500);
    // Not sampled by the caller.
    let unsampled = "traceparent: 00-00000000000000000000000000000003-00f067aa0ba902b7-00\r\n";
    assert_eq!(ask("/prod/pets/7", unsampled).await.status, 200);
    // From nowhere.
    assert_eq!(ask("/prod/pets/8", "").await.status, 200);

    let flushed = tokio::task::spawn_blocking(move || provider.force_flush()).await;
    flushed.expect("no panic").expect("an export");

    let host = backend.to_string();
    let tree = collector.trace("4bf92f3577b34da6a3ce929d0e0e4736");
    let server = tree.only("GET /pets/{id}");
    assert_eq!(hex(&server.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(server.kind(), SpanKind::Server);
    let own = attributes(server);
    for (key, value) in [
        ("service", "pets/prod"),
        ("http.route", "/pets/{id}"),
        ("http.response.status_code", "200"),
        ("url.path", "/prod/pets/7"),
        ("client.address", "127.0.0.1"),
    ] {
        assert_eq!(own.get(key).map(String::as_str), Some(value), "{key}");
    }
    tree.is_below("route", "GET /pets/{id}");
    tree.is_below("guards", "GET /pets/{id}");
    tree.is_below("deny", "guards");
    tree.is_below(&host, "GET /pets/{id}");
    let call = tree.only(&host);
    assert_eq!(call.kind(), SpanKind::Client);
    assert_eq!(attributes(call)["integration"], "HTTP_PROXY");
    // The hop: the backend's span stands below that of the call.
    tree.is_below("GET", &host);
    assert_eq!(attributes(tree.only("GET"))["service"], "backend");
    assert_eq!(tree.0.len(), 6);

    let tree = collector.trace("66b3c0a80123456789abcdef01234567");
    let server = tree.only("GET /mapped/{id}");
    assert_eq!(hex(&server.parent_span_id), "0123456789abcdef");
    tree.is_below("map request", &host);
    tree.is_below("map response", &host);
    tree.is_below("GET", &host);

    let tree = collector.trace("00000000000000000000000000000001");
    let refused = attributes(tree.only("GET /pets/{id}"));
    assert_eq!(refused["http.response.status_code"], "403");
    let reason = &attributes(tree.only("deny"))["refused"];
    assert!(reason.contains("deny-header"), "{reason}");
    assert!(tree.0.iter().all(|span| span.name != host));

    let tree = collector.trace("00000000000000000000000000000002");
    let server = tree.only("GET /gone");
    let status = server.status.as_ref().expect("a status");
    assert_eq!(status.code(), StatusCode::Error);
    let call = tree.only("127.0.0.1:1");
    let status = call.status.as_ref().expect("a status");
    assert_eq!(status.code(), StatusCode::Error);

    assert!(
        collector
            .trace("00000000000000000000000000000003")
            .0
            .is_empty()
    );

    let all = collector.0.lock().expect("the collector");
    let roots = all.iter().filter(|span| span.parent_span_id.is_empty());
    let roots: Vec<_> = roots.map(|span| span.name.as_str()).collect();
    assert_eq!(roots, ["GET /pets/{id}"]);
}
