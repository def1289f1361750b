//! What a service does, as its operator sees it: a tower layer that watches each request until its response has ended.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use portcullis_core::RequestContext;
//! use portcullis_observe::{Exchange, ObserveLayer, Observer};
//! use tower::{Layer, ServiceExt, service_fn};
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
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = ObserveLayer::new(Sent::default());
//! let hello = service_fn(async |_request: Request<()>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))
//! });
//! let response = layer.layer(hello).oneshot(Request::get("/").body(())?).await?;
//! assert_eq!(response.collect().await?.to_bytes(), "hello");
//! assert_eq!(layer.observer().0.load(Ordering::Relaxed), 5);
//! # Ok(())
//! # }
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

mod body;
mod exchange;
mod layer;
mod observation;
mod observer;
mod service;

pub use {
    body::ObservedBody,
    exchange::{Exchange, Outcome},
    layer::ObserveLayer,
    observer::Observer,
    service::{Observed, ObservedFuture},
};
