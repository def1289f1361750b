//! Rate limits as a tower layer: one limit for all clones and routes, within bounded memory.
//!
//! ```
//! use bytes::Bytes;
//! use http::{HeaderName, Request, Response};
//! use http_body_util::Full;
//! use portcullis_throttle::{Key, Limit, Rule, ThrottleLayer};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tenant = Key::header(HeaderName::from_static("x-tenant"));
//! let layer = ThrottleLayer::new(Rule::new("per-tenant", tenant, Limit::per_minute(1.0, 2)?));
//! let hello = service_fn(async |_request: Request<()>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))
//! });
//! // Two services of one layer have one limit.
//! let (one, other) = (layer.layer(hello), layer.layer(hello));
//! let request = |tenant| Request::get("/").header("x-tenant", tenant).body(());
//!
//! assert_eq!(one.clone().oneshot(request("acme")?).await?.status(), 200);
//! assert_eq!(other.oneshot(request("acme")?).await?.status(), 200);
//! assert_eq!(one.clone().oneshot(request("acme")?).await?.status(), 429);
//! assert_eq!(one.oneshot(request("globex")?).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! Several rules decide together, can be tried without refusing anybody, and can be changed while requests run:
//!
//! ```
//! use portcullis_core::Mode;
//! use portcullis_throttle::{Headers, Key, Limit, Rule, ThrottleLayer};
//!
//! let layer = ThrottleLayer::builder()
//!     .rule(Rule::new("per-client", Key::client_address(), Limit::per_second(5.0, 10)?))
//!     .rule(Rule::new("everybody", Key::shared(), Limit::per_second(500.0, 500)?))
//!     .headers(Headers::new().retry_after(true).rate_limit(true))
//!     .mode(Mode::Observe)
//!     .build()?;
//!
//! layer.rule("everybody").expect("it is there").set_limit(Limit::per_second(800.0, 500)?);
//! layer.set_mode(Mode::Enforce);
//! assert_eq!(layer.stats().passed, 0);
//! # Ok::<(), portcullis_throttle::ConfigError>(())
//! ```
//!
//! [`UsagePlans`] give API keys rates and quotas:
//!
//! ```
//! use portcullis_throttle::{Limit, Quota, QuotaPeriod, ThrottleLayer, UsagePlan, UsagePlans};
//!
//! let plans = UsagePlans::new([
//!     UsagePlan::new("free").limit(Limit::per_second(1.0, 5)?).quota(Quota::new(1000, QuotaPeriod::Day, 0)?),
//! ]);
//! let layer = ThrottleLayer::builder().usage_plans(&plans).build()?;
//! assert_eq!(plans.usage("free", "a1b2c3").expect("it has a quota").remaining, 1000);
//! # let _ = layer;
//! # Ok::<(), portcullis_throttle::ConfigError>(())
//! ```
//!
//! # Semantics
//!
//! - A limit is a token bucket, reckoned continuously (governor's generic cell rate algorithm): in any span of time no more requests pass than the burst and what the span adds. A request
//!   that is refused takes nothing, and is told (with [`Headers::retry_after`]) when it would pass.
//! - A request passes if every rule lets it. If one refuses, what the rules before it took is given back.
//! - The state is in the layer: its clones, and the services that it makes, share it. The name of a rule is its scope: layers over the same [`Buckets`] share rules of the same name.
//! - The caller's usage plan is asked before the rules: its rate, which a method of its own replaces, then its quota, which counts what passes.
//! - Refusals are those of Amazon API Gateway: 429 `{"message":"Too Many Requests"}` with `x-amzn-ErrorType: TooManyRequestsException`. The service tells clients neither when to come back
//!   nor what they have left; here each of these is an option.
//! - What has been spent stays spent when a limit changes, in tokens.
//! - Keys are kept as 64-bit hashes with a secret seed. Two keys in a million share a bucket with a probability of one in thirty million.
//! - When the [`Buckets`] are full, keys that are not there share one bucket for each rule, with the rule's limit, until others are full again. Nobody's bucket is filled by a flood of keys.
//! - Time is the monotonic clock's: setting the wall clock changes nothing. Quotas follow the wall clock, in UTC; one that is set back does not bring used requests back.
//! - Requests without what a key asks for (no header, no caller) share one bucket.
//!
//! # Order
//!
//! Inside whatever restyles refusals or adds CORS headers; inside authentication if the key is the caller, outside of it if it is the address. The context that an outer layer put into the
//! request is read (client, API key, claims, route, stage); a layer that counts by headers or by a closure needs none.
//!
//! # Caveats
//!
//! - [`Key::client_address`] needs an address: from the request's context, or by [`ClientAddress::peer`]. Without one all clients share a bucket, and an error is logged once.
//! - A rule whose key a client chooses freely bounds nothing by itself. Put one by address, or for everybody, beside it.
//! - [`ConcurrencyLayer`] changes the type of bodies, since a request in flight ends with its body.
//!
//! # Features
//!
//! `redis` adds [`SharedBuckets`]: limits and quotas that several machines share.

mod bucket;
mod buckets;
mod builder;
mod client;
mod concurrency;
mod config;
mod headers;
mod key;
mod layer;
mod limit;
mod plans;
mod quota;
mod rule;
mod service;
mod shard;
#[cfg(feature = "redis")]
mod shared;
mod stats;

pub use portcullis_core::ConfigError;
#[cfg(feature = "redis")]
pub use shared::{SharedBuckets, WhenAway};
pub use {
    buckets::Buckets,
    builder::ThrottleBuilder,
    client::ClientAddress,
    concurrency::{Concurrency, ConcurrencyBody, ConcurrencyFuture, ConcurrencyLayer},
    config::{Period, RuleConfig, ThrottleConfig},
    headers::Headers,
    key::{Key, KeyWriter},
    layer::ThrottleLayer,
    limit::Limit,
    plans::{DayUsage, QuotaUse, Usage, UsagePlan, UsagePlans},
    quota::{Quota, QuotaPeriod},
    rule::{Rule, RuleHandle},
    service::{Throttled, ThrottledFuture},
    stats::{StoreStats, ThrottleStats},
};
