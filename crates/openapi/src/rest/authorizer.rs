//! The authorizers of a REST API.

use portcullis_definition::{
    AdditionalClaim, ApiKind, Authorizer, AuthorizerType, JwtConfiguration, JwtIssuer,
};

use crate::Node;
use crate::ids::Ids;
use crate::run::{At, Run};
use crate::security::{Scheme, SchemeAt, Schemes};

/// Seconds for which an authorizer's answer is kept unless the document says otherwise.
const DEFAULT_TTL: u32 = 300;

impl<'a> Run<'a> {
    /// The authorizers of the document, and what each security scheme asks for.
    pub(crate) fn authorizers(&mut self, ids: &mut Ids) -> (Vec<Authorizer>, Schemes) {
        let mut authorizers = Vec::new();
        let mut schemes = Schemes::new();
        for scheme in self.scheme_list() {
            let asks = match scheme.authorizer.clone() {
                None => scheme.plain(),
                Some(at) => {
                    let authorizer = self.authorizer(&scheme, &at, ids);
                    let kind = Self::access_kind(authorizer.r#type);
                    let id = authorizer.id.clone();
                    authorizers.push(authorizer);
                    Scheme::Authorizer { id, kind }
                }
            };
            schemes.insert(scheme.name.to_owned(), asks);
        }
        (authorizers, schemes)
    }

    fn authorizer(&mut self, scheme: &SchemeAt<'a>, at: &At<'a>, ids: &mut Ids) -> Authorizer {
        self.known(
            at,
            &[
                "authorizerCredentials",
                "authorizerPayloadFormatVersion",
                "authorizerResultTtlInSeconds",
                "authorizerUri",
                "enableSimpleResponses",
                "identitySource",
                "identityValidationExpression",
                "jwtConfiguration",
                "providerARNs",
                "type",
            ],
        );
        let mut authorizer = Authorizer::default();
        authorizer.id = ids.id("authorizer", scheme.name, 6);
        authorizer.name = scheme.name.to_owned();
        authorizer.auth_type = scheme.auth_type.clone();
        authorizer.source = Some(at.pointer.clone());
        authorizer.authorizer_uri = self.some_text(at, "authorizerUri");
        authorizer.authorizer_credentials = self.some_text(at, "authorizerCredentials");
        authorizer.identity_validation_expression =
            self.some_text(at, "identityValidationExpression");
        authorizer.authorizer_result_ttl_in_seconds = Some(self.result_ttl(at, DEFAULT_TTL));
        authorizer.provider_arns = self.texts(at, "providerARNs");
        authorizer.jwt_configuration = self.jwt_configuration(scheme, at);
        let Some(kind) = self.authorizer_type(scheme, at) else {
            return authorizer;
        };
        authorizer.r#type = kind;
        authorizer.identity_source = self
            .some_text(at, "identitySource")
            .or_else(|| identity_of(scheme.at.node));
        let (missing, member) = match kind {
            AuthorizerType::Token | AuthorizerType::Request => {
                (authorizer.authorizer_uri.is_none(), "authorizerUri")
            }
            AuthorizerType::CognitoUserPools => {
                (authorizer.provider_arns.is_empty(), "providerARNs")
            }
            _ => (authorizer.jwt_configuration.is_none(), "jwtConfiguration"),
        };
        if missing {
            self.fault(
                &at.pointer,
                "authorizer/required",
                format!("an authorizer of type {kind} has `{member}`"),
                format!("give it `{member}`"),
            );
        }
        authorizer
    }

    /// The type: what the authorizer says, or else what its scheme says.
    pub(crate) fn authorizer_type(
        &mut self,
        scheme: &SchemeAt<'a>,
        at: &At<'a>,
    ) -> Option<AuthorizerType> {
        if at.has("type") {
            return self.word(at, "type", "authorizer/type");
        }
        if scheme.auth_type.as_deref() == Some("cognito_user_pools") {
            return Some(AuthorizerType::CognitoUserPools);
        }
        self.fault(
            &at.pointer,
            "authorizer/type",
            "an authorizer has a type",
            "write one of: token, request, cognito_user_pools, jwt",
        );
        None
    }

    /// Seconds for which an answer is kept, 0 to 3600.
    pub(crate) fn result_ttl(&mut self, at: &At<'a>, default: u32) -> u32 {
        let Some(seconds) = self.integer(at, "authorizerResultTtlInSeconds") else {
            return default;
        };
        match u32::try_from(seconds) {
            Ok(seconds) if seconds <= 3600 => seconds,
            _ => {
                self.fault(
                    &at.pointer.child("authorizerResultTtlInSeconds"),
                    "authorizer/ttl",
                    format!("{seconds} seconds are not between 0 and 3600"),
                    "keep an answer for at most an hour",
                );
                default
            }
        }
    }

    /// Issuer and audiences; an OpenID Connect scheme says the issuer by its discovery address.
    pub(crate) fn jwt_configuration(
        &mut self,
        scheme: &SchemeAt<'a>,
        at: &At<'a>,
    ) -> Option<JwtConfiguration> {
        let jwt = self.object(at, "jwtConfiguration")?;
        let rest = self.options.kind == ApiKind::Rest;
        self.known(
            &jwt,
            match rest {
                true => &["issuer", "audience", "defaultAlgorithms", "issuers"],
                false => &["issuer", "audience"],
            },
        );
        let mut configuration = JwtConfiguration::default();
        configuration.issuer = self.some_text(&jwt, "issuer").or_else(|| {
            let address = scheme
                .at
                .node
                .get("openIdConnectUrl")
                .and_then(Node::as_str)?;
            let issuer = address.strip_suffix("/.well-known/openid-configuration");
            Some(issuer.unwrap_or(address).to_owned())
        });
        configuration.audience = self.texts(&jwt, "audience");
        if rest {
            configuration.default_algorithms = self.texts(&jwt, "defaultAlgorithms");
            for issuer in self.list(&jwt, "issuers") {
                configuration.issuers.push(self.jwt_issuer(&issuer));
            }
        }
        Some(configuration)
    }

    fn jwt_issuer(&mut self, at: &At<'a>) -> JwtIssuer {
        self.known(at, &["issuer", "audiences", "additionalClaims", "jwksUri"]);
        let mut issuer = JwtIssuer::default();
        issuer.issuer = self.text(at, "issuer").unwrap_or_default();
        issuer.audiences = self.texts(at, "audiences");
        issuer.jwks_uri = self.some_text(at, "jwksUri");
        for claim in self.list(at, "additionalClaims") {
            self.known(
                &claim,
                &["claimName", "format", "required", "expectedValues"],
            );
            let mut own = AdditionalClaim::default();
            own.claim_name = self.text(&claim, "claimName").unwrap_or_default();
            own.format = self.some_text(&claim, "format");
            own.required = self.boolean(&claim, "required").unwrap_or_default();
            own.expected_values = self.texts(&claim, "expectedValues");
            issuer.additional_claims.push(own);
        }
        issuer
    }
}

/// Where a scheme's identity is read. The name `Unused` says that the authorizer has the list.
fn identity_of(scheme: &Node) -> Option<String> {
    let name = scheme.get("name").and_then(Node::as_str)?;
    let place = match scheme.get("in").and_then(Node::as_str)? {
        "header" => "header",
        "query" => "querystring",
        _ => return None,
    };
    (name != "Unused").then(|| format!("method.request.{place}.{name}"))
}
