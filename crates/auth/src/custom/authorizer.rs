//! What decides who may call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::{HeaderMap, Method, Uri};
use portcullis_core::RequestContext;

use super::reply::{AuthorizerError, AuthorizerReply};

/// The future of an [`Authorizer`].
pub type AuthorizerFuture =
    Pin<Box<dyn Future<Output = Result<AuthorizerReply, AuthorizerError>> + Send>>;

/// Decides who may call.
///
/// It is implemented for closures from an [`AuthorizerRequest`] to a future:
///
/// ```
/// use portcullis_auth::custom::{AuthorizerReply, AuthorizerRequest, CustomAuthorizerLayer};
///
/// let layer = CustomAuthorizerLayer::new(async |request: AuthorizerRequest| {
///     Ok(match request.headers.contains_key("x-office") {
///         true => AuthorizerReply::allow("somebody in the office"),
///         false => AuthorizerReply::deny("a stranger"),
///     })
/// });
/// # let _ = layer;
/// ```
pub trait Authorizer: Send + Sync + 'static {
    /// Decides about one request.
    fn authorize(&self, request: AuthorizerRequest) -> AuthorizerFuture;
}

impl<F, Fut> Authorizer for F
where
    F: Fn(AuthorizerRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<AuthorizerReply, AuthorizerError>> + Send + 'static,
{
    fn authorize(&self, request: AuthorizerRequest) -> AuthorizerFuture {
        Box::pin(self(request))
    }
}

/// What an authorizer learns of a request.
#[derive(Clone)]
#[non_exhaustive]
pub struct AuthorizerRequest {
    /// The values of the identity sources, in their order; none is empty.
    pub identity: Vec<String>,
    /// The ARN of what is called.
    pub method_arn: String,
    /// The request's method.
    pub method: Method,
    /// The request's target.
    pub uri: Uri,
    /// The request's headers.
    pub headers: HeaderMap,
    /// What else is known of the request: its route with path parameters, its stage, its client.
    pub context: RequestContext,
}

impl fmt::Debug for AuthorizerRequest {
    /// Leaves out identity, query and headers, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizerRequest")
            .field("method_arn", &self.method_arn)
            .field("sources", &self.identity.len())
            .finish_non_exhaustive()
    }
}
