//! A listener for a gateway or for a service of one's own: HTTP/1.1 and h2, TLS, limits, reload.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use hyper::body::Incoming;
//! use portcullis::core::Body;
//! use portcullis::serve::Server;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hello = tower::service_fn(async |_request: Request<Incoming>| {
//!     Ok::<_, Infallible>(Response::new(Body::from("hello")))
//! });
//!
//! let server = Server::builder().listen("127.0.0.1:0").health_path("/healthz").bind().await?;
//! let handle = server.handle();
//! assert_ne!(handle.local_addrs()[0].port(), 0);
//!
//! // A program would let `shutdown_signal()` do this.
//! handle.shutdown();
//! let finished = server.run(hello).await;
//! assert_eq!(finished.cut(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! - A service is any `tower::Service` over hyper's requests: a `Gateway`, an axum `Router`, a stack of layers. It finds
//!   a [`RequestContext`](portcullis_core::RequestContext) in the request's extensions, with the connection and the client's address.
//! - HTTP/1.1 and h2 are told apart by what the client sends, in the clear too (prior knowledge).
//! - A request that is not HTTP as it should be never reaches the service: no `Host` or two of them (RFC 9112,
//!   section 3.2), an authority that `Host` contradicts in h2, a transfer coding other than `chunked`, `CONNECT`
//!   (400); `OPTIONS *` (404); a target longer than 10,240 bytes (414); headers of more than 10,240 bytes
//!   together (431). Where the target of an HTTP/1.1 request names a host, `Host` is set to it.
//!   A request with both `Content-Length` and `Transfer-Encoding` is read by the latter, the former is taken
//!   off, and the connection ends with it.
//! - What hyper itself cannot read is answered with 400, 414 or 431 and no body.
//! - A service that fails is answered for with 500.
//! - The health path is answered before all of that: 200, or 503 once [`Handle::shutdown`] was called.
//!
//! # Slow and many clients
//!
//! A connection is accepted only when there is room for it; the others wait in the system's backlog. From the opening of
//! a connection or the first byte of a request its head must be there within the header-read timeout, so that whoever sends
//! slowly gives the place back. There is no timeout on bodies: how long a request may take is the service's to say.
//!
//! # Caveats
//!
//! An HTTP/1.1 request may have 100 headers (431 beyond). A client that closes its sending half is taken to have gone.

mod activity;
mod body;
mod builder;
mod check;
#[cfg(feature = "mtls")]
mod clients;
mod connection;
mod error;
mod front;
mod handle;
mod refusals;
mod server;
mod signal;
mod stream;
mod tls;

pub use builder::ServerBuilder;
#[cfg(feature = "mtls")]
pub use clients::ClientCertificates;
pub use error::{BindError, TlsError};
pub use handle::Handle;
pub use server::{Finished, Server};
pub use signal::{Hangup, hangup, shutdown_signal};
pub use tls::TlsConfig;
