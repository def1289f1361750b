//! Traces: where a request came from, what was done for it, and what it called.
//!
//! A trace that comes in by `traceparent` (W3C Trace Context) or `X-Amzn-Trace-Id` (AWS X-Ray) goes on in both, with the right parent. Spans are those of
//! `tracing`: any subscriber sees them, and by `tracing-opentelemetry` they are exported. A request that is not recorded makes no span,
//! nor does one where no subscriber listens and no segments are sent: its trace passes as it came.
//!
//! ```
//! use bytes::Bytes;
//! use http::{HeaderMap, Request, Response};
//! use http_body_util::Full;
//! use portcullis_core::RequestContext;
//! use portcullis_observe::ObserveLayer;
//! use portcullis_observe::trace::{SamplingRules, Traces};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Whoever records spans: without anybody there are none, and traces pass as they are.
//! let _listening = tracing::subscriber::set_default(tracing_subscriber::registry());
//! let traces = Traces::builder("orders").sampling(SamplingRules::all()).build();
//! let service = ObserveLayer::new(traces).layer(service_fn(async |mut request: Request<()>| {
//!     // What this service calls gets its trace by these headers.
//!     let mut headers = HeaderMap::new();
//!     RequestContext::of(&mut request).write_trace(&mut headers);
//!     let parent = headers["traceparent"].to_str().unwrap_or_default().to_owned();
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(parent)))
//! }));
//!
//! let request = Request::get("/orders/7")
//!     .header("x-amzn-trace-id", "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1")
//!     .body(())?;
//! let response = service.oneshot(request).await?;
//! # use http_body_util::BodyExt;
//! let parent = response.into_body().collect().await?.to_bytes();
//! assert!(parent.starts_with(b"00-66b3c0a80123456789abcdef01234567-"), "the same trace");
//! assert!(!parent.ends_with(b"0123456789abcdef-01"), "below the span of this service");
//! # Ok(())
//! # }
//! ```
//!
//! # What is recorded
//!
//! - What the caller decided holds, unless [`Incoming`] says otherwise. About the rest [`SamplingRules`] decide.
//! - The span of a request lasts to the end of its response, and is named by verb and route, if one of the inner layers knows the route. Its fields are those of OpenTelemetry's
//!   conventions for HTTP. Queries are left out: secrets stand in them.
//! - A gateway has spans for routing, for the guards and each of them, for the mappings and for the integration.
//!
//! # Order
//!
//! Inside whatever should not be in the span, outside whatever refuses.

mod bridge;
mod following;
mod later;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
mod recording;
mod sampling;
mod span;
mod subject;
mod traces;
#[cfg(feature = "xray")]
mod xray;

#[cfg(feature = "opentelemetry")]
pub use self::opentelemetry::OpenTelemetry;
#[cfg(feature = "xray")]
pub use self::xray::XrayDaemon;
pub use self::{
    bridge::SpanBridge,
    following::Following,
    later::LaterCall,
    recording::Recording,
    sampling::{Candidate, SamplingRule, SamplingRules},
    subject::{Callee, Subject},
    traces::{Incoming, Traces, TracesBuilder},
};
