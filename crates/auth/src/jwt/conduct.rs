//! How refusals look, and how claims are shown.

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use portcullis_core::{ApiKind, ClaimWording, Decision, Rejection, RejectionKind};

use super::fault::TokenFault;
use super::wording;

/// Whose conduct is followed where the standard and the service differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Conduct {
    /// The standard's: `WWW-Authenticate` after RFC 6750, `Bearer` in any case, 503 while an issuer cannot be
    /// asked for keys that are needed, claims as the token has them.
    #[default]
    Standard,
    /// A JWT authorizer's of an HTTP API: its own wording of `WWW-Authenticate`, `Bearer` only in this spelling, 401 while the
    /// issuer is away, claims as text.
    HttpApi,
    /// A JWT authorizer's of a REST API: `UNAUTHORIZED`, `ACCESS_DENIED`, and `AUTHORIZER_CONFIGURATION_ERROR` while the issuer is away.
    RestApi,
    /// A Cognito authorizer's of a REST API: without scopes the token must be an ID token, with scopes an access token, and a
    /// missing scope is a 401; times are shown as dates.
    UserPool,
}

impl Conduct {
    /// Whether `Bearer` is known only in this spelling.
    pub(crate) const fn is_literal(self) -> bool {
        !matches!(self, Self::Standard)
    }

    pub(super) const fn wording(self) -> Option<ClaimWording> {
        match self {
            Self::Standard => None,
            Self::HttpApi => Some(wording::http_api),
            Self::RestApi => Some(wording::rest_api),
            Self::UserPool => Some(wording::user_pool),
        }
    }

    pub(super) fn refusal(self, fault: &TokenFault, scopes: &[Box<str>]) -> Rejection {
        let rejection = match self {
            Self::Standard => standard(fault, scopes),
            Self::HttpApi => http_api(fault, scopes),
            Self::RestApi if fault.is_forbidden() => Rejection::new(RejectionKind::AccessDenied),
            Self::RestApi | Self::UserPool => rest_api(fault),
        };
        rejection.with_decision(
            Decision::new("auth", fault.name()).with("why", fault.description().into_owned()),
        )
    }
}

