//! What a custom authorizer returned, asked together with the resource policy of an API.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use portcullis_core::{Head, Rejection};

use super::api_arn::ApiArn;
use super::keys::RequestKeys;
use super::refusal::{check_length, denied, denied_by_authorizer};
use super::vpc::VpcEndpoints;
use crate::credentials::Caller;
use crate::iam::{
    AccessRequest, CallerPolicies, ContextEntries, ContextKeyValue, ContextKeys, EvalDecision,
    IdentityPolicy, PolicyLevel, ResourcePolicy, evaluate,
};

const INVOKE: &str = "execute-api:Invoke";

/// Decides about requests to methods with a custom authorizer: by the policy that the authorizer returned, and by the API's resource policy if it has one.
///
/// The resource policy is asked twice, as in the service. Before the authorizer is called, a denial of anonymous callers stops the request; afterwards
/// the two policies are asked together, and either may allow and neither deny. The authorizer's policy is asked about each request anew, also where it was
/// remembered from another one.
///
/// ```
/// use std::time::SystemTime;
/// use http::Request;
/// use portcullis_auth::access::{ApiArn, AuthorizerAccess};
/// use portcullis_auth::iam::{IdentityPolicy, ResourcePolicy};
/// use portcullis_core::Head;
///
/// let api = ApiArn::new("eu-west-1", "123456789012", "a1b2c3")?.stage("prod");
/// let access = AuthorizerAccess::new(api).resource_policy(ResourcePolicy::parse(r#"{"Statement": {
///     "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "execute-api:/prod/DELETE/*"
/// }}"#)?);
///
/// let request = Request::delete("/pets").body(())?;
/// // Denied before anybody is asked.
/// assert!(access.question(&Head::of(&request), SystemTime::now()).is_err());
///
/// let request = Request::get("/pets").body(())?;
/// let question = access.question(&Head::of(&request), SystemTime::now())?;
/// assert_eq!(question.method_arn(), "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets");
/// // The authorizer says:
/// let returned = IdentityPolicy::parse(r#"{"Statement": {
///     "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"
/// }}"#)?;
/// question.decide(&returned)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AuthorizerAccess {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    api: ApiArn,
    policy: Option<ResourcePolicy>,
    endpoints: VpcEndpoints,
    anybody: Caller,
}

impl AuthorizerAccess {
    /// Decides about the methods of `api`.
    #[must_use]
    pub fn new(api: ApiArn) -> Self {
        Self {
            shared: Arc::new(Shared {
                api,
                policy: None,
                endpoints: VpcEndpoints::default(),
                anybody: Caller::anonymous(),
            }),
        }
    }

    /// With the API's resource policy.
    #[must_use]
    pub fn resource_policy(mut self, policy: ResourcePolicy) -> Self {
        Arc::make_mut(&mut self.shared).policy = Some(policy);
        self
    }

    /// With the VPC endpoints that requests can come through.
    #[must_use]
    pub fn vpc_endpoints(mut self, endpoints: VpcEndpoints) -> Self {
        Arc::make_mut(&mut self.shared).endpoints = endpoints;
        self
    }

    /// The question that an authorizer is asked about this request, which came at `now`.
    ///
    /// # Errors
    ///
    /// The refusal, if the resource policy denies the request already, or its path makes the method's ARN too long.
    pub fn question<'a>(
        &'a self,
        head: &Head<'a>,
        now: SystemTime,
    ) -> Result<AuthorizerQuestion<'a>, Rejection> {
        let arn = self.shared.api.of(head);
        check_length(&arn)?;
        let question = AuthorizerQuestion {
            access: Arc::clone(&self.shared),
            arn,
            keys: Keys::Asked(RequestKeys::of(head, &self.shared.endpoints, now)),
        };
        if self.shared.policy.is_some() {
            question.check(&CallerPolicies::new(), &[EvalDecision::ExplicitDeny])?;
        }
        Ok(question)
    }
}

impl fmt::Debug for AuthorizerAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizerAccess")
            .field("api", &self.shared.api)
            .field("resource_policy", &self.shared.policy)
            .finish_non_exhaustive()
    }
}

/// A request that an authorizer is asked about: see [`AuthorizerAccess::question`].
#[derive(Clone)]
pub struct AuthorizerQuestion<'a> {
    access: Arc<Shared>,
    arn: String,
    keys: Keys<'a>,
}

/// The condition keys of the request.
#[derive(Clone)]
enum Keys<'a> {
    Asked(RequestKeys<'a>),
    Kept(ContextEntries),
}

impl ContextKeys for Keys<'_> {
    fn value(&self, key: &str) -> Option<ContextKeyValue<'_>> {
        match self {
            Self::Asked(keys) => keys.value(key),
            Self::Kept(keys) => keys.value(key),
        }
    }
}

impl AuthorizerQuestion<'_> {
    /// The ARN of what the request calls: an event's `methodArn` or `routeArn`.
    #[must_use]
    pub fn method_arn(&self) -> &str {
        &self.arn
    }

    /// The same without the request that it was made of, to be kept while an authorizer is waited for.
    #[must_use]
    pub fn into_owned(self) -> AuthorizerQuestion<'static> {
        AuthorizerQuestion {
            access: self.access,
            arn: self.arn,
            keys: Keys::Kept(match self.keys {
                Keys::Asked(keys) => keys.to_entries(),
                Keys::Kept(keys) => keys,
            }),
        }
    }

    /// Decides by the policy that the authorizer returned and the resource policy together.
    ///
    /// # Errors
    ///
    /// The refusal, in the words in which a REST API says it.
    pub fn decide(&self, returned: &IdentityPolicy) -> Result<(), Rejection> {
        let own = CallerPolicies::new().with_authorizer(returned.clone());
        self.check(
            &own,
            &[EvalDecision::ExplicitDeny, EvalDecision::ImplicitDeny],
        )
    }

    /// Refuses what ends in one of `refused`.
    fn check(&self, own: &CallerPolicies, refused: &[EvalDecision]) -> Result<(), Rejection> {
        let access = &*self.access;
        let keys = (&self.keys, &access.anybody);
        let principal = access.anybody.principal();
        let request = AccessRequest::new(principal, INVOKE, &self.arn).with_keys(&keys);
        let policy = access.policy.as_ref();
        let evaluation = evaluate(&request, own, policy);
        if !refused.contains(&evaluation.decision()) {
            return Ok(());
        }
        let by_resource = evaluation.level() == Some(PolicyLevel::Resource);
        let deny = if by_resource {
            denied
        } else {
            denied_by_authorizer
        };
        Err(deny(&request, principal, (INVOKE, &self.arn), own, policy))
    }
}

impl fmt::Debug for AuthorizerQuestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizerQuestion")
            .field("method_arn", &self.arn)
            .finish_non_exhaustive()
    }
}
