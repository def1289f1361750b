//! The guards of a method, and what stands in for those that do not exist yet.

use super::access::Access;
use super::authorizers::{Authorizer, Authorizers};
use super::keys::Keys;
use super::throttle::{self, Levels, Place};
use super::{Notes, Shared};
use crate::core::{
    ApiKind, Chain, Decision, Guard, Head, Never, Rejection, RejectionKind, Verdict,
};
use crate::definition::{AuthorizationType, Method, Pointer, Route};
use crate::gateway::api::ApiSpec;
use crate::gateway::error::GatewayFault;

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

impl Shut {
    /// For a method whose authorizer is not served.
    fn authorizer(api: ApiKind) -> Self {
        Self::new(
            RejectionKind::AuthorizerConfigurationError,
            api,
            "authorizer",
        )
    }
}

impl Guard for Shut {
    type Ask = Never;

    const NAME: &'static str = "shut";

    fn check(&self, _head: &Head<'_>) -> Verdict<Never> {
        Verdict::Refuse(self.rejection.clone())
    }
}

/// What an API's methods can ask for.
#[derive(Clone, Copy)]
pub(super) struct Doors<'a> {
    pub(super) access: &'a Access,
    pub(super) authorizers: &'a Authorizers,
    pub(super) spec: &'a ApiSpec,
    /// An HTTP API has none.
    pub(super) keys: Option<&'a Keys>,
}

pub(super) fn rest(
    (verb, path): (&str, &str),
    method: &Method,
    doors: Doors<'_>,
    shared: &Shared,
    notes: &mut Notes<'_>,
) -> Chain {
    let access = doors.access;
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
            _ => match doors.authorizers.find(method.authorizer_id.as_deref()) {
                // The token first, then the policy on its own.
                Some(Authorizer::Token(tokens)) => {
                    let tokens = tokens.clone().require_scopes(&method.authorization_scopes);
                    policy(chain.with(tokens), access, shared)
                }
                Some(Authorizer::StagePools(pools)) => {
                    let pools = pools.require_scopes(&method.authorization_scopes);
                    policy(chain.with(pools), access, shared)
                }
                // It asks the policy itself, before and with what the function says.
                Some(Authorizer::Custom(custom)) => chain.with(custom.clone()),
                None => chain.with(Shut::authorizer(ApiKind::Rest)),
            },
        };
        if method.api_key_required {
            chain = match doors.keys {
                Some(Keys::Open(layer)) => chain.with(layer.clone()),
                Some(Keys::Shut(_)) | None => {
                    let kind = RejectionKind::InvalidApiKey;
                    chain.with(Shut::new(kind, ApiKind::Rest, "API key"))
                }
            };
        }
    }
    if let Some(levels) = doors.levels(verb, path, method.api_key_required, shared) {
        chain = chain.with(levels);
    }
    append(chain, &shared.guards)
}

pub(super) fn http(
    place: (&str, &str),
    route: &Route,
    doors: Doors<'_>,
    shared: &Shared,
    notes: &mut Notes<'_>,
) -> Chain {
    let mut chain = Chain::new();
    if !shared.skip_auth {
        let source = route.source.as_ref();
        chain = match route.authorization_type {
            AuthorizationType::None => chain,
            AuthorizationType::AwsIam => {
                signature(chain, ApiKind::Http, doors.access, source, notes)
            }
            _ => match doors.authorizers.find(route.authorizer_id.as_deref()) {
                Some(Authorizer::Token(tokens)) => {
                    chain.with(tokens.clone().require_scopes(&route.authorization_scopes))
                }
                Some(Authorizer::Custom(custom)) => chain.with(custom.clone()),
                // User pools are authorizers of REST APIs.
                Some(Authorizer::StagePools(_)) | None => {
                    chain.with(Shut::authorizer(ApiKind::Http))
                }
            },
        };
    }
    let (verb, path) = place;
    if let Some(levels) = doors.levels(verb, path, false, shared) {
        chain = chain.with(levels);
    }
    append(chain, &shared.guards)
}

impl Doors<'_> {
    /// What limits a method.
    fn levels(&self, verb: &str, path: &str, needs_key: bool, shared: &Shared) -> Option<Levels> {
        let place = Place {
            verb,
            path,
            needs_key,
        };
        throttle::levels(self.spec, place, shared)
    }
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

/// The guards that the user has for a route, behind those of the definition.
pub(super) fn own(chain: Chain, spec: &ApiSpec, route: &str) -> Chain {
    spec.guards_of(route).fold(chain, append)
}

/// A guard of the user's that belongs to no route is a fault.
pub(super) fn check_own(
    spec: &ApiSpec,
    routes: impl Iterator<Item = String>,
    notes: &mut Notes<'_>,
) {
    if spec.guards.is_empty() {
        return;
    }
    let known: Vec<String> = routes.collect();
    for (route, _) in &spec.guards {
        if !known.contains(route) {
            let message = format!(
                "there is no route `{route}`; there are: {}",
                known.join(", ")
            );
            notes
                .faults
                .push(GatewayFault::new(notes.api, "guards", message));
        }
    }
}
