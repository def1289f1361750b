//! What a signed request must be allowed to do.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use portcullis_core::{Head, Rejection};

use super::api_arn::ApiArn;
use super::keys::RequestKeys;
use super::refusal::{check_length, denied};
use super::vpc::VpcEndpoints;
use crate::credentials::Caller;
use crate::iam::{AccessRequest, ContextEntries, ContextKeys, ResourcePolicy, evaluate};

/// What a signed request must be allowed to do, by the policies of its caller and of what it calls.
///
/// ```
/// use portcullis_auth::access::{ApiArn, Authorization, Operation};
///
/// // `execute-api:Invoke` on the method's ARN, as API Gateway asks …
/// let api = ApiArn::new("eu-west-1", "123456789012", "a1b2c3")?.stage("prod");
/// let authorization = Authorization::for_api(api);
///
/// // … or actions and resources of your own.
/// let authorization = Authorization::for_operations(|head| {
///     let action = if head.method().is_safe() { "orders:Read" } else { "orders:Write" };
///     Operation::new(action, format!("arn:aws:orders:eu-west-1:123456789012:{}", head.uri().path()))
/// });
/// # let _ = authorization;
/// # Ok::<(), portcullis_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Authorization {
    target: Target,
    resource_policy: Option<ResourcePolicy>,
    endpoints: VpcEndpoints,
}

#[derive(Clone)]
enum Target {
    Api(ApiArn),
    Operations(Arc<dyn Fn(&Head<'_>) -> Operation + Send + Sync>),
}

/// An action on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    action: Cow<'static, str>,
    resource: String,
}

impl Operation {
    /// The action (`orders:Read`) on the resource of this ARN. It belongs to the account in the ARN: callers of another, or of one where the ARN
    /// has none, need a resource policy besides.
    #[must_use]
    pub fn new(action: impl Into<Cow<'static, str>>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
        }
    }
}

impl Authorization {
    /// Callers must be allowed `execute-api:Invoke` on what they call.
    #[must_use]
    pub fn for_api(api: ApiArn) -> Self {
        Self::new(Target::Api(api))
    }

    /// Callers must be allowed what `operation` makes of a request. Read path values with care: what a client sends can hold whatever a URL can.
    #[must_use]
    pub fn for_operations(
        operation: impl Fn(&Head<'_>) -> Operation + Send + Sync + 'static,
    ) -> Self {
        Self::new(Target::Operations(Arc::new(operation)))
    }

    fn new(target: Target) -> Self {
        Self {
            target,
            resource_policy: None,
            endpoints: VpcEndpoints::default(),
        }
    }

    /// With the policy of what is called: it can allow callers of its own account, must allow those of others, and can deny.
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

    /// What the request wants to do.
    pub(crate) fn operation(&self, head: &Head<'_>) -> Result<Operation, Rejection> {
        match &self.target {
            Target::Api(api) => {
                let arn = api.of(head);
                check_length(&arn)?;
                Ok(Operation::new("execute-api:Invoke", arn))
            }
            Target::Operations(operation) => Ok(operation(head)),
        }
    }

    pub(crate) fn keys<'a>(&'a self, head: &Head<'a>, now: SystemTime) -> RequestKeys<'a> {
        RequestKeys::of(head, &self.endpoints, now)
    }

    /// What [`check`](Self::check) needs of the request, to be kept while the caller is looked up.
    pub(crate) fn keep(&self, head: &Head<'_>, now: SystemTime) -> Result<Kept, Rejection> {
        Ok(Kept {
            operation: self.operation(head)?,
            keys: self.keys(head, now).to_entries(),
        })
    }

    /// Decides about `operation` by `caller`.
    pub(crate) fn check(
        &self,
        caller: &Caller,
        operation: &Operation,
        keys: &dyn ContextKeys,
    ) -> Result<(), Rejection> {
        let keys = (keys, caller);
        let principal = caller.principal();
        let (action, resource) = (&*operation.action, operation.resource.as_str());
        let mut request = AccessRequest::new(principal, action, resource).with_keys(&keys);
        if let Target::Api(api) = &self.target {
            request = request.with_resource_account(api.account_id());
        }
        let (own, policy) = (caller.policies(), self.resource_policy.as_ref());
        if evaluate(&request, own, policy).is_allowed() {
            return Ok(());
        }
        Err(denied(&request, principal, (action, resource), own, policy))
    }
}

/// See [`Authorization::keep`].
pub(crate) struct Kept {
    pub(crate) operation: Operation,
    pub(crate) keys: ContextEntries,
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Authorization");
        if let Target::Api(api) = &self.target {
            out.field("api", api);
        }
        out.field("resource_policy", &self.resource_policy)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}
