//! A cache that keeps to the standard: what may be stored, for how long and for whom is what the responses themselves say.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use portcullis_cache::ResponseCache;
//! use portcullis_cache::http::{HttpCacheLayer, HttpCacheRules};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pets = service_fn(async |_: Request<Full<Bytes>>| {
//!     let response = Response::builder().header("cache-control", "max-age=60, stale-while-revalidate=30");
//!     response.header("etag", "\"1\"").body(Full::from("[]"))
//! });
//! let cache = ResponseCache::in_memory(64 * 1024 * 1024);
//! let service = HttpCacheLayer::new(&cache, HttpCacheRules::default()).layer(pets);
//!
//! let request = || Request::get("/pets").header("host", "api.example.com");
//! let first = service.clone().oneshot(request().body(Full::default())?).await?;
//! assert_eq!(first.headers()["cache-status"], "Portcullis; fwd=uri-miss; stored");
//!
//! let second = service.clone().oneshot(request().body(Full::default())?).await?;
//! let status = second.headers()["cache-status"].to_str()?;
//! assert!(status.starts_with("Portcullis; hit; ttl="));
//! assert!(second.headers().contains_key("age"));
//!
//! // It answers conditions and ranges by itself.
//! let same = request().header("if-none-match", "\"1\"").body(Full::default())?;
//! assert_eq!(service.clone().oneshot(same).await?.status(), 304);
//!
//! // A request that may change something makes what is stored invalid.
//! let change = Request::post("/pets").header("host", "api.example.com").body(Full::default())?;
//! service.clone().oneshot(change).await?;
//! let third = service.oneshot(request().body(Full::default())?).await?;
//! assert_eq!(third.headers()["cache-status"], "Portcullis; fwd=uri-miss; stored");
//! # Ok(())
//! # }
//! ```
//!
//! Where the standard leaves a choice, [`HttpCacheRules`] make it, from a [builder](HttpCacheRules::builder) or from a [file](HttpCacheConfig).
//!
//! # Semantics
//!
//! It is a cache that several users share. It follows
//!
//! - RFC 9111: freshness by `s-maxage`, `max-age`, `Expires` or a part of the time since `Last-Modified`; `Age`; `Vary`; validation by `ETag` and `Last-Modified`, with the fields of a 304
//!   merged; `no-store`, `private`, `no-cache` (for some fields as well), `must-revalidate`, `proxy-revalidate`, `must-understand`, `public`; requests' `no-cache`, `no-store`, `max-age`, `max-stale`,
//!   `min-fresh` and `only-if-cached`; responses to requests with `Authorization`; invalidation by methods that are not safe, of their target and of what `Location` and `Content-Location` name on
//!   the same origin; `HEAD` answered from, and freshening, what `GET` brought.
//! - RFC 9110: conditions and single ranges, answered from whole responses. `If-Match` and `If-Unmodified-Since` go to the origin.
//! - RFC 5861: `stale-while-revalidate`, with one request in the background for however many are served; `stale-if-error`.
//! - RFC 9211: `Cache-Status`. A response that was not stored says why, as `detail`.
//! - RFC 9213: targeted fields, `CDN-Cache-Control` unless [others](HttpCacheRulesBuilder::targeted_fields) are named.
//!
//! And where these leave room:
//!
//! - Requests for the same response wait for one fetch. What may not be shared is not waited for twice. A client that leaves does not end the fetch for the others.
//! - A response that sets a cookie [is not stored](HttpCacheRulesBuilder::set_cookie) unless that is chosen.
//! - What a layer outside has found out of the caller counts like `Authorization`.
//! - `stale-while-revalidate` and `stale-if-error` count beside `s-maxage`, which strictly read would forbid them; they do not beside `must-revalidate`.
//! - An origin that does not answer at all (the service fails) is [bridged](HttpCacheRulesBuilder::stale_when_disconnected) with what is stale, unless the response forbids it.
//! - In `Vary`, lists are compared without their spaces, and `Accept-Language` and `Accept-Encoding` by what they prefer.
//! - Headers by which frameworks are told another host, scheme or path (`X-Forwarded-Host`, `X-Original-URL` …) are part of the key. Requests that ask for another method by a header, or have
//!   a body though they are `GET`, go to the origin, and their responses are not stored.
//!
//! Tags of `Surrogate-Key` and `Cache-Tag` are what [`Purge::tag`](crate::Purge::tag) finds; a target is purged by its [key](HttpCacheLayer::key), with all variants.
//!
//! # Order
//!
//! Outside of whatever makes the responses, and inside everything that refuses or identifies: a hit calls nothing that stands inside. Compression may stand on either side: inside,
//! its `Vary` keeps the codings apart. What turns the errors of a service into responses (502) stands outside, so that the cache sees them as errors and has something to serve in their place.
//!
//! # Caveats
//!
//! - 206 responses pass and are not stored. Several ranges at once are answered with the whole.
//! - Responses with trailers pass and are not stored.
//! - The key has the `Host` (or the authority of the target) as the client sends it: refuse hosts that are none of yours outside of the cache.

mod admit;
mod answer;
mod conditional;
mod date;
mod directives;
mod fields;
mod flow;
mod invalidate;
mod layer;
mod place;
mod range;
mod rules;
mod status;
mod storable;
mod surrogate;
mod targeted;
mod terms;
mod vary;
mod wish;

pub use {
    directives::CacheControl,
    layer::{HttpCache, HttpCacheFuture, HttpCacheLayer},
    rules::{HttpCacheConfig, HttpCacheRules, HttpCacheRulesBuilder, SetCookie},
};
