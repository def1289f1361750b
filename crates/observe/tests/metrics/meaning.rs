//! What each metric counts, and what it is told apart by.

use http::Method;
use portcullis_core::{
    ApiKind, CacheStatus, Decision, LimitStanding, Measure, Rejection, RejectionKind, Release,
};
use portcullis_observe::{Metrics, Names};

use crate::support::{context, ended, exported, read, stage, unmatched};

const REST: [(&str, &str); 5] = [
    ("ApiName", "Pets"),
    ("ApiId", "a1b2"),
    ("Stage", "prod"),
    ("Method", "GET"),
    ("Resource", "/pets/{id}"),
];

#[test]
fn a_rest_api_is_counted_under_the_services_names() {
    let (metrics, handle) = exported(Metrics::builder());
    let context = context(ApiKind::Rest);
    for status in [200, 201, 404, 500] {
        metrics.record(None, &ended(&context, status));
    }
    context.measure(Measure::IntegrationLatency, 7);
    metrics.record(None, &ended(&context, 200));
    let read = read(&handle);
    assert_eq!(read.get("apigateway_Count", &REST), 5.0);
    assert_eq!(read.get("apigateway_4XXError", &REST), 1.0);
    assert_eq!(read.get("apigateway_5XXError", &REST), 1.0);
    assert_eq!(read.get("apigateway_Latency_count", &REST), 5.0);
    assert_eq!(read.get("apigateway_Latency_sum", &REST), 100.0);
    // A request that called nothing has no such sample.
    assert_eq!(read.get("apigateway_IntegrationLatency_count", &REST), 1.0);
    assert_eq!(read.get("apigateway_IntegrationLatency_sum", &REST), 7.0);
}

#[test]
fn an_http_api_has_names_and_dimensions_of_its_own() {
    let (metrics, handle) = exported(Metrics::builder());
    let context = context(ApiKind::Http);
    for status in [200, 404, 503] {
        metrics.record(None, &ended(&context, status));
    }
    let read = read(&handle);
    let labels = &REST[1..];
    assert_eq!(read.get("apigateway_Count", labels), 3.0);
    assert_eq!(read.get("apigateway_4xx", labels), 1.0);
    assert_eq!(read.get("apigateway_5xx", labels), 1.0);
    assert_eq!(read.get("apigateway_DataProcessed", labels), 300.0);
    assert_eq!(read.sum("apigateway_4XXError"), 0.0);
}

#[test]
fn a_cache_is_counted_where_it_had_a_part_in_the_request() {
    let (metrics, handle) = exported(Metrics::builder());
    for status in [
        None,
        Some(CacheStatus::Hit),
        Some(CacheStatus::Collapsed),
        Some(CacheStatus::Miss),
        Some(CacheStatus::Bypass),
    ] {
        let context = context(ApiKind::Rest);
        if let Some(status) = status {
            context.set_cache_status(status);
        }
        metrics.record(None, &ended(&context, 200));
    }
    let read = read(&handle);
    assert_eq!(read.get("apigateway_CacheHitCount", &REST), 2.0);
    assert_eq!(read.get("apigateway_CacheMissCount", &REST), 1.0);
}

#[test]
fn without_details_methods_are_one_for_the_service_and_not_for_the_conventions() {
    let (metrics, handle) = exported(Metrics::builder().detailed(false));
    metrics.record(None, &ended(&context(ApiKind::Rest), 200));
    let other = unmatched(Method::POST);
    other.set_stage(stage(ApiKind::Rest));
    metrics.record(None, &ended(&other, 403));
    let read = read(&handle);
    assert_eq!(read.get("apigateway_Count", &REST[..3]), 2.0);
    assert_eq!(read.get("apigateway_4XXError", &REST[..3]), 1.0);
    let duration = |labels: &[_]| read.get("http_server_request_duration_count", labels);
    let own = [
        ("portcullis_api", "a1b2"),
        ("portcullis_stage", "prod"),
        ("url_scheme", "http"),
    ];
    let get = [
        ("http_request_method", "GET"),
        ("http_route", "/pets/{id}"),
        ("http_response_status_code", "200"),
    ];
    assert_eq!(duration(&[&own[..], &get].concat()), 1.0);
    let post = [
        ("http_request_method", "POST"),
        ("http_response_status_code", "403"),
    ];
    assert_eq!(duration(&[&own[..], &post].concat()), 1.0);
}

