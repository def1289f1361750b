//! Opaque tokens: whoever gave a token out is asked about it (OAuth 2.0 Token Introspection, RFC 7662).
//!
//! ```
//! use axum::{Router, routing::get};
//! use portcullis_auth::introspection::{Introspection, IntrospectionLayer};
//!
//! # fn main() -> Result<(), portcullis_auth::ConfigError> {
//! let tokens = Introspection::at("https://id.example.com/oauth2/introspect")?
//!     .client_credentials("pets-api", "a secret of ours")
//!     .audience("pets");
//! let app: Router = Router::new()
//!     .route("/pets", get(async || "cat, dog"))
//!     .layer(IntrospectionLayer::new(tokens).require_scopes(["pets:read"]));
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! A token passes if the answer says that it is `active`, its times (`exp`, `nbf`) agree with the clock, and it is of the issuer and for one of the audiences that were asked
//! for. What the answer says of it are the claims, as with a [`JwtLayer`](crate::jwt::JwtLayer), whose options this layer has.
//!
//! An answer is kept for a minute ([`Introspection::keep_for`]), and no longer than the token lives; that a token is not active, for ten seconds at most. A token
//! that was revoked passes for as long. Requests with one token ask once, and at most 256 questions are open at a time. Kept are digests of tokens, not tokens.
//!
//! **If nobody can be asked, nobody passes**: 503 with `Retry-After` under the standard's conduct. After five failures in a row the endpoint is left alone for a second.

mod endpoint;
mod layer;

pub use {endpoint::Introspection, layer::IntrospectionLayer};
