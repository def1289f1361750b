//! What a service does, as its operator sees it: a tower layer that watches each request until its response has ended, writes access logs and records metrics.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use portcullis_observe::{AccessFormat, AccessLog, LogSink, ObserveLayer};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[derive(Clone, Default)]
//! # struct Memory(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
//! # impl std::io::Write for Memory {
//! #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
//! #         self.0.lock().expect("nobody panics").extend_from_slice(bytes);
//! #         Ok(bytes.len())
//! #     }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file = Memory::default();
//! # let memory = file.clone();
//! let format = AccessFormat::parse(
//!     r#"{"path": "$context.path", "status": $context.status, "bytes": $context.responseLength, "agent": "$context.identity.userAgent"}"#,
//! )?;
//! let log = AccessLog::new(format, LogSink::writer(file));
//! let hello = service_fn(async |_request: Request<()>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))
//! });
//! let service = ObserveLayer::new(log.clone()).layer(hello);
//!
//! // A caller that would like to write a line of its own.
//! let request = Request::get("/pets").header("user-agent", r#""}, {"status": 200"#).body(())?;
//! service.oneshot(request).await?.collect().await?;
//! assert!(log.sink().flush(Duration::from_secs(10)));
//! # let text = String::from_utf8(memory.0.lock().expect("nobody panics").clone())?;
//! assert_eq!(
//!     text,
//!     r#"{"path": "/pets", "status": 200, "bytes": 5, "agent": "\"}, {\"status\": 200"}
//! "#,
//! );
//! # Ok(())
//! # }
//! ```
//!
//! [`Emf`] writes metrics as lines for CloudWatch; with the feature `metrics`, `Metrics` records them for every exporter of the `metrics` crate, under the names of Amazon API Gateway and of
//! the OpenTelemetry conventions. An observer of one's own is told of each request, of its response and of its end:
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use http::Request;
//! use portcullis_core::RequestContext;
//! use portcullis_observe::{AccessFormat, AccessLog, Exchange, LogSink, ObserveLayer, Observer};
//!
//! /// Counts the bytes of whole responses.
//! #[derive(Debug, Default)]
//! struct Sent(AtomicU64);
//!
//! impl Observer for Sent {
//!     type Watch = ();
//!
//!     fn begin<B>(&self, _request: &mut Request<B>, _context: &RequestContext) {}
//!
//!     fn end(&self, _watch: (), exchange: &Exchange<'_>) {
//!         if exchange.outcome().is_complete() {
//!             self.0.fetch_add(exchange.sent(), Ordering::Relaxed);
//!         }
//!     }
//! }
//!
//! let log = AccessLog::new(AccessFormat::combined(), LogSink::stdout());
//! let layer = ObserveLayer::new((Sent::default(), log));
//! assert_eq!(layer.observer().0.0.load(Ordering::Relaxed), 0);
//! ```
//!
//! # Semantics
//!
//! - A request is watched from its arrival until the last byte of its response has been handed over, its body has failed, or nobody waits for it any
//!   longer: each of them ends exactly once, and its [`Outcome`] says how.
//! - The layer puts a [`RequestContext`](portcullis_core::RequestContext) into the request, or takes the one that is there. What inner layers learn of the request is in it when the
//!   request ends, with the status, the length and the time that the response took.
//! - The response's body becomes an [`ObservedBody`]. Nothing is boxed.
//!
//! # Order
//!
//! Outermost, so that refusals of inner layers are seen, and their time is counted.
//!
//! # Caveats
//!
//! - `$context.identity.sourceIp` is known where the listener said who is connected (`portcullis::serve` does), or a [`Peer`].
//! - `$context.stage` and the like are known where a gateway or `portcullis-stages` found the stage.
//!
//! # Features
//!
//! `metrics` adds `Metrics`, by the facade of that name. `rolling-file` adds `RollingFile`, log files that take turns. `opentelemetry` adds `trace::OpenTelemetry`, spans under the ids by which they are
//! exported, and with `metrics` `OpenTelemetryRecorder`, metrics for OTLP; `xray` adds `trace::XrayDaemon`, segments for AWS X-Ray.

mod access_log;
mod body;
mod emf;
mod error;
mod exchange;
mod execution_log;
mod layer;
mod live;
#[cfg(feature = "metrics")]
mod metrics;
mod observation;
mod observer;
mod peer;
mod series;
mod service;
mod sink;
pub mod trace;

#[cfg(all(feature = "metrics", feature = "opentelemetry"))]
pub use metrics::OpenTelemetryRecorder;
#[cfg(feature = "metrics")]
pub use metrics::{InFlight, MethodMetrics, Metrics, MetricsBuilder, MetricsWatch, Names};
#[cfg(feature = "rolling-file")]
pub use sink::{RollingFile, Rotation};
pub use {
    access_log::{AccessFormat, AccessLog, Captured, Redaction},
    body::ObservedBody,
    emf::{Emf, EmfBuilder},
    error::ConfigError,
    exchange::{Exchange, Outcome},
    execution_log::{DataTrace, ExecutionLevel, ExecutionLog},
    layer::ObserveLayer,
    live::LivePage,
    observer::Observer,
    peer::Peer,
    service::{Observed, ObservedFuture},
    sink::{LogSink, LogSinkBuilder, LogStats, LogTarget},
};
