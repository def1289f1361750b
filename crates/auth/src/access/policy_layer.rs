//! The layer that asks a resource policy about every request.

use std::fmt;
use std::sync::Arc;

use portcullis_core::{
    Clock, Guard, GuardLayer, Guarded, Head, Mode, Never, Rejection, SystemClock, Verdict,
};
use tower_layer::Layer;

use super::api_arn::ApiArn;
use super::keys::RequestKeys;
use super::refusal::{check_length, denied};
use super::vpc::VpcEndpoints;
use crate::credentials::Caller;
use crate::iam::{AccessRequest, CallerPolicies, EvalDecision, ResourcePolicy, evaluate};

const INVOKE: &str = "execute-api:Invoke";

/// Lets requests through that an API's resource policy allows to anybody, whoever sent them. Its silence refuses, too.
///
/// It is for methods without authorization, and stands behind a Cognito authorizer. Methods with a custom authorizer are
/// [`AuthorizerAccess`](super::AuthorizerAccess)'s, signed requests [`SigV4Layer`](crate::sigv4::SigV4Layer)'s.
///
/// See the [module's front page](super) for an example. Clones share the policy.
#[derive(Clone)]
#[must_use]
pub struct ResourcePolicyLayer {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    policy: ResourcePolicy,
    api: ApiArn,
    endpoints: VpcEndpoints,
    denials_only: bool,
    anybody: Caller,
    clock: Arc<dyn Clock>,
    mode: Mode,
}

impl ResourcePolicyLayer {
    /// A layer for the methods of `api`.
    pub fn new(policy: ResourcePolicy, api: ApiArn) -> Self {
        Self {
            shared: Arc::new(Shared {
                policy,
                api,
                endpoints: VpcEndpoints::default(),
                denials_only: false,
                anybody: Caller::anonymous(),
                clock: Arc::new(SystemClock::new()),
                mode: Mode::Enforce,
            }),
        }
    }

    /// Refuses what the policy explicitly denies, and lets its silence pass.
    pub fn denials_only(self) -> Self {
        self.with(|shared| shared.denials_only = true)
    }

    /// With the VPC endpoints that requests can come through.
    pub fn vpc_endpoints(self, endpoints: VpcEndpoints) -> Self {
        self.with(|shared| shared.endpoints = endpoints)
    }

    /// Takes the time from `clock`.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.with(|shared| shared.clock = clock)
    }

    /// **Lets every request through** and only writes down what would be refused.
    pub fn dangerous_observe(self) -> Self {
        tracing::warn!("a resource policy is only observed: requests pass that it refuses");
        self.with(|shared| shared.mode = Mode::Observe)
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }

    fn decide(&self, head: &Head<'_>) -> Result<(), Rejection> {
        let shared = &*self.shared;
        let own = &CallerPolicies::new();
        let arn = shared.api.of(head);
        check_length(&arn)?;
        let now = shared.clock.wall();
        let keys = (
            RequestKeys::of(head, &shared.endpoints, now),
            &shared.anybody,
        );
        let principal = shared.anybody.principal();
        let request = AccessRequest::new(principal, INVOKE, &arn).with_keys(&keys);
        let policy = Some(&shared.policy);
        match evaluate(&request, own, policy).decision() {
            EvalDecision::Allowed => Ok(()),
            EvalDecision::ImplicitDeny if shared.denials_only => Ok(()),
            EvalDecision::ImplicitDeny | EvalDecision::ExplicitDeny => {
                Err(denied(&request, principal, (INVOKE, &arn), own, policy))
            }
        }
    }
}

impl Guard for ResourcePolicyLayer {
    type Ask = Never;

    const NEEDS_CONTEXT: bool = true;

    const NAME: &'static str = "resource-policy";

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        match self.decide(head) {
            Ok(()) => Verdict::Pass,
            Err(rejection) => Verdict::Refuse(rejection),
        }
    }

    fn mode(&self) -> Mode {
        self.shared.mode
    }
}

impl<S> Layer<S> for ResourcePolicyLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Guarded<S, Self> {
        GuardLayer::new(self.clone()).layer(inner)
    }
}

impl fmt::Debug for ResourcePolicyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourcePolicyLayer")
            .field("policy", &self.shared.policy)
            .field("api", &self.shared.api)
            .field("denials_only", &self.shared.denials_only)
            .finish_non_exhaustive()
    }
}
