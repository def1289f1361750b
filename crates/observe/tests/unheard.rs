//! Traces that are to be recorded in a program where nobody listens to spans. (A subscriber of another test would be one that listens.)

use std::convert::Infallible;
use std::future::ready;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use portcullis_core::{RequestContext, Trace};
use portcullis_observe::ObserveLayer;
use portcullis_observe::trace::{SamplingRules, Traces};
use tower::{Layer, ServiceExt, service_fn};

/// What a service with traces hands on of this header.
async fn handed_on(name: &'static str, value: &str) -> Response<Full<Bytes>> {
    let traces = Traces::builder("orders").sampling(SamplingRules::all());
    let inner = service_fn(|mut request: Request<()>| {
        let mut response = Response::new(Full::<Bytes>::default());
        RequestContext::of(&mut request).write_trace(response.headers_mut());
        ready(Ok::<_, Infallible>(response))
    });
    let request = Request::get("/").header(name, value).body(());
    let service = ObserveLayer::new(traces.build()).layer(inner);
    let response = service.oneshot(request.expect("a request")).await;
    response.expect("a response").map(|_| Full::default())
}

#[tokio::test]
async fn a_trace_passes_as_it_came_so_that_nothing_stands_below_a_span_that_there_is_not() {
    for flags in ["00", "01"] {
        let sent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let response = handed_on("traceparent", &sent).await;
        assert_eq!(response.headers()["traceparent"], sent);
    }
}

#[tokio::test]
async fn a_trace_that_begins_is_sampled_as_the_rules_say() {
    let response = handed_on("x-none", "").await;
    let parent = response.headers()["traceparent"].to_str().expect("text");
    let trace = Trace::parse_traceparent(parent).expect("a trace");
    assert!(trace.is_sampled());
}
