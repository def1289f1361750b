//! Where else spans are recorded.

use portcullis_core::Trace;
use tracing::Span;

/// Whoever records `tracing` spans under ids of its own: OpenTelemetry. The feature `opentelemetry` has [one](crate::trace::OpenTelemetry).
///
/// Without one, spans get random ids, which stand in their fields `trace_id` and `span_id`.
pub trait SpanBridge: Send + Sync + 'static {
    /// Puts `span` below `parent`, which may be elsewhere, if there is one; else it stays where it is, below the span that it was made in. The answer is as what it
    /// is recorded: the id of its trace, its own id as the parent of what comes below it, and whether it is sampled. `None` if it is not recorded under ids.
    fn link(&self, span: &Span, parent: Option<&Trace>) -> Option<Trace>;

    /// Gives a span its name, which is known only later: that of a request has its route in it. By default, nothing: the name stands in the field `otel.name`, too.
    fn rename(&self, span: &Span, name: &str) {
        let _ = (span, name);
    }
}