#[test]
fn a_method_of_a_gateway_says_by_itself_whether_it_has_details() {
    let (metrics, handle) = exported(Metrics::builder());
    let (detailed, plain) = (metrics.method(true), metrics.method(false));
    let context = context(ApiKind::Rest);
    for _ in 0..3 {
        detailed.record(&ended(&context, 200));
        plain.record(&ended(&context, 200));
    }
    let read = read(&handle);
    assert_eq!(read.get("apigateway_Count", &REST), 3.0);
    assert_eq!(read.get("apigateway_Count", &REST[..3]), 3.0);
}

#[test]
fn a_canary_has_measures_of_its_own() {
    let (metrics, handle) = exported(Metrics::builder());
    let bound = metrics.method(true);
    for release in [
        Release::None,
        Release::Production,
        Release::Canary("next".into()),
    ] {
        let context = context(ApiKind::Rest);
        context.set_release(release);
        metrics.record(None, &ended(&context, 200));
        bound.record(&ended(&context, 200));
    }
    let read = read(&handle);
    let mut canary = REST;
    canary[2].1 = "prod/Canary";
    assert_eq!(read.get("apigateway_Count", &REST), 4.0);
    assert_eq!(read.get("apigateway_Count", &canary), 2.0);
    let conventions = [
        ("http_request_method", "GET"),
        ("http_route", "/pets/{id}"),
        ("http_response_status_code", "200"),
        ("portcullis_api", "a1b2"),
        ("portcullis_canary", "next"),
        ("portcullis_stage", "prod"),
        ("url_scheme", "http"),
    ];
    assert_eq!(
        read.get("http_server_request_duration_count", &conventions),
        2.0
    );
}

#[test]
fn a_refusal_is_counted_by_its_own_status_and_by_what_decided_it() {
    let (metrics, handle) = exported(Metrics::builder());
    let refused = context(ApiKind::Rest);
    let decision = Decision::new("throttle", "per-client");
    let throttled = Rejection::new(RejectionKind::Throttled).with_decision(decision);
    refused.record_refusal(&throttled);
    // A gateway response words it as a success.
    metrics.record(None, &ended(&refused, 200));
    let observed = context(ApiKind::Rest);
    observed.record_observed(throttled);
    let decision = Decision::new("auth", "statement/of this request alone");
    let denied = Rejection::new(RejectionKind::AccessDenied).with_decision(decision);
    observed.record_observed(denied);
    metrics.record(None, &ended(&observed, 200));
    let read = read(&handle);
    assert_eq!(read.get("apigateway_4XXError", &REST), 1.0);
    let stage = [("api", "a1b2"), ("stage", "prod")];
    let refusals = |labels: &[_]| read.get("portcullis_refusals", &[&stage[..], labels].concat());
    let throttle = [
        ("layer", "throttle"),
        ("type", "THROTTLED"),
        ("rule", "per-client"),
        ("enforced", "true"),
    ];
    assert_eq!(refusals(&throttle), 1.0);
    let mut would = throttle;
    would[3].1 = "false";
    assert_eq!(refusals(&would), 1.0);
    let auth = [
        ("layer", "auth"),
        ("type", "ACCESS_DENIED"),
        ("enforced", "false"),
    ];
    assert_eq!(refusals(&auth), 1.0);
}

#[test]
fn limits_say_how_much_of_them_is_used() {
    let (metrics, handle) = exported(Metrics::builder());
    let context = context(ApiKind::Rest);
    let mut standing = LimitStanding::new("quota".into());
    (standing.quota, standing.remaining) = (1_000, 250);
    context.note_limit(standing);
    metrics.record(None, &ended(&context, 200));
    let read = read(&handle);
    assert_eq!(
        read.get("portcullis_limit_used_sum", &[("limit", "quota")]),
        75.0
    );
}

