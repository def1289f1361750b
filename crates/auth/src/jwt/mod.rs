//! JSON Web Tokens: OpenID Connect, OAuth 2.0, Cognito user pools.
//!
//! ```no_run
//! use axum::{Extension, Router, routing::get};
//! use portcullis_auth::jwt::{Issuer, JwtLayer};
//! use portcullis_core::RequestContext;
//!
//! # fn main() -> Result<(), portcullis_auth::ConfigError> {
//! let tokens = JwtLayer::new(Issuer::discover("https://id.example.com")?.audience("pets"));
//!
//! async fn hello(Extension(context): Extension<RequestContext>) -> String {
//!     let claims = context.claims().expect("the layer lets nobody through without");
//!     format!("hello, {}", claims.get("sub").map(ToString::to_string).unwrap_or_default())
//! }
//!
//! let app: Router = Router::new()
//!     .route("/hello", get(hello))
//!     .layer(tokens.require_scopes(["pets:read"]));
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! A token is taken from `Authorization`, from another header or from the query, with or without `Bearer` before it. It passes if
//!
//! 1. it has three parts that are base64url and JSON, in which nothing is named twice, and no critical extension (`crit`);
//! 2. its issuer (`iss`) is one that was configured, to the letter, and its algorithm one that is allowed;
//! 3. its signature is that of the issuer's key that its header names (`kid`). The key decides on the algorithm. Keys in the token, and addresses of
//!    keys (`jwk`, `jku`, `x5u`, `x5c`), are not looked at (RFC 8725). `none` is never served, and secrets (`HS256`) only where they
//!    were given;
//! 4. it has not expired and its time has come (`exp`, `nbf`, `iat`), with no leeway unless some is configured;
//! 5. it is for one of the audiences (`aud`; where it has none, `client_id`);
//! 6. it has the claims that are asked for, and one of the scopes (`scope`, `scp`).
//!
//! Otherwise the answer is 401, or 403 where only the sixth is missing; [`Conduct`] has the wordings.
//!
//! # Keys
//!
//! An issuer's keys are fetched when the first token needs them, by one request at a time however many wait, and kept for two hours, or for
//! as long as `Cache-Control` says (a minute at least). They are renewed ahead of need, in the background. A token that names an
//! unknown key makes for a fetch, five times at once and then once in 30 seconds at most. While the issuer is away, the keys that are there
//! serve for another day ([`IssuerBuilder::max_stale`]); its absence at the start is no fault. It has 1.5 seconds for each answer and
//! 150,000 bytes; redirects are not followed.
//!
//! A verified token is kept, so that it is not verified again when it comes again: until it expires, or until its issuer's keys change.
//!
//! # Context
//!
//! Writes the claims (`$context.authorizer.claims`), and what was wrong with a token (`$context.authorizer.error`).

mod algorithm;
mod check;
mod cognito;
mod conduct;
mod fault;
mod fetch;
mod issuer;
mod key;
mod key_set;
mod key_source;
mod layer;
mod place;
mod rules;
mod token;
mod verifier;
mod wording;

pub(crate) use {
    check::{Seconds, audience},
    fetch::endpoint,
    place::Place,
    rules::TokenRules,
    token::Registered,
};

pub use {
    algorithm::Algorithm,
    conduct::Conduct,
    fault::TokenFault,
    issuer::{Issuer, IssuerBuilder},
    key::Key,
    key_set::KeySet,
    key_source::KeyStats,
    layer::JwtLayer,
    verifier::Verifier,
};
