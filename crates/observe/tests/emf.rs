//! Lines of the embedded metric format, read as CloudWatch reads them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, StatusCode};
use portcullis_core::{
    ApiKind, ApiStage, CacheStatus, ManualClock, MatchedRoute, Measure, Release, RequestContext,
    Route,
};
use portcullis_observe::{Emf, EmfBuilder, Exchange, LogSink, Outcome};
use serde_json::{Value, json};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn emf(builder: EmfBuilder) -> (Emf, Written) {
    let written = Written::default();
    // The interval never ends while a test runs.
    let builder = builder.interval(Duration::from_secs(3_600));
    (
        builder.build(LogSink::writer(written.clone())).unwrap(),
        written,
    )
}

/// The documents, checked against the format's own rules.
fn documents(emf: &Emf, written: &Written) -> Vec<Value> {
    emf.flush();
    assert!(emf.sink().flush(Duration::from_secs(60)));
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let documents: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    for document in &documents {
        check(document);
    }
    documents
}

/// The rules of the specification: what metadata names must be there, in the shape that it must have.
fn check(document: &Value) {
    let aws = &document["_aws"];
    assert!(aws["Timestamp"].is_u64(), "{document}");
    let directives = aws["CloudWatchMetrics"].as_array().unwrap();
    for directive in directives {
        let namespace = directive["Namespace"].as_str().unwrap();
        assert!((1..=1_024).contains(&namespace.len()), "{document}");
        for set in directive["Dimensions"].as_array().unwrap() {
            let set = set.as_array().unwrap();
            assert!((1..=30).contains(&set.len()), "{document}");
            for name in set {
                let value = document[name.as_str().unwrap()].as_str().unwrap();
                assert!((1..=1_024).contains(&value.len()), "{document}");
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()), "{document}");
        for metric in metrics {
            let unit = metric["Unit"].as_str().unwrap();
            assert!(
                ["Count", "Milliseconds", "Bytes"].contains(&unit),
                "{document}"
            );
            let values = document[metric["Name"].as_str().unwrap()]
                .as_array()
                .unwrap();
            assert!((1..=100).contains(&values.len()), "{document}");
            assert!(values.iter().all(Value::is_number), "{document}");
        }
    }
}

fn context(kind: ApiKind) -> RequestContext {
    let request = Request::builder()
        .method(Method::GET)
        .uri("/pets/7")
        .body(())
        .unwrap();
    let context = RequestContext::new(&request, &ManualClock::at_unix(1_700_000_000));
    let mut stage = ApiStage::default();
    stage.kind = kind;
    stage.api_id = "a1b2".into();
    stage.api_name = Some("Pets \"and\" more".into());
    stage.stage = "prod".into();
    context.set_stage(stage);
    context.set_route(MatchedRoute::new(
        Route::new("/pets/{id}"),
        request.uri(),
        0,
    ));
    context
}

fn record(emf: &Emf, context: &RequestContext, status: u16) {
    record_as(emf, context, status, true);
}

fn record_as(emf: &Emf, context: &RequestContext, status: u16, detailed: bool) {
    let status = StatusCode::from_u16(status).ok();
    let latency = Duration::from_micros(1_250);
    let exchange = Exchange::new(context, Outcome::Complete, status, 100, latency);
    emf.record(None, detailed, &exchange);
}

