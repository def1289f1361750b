//! Outbound HTTP for Portcullis: one pooled client over rustls.
//!
//! A [`Client`] is a cheap handle: proxying, function calls and key fetches share one, and so one pool.
//!
//! ```
//! use portcullis_client::{Client, ClientErrorKind};
//! use portcullis_core::Body;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder().build()?;
//! // Nothing listens on port 1.
//! let request = http::Request::get("http://127.0.0.1:1/pets").body(Body::empty())?;
//! let error = client.send(request).await.unwrap_err();
//! assert_eq!(error.kind(), ClientErrorKind::Refused);
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! - HTTP/1.1 or HTTP/2, as the server chooses by ALPN; in the clear HTTP/1.1, or HTTP/2 with
//!   [`Client::with_http2_prior_knowledge`].
//! - A request takes a connection of its origin that is open and free, or one that becomes free before its own is made. HTTP/2
//!   has one connection for all requests of an origin. The pool is our own, since hyper's older client costs more
//!   than the exchange itself.
//! - What is sent is framed from the body, never from the headers: `Content-Length`, `Transfer-Encoding`, `Connection`
//!   and their kind are taken out of every request.
//! - Certificates are checked against the platform's roots, which are read once, when the first encrypted connection is made.
//! - [`Upstreams`] sends what is meant for one origin to another, or to a pool of several, under the first one's `Host`.
//! - An [`UpstreamPool`] has several targets: it chooses among those that are well, sends again what may be sent again, and answers at
//!   once where all of them fail. It is a service of its own, too.
//! - A failure says what kind it is ([`ClientErrorKind`]), and tells the endpoint's failures from those of the body
//!   that was being sent.
//!
//! # Caveats
//!
//! There is no timeout but the one for connecting, and the one that a pool may have: how long to wait for an answer is the caller's
//! to say. Redirects are not followed, and outside a pool nothing is retried once a byte of it was sent. A pool retries what is
//! idempotent, has its body in memory and got no head of an answer, within a budget.
//!
//! # Features
//!
//! None.

mod body;
mod client;
mod connections;
mod connector;
mod error;
mod origin;
mod pool;
mod response;
mod sending;
mod tls;
mod upstream_pool;
mod upstreams;

pub use {
    client::{Client, ClientBuilder, HttpProtocol},
    error::{ClientConfigError, ClientError, ClientErrorKind},
    response::ResponseBody,
    upstream_pool::{
        Balance, CircuitBreaker, Ejection, HealthCheck, Retries, TargetStatus, UpstreamPool,
        UpstreamPoolBuilder, UpstreamPoolConfig, UpstreamPoolError,
    },
    upstreams::{Upstream, Upstreams, UpstreamsError},
};
