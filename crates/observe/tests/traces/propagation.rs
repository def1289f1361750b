//! Trace headers, in and out.

use http::Request;
use portcullis_core::Trace;
use portcullis_observe::trace::{Incoming, SamplingRule, SamplingRules, SpanBridge, Traces};
use tracing::Span;

use crate::recorder::Recorder;
use crate::{all, header, sent_on};

const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const AMAZON: &str = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";

fn none() -> SamplingRules {
    let rule = SamplingRule::new("none", 0, 0.0).expect("a rule");
    SamplingRules::new([rule]).expect("rules")
}

fn with(name: &str, value: &str) -> Request<()> {
    let request = Request::get("/").header("host", "a").header(name, value);
    request.body(()).expect("a request")
}

#[tokio::test]
async fn a_trace_goes_on_in_both_headers_below_the_span_of_this_service() {
    let _listening = Recorder::default().listen();
    for (name, value) in [("traceparent", W3C), ("x-amzn-trace-id", AMAZON)] {
        let out = sent_on(&all().build(), with(name, value)).await;
        let w3c = Trace::parse_traceparent(header(&out, "traceparent")).expect("a trace");
        let amazon = Trace::parse(header(&out, "x-amzn-trace-id")).expect("a trace");
        assert_eq!(w3c, amazon);
        assert_eq!(w3c.id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_ne!(w3c.parent(), "00f067aa0ba902b7");
        assert!(w3c.is_sampled());
    }
}

#[tokio::test]
async fn what_others_noted_goes_on() {
    let mut request = with("traceparent", W3C);
    let headers = request.headers_mut();
    headers.insert("tracestate", "congo=t61rcWkgMzE".parse().expect("a value"));
    let lineage = format!("{AMAZON};Lineage=a:0");
    headers.insert("x-amzn-trace-id", lineage.parse().expect("a value"));
    let out = sent_on(&all().build(), request).await;
    assert_eq!(header(&out, "tracestate"), "congo=t61rcWkgMzE");
    assert!(header(&out, "x-amzn-trace-id").ends_with(";Sampled=1;Lineage=a:0"));
}

#[tokio::test]
async fn the_state_of_a_trace_that_is_not_believed_does_not_go_on() {
    let mut request = with("traceparent", W3C);
    let state = "congo=t61rcWkgMzE".parse().expect("a value");
    request.headers_mut().insert("tracestate", state);
    let traces = all().incoming(Incoming::Ignore).build();
    let out = sent_on(&traces, request).await;
    assert_eq!(header(&out, "tracestate"), "");
    assert!(!header(&out, "traceparent").contains("4bf92f3577b34da6a3ce929d0e0e4736"));
}

#[tokio::test]
async fn a_trace_that_is_not_recorded_passes_below_its_caller() {
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let out = sent_on(&all().build(), with("traceparent", unsampled)).await;
    assert_eq!(header(&out, "traceparent"), unsampled);
    assert_eq!(
        header(&out, "x-amzn-trace-id"),
        "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=0"
    );
}

#[tokio::test]
async fn where_nothing_comes_in_a_trace_begins_and_says_whether_it_is_recorded() {
    for (rules, flags) in [(SamplingRules::all(), "01"), (none(), "00")] {
        let traces = Traces::builder("orders").sampling(rules).build();
        let out = sent_on(&traces, with("x-none", "")).await;
        let trace = Trace::parse_traceparent(header(&out, "traceparent")).expect("a trace");
        assert!(header(&out, "traceparent").ends_with(flags));
        assert_eq!(header(&out, "x-amzn-trace-id"), trace.to_string());
    }
}

#[tokio::test]
async fn an_operator_says_how_far_a_callers_word_counts() {
    let traces = |incoming| {
        let traces = Traces::builder("orders").sampling(none());
        traces.incoming(incoming).build()
    };
    let sampled = async |incoming| {
        let out = sent_on(&traces(incoming), with("traceparent", W3C)).await;
        let trace = Trace::parse_traceparent(header(&out, "traceparent")).expect("a trace");
        let is_theirs = trace.id() == 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
        (is_theirs, trace.is_sampled())
    };
    assert_eq!(sampled(Incoming::Follow).await, (true, true));
    assert_eq!(sampled(Incoming::Identify).await, (true, false));
    assert_eq!(sampled(Incoming::Ignore).await, (false, false));
}

#[tokio::test]
async fn ids_are_those_of_a_bridge() {
    struct Fixed;
    impl SpanBridge for Fixed {
        fn link(&self, _span: &Span, parent: Option<&Trace>) -> Option<Trace> {
            Some(Trace::new(parent?.id(), 0xb, true))
        }
    }
    let _listening = Recorder::default().listen();
    let traces = all().bridge(Fixed).build();
    let out = sent_on(&traces, with("x-amzn-trace-id", AMAZON)).await;
    let below = "00-4bf92f3577b34da6a3ce929d0e0e4736-000000000000000b-01";
    assert_eq!(header(&out, "traceparent"), below);
}

#[tokio::test]
async fn nonsense_begins_a_new_trace() {
    for (name, value) in [
        ("traceparent", "00-zz-zz-01"),
        ("x-amzn-trace-id", "Root=;Parent=;;;=;Sampled"),
        (
            "x-amzn-trace-id",
            &"Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;".repeat(99),
        ),
    ] {
        let out = sent_on(&all().build(), with(name, value)).await;
        let trace = Trace::parse_traceparent(header(&out, "traceparent")).expect("a trace");
        assert!(trace.is_sampled());
    }
}