fn metrics(document: &Value) -> Vec<&str> {
    let metrics = document["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array();
    metrics
        .unwrap()
        .iter()
        .map(|metric| metric["Name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_rest_api_has_the_services_metrics_with_a_sample_for_each_request() {
    let (emf, written) = emf(Emf::builder());
    let context = context(ApiKind::Rest);
    record(&emf, &context, 200);
    record(&emf, &context, 404);
    context.measure(Measure::IntegrationLatency, 7);
    context.set_cache_status(CacheStatus::Miss);
    record(&emf, &context, 502);
    let documents = documents(&emf, &written);
    assert_eq!(documents.len(), 1);
    let document = &documents[0];
    assert_eq!(document["_aws"]["Timestamp"], 1_700_000_000_000_u64);
    let directive = &document["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "Portcullis");
    assert_eq!(
        directive["Dimensions"],
        json!([
            ["ApiName"],
            ["ApiName", "Stage"],
            ["ApiName", "Stage", "Method", "Resource"]
        ])
    );
    assert_eq!(
        metrics(document),
        [
            "Count",
            "4XXError",
            "5XXError",
            "CacheHitCount",
            "CacheMissCount",
            "Latency",
            "IntegrationLatency"
        ]
    );
    assert_eq!(document["ApiName"], "Pets \"and\" more");
    assert_eq!(document["Resource"], "/pets/{id}");
    assert_eq!(document["Count"], json!([1, 1, 1]));
    assert_eq!(document["4XXError"], json!([0, 1, 0]));
    assert_eq!(document["5XXError"], json!([0, 0, 1]));
    assert_eq!(document["Latency"], json!([1.25, 1.25, 1.25]));
    // Only requests that met a cache, or called something, have samples of it.
    assert_eq!(document["CacheHitCount"], json!([0]));
    assert_eq!(document["CacheMissCount"], json!([1]));
    assert_eq!(document["IntegrationLatency"], json!([7]));
}

#[test]
fn an_http_api_has_names_and_dimensions_of_its_own() {
    let (emf, written) = emf(Emf::builder().namespace("Shop"));
    record_as(&emf, &context(ApiKind::Http), 200, false);
    let documents = documents(&emf, &written);
    let directive = &documents[0]["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "Shop");
    assert_eq!(
        directive["Dimensions"],
        json!([["ApiId"], ["ApiId", "Stage"]])
    );
    assert_eq!(
        metrics(&documents[0]),
        ["Count", "4xx", "5xx", "Latency", "DataProcessed"]
    );
    assert_eq!(documents[0]["DataProcessed"], json!([100]));
}

#[test]
fn a_service_that_is_no_api_has_its_name() {
    let (emf, written) = emf(Emf::builder().service("pets"));
    let request = Request::get("/").body(()).unwrap();
    let context = RequestContext::new(&request, &ManualClock::at_unix(1_700_000_000));
    record(&emf, &context, 200);
    let documents = documents(&emf, &written);
    let directive = &documents[0]["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Dimensions"], json!([["Service"]]));
    assert_eq!(documents[0]["Service"], "pets");
}

#[test]
fn a_full_line_is_written_at_once_and_a_canary_has_lines_of_its_own() {
    let (emf, written) = emf(Emf::builder());
    let production = context(ApiKind::Rest);
    for _ in 0..250 {
        record(&emf, &production, 200);
    }
    assert!(emf.sink().flush(Duration::from_secs(60)));
    let lines = written
        .0
        .lock()
        .unwrap()
        .iter()
        .filter(|byte| **byte == b'\n')
        .count();
    assert_eq!(lines, 2);
    let canary = context(ApiKind::Rest);
    canary.set_release(Release::Canary("next".into()));
    record(&emf, &canary, 200);
    let documents = documents(&emf, &written);
    let samples = |document: &Value| document["Count"].as_array().unwrap().len();
    let mut shown: Vec<_> = documents
        .iter()
        .map(|document| (document["Stage"].as_str().unwrap(), samples(document)))
        .collect();
    shown.sort_unstable();
    assert_eq!(
        shown,
        [
            ("prod", 50),
            ("prod", 100),
            ("prod", 100),
            ("prod/Canary", 1)
        ]
    );
}

#[test]
fn what_was_recorded_is_written_when_the_last_handle_is_gone() {
    let (emf, written) = emf(Emf::builder());
    record(&emf, &context(ApiKind::Rest), 200);
    let sink = emf.sink().clone();
    drop(emf);
    assert!(sink.flush(Duration::from_secs(60)));
    assert!(!written.0.lock().unwrap().is_empty());
}

#[test]
fn a_namespace_that_cloudwatch_would_not_take_is_refused() {
    for (namespace, problem) in [
        ("AWS/ApiGateway", "take another"),
        ("aws/shop", "take another"),
        ("", "1 to 255"),
        ("Shop\"", "letters, digits"),
    ] {
        let built = Emf::builder().namespace(namespace).build(LogSink::stdout());
        let error = built.unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    assert!(
        Emf::builder()
            .namespace("My Shop/pets")
            .build(LogSink::stdout())
            .is_ok()
    );
}
