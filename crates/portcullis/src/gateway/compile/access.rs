//! Signatures, resource policies and private endpoints: what of them stands before the methods of an API.

use std::sync::Arc;

use super::{Notes, Shared};
use crate::auth::access::{
    ApiArn, Authorization, AuthorizerAccess, PrivateEndpointLayer, ResourcePolicyLayer,
    VpcEndpoints,
};
use crate::auth::iam::{PolicyError, ResourcePolicy};
use crate::auth::sigv4::{SigV4Layer, SigV4Rules, SigV4Verifier};
use crate::core::Chain;
use crate::definition::{EndpointType, RestApi};
use crate::gateway::api::{ApiSpec, Parity};
use crate::gateway::coverage::{Coverage, Served};
use crate::gateway::error::GatewayFault;

const POLICY: &str = "/x-amazon-apigateway-policy";

/// What one API asks of signatures and policies.
pub(super) struct Access {
    api: ApiArn,
    policy: Option<ResourcePolicy>,
    private: bool,
    endpoints: VpcEndpoints,
    /// Absent where no access keys are known.
    signed: Option<SigV4Layer>,
}

impl Access {
    /// Of a REST API. What is wrong with its policy is among the faults.
    pub(super) fn rest(
        api: &RestApi,
        spec: &ApiSpec,
        shared: &Shared,
        notes: &mut Notes<'_>,
    ) -> Option<Self> {
        let policy = match &api.policy {
            None => None,
            Some(document) => match ResourcePolicy::from_value(document.as_value()) {
                Ok(policy) => Some(policy.with_name(spec.id.as_str())),
                Err(error) => {
                    notes.faults.extend(policy_faults(notes.api, &error));
                    return None;
                }
            },
        };
        let declared = api.endpoint_configuration.endpoint_type();
        let private = spec.endpoint_type.unwrap_or(declared) == EndpointType::Private;
        Self::new(spec, shared, notes, policy, private)
    }

    /// Of an HTTP API, which has no policy of its own.
    pub(super) fn http(spec: &ApiSpec, shared: &Shared, notes: &mut Notes<'_>) -> Option<Self> {
        Self::new(spec, shared, notes, None, false)
    }

    fn new(
        spec: &ApiSpec,
        shared: &Shared,
        notes: &mut Notes<'_>,
        policy: Option<ResourcePolicy>,
        private: bool,
    ) -> Option<Self> {
        let mut wrong = |error: crate::auth::ConfigError| {
            notes.faults.push(GatewayFault::new(notes.api, "", error));
        };
        let api = ApiArn::new(&shared.region, &shared.account_id, &spec.id);
        let api = api.map_err(&mut wrong).ok()?;
        let endpoints = VpcEndpoints::new(shared.vpc_endpoints.iter().cloned());
        let signed = match &shared.access_keys {
            None => None,
            Some(keys) => {
                let rules = SigV4Rules::new(shared.region.as_str(), "execute-api");
                let rules = rules.map_err(&mut wrong).ok()?;
                let rules = rules
                    .honour_expires(shared.honour_expires)
                    .show_canonical_request(spec.parity == Parity::Strict);
                let mut authorization =
                    Authorization::for_api(api.clone()).vpc_endpoints(endpoints.clone());
                if let Some(policy) = &policy {
                    authorization = authorization.resource_policy(policy.clone());
                }
                let mut verifier = SigV4Verifier::new(rules);
                if let Some(guard) = &shared.replay_guard {
                    verifier = verifier.with_replay_guard(guard.clone());
                }
                let layer = SigV4Layer::new(verifier, Arc::clone(keys))
                    .authorize(authorization)
                    .body_limit(spec.max_body_bytes)
                    .kind(spec.kind)
                    .clock(Arc::clone(&shared.clock));
                Some(layer)
            }
        };
        Some(Self {
            api,
            policy,
            private,
            endpoints,
            signed,
        })
    }

    /// What stands before every method: a private API is reached through a VPC endpoint.
    pub(super) fn way_in(&self) -> Chain {
        if self.private {
            Chain::new().with(PrivateEndpointLayer::new(self.endpoints.clone()))
        } else {
            Chain::new()
        }
    }

    /// Whether nobody may call: a private API without a policy.
    pub(super) const fn is_closed(&self) -> bool {
        self.private && self.policy.is_none()
    }

    /// The signature that a method asks for, with the policies of caller and API; absent where no access keys are known.
    pub(super) const fn signature(&self) -> Option<&SigV4Layer> {
        self.signed.as_ref()
    }

    /// What decides about requests that a custom authorizer answered for.
    pub(super) fn authorizer(&self) -> AuthorizerAccess {
        let access = AuthorizerAccess::new(self.api.clone()).vpc_endpoints(self.endpoints.clone());
        match &self.policy {
            Some(policy) => access.resource_policy(policy.clone()),
            None => access,
        }
    }

    /// The API's policy, asked about whoever calls: by methods without authorization, and behind user pools.
    pub(super) fn policy(&self, shared: &Shared) -> Option<ResourcePolicyLayer> {
        let layer = ResourcePolicyLayer::new(self.policy.clone()?, self.api.clone());
        let layer = layer.vpc_endpoints(self.endpoints.clone());
        Some(layer.clock(Arc::clone(&shared.clock)))
    }
}

fn policy_faults<'a>(
    api: &'a str,
    error: &'a PolicyError,
) -> impl Iterator<Item = GatewayFault> + 'a {
    error.faults().iter().map(move |fault| {
        let pointer = format!("{POLICY}{}", fault.pointer());
        GatewayFault::new(api, pointer, fault.message())
    })
}

/// What the coverage says of a private API that no client can be in front of.
pub(super) fn survey(access: &Access, spec: &ApiSpec, shared: &Shared, coverage: &mut Coverage) {
    if access.private && shared.vpc_endpoints.is_empty() {
        let note = "the API is private and the gateway knows no VPC endpoint (`vpcEndpoints`): every method refuses every request";
        coverage.push(&spec.id, "endpointType", Served::NotServed, note);
    } else if access.is_closed() {
        let note =
            "the API is private and has no resource policy: every method refuses every request";
        coverage.push(&spec.id, "endpointType", Served::NotServed, note);
    }
}
