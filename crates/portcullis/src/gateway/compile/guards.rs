//! The guards of a method, and what stands in for those that do not exist yet.

use super::Shared;
use crate::core::{
    ApiKind, Chain, Decision, Guard, Head, Never, Rejection, RejectionKind, Verdict,
};
use crate::definition::{AuthorizationType, Method, RestApi, Route};

/// Refuses every request: what the definition asks for here cannot be checked yet, and a door
/// whose lock is missing stays shut.
#[derive(Debug)]
struct Shut {
    rejection: Rejection,
}

impl Shut {
    fn new(kind: RejectionKind, api: ApiKind, what: &'static str) -> Self {
        let decision = Decision::new("gateway", "not-served-yet").with("needs", what);
        Self {
            rejection: Rejection::new(kind).with_decision(decision).for_api(api),
        }
    }
}

impl Guard for Shut {
    type Ask = Never;

    fn check(&self, _head: &Head<'_>) -> Verdict<Never> {
        Verdict::Refuse(self.rejection.clone())
    }
}

pub(super) fn rest(api: &RestApi, method: &Method, shared: &Shared) -> Chain {
    let mut chain = Chain::new();
    if !shared.skip_auth {
        if api.policy.is_some() {
            let kind = RejectionKind::AccessDenied;
            chain = chain.with(Shut::new(kind, ApiKind::Rest, "resource policy"));
        }
        if method.authorization_type != AuthorizationType::None {
            let kind = RejectionKind::AuthorizerConfigurationError;
            chain = chain.with(Shut::new(kind, ApiKind::Rest, "authorizer"));
        }
        if method.api_key_required {
            let kind = RejectionKind::InvalidApiKey;
            chain = chain.with(Shut::new(kind, ApiKind::Rest, "API key"));
        }
    }
    append(chain, &shared.guards)
}

pub(super) fn http(route: &Route, shared: &Shared) -> Chain {
    let mut chain = Chain::new();
    if !shared.skip_auth && route.authorization_type != AuthorizationType::None {
        let kind = RejectionKind::AuthorizerConfigurationError;
        chain = chain.with(Shut::new(kind, ApiKind::Http, "authorizer"));
    }
    append(chain, &shared.guards)
}

fn append(chain: Chain, own: &Chain) -> Chain {
    if chain.is_empty() {
        own.clone()
    } else {
        chain.and(own)
    }
}
