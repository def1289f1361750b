//! The answer to "may this caller do this?", for other layers.

use std::fmt;
use std::sync::Arc;

use portcullis_core::{Permissions, RequestContext};

use super::keys::RequestKeys;
use super::vpc::VpcEndpoints;
use crate::credentials::{Caller, CredentialLookup, CredentialStore};
use crate::iam::{AccessRequest, ResourcePolicy, evaluate};

/// Answers by policies whether the caller of a request may do something else, too: `execute-api:InvalidateCache`, say.
///
/// The caller is whoever signed the request, or nobody. A store that cannot answer from memory answers no.
#[derive(Clone)]
pub struct IamPermissions {
    store: Arc<dyn CredentialStore>,
    resource_policy: Option<ResourcePolicy>,
    endpoints: VpcEndpoints,
}

impl IamPermissions {
    /// Looks callers up in `store`.
    #[must_use]
    pub fn new(store: impl CredentialStore) -> Self {
        Self {
            store: Arc::new(store),
            resource_policy: None,
            endpoints: VpcEndpoints::default(),
        }
    }

    /// With the policy of what is called.
    #[must_use]
    pub fn resource_policy(mut self, policy: ResourcePolicy) -> Self {
        self.resource_policy = Some(policy);
        self
    }

    /// With the VPC endpoints that requests can come through.
    #[must_use]
    pub fn vpc_endpoints(mut self, endpoints: VpcEndpoints) -> Self {
        self.endpoints = endpoints;
        self
    }
}

impl Permissions for IamPermissions {
    fn allow(&self, context: &RequestContext, action: &str, resource: &str) -> bool {
        let caller = match context.identity().access_key {
            None => Arc::new(Caller::anonymous()),
            Some(id) => match self.store.find(&id) {
                CredentialLookup::Ready(Some(key)) => Arc::clone(key.caller()),
                CredentialLookup::Ready(None) | CredentialLookup::Later(_) => return false,
            },
        };
        let keys = RequestKeys::of_context(context, &self.endpoints, context.received());
        let keys = (keys, &*caller);
        let request = AccessRequest::new(caller.principal(), action, resource).with_keys(&keys);
        evaluate(&request, caller.policies(), self.resource_policy.as_ref()).is_allowed()
    }
}

impl fmt::Debug for IamPermissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IamPermissions")
            .field("resource_policy", &self.resource_policy)
            .finish_non_exhaustive()
    }
}