#[test]
fn authorizers_are_timed_by_what_they_came_to() {
    let (metrics, handle) = exported(Metrics::builder());
    for (status, took) in [(200, 10), (403, 30), (401, 50), (500, 70)] {
        let context = context(ApiKind::Rest);
        context.measure(Measure::AuthorizerLatency, took);
        context.measure(Measure::AuthorizerStatus, status);
        metrics.record(None, &ended(&context, 200));
    }
    let read = read(&handle);
    for (outcome, count, sum) in [
        ("allowed", 1.0, 0.01),
        ("denied", 2.0, 0.08),
        ("failed", 1.0, 0.07),
    ] {
        let labels = [("api", "a1b2"), ("stage", "prod"), ("outcome", outcome)];
        assert_eq!(
            read.get("portcullis_authorizer_duration_count", &labels),
            count
        );
        let read = read.get("portcullis_authorizer_duration_sum", &labels);
        assert!((read - sum).abs() < 1e-9, "{outcome}: {read}");
    }
}

#[test]
fn a_request_whose_client_went_away_is_no_error_but_has_a_duration() {
    let (metrics, handle) = exported(Metrics::builder());
    metrics.record(None, &ended(&context(ApiKind::Rest), 0));
    let read = read(&handle);
    assert_eq!(read.get("apigateway_Count", &REST), 1.0);
    assert_eq!(read.get("apigateway_4XXError", &REST), 0.0);
    assert_eq!(read.get("apigateway_5XXError", &REST), 0.0);
    let labels = [
        ("error_type", "cancelled"),
        ("http_request_method", "GET"),
        ("http_route", "/pets/{id}"),
        ("portcullis_api", "a1b2"),
        ("portcullis_stage", "prod"),
        ("url_scheme", "http"),
    ];
    assert_eq!(read.get("http_server_request_duration_count", &labels), 1.0);
}

#[test]
fn labels_are_bounded_whatever_callers_and_backends_make_up() {
    let (metrics, handle) = exported(Metrics::builder().max_series(20));
    for number in 0..500 {
        let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
        metrics.record(Some("/a"), &ended(&unmatched(method), 200));
        let get = unmatched(Method::GET);
        metrics.record(Some("/b"), &ended(&get, 100 + number));
        metrics.record(Some(&format!("/{number}")), &ended(&get, 200));
    }
    let read = read(&handle);
    assert_eq!(read.sum("apigateway_Count"), 1_500.0);
    let series = read
        .samples
        .keys()
        .filter(|key| key.starts_with("apigateway_Count"));
    assert!(series.count() <= 22);
    let durations = read.samples.keys();
    let durations = durations.filter(|key| key.starts_with("http_server_request_duration_count"));
    assert!(durations.count() <= 40);
    let unknown = [("Method", "_OTHER"), ("Resource", "/a")];
    assert_eq!(read.get("apigateway_Count", &unknown), 500.0);
}

#[test]
fn one_set_of_names_is_enough_for_who_wants_no_more() {
    let (metrics, handle) = exported(Metrics::builder().names(Names::Service));
    metrics.record(None, &ended(&context(ApiKind::Rest), 200));
    drop(metrics.enter(&Method::GET, &unmatched(Method::GET)));
    assert_eq!(read(&handle).sum("http_server_request_duration_count"), 0.0);
    let (metrics, handle) = exported(Metrics::builder().names(Names::Conventions));
    metrics.record(None, &ended(&context(ApiKind::Rest), 200));
    assert_eq!(read(&handle).sum("apigateway_Count"), 0.0);
}

#[test]
fn requests_in_flight_are_counted_while_they_are() {
    let (metrics, handle) = exported(Metrics::builder());
    let labels = [("http_request_method", "GET"), ("url_scheme", "http")];
    let active = || read(&handle).get("http_server_active_requests", &labels);
    let one = metrics.enter(&Method::GET, &unmatched(Method::GET));
    let other = metrics.enter(&Method::GET, &unmatched(Method::GET));
    assert_eq!(active(), 2.0);
    drop(one);
    assert_eq!(active(), 1.0);
    drop(other);
    assert_eq!(active(), 0.0);
}
