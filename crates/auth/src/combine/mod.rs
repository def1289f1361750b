//! Several checks before one route: any of them, all of them, or nobody at all.
//!
//! ```
//! use portcullis_auth::combine::{AllOf, AnyOf};
//! use portcullis_auth::custom::{AuthorizerReply, AuthorizerRequest, CustomAuthorizerLayer};
//! use portcullis_auth::jwt::{Issuer, JwtLayer};
//!
//! # fn main() -> Result<(), portcullis_auth::ConfigError> {
//! let tokens = JwtLayer::new(Issuer::discover("https://id.example.com")?.audience("pets"));
//! let sessions = CustomAuthorizerLayer::new(async |request: AuthorizerRequest| {
//!     // … ask the store of sessions …
//!     Ok(AuthorizerReply::allow(request.identity[0].as_str()))
//! })
//! .identity_sources(["$request.header.X-Session"])?;
//!
//! // A token or a session; whoever brings neither comes in as nobody.
//! let reading = AnyOf::new(tokens.clone()).or(sessions.clone()).or_anonymous();
//! // Both.
//! let writing = AllOf::new(tokens.require_scopes(["pets:write"])).and(sessions);
//!
//! let app: axum::Router = axum::Router::new()
//!     .route("/pets", axum::routing::get(async || "cat, dog").layer(reading))
//!     .route("/pets/{id}", axum::routing::put(async || "done").layer(writing));
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! [`AnyOf`] asks those whose credentials the request brings, and lets it through if one does. If all refuse, the caller gets the refusal that says
//! most: trouble that may pass (5xx) before a lack of rights (403) before a lack of identity (401). Credentials that are no good are never taken for
//! none: anonymous is only who brings nothing that a part looks at. Without any, the answer is the first one's, with the challenges (`WWW-Authenticate`) of all.
//!
//! What a part that refused has learned of the caller can stay in the context: let handlers that must know who let a request in ask for the claims, or the principal, that they need.
//!
//! [`AllOf`] asks one after the other, and gives the first refusal.
//!
//! Parts are enforced, whatever their own modes say; what is only to be observed is the whole. A part that must see the request's body (a signature) cannot be one: that does not
//! compile.

mod all_of;
mod any_of;

use std::fmt;

use portcullis_core::{BoxAsk, Guard, Head, Mode, Verdict};

use crate::api_key::ApiKeyLayer;
use crate::custom::CustomAuthorizerLayer;
use crate::introspection::IntrospectionLayer;
use crate::jwt::JwtLayer;

pub use {all_of::AllOf, any_of::AnyOf};

/// A guard that can tell whether a request brings the credentials that it looks at.
pub trait Authenticator: Guard {
    /// Whether they are there, good or not.
    fn has_credentials(&self, head: &Head<'_>) -> bool;
}

/// A guard of your own as a part of a combination: it looks at requests of which `has_credentials` says that they bring what it looks at.
///
/// ```
/// use portcullis_auth::combine::{AnyOf, when};
/// # use portcullis_auth::jwt::{Issuer, JwtLayer};
/// # use portcullis_core::{Guard, Head, Never, Rejection, RejectionKind, Verdict};
/// # struct Office;
/// # impl Guard for Office {
/// #     type Ask = Never;
/// #     fn check(&self, _: &Head<'_>) -> Verdict<Never> { Verdict::Pass }
/// # }
/// # let tokens = JwtLayer::new(Issuer::discover("https://id.example.com")?.audience("pets"));
///
/// let layer = AnyOf::new(tokens).or(when(Office, |head| head.headers().contains_key("x-office")));
/// # let _ = layer;
/// # Ok::<(), portcullis_auth::ConfigError>(())
/// ```
pub fn when<G, P>(guard: G, has_credentials: P) -> When<G, P>
where
    G: Guard,
    P: Fn(&Head<'_>) -> bool + Send + Sync + 'static,
{
    When {
        guard,
        has_credentials,
    }
}

/// See [`when`].
#[derive(Clone)]
pub struct When<G, P> {
    guard: G,
    has_credentials: P,
}

impl<G, P> Guard for When<G, P>
where
    G: Guard,
    P: Fn(&Head<'_>) -> bool + Send + Sync + 'static,
{
    type Ask = G::Ask;

    const NEEDS_CONTEXT: bool = G::NEEDS_CONTEXT;

    const READS_BODY: bool = G::READS_BODY;

    const NAME: &'static str = G::NAME;

    fn body_limit(&self, head: &Head<'_>) -> Option<u64> {
        self.guard.body_limit(head)
    }

    fn check(&self, head: &Head<'_>) -> Verdict<G::Ask> {
        self.guard.check(head)
    }

    fn mode(&self) -> Mode {
        self.guard.mode()
    }
}

impl<G, P> Authenticator for When<G, P>
where
    G: Guard,
    P: Fn(&Head<'_>) -> bool + Send + Sync + 'static,
{
    fn has_credentials(&self, head: &Head<'_>) -> bool {
        (self.has_credentials)(head)
    }
}

impl<G, P> fmt::Debug for When<G, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("When")
    }
}

/// The kinds of their checks do not matter to a combination.
trait Part: Send + Sync {
    fn has_credentials(&self, head: &Head<'_>) -> bool;
    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk>;
}

impl<A: Authenticator> Part for A {
    fn has_credentials(&self, head: &Head<'_>) -> bool {
        const {
            assert!(
                !A::READS_BODY,
                "a guard that reads bodies cannot be part of a combination: use its layer"
            );
        }
        Authenticator::has_credentials(self, head)
    }

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        match Guard::check(self, head) {
            Verdict::Pass => Verdict::Pass,
            Verdict::Refuse(rejection) => Verdict::Refuse(rejection),
            Verdict::Ask(ask) => Verdict::Ask(Box::pin(ask)),
        }
    }
}

impl Authenticator for JwtLayer {
    fn has_credentials(&self, head: &Head<'_>) -> bool {
        self.finds_token(head)
    }
}

impl Authenticator for IntrospectionLayer {
    fn has_credentials(&self, head: &Head<'_>) -> bool {
        self.finds_token(head)
    }
}

impl Authenticator for ApiKeyLayer {
    fn has_credentials(&self, head: &Head<'_>) -> bool {
        self.finds_key(head)
    }
}

impl Authenticator for CustomAuthorizerLayer {
    /// Whether one of its identity sources is there. One without sources looks at every request.
    fn has_credentials(&self, head: &Head<'_>) -> bool {
        self.finds_identity(head)
    }
}
