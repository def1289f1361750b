//! The guards of a method, and what stands in for those that do not exist yet.

use super::access::Access;
use super::{Notes, Shared};
use crate::core::{
    ApiKind, Chain, Decision, Guard, Head, Never, Rejection, RejectionKind, Verdict,
};
use crate::definition::{AuthorizationType, Method, Pointer, Route};

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

pub(super) fn rest(
    method: &Method,
    access: &Access,
    shared: &Shared,
    notes: &mut Notes<'_>,
) -> Chain {
    let mut chain = Chain::new();
    if !shared.skip_auth {
        chain = chain.and(&access.way_in());
        if access.is_closed() {
            let kind = RejectionKind::AccessDenied;
            chain = chain.with(Shut::new(kind, ApiKind::Rest, "resource policy"));
        }
        let source = method.source.as_ref();
        chain = match method.authorization_type {
            AuthorizationType::None => policy(chain, access, shared),
            AuthorizationType::AwsIam => signature(chain, ApiKind::Rest, access, source, notes),
            // A user pool's token first, then the policy on its own.
            AuthorizationType::CognitoUserPools => {
                let kind = RejectionKind::AuthorizerConfigurationError;
                let chain = chain.with(Shut::new(kind, ApiKind::Rest, "authorizer"));
                policy(chain, access, shared)
            }
            _ => {
                let kind = RejectionKind::AuthorizerConfigurationError;
                chain.with(Shut::new(kind, ApiKind::Rest, "authorizer"))
            }
        };
        if method.api_key_required {
            let kind = RejectionKind::InvalidApiKey;
            chain = chain.with(Shut::new(kind, ApiKind::Rest, "API key"));
        }
    }
    append(chain, &shared.guards)
}

pub(super) fn http(
    route: &Route,
    access: &Access,
    shared: &Shared,
    notes: &mut Notes<'_>,
) -> Chain {
    let mut chain = Chain::new();
    if !shared.skip_auth {
        let source = route.source.as_ref();
        chain = match route.authorization_type {
            AuthorizationType::None => chain,
            AuthorizationType::AwsIam => signature(chain, ApiKind::Http, access, source, notes),
            _ => {
                let kind = RejectionKind::AuthorizerConfigurationError;
                chain.with(Shut::new(kind, ApiKind::Http, "authorizer"))
            }
        };
    }
    append(chain, &shared.guards)
}

/// The signature that a method asks for, with the policies of caller and API.
fn signature(
    chain: Chain,
    api: ApiKind,
    access: &Access,
    source: Option<&Pointer>,
    notes: &mut Notes<'_>,
) -> Chain {
    if let Some(layer) = access.signature() {
        return chain.with(layer.clone());
    }
    let note = "no access keys are configured (`principals`): the method refuses every request";
    notes.missing(source, "x-amazon-apigateway-auth", note);
    notes.missing(source, "security", note);
    let kind = RejectionKind::MissingAuthenticationToken;
    chain.with(Shut::new(kind, api, "access keys"))
}

/// The API's policy, if it has one, about whoever calls.
fn policy(chain: Chain, access: &Access, shared: &Shared) -> Chain {
    match access.policy(shared) {
        Some(layer) => chain.with(layer),
        None => chain,
    }
}

fn append(chain: Chain, own: &Chain) -> Chain {
    if chain.is_empty() {
        own.clone()
    } else {
        chain.and(own)
    }
}
