//! OpenTelemetry, by `tracing-opentelemetry`.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId};
use portcullis_core::Trace;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::SpanBridge;

/// Spans that `tracing-opentelemetry` exports: they continue the trace of whoever calls, and whoever is called continues theirs.
///
/// It needs a subscriber with `tracing_opentelemetry::layer()`. Exporters and samplers are those of the OpenTelemetry SDK; its sampler is asked only about
/// requests that the [sampling rules](crate::trace::SamplingRules) record, and sees them as sampled by their parent where there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenTelemetry(());

impl OpenTelemetry {
    /// The bridge.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl SpanBridge for OpenTelemetry {
    fn link(&self, span: &Span, parent: Option<&Trace>) -> Option<Trace> {
        if let Some(parent) = parent {
            let remote = opentelemetry::Context::new().with_remote_span_context(remote(parent));
            // Without a subscriber that records it, there is nothing to put anywhere.
            let _ = span.set_parent(remote);
        }
        let context = span.context();
        let own = context.span().span_context().clone();
        own.is_valid().then(|| {
            Trace::new(
                u128::from_be_bytes(own.trace_id().to_bytes()),
                u64::from_be_bytes(own.span_id().to_bytes()),
                own.is_sampled(),
            )
        })
    }

    fn rename(&self, span: &Span, name: &str) {
        span.context().span().update_name(name.to_owned());
    }
}

fn remote(parent: &Trace) -> SpanContext {
    let state = parent.state().and_then(|state| state.parse().ok());
    SpanContext::new(
        TraceId::from_bytes(parent.id().to_be_bytes()),
        SpanId::from_bytes(parent.parent_id().to_be_bytes()),
        if parent.is_sampled() {
            TraceFlags::SAMPLED
        } else {
            TraceFlags::default()
        },
        true,
        state.unwrap_or_default(),
    )
}
