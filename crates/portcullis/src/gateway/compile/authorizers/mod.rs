//! The authorizers of an API, each compiled once for all methods that name it.

mod custom;
mod identity;
mod issuers;
mod stage_pools;
mod tokens;

use std::collections::BTreeMap;

pub(in crate::gateway) use custom::AuthorizerCaches;
pub(in crate::gateway) use issuers::Issuers;

use super::access::Access;
use super::{Notes, Shared};
use crate::auth::ConfigError;
use crate::auth::custom::CustomAuthorizerLayer;
use crate::auth::jwt::JwtLayer;
use crate::definition::{AuthorizerType, HttpApi, Pointer, RestApi};
use crate::gateway::api::ApiSpec;
use crate::gateway::error::GatewayFault;
use custom::Surroundings;
use stage_pools::StagePools;

/// The authorizers of one API by id.
#[derive(Default)]
pub(super) struct Authorizers {
    made: BTreeMap<String, Authorizer>,
}

/// One of them.
pub(super) enum Authorizer {
    /// It verifies tokens.
    Token(JwtLayer),
    /// It verifies tokens of user pools that depend on the stage.
    StagePools(StagePools),
    /// It asks a function.
    Custom(CustomAuthorizerLayer),
}

impl Authorizers {
    pub(super) fn rest(
        api: &RestApi,
        (access, spec, shared): (&Access, &ApiSpec, &Shared),
        notes: &mut Notes<'_>,
    ) -> Self {
        let around = Surroundings {
            access,
            spec,
            shared,
        };
        let mut made = BTreeMap::new();
        for described in &api.authorizers {
            let source = described.source.as_ref();
            let authorizer = match described.r#type {
                AuthorizerType::CognitoUserPools => tokens::user_pools(described, shared),
                AuthorizerType::Jwt => tokens::rest(described, shared),
                _ => custom::rest(described, around, notes),
            };
            if let Ok(Authorizer::Token(_) | Authorizer::StagePools(_)) = authorizer {
                notes.idle(source, "authorizerResultTtlInSeconds", KEPT);
            }
            made.extend(checked(authorizer, source, notes).map(|it| (described.id.clone(), it)));
        }
        Self { made }
    }

    pub(super) fn http(
        api: &HttpApi,
        (access, spec, shared): (&Access, &ApiSpec, &Shared),
        notes: &mut Notes<'_>,
    ) -> Self {
        let around = Surroundings {
            access,
            spec,
            shared,
        };
        let mut made = BTreeMap::new();
        for described in &api.authorizers {
            let source = described.source.as_ref();
            let note = "HTTP APIs do not look at it";
            notes.idle(source, "identityValidationExpression", note);
            let authorizer = match described.authorizer_type {
                AuthorizerType::Jwt => tokens::http(described, shared),
                _ => custom::http(described, around, notes),
            };
            if let Ok(Authorizer::Token(_)) = authorizer {
                notes.idle(source, "authorizerResultTtlInSeconds", KEPT);
            }
            let id = &described.authorizer_id;
            made.extend(checked(authorizer, source, notes).map(|it| (id.clone(), it)));
        }
        Self { made }
    }

    /// The one that a method names.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&Authorizer> {
        self.made.get(id?)
    }
}

const KEPT: &str = "a verified token is kept until it expires or its issuer's keys change";

/// What was made, or its fault at its place.
fn checked(
    made: Result<Authorizer, ConfigError>,
    source: Option<&Pointer>,
    notes: &mut Notes<'_>,
) -> Option<Authorizer> {
    match made {
        Ok(made) => Some(made),
        Err(error) => {
            let mut place = source.cloned().unwrap_or_default();
            for segment in error.field().split(['.', '[', ']']) {
                if !segment.is_empty() {
                    place.push(segment);
                }
            }
            let message = format!("{}; {}", error.problem(), error.fix());
            notes
                .faults
                .push(GatewayFault::new(notes.api, place, message));
            None
        }
    }
}
