//! The spans, with the names of OpenTelemetry's conventions for HTTP.

use http::StatusCode;
use portcullis_core::{RequestContext, Trace};
use tracing::Span;
use tracing::field::{Empty, display};

use super::SpanBridge;
use super::subject::{Callee, Subject};
use crate::exchange::{Exchange, Outcome};

/// A new id. Zero means none.
pub(super) fn new_id() -> u64 {
    fastrand::u64(1..)
}

/// The span of a request: everything that is done for it, up to the end of its response.
pub(super) fn of_request(context: &RequestContext, subject: &Subject, rule: Option<&str>) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.name = context.method().as_str(),
        otel.status_code = Empty,
        http.request.method = context.method().as_str(),
        http.route = Empty,
        http.response.status_code = Empty,
        http.response.body.size = Empty,
        url.path = context.uri().path(),
        server.address = context.host(),
        client.address = Empty,
        "error.type" = Empty,
        aws.request_id = context.request_id().as_str(),
        service = &*subject.name,
        sampling_rule = rule,
        refused = Empty,
        trace_id = Empty,
        span_id = Empty,
    );
    if !span.is_disabled()
        && let Some(client) = context.client()
    {
        span.record("client.address", display(client));
    }
    span
}

/// The span of a call of what stands behind a method.
pub(super) fn of_call(parent: &Span, callee: &Callee) -> Span {
    tracing::info_span!(
        parent: parent,
        "integration",
        otel.kind = "client",
        otel.name = &*callee.name,
        otel.status_code = Empty,
        http.response.status_code = Empty,
        "error.type" = Empty,
        integration = callee.kind,
        faas.invoked_name = callee.function.as_deref(),
        trace_id = Empty,
        span_id = Empty,
    )
}

/// Says under which ids a span is known, where it has no others.
pub(super) fn note_ids(span: &Span, own: &Trace) {
    if !span.is_disabled() {
        span.record("trace_id", format_args!("{:032x}", own.id()));
        span.record("span_id", own.parent());
    }
}

/// What a request came to.
pub(super) fn note_end(
    span: &Span,
    bridge: Option<&dyn SpanBridge>,
    route: Option<&str>,
    exchange: &Exchange<'_>,
) {
    if span.is_disabled() {
        return;
    }
    let context = exchange.context();
    if let Some(route) = route {
        span.record("http.route", route);
        let name = format!("{} {route}", context.method());
        span.record("otel.name", name.as_str());
        if let Some(bridge) = bridge {
            bridge.rename(span, &name);
        }
    }
    if let Some(refusal) = context.refusal() {
        span.record("refused", display(&refusal));
    }
    span.record("http.response.body.size", exchange.sent());
    match (exchange.status(), exchange.outcome()) {
        (Some(status), Outcome::Complete) => note_status(span, status, true),
        (status, outcome) => {
            if let Some(status) = status {
                span.record("http.response.status_code", status.as_u16());
            }
            span.record("error.type", outcome.as_str());
            span.record("otel.status_code", "error");
        }
    }
}

/// The status of an answer. For a server, faults of clients are no errors.
pub(super) fn note_status(span: &Span, status: StatusCode, is_server: bool) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() || !is_server && status.is_client_error() {
        span.record("otel.status_code", "error");
        span.record("error.type", status.as_str());
    }
}
