//! Custom authorizers: a function, or a check of your own, decides who may call.
//!
//! ```
//! use std::time::Duration;
//!
//! use http::{Request, Response};
//! use portcullis_auth::custom::{AuthorizerError, AuthorizerReply, AuthorizerRequest, CustomAuthorizerLayer};
//! use portcullis_core::{Body, RequestContext};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = CustomAuthorizerLayer::new(async |request: AuthorizerRequest| {
//!     // Ask a database, another service …
//!     match request.identity[0].as_str() {
//!         "open sesame" => Ok(AuthorizerReply::allow("ali").with_context("tier", "gold")),
//!         "" => Err(AuthorizerError::Unauthorized), // 401
//!         _ => Ok(AuthorizerReply::deny("stranger")), // 403
//!     }
//! })
//! .identity_sources(["$request.header.Authorization"])?
//! .cache_for(Duration::from_secs(300));
//!
//! let service = layer.layer(service_fn(async |request: Request<()>| {
//!     let context: &RequestContext = request.extensions().get().expect("the layer puts it there");
//!     let tier = context.get("authorizer.tier").unwrap_or_default().to_string();
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from(tier)))
//! }));
//! let with = |word: &str| Request::get("/").header("authorization", word).body(()).unwrap();
//! let response = service.clone().oneshot(with("open sesame")).await?;
//! assert_eq!(response.body().as_bytes(), Some(&b"\"gold\""[..]));
//! assert_eq!(service.clone().oneshot(with("open barley")).await?.status(), 403);
//! assert_eq!(service.oneshot(Request::get("/").body(())?).await?.status(), 401);
//! # Ok(())
//! # }
//! ```
//!
//! A Lambda authorizer is a [`FunctionAuthorizer`]: a [`Function`](portcullis_core::Function), wherever it is, that gets the event of the
//! service and whose answer is read as the service reads it.
//!
//! # Semantics
//!
//! 1. If one of the identity sources is missing or empty, or the token does not match its expression, the answer is 401 and nobody is asked.
//! 2. The authorizer is asked, unless it has answered for the same identity within the last seconds ([`cache_for`](CustomAuthorizerLayer::cache_for)).
//!    Requests with one identity that come at once ask once.
//! 3. Its policy is asked about this request, whether it is new or was kept: an explicit deny, or silence, is 403. The resource policy of an API is asked before and with it
//!    ([`AuthorizerAccess`](crate::access::AuthorizerAccess)).
//! 4. What it says besides is `$context.authorizer`, the principal's id and the API key that the caller uses.
//!
//! An authorizer that fails, takes too long or answers what is no answer makes a 500; [`AuthorizerError::Unauthorized`] (a function that fails with exactly
//! the message `Unauthorized`) a 401. Neither is kept.
//!
//! **A policy that was returned for one method and does not cover another** is a trap of the service: with caching, whoever comes first decides for everybody,
//! and others get a 403. Here the authorizer is asked again for what a kept policy does not cover, with a line in the log;
//! [`kept_policies_are_final`](CustomAuthorizerLayer::kept_policies_are_final) is the service's conduct. A simple response has no policy, and counts for all that share the
//! identity: put what it depends on (`$context.routeKey`) among the identity sources.
//!
//! # Context
//!
//! Writes `$context.authorizer.*` (also for a request that is refused with 403), `$context.authorizer.principalId`, `error`, `status`,
//! `integrationLatency` and `integrationStatus`.

mod answer;
mod authorizer;
mod cache;
mod event;
mod function;
mod identity;
mod layer;
mod reply;

pub use {
    authorizer::{Authorizer, AuthorizerFuture, AuthorizerRequest},
    cache::AuthorizerCache,
    function::{EventFormat, FunctionAuthorizer},
    identity::IdentitySource,
    layer::CustomAuthorizerLayer,
    reply::{AuthorizerError, AuthorizerReply},
};
