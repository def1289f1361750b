//! The authorizers of an API, each compiled once for all methods that name it.

mod identity;
mod issuers;
mod tokens;

use std::collections::BTreeMap;

pub(in crate::gateway) use issuers::Issuers;

use super::{Notes, Shared};
use crate::auth::ConfigError;
use crate::auth::jwt::JwtLayer;
use crate::definition::{AuthorizerType, HttpApi, Pointer, RestApi};
use crate::gateway::error::GatewayFault;

/// The authorizers of one API by id.
#[derive(Default)]
pub(super) struct Authorizers {
    made: BTreeMap<String, Authorizer>,
}

/// One of them.
pub(super) enum Authorizer {
    /// It verifies tokens.
    Token(JwtLayer),
}

impl Authorizers {
    pub(super) fn rest(api: &RestApi, shared: &Shared, notes: &mut Notes<'_>) -> Self {
        let mut made = BTreeMap::new();
        for described in &api.authorizers {
            let source = described.source.as_ref();
            let authorizer = match described.r#type {
                AuthorizerType::CognitoUserPools => tokens::user_pools(described, shared),
                AuthorizerType::Jwt => tokens::rest(described, shared),
                _ => {
                    notes.shut(&described.name, CUSTOM);
                    continue;
                }
            };
            let note = "a verified token is kept until it expires or its issuer's keys change";
            notes.idle(source, "authorizerResultTtlInSeconds", note);
            made.extend(checked(authorizer, source, notes).map(|it| (described.id.clone(), it)));
        }
        Self { made }
    }

    pub(super) fn http(api: &HttpApi, shared: &Shared, notes: &mut Notes<'_>) -> Self {
        let mut made = BTreeMap::new();
        for described in &api.authorizers {
            let source = described.source.as_ref();
            let note = "HTTP APIs do not look at it";
            notes.idle(source, "identityValidationExpression", note);
            let authorizer = match described.authorizer_type {
                AuthorizerType::Jwt => tokens::http(described, shared),
                _ => {
                    notes.shut(&described.name, CUSTOM);
                    continue;
                }
            };
            let note = "a verified token is kept until it expires or its issuer's keys change";
            notes.idle(source, "authorizerResultTtlInSeconds", note);
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

const CUSTOM: &str =
    "custom authorizers are not served yet: methods that need one refuse every request";

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
