//! Test helpers shared by the crates of Portcullis.
//!
//! - [`request`]: short ways to a request, and to what an answer holds;
//! - [`Recorder`]: a service that remembers what it got;
//! - [`HyperServer`]: any tower service on a free port of loopback, over HTTP/1.1 and HTTP/2;
//! - [`RedisServer`]: a `redis-server` on a free port; [`RedisCluster`]: three that are a cluster;
//! - [`Signer`] and [`MockIssuer`]: who signs tokens, and who publishes the keys, well or badly;
//! - [`wire`]: bytes as they are on a socket, for what a well-behaved client would never send;
//! - [`SigV4Signer`]: signs requests as a client would;
//! - [`signed`]: checks the signature of a recorded request;
//! - [`installed`]: programs that `cargo xtask test` installs;
//! - [`cases`]: recorded cases, and lists of those that are expected to fail.
//!
//! ```
//! use portcullis_testkit::{HyperServer, Recorder, request, wire};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let recorder = Recorder::new(|got| request::answer(200, format!("you asked for {}", got.uri)));
//! let server = HyperServer::start(recorder.clone()).await;
//!
//! let answer = wire::send(server.addr(), "GET /pets HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
//! assert_eq!(answer.status, 200);
//! assert_eq!(answer.text(), "you asked for /pets");
//! assert_eq!(recorder.only().headers["host"], "x");
//! # }
//! ```
//!
//! # Panics
//!
//! Everything here is for tests, and panics with a clear message where another crate would return an error.
//! Whatever waits for a peer gives up after [`wire::PATIENCE`].

pub mod cases;
mod installed;
mod issuer;
mod recorder;
mod redis;
mod redis_cluster;
pub mod request;
mod server;
mod signature;
mod signer;
mod sigv4;
pub mod wire;

pub use installed::installed;
pub use issuer::{Conduct, Fetches, MockIssuer};
pub use recorder::{Recorded, Recorder};
pub use redis::RedisServer;
pub use redis_cluster::RedisCluster;
pub use server::HyperServer;
pub use signature::{Signed, signed};
pub use signer::Signer;
pub use sigv4::SigV4Signer;
