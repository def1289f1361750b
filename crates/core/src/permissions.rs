//! The question "may this caller do this?", asked across crates.

use crate::context::RequestContext;

/// Answers whether the caller of a request may perform an action on a resource.
///
/// `auth` provides it; the cache's invalidation asks it. Where nobody provides one, the answer is no.
pub trait Permissions: Send + Sync + 'static {
    /// Whether the caller that `context` describes may do `action`
    /// (`execute-api:InvalidateCache`, say) on the resource with this ARN.
    fn allow(&self, context: &RequestContext, action: &str, resource: &str) -> bool;
}

impl<F> Permissions for F
where
    F: Fn(&RequestContext, &str, &str) -> bool + Send + Sync + 'static,
{
    fn allow(&self, context: &RequestContext, action: &str, resource: &str) -> bool {
        self(context, action, resource)
    }
}
