//! What metrics are called, and what they mean.

use metrics::{Level, Metadata, Recorder, Unit};

use super::Names;

/// Of Amazon API Gateway; the last part is the service's own name.
pub(super) const COUNT: &str = "apigateway.Count";
pub(super) const LATENCY: &str = "apigateway.Latency";
pub(super) const INTEGRATION_LATENCY: &str = "apigateway.IntegrationLatency";
/// Of REST APIs.
pub(super) const CLIENT_ERRORS: &str = "apigateway.4XXError";
pub(super) const SERVER_ERRORS: &str = "apigateway.5XXError";
pub(super) const CACHE_HITS: &str = "apigateway.CacheHitCount";
pub(super) const CACHE_MISSES: &str = "apigateway.CacheMissCount";
/// Of HTTP APIs.
pub(super) const HTTP_CLIENT_ERRORS: &str = "apigateway.4xx";
pub(super) const HTTP_SERVER_ERRORS: &str = "apigateway.5xx";
pub(super) const DATA_PROCESSED: &str = "apigateway.DataProcessed";

/// Of the OpenTelemetry conventions for HTTP.
pub(super) const DURATION: &str = "http.server.request.duration";
pub(super) const ACTIVE: &str = "http.server.active_requests";

/// Of this crate.
pub(super) const REFUSALS: &str = "portcullis.refusals";
pub(super) const LIMIT_USED: &str = "portcullis.limit.used";
pub(super) const STORE_AVAILABLE: &str = "portcullis.limit.store.available";
pub(super) const STORE_ASKED: &str = "portcullis.limit.store.asked";
pub(super) const STORE_LEASED: &str = "portcullis.limit.store.leased";
pub(super) const STORE_AWAY: &str = "portcullis.limit.store.decided_away";
pub(super) const QUOTA_USED: &str = "portcullis.quota.used";
pub(super) const QUOTA_KEYS: &str = "portcullis.quota.keys";
pub(super) const QUOTA_EXHAUSTED: &str = "portcullis.quota.exhausted";
pub(super) const UPSTREAM_AVAILABLE: &str = "portcullis.upstream.available";
pub(super) const UPSTREAM_IN_FLIGHT: &str = "portcullis.upstream.in_flight";
pub(super) const AUTHORIZER: &str = "portcullis.authorizer.duration";

pub(super) const METADATA: Metadata<'static> = Metadata::new(
    "portcullis_observe",
    Level::INFO,
    Some("portcullis_observe"),
);

/// Describes what is recorded, for exporters that pass it on.
pub(super) fn describe(recorder: &dyn Recorder, names: Names) {
    let counter = |name: &'static str, unit, text: &'static str| {
        recorder.describe_counter(name.into(), Some(unit), text.into());
    };
    let histogram = |name: &'static str, unit, text: &'static str| {
        recorder.describe_histogram(name.into(), Some(unit), text.into());
    };
    if names.has_service() {
        counter(COUNT, Unit::Count, "Requests.");
        histogram(
            LATENCY,
            Unit::Milliseconds,
            "From the request's arrival to the end of its response.",
        );
        histogram(
            INTEGRATION_LATENCY,
            Unit::Milliseconds,
            "From the call of what stands behind a method to its response.",
        );
        for name in [CLIENT_ERRORS, HTTP_CLIENT_ERRORS] {
            counter(
                name,
                Unit::Count,
                "Requests that failed by the client's fault.",
            );
        }
        for name in [SERVER_ERRORS, HTTP_SERVER_ERRORS] {
            counter(
                name,
                Unit::Count,
                "Requests that failed by the server's fault.",
            );
        }
        counter(CACHE_HITS, Unit::Count, "Requests that the cache served.");
        counter(
            CACHE_MISSES,
            Unit::Count,
            "Requests that the backend served while caching was on.",
        );
        counter(DATA_PROCESSED, Unit::Bytes, "Bytes of bodies, both ways.");
    }
    if names.has_conventions() {
        histogram(
            DURATION,
            Unit::Seconds,
            "From the request's arrival to the end of its response.",
        );
        recorder.describe_gauge(
            ACTIVE.into(),
            Some(Unit::Count),
            "Requests in flight.".into(),
        );
    }
    for (name, text) in [
        (UPSTREAM_AVAILABLE, "Whether requests go to the target."),
        (
            UPSTREAM_IN_FLIGHT,
            "Requests to the target whose answers have not ended.",
        ),
        (
            STORE_AVAILABLE,
            "Whether the store of shared limits answered when it was last asked.",
        ),
        (
            QUOTA_USED,
            "Requests that the keys of a plan have used of their quotas in this period.",
        ),
        (
            QUOTA_KEYS,
            "Keys of a plan that have sent requests in this period.",
        ),
        (
            QUOTA_EXHAUSTED,
            "Keys of a plan that have nothing left of their quotas.",
        ),
    ] {
        recorder.describe_gauge(name.into(), Some(Unit::Count), text.into());
    }
    counter(
        STORE_ASKED,
        Unit::Count,
        "Times that the store of shared limits was asked.",
    );
    counter(
        STORE_LEASED,
        Unit::Count,
        "Decisions by tokens of shared limits that were taken ahead.",
    );
    counter(
        STORE_AWAY,
        Unit::Count,
        "Decisions without the store of shared limits, because it did not answer.",
    );
    counter(
        REFUSALS,
        Unit::Count,
        "Requests that were refused, or would have been, by what decided it.",
    );
    histogram(
        LIMIT_USED,
        Unit::Percent,
        "How much of a limit or quota was used when a request counted against it.",
    );
    histogram(
        AUTHORIZER,
        Unit::Seconds,
        "How long authorizers took, by what they came to.",
    );
}