fn standard(fault: &TokenFault, scopes: &[Box<str>]) -> Rejection {
    if fault.is_unavailable() {
        return Rejection::new(RejectionKind::AuthorizerFailure)
            .for_api(ApiKind::Http)
            .with_status(StatusCode::SERVICE_UNAVAILABLE)
            .with_message("Service Unavailable")
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    let description = fault.description();
    let challenge = match fault {
        TokenFault::Missing => "Bearer".to_owned(),
        TokenFault::Scope => {
            let scopes = listed(scopes);
            format!(
                r#"Bearer error="insufficient_scope", error_description="{description}", scope="{scopes}""#
            )
        }
        TokenFault::Check => {
            format!(r#"Bearer error="insufficient_scope", error_description="{description}""#)
        }
        _ => format!(r#"Bearer error="invalid_token", error_description="{description}""#),
    };
    challenged(fault, challenge)
}

/// Without commas, as the service words it.
fn http_api(fault: &TokenFault, scopes: &[Box<str>]) -> Rejection {
    let description = fault.description();
    let challenge = match fault {
        TokenFault::Missing => "Bearer".to_owned(),
        _ if fault.is_forbidden() => {
            let scopes = listed(scopes);
            format!(
                r#"Bearer scope="{scopes}" error="insufficient_scope" error_description="{description}""#
            )
        }
        _ => format!(r#"Bearer scope="" error="invalid_token" error_description="{description}""#),
    };
    challenged(fault, challenge)
}

fn rest_api(fault: &TokenFault) -> Rejection {
    match fault {
        TokenFault::Expired => Rejection::new(RejectionKind::Unauthorized)
            .with_message("The incoming token has expired"),
        _ if fault.is_unavailable() => Rejection::new(RejectionKind::AuthorizerConfigurationError),
        _ => Rejection::new(RejectionKind::Unauthorized),
    }
}

fn challenged(fault: &TokenFault, challenge: String) -> Rejection {
    let kind = match fault.is_forbidden() {
        true => RejectionKind::AccessDenied,
        false => RejectionKind::Unauthorized,
    };
    let rejection = Rejection::new(kind).for_api(ApiKind::Http);
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => rejection.with_header(WWW_AUTHENTICATE, challenge),
        // A scope that cannot stand in a header.
        Err(_) => rejection,
    }
}

fn listed(scopes: &[Box<str>]) -> String {
    scopes.join(" ").replace(['"', '\\'], "")
}

#[cfg(test)]
mod tests {
    use super::{Conduct, TokenFault};

    #[track_caller]
    fn check(conduct: Conduct, fault: &TokenFault, status: u16, body: &str, challenge: &str) {
        let rejection = conduct.refusal(fault, &["a".into(), "b/c".into()]);
        assert_eq!(rejection.status(), status);
        assert_eq!(&*rejection.body().1, body.as_bytes());
        let headers = rejection.headers().cloned().unwrap_or_default();
        let found = headers
            .get("www-authenticate")
            .map(|value| value.to_str().unwrap());
        assert_eq!(found.unwrap_or_default(), challenge);
    }

    #[test]
    fn the_standard_has_commas() {
        let check = |fault, status, body, challenge| {
            check(Conduct::Standard, &fault, status, body, challenge);
        };
        check(
            TokenFault::Missing,
            401,
            r#"{"message":"Unauthorized"}"#,
            "Bearer",
        );
        check(
            TokenFault::Expired,
            401,
            r#"{"message":"Unauthorized"}"#,
            r#"Bearer error="invalid_token", error_description="the token has expired""#,
        );
        check(
            TokenFault::Scope,
            403,
            r#"{"message":"Forbidden"}"#,
            r#"Bearer error="insufficient_scope", error_description="the token has none of the scopes that are needed", scope="a b/c""#,
        );
        check(
            TokenFault::KeysUnavailable,
            503,
            r#"{"message":"Service Unavailable"}"#,
            "",
        );
    }

    #[test]
    fn an_http_api_has_none_and_says_401_while_the_issuer_is_away() {
        let check = |fault, status, body, challenge| {
            check(Conduct::HttpApi, &fault, status, body, challenge);
        };
        check(
            TokenFault::Missing,
            401,
            r#"{"message":"Unauthorized"}"#,
            "Bearer",
        );
        check(
            TokenFault::Audience,
            401,
            r#"{"message":"Unauthorized"}"#,
            r#"Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience""#,
        );
        check(
            TokenFault::DiscoveryUnavailable,
            401,
            r#"{"message":"Unauthorized"}"#,
            r#"Bearer scope="" error="invalid_token" error_description="OIDC discovery endpoint communication error""#,
        );
        check(
            TokenFault::Scope,
            403,
            r#"{"message":"Forbidden"}"#,
            r#"Bearer scope="a b/c" error="insufficient_scope" error_description="the token has none of the scopes that are needed""#,
        );
    }

    #[test]
    fn rest_apis_have_gateway_responses() {
        let unauthorized = r#"{"message":"Unauthorized"}"#;
        check(
            Conduct::RestApi,
            &TokenFault::Audience,
            401,
            unauthorized,
            "",
        );
        let denied = r#"{"Message":"User is not authorized to access this resource"}"#;
        check(Conduct::RestApi, &TokenFault::Scope, 403, denied, "");
        check(
            Conduct::RestApi,
            &TokenFault::KeysUnavailable,
            500,
            r#"{"message":null}"#,
            "",
        );
        check(Conduct::UserPool, &TokenFault::Scope, 401, unauthorized, "");
        check(
            Conduct::UserPool,
            &TokenFault::KeysUnavailable,
            500,
            r#"{"message":null}"#,
            "",
        );
        let expired = r#"{"message":"The incoming token has expired"}"#;
        check(Conduct::UserPool, &TokenFault::Expired, 401, expired, "");
    }
}
