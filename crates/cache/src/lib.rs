//! A response cache as a tower layer.
//!
//! ```
//! use std::sync::atomic::{AtomicUsize, Ordering};
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{Empty, Full};
//! use portcullis_cache::{CacheLayer, CacheRules, Purge, ResponseCache};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! static CALLS: AtomicUsize = AtomicUsize::new(0);
//! let pets = service_fn(async |_request: Request<Empty<Bytes>>| {
//!     CALLS.fetch_add(1, Ordering::Relaxed);
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("dogs and cats")))
//! });
//!
//! let cache = ResponseCache::in_memory(64 * 1024 * 1024);
//! let rules = CacheRules::builder().ttl(Duration::from_secs(60)).build()?;
//! let service = CacheLayer::new(&cache, rules).layer(pets);
//!
//! for _ in 0..3 {
//!     let answer = service.clone().oneshot(Request::get("/pets").body(Empty::new())?).await?;
//!     assert_eq!(answer.status(), 200);
//! }
//! assert_eq!(CALLS.load(Ordering::Relaxed), 1);
//!
//! cache.purge(Purge::prefix("/pets")).await?;
//! service.oneshot(Request::get("/pets").body(Empty::new())?).await?;
//! assert_eq!(CALLS.load(Ordering::Relaxed), 2);
//! # Ok(())
//! # }
//! ```
//!
//! A key of chosen parts, as Amazon API Gateway has it:
//!
//! ```
//! use http::header::ACCEPT_LANGUAGE;
//! use portcullis_cache::{CacheRules, KeyPart};
//!
//! let rules = CacheRules::builder()
//!     .key([
//!         KeyPart::query("type"),
//!         KeyPart::header(ACCEPT_LANGUAGE),
//!         KeyPart::claim("tenant"),
//!     ])
//!     .build()?;
//! # Ok::<(), portcullis_cache::ConfigError>(())
//! ```
//!
//! # Semantics
//!
//! - **What is cached** is said by [`CacheRules`]: responses to `GET`, for 300 seconds, of at most 1 MiB, under a key of chosen parts. What the origin says in
//!   `Cache-Control` counts for nothing, as in the service.
//! - **Keys** are compared whole, part by part. Method, host, deployment and canary are part of every key, and so are headers by which a client can steer what some
//!   origins answer (`X-Forwarded-Host` and its like). Requests with a body that is no [part of the key](KeyPart::Body), or with a header that overrides the method, are not looked up.
//! - **Callers are kept apart**: what any layer has found out about the caller is part of the key, and a request with an `Authorization` that no layer has
//!   looked at is not cached. The service shares responses between callers unless the definition forbids it;
//!   [`dangerously_share_between_callers`](CacheRulesBuilder::dangerously_share_between_callers) does so here.
//! - **What is not stored**: 4xx and 5xx, parts (206) and 304; `Set-Cookie` and headers that are about one request (`Date`, request ids, traces); a response whose `Vary`
//!   names a header that is no part of the key, or that grants something to one `Origin` by name; one with trailers. Compressed responses are kept for those who accept them.
//! - **One fetch for many**: those who ask for what is being fetched wait for it. If the fetch fails, one of them tries again for all; if that fails too, or takes
//!   longer than they have [patience](ResponseCacheBuilder::patience) for, each goes to the origin itself. If the response turns out not to be
//!   storable, all go at once, and the key's requests do not wait for one another for the next ten seconds.
//! - **The first client gets the body as it comes**, while it is stored. If it reads slowly, or leaves, the fetch goes on without it.
//! - **The store is bounded by bytes**, and so is what is held of bodies that are not complete. Beyond the bounds, responses pass.
//! - **Expiry is exact**: an entry serves up to the millisecond of its end, and no longer.
//! - **A purge** holds for fetches under way, too: what was asked for before it is not stored after it.
//! - **Who may have an entry replaced**: a request with `Cache-Control: max-age=0` is served by the origin, and its response takes the entry's place, if
//!   [permissions](CacheRulesBuilder::permissions) allow the caller `execute-api:InvalidateCache`. Others are served as usual, with a `Warning`, or refused.
//!
//! The layer notes a [`CacheStatus`](portcullis_core::CacheStatus) in the request's context, if there is one.
//!
//! [`http`] has the other conduct: a cache that does what the responses themselves say, by RFC 9111. Both may share a [`ResponseCache`].
//!
//! # Order
//!
//! Inside everything that refuses or identifies: authentication, throttling, validation. Outside of it stand CORS (or its answers
//! would be one origin's for all), compression, logs and whatever sets request ids.
//!
//! # Caveats
//!
//! - It needs a tokio runtime with its time.
//! - It asks request bodies whether they are empty, so they must be bodies. A response body's type becomes [`CacheBody`]; the errors of bodies become [`BoxError`](portcullis_core::BoxError).
//!
//! # Features
//!
//! - `encryption`: `EncryptionKeys`, and `CacheRulesBuilder::encrypt`.
//! - `redis`: `RedisStore`, which several machines share, and `TwoTiers`, which has memory before it.

mod body;
mod cache;
#[cfg(feature = "encryption")]
mod encryption;
mod entry;
mod fill;
mod flight;
pub mod http;
mod key;
mod key_body;
mod layer;
mod lines;
mod look;
mod memory;
mod moment;
mod pump;
mod purges;
mod rules;
mod service;
#[cfg(feature = "redis")]
mod shared;
mod stats;
mod store;

#[cfg(feature = "encryption")]
pub use encryption::EncryptionKeys;
pub use portcullis_core::ConfigError;
#[cfg(feature = "redis")]
pub use shared::{RedisStore, TwoTiers};
pub use {
    body::CacheBody,
    cache::{ResponseCache, ResponseCacheBuilder},
    entry::{Draft, Entry},
    key::{Key, KeyBuilder},
    key_body::{BodyCacheFuture, BodyCacheLayer, BodyCached, ReadRequest},
    layer::CacheLayer,
    memory::MemoryStore,
    moment::Moment,
    rules::{CacheRules, CacheRulesBuilder, KeyPart, UnauthorizedRefresh},
    service::{CacheFuture, Cached},
    stats::CacheStats,
    store::{Answer, Purge, Selection, Store, StoreError, StoreSize},
};
