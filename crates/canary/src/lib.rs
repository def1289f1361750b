//! Canary releases as a tower layer: a share of the requests goes to another service, and the share is changed while requests run.
//!
//! ```
//! use http::{Request, Response};
//! use portcullis_canary::CanaryLayer;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let old = service_fn(async |_request: Request<()>| {
//!     Ok::<_, std::convert::Infallible>(Response::new("old"))
//! });
//! let new = service_fn(async |_request: Request<()>| Ok(Response::new("new")));
//! let layer = CanaryLayer::to("v2", 7.5, new)?;
//! let service = layer.layer(old);
//!
//! // While requests run, through any clone:
//! layer.split().promote("v2")?;
//! assert_eq!(service.clone().oneshot(Request::new(())).await?.into_body(), "new");
//! layer.split().roll_back();
//! assert_eq!(service.oneshot(Request::new(())).await?.into_body(), "old");
//! # Ok(())
//! # }
//! ```
//!
//! Clients keep their version, testers choose one, several variants run at once, and services behind learn what was chosen:
//!
//! ```
//! use http::HeaderName;
//! use portcullis_canary::{Carry, Forced, SigningKey, Split, Sticky, StickyCookie};
//!
//! let key = SigningKey::new("thirty-two bytes, made by chance")?;
//! let split = Split::builder()
//!     .variant("v2", 10.0)
//!     .variant("v3", 0.5)
//!     .sticky(Sticky::principal().or(Sticky::own_cookie(StickyCookie::new("release"))))
//!     .forced(Forced::header(HeaderName::from_static("x-release")).signed(key))
//!     .carry(Carry::header(HeaderName::from_static("x-served-by")))
//!     .build()?;
//! split.set_weight("v2", 25.0)?;
//! # Ok::<(), portcullis_canary::ConfigError>(())
//! ```
//!
//! A [`Ramp`] raises the share by itself, and takes it back when errors or latencies are worse than production's; a [`MirrorLayer`] sends copies of requests to a version that nobody is served by yet,
//! and compares the answers.
//!
//! # Semantics
//!
//! - The choice is made once for each request, before anything of it is passed on. By chance, as in Amazon's stages, unless the split is [sticky](Sticky).
//! - A sticky client has one fixed place from 0 to 100 %, by a hash that is the same on every machine. With one or two variants, raising a share moves the
//!   added share alone, from production to the variant: whoever is in at 10 % is in at 25 %. With three or four this holds as long as the first and the fourth together, and the second
//!   and the third together, have at most 50 %.
//! - A cookie of our own holds an identity, not a choice. Production's clients get one, too, and nobody drifts.
//! - A forced choice goes before a sticky one. What is forged or out of date counts as absent, and is [counted](Split::forgeries).
//! - Shares are kept to hundredths of a percent: 99.99 is not always.
//! - The request's context, if an outer layer put one there, says which [release](portcullis_core::Release) serves the request: `Production`, or `Canary` with the variant's name, also when
//!   the variant has been promoted. Logs, metrics and caches read it.
//! - Production's readiness is the service's. A variant is cloned for each of its requests, which wait for that clone: a variant that is not ready holds up nobody else.
//!
//! # Order
//!
//! Inside of whatever makes the context and writes logs. Outside of caches, or inside of one that keeps releases apart; inside of authentication if clients are known by
//! [`Sticky::principal`].
//!
//! # Caveats
//!
//! - Without a context in the request (no `serve`, no layer that makes one) nobody is told of the release; [`Carry`] works without.
//! - Identities that clients choose freely (a header, an unsigned cookie) let them try until they are in, or out.
//! - [`MirrorLayer`] changes the types of bodies, which it copies as they pass: request bodies too, so what is inside takes any body (axum does; for other services
//!   there is [`BoxRequestBodyLayer`](portcullis_core::BoxRequestBodyLayer)). It needs tokio's runtime; without one no copies are made.
//! - The services of several variants are of one type; box those that differ (`tower::util::BoxCloneSyncService`).

mod carry;
mod comparisons;
mod cookie;
mod error;
mod forced;
mod layer;
mod measured;
mod mirror;
mod ramp;
mod service;
mod signing;
mod split;
mod sticky;
mod weights;

pub use {
    carry::Carry,
    comparisons::Comparisons,
    cookie::StickyCookie,
    error::ConfigError,
    forced::Forced,
    layer::CanaryLayer,
    measured::Measured,
    mirror::{
        Comparison, Difference, Mirror, MirrorBody, MirrorFuture, MirrorHandle, MirrorLayer,
        MirrorLayerBuilder, MirrorReport, MirrorSample,
    },
    ramp::{Ramp, RampAction, RampDecision, RampProgress, RampSample, RampState, RampStatus},
    service::{Canary, CanaryFuture},
    signing::SigningKey,
    split::{Choice, Split, SplitBuilder},
    sticky::{Sticky, StickyKey},
};
