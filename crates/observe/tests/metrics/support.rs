//! Metrics that can be read, and requests to record.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use portcullis_core::{ApiKind, ApiStage, ManualClock, MatchedRoute, RequestContext, Route};
use portcullis_observe::{Exchange, Metrics, MetricsBuilder, Outcome};

use crate::exposition::Exposition;

/// Metrics, and what Prometheus would read of them.
pub(crate) fn exported(builder: MetricsBuilder) -> (Metrics, PrometheusHandle) {
    let matcher = |name: &str| Matcher::Full(name.to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(
            matcher("http.server.request.duration"),
            &Metrics::DURATION_BUCKETS,
        )
        .and_then(|builder| {
            builder.set_buckets_for_metric(matcher("apigateway.Latency"), &Metrics::LATENCY_BUCKETS)
        })
        .expect("there are buckets")
        .build_recorder();
    let handle = recorder.handle();
    (builder.recorder(Arc::new(recorder)).build(), handle)
}

pub(crate) fn read(handle: &PrometheusHandle) -> Exposition {
    handle.run_upkeep();
    Exposition::read(&handle.render())
}

pub(crate) fn stage(kind: ApiKind) -> ApiStage {
    let mut stage = ApiStage::default();
    stage.kind = kind;
    stage.api_id = "a1b2".into();
    stage.api_name = Some("Pets".into());
    stage.stage = "prod".into();
    stage
}

/// A request to `GET /pets/{id}` of a stage.
pub(crate) fn context(kind: ApiKind) -> RequestContext {
    let context = unmatched(Method::GET);
    context.set_stage(stage(kind));
    let uri = "/prod/pets/7".parse().expect("a path");
    context.set_route(MatchedRoute::new(Route::new("/pets/{id}"), &uri, 5));
    context
}

/// A request of which nothing is known but its method.
pub(crate) fn unmatched(method: Method) -> RequestContext {
    let request = Request::builder()
        .method(method)
        .uri("/prod/pets/7")
        .body(())
        .expect("a request");
    RequestContext::new(&request, &ManualClock::at_unix(1_700_000_000))
}

/// What became of it, in 20 ms.
pub(crate) fn ended(context: &RequestContext, status: u16) -> Exchange<'_> {
    let status = StatusCode::from_u16(status).ok();
    let outcome = match status {
        Some(_) => Outcome::Complete,
        None => Outcome::Cancelled,
    };
    Exchange::new(context, outcome, status, 100, Duration::from_millis(20))
}
