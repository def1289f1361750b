//! The authorizers of an HTTP API.

use portcullis_definition::{AuthorizerType, HttpAuthorizer};

use crate::Node;
use crate::ids::Ids;
use crate::run::{At, Run};
use crate::security::{Scheme, SchemeAt, Schemes};

impl<'a> Run<'a> {
    /// The authorizers of the document, and what each security scheme asks for.
    pub(crate) fn http_authorizers(&mut self, ids: &mut Ids) -> (Vec<HttpAuthorizer>, Schemes) {
        let mut authorizers = Vec::new();
        let mut schemes = Schemes::new();
        for scheme in self.scheme_list() {
            let asks = match scheme.authorizer.clone() {
                None => scheme.plain(),
                Some(at) => match self.http_authorizer(&scheme, &at, ids) {
                    Some(authorizer) => {
                        let kind = Self::access_kind(authorizer.authorizer_type);
                        let id = authorizer.authorizer_id.clone();
                        authorizers.push(authorizer);
                        Scheme::Authorizer { id, kind }
                    }
                    None => continue,
                },
            };
            schemes.insert(scheme.name.to_owned(), asks);
        }
        (authorizers, schemes)
    }

    fn http_authorizer(
        &mut self,
        scheme: &SchemeAt<'a>,
        at: &At<'a>,
        ids: &mut Ids,
    ) -> Option<HttpAuthorizer> {
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
                "type",
            ],
        );
        let kind = self.authorizer_type(scheme, at)?;
        let mut authorizer = HttpAuthorizer::default();
        authorizer.authorizer_id = ids.id("authorizer", scheme.name, 6);
        authorizer.name = scheme.name.to_owned();
        authorizer.authorizer_type = kind;
        authorizer.source = Some(at.pointer.clone());
        authorizer.authorizer_uri = self.some_text(at, "authorizerUri");
        authorizer.authorizer_credentials_arn = self.some_text(at, "authorizerCredentials");
        authorizer.authorizer_payload_format_version =
            self.some_text(at, "authorizerPayloadFormatVersion");
        authorizer.enable_simple_responses =
            self.boolean(at, "enableSimpleResponses").unwrap_or(false);
        authorizer.identity_validation_expression =
            self.some_text(at, "identityValidationExpression");
        authorizer.jwt_configuration = self.jwt_configuration(scheme, at);
        authorizer.identity_source = self.http_identity(scheme, at);
        match kind {
            AuthorizerType::Jwt => self.check_jwt(at, &mut authorizer),
            AuthorizerType::Request => {
                authorizer.authorizer_result_ttl_in_seconds = Some(self.result_ttl(at, 300));
                if authorizer.authorizer_uri.is_none() {
                    self.fault(
                        &at.pointer,
                        "authorizer/required",
                        "an authorizer of type REQUEST has `authorizerUri`",
                        "give it `authorizerUri`",
                    );
                }
            }
            other => self.fault(
                &at.pointer.child("type"),
                "authorizer/type",
                format!("an HTTP API has no authorizers of type {other}"),
                "write jwt or request",
            ),
        }
        Some(authorizer)
    }

    fn check_jwt(&mut self, at: &At<'a>, authorizer: &mut HttpAuthorizer) {
        let jwt = authorizer.jwt_configuration.as_ref();
        if jwt.and_then(|jwt| jwt.issuer.as_ref()).is_none() {
            self.fault(
                &at.pointer,
                "authorizer/required",
                "an authorizer of type JWT has an issuer",
                "give it `jwtConfiguration` with an `issuer`",
            );
        }
        if authorizer.identity_source.is_empty() {
            authorizer
                .identity_source
                .push("$request.header.Authorization".to_owned());
        }
    }

    /// Where the identity is read: a list, or one text with commas, or what the scheme says.
    fn http_identity(&mut self, scheme: &SchemeAt<'a>, at: &At<'a>) -> Vec<String> {
        let listed: Vec<String> = self
            .texts(at, "identitySource")
            .iter()
            .flat_map(|text| text.split(','))
            .map(|source| source.trim().to_owned())
            .filter(|source| !source.is_empty())
            .collect();
        if !listed.is_empty() {
            return listed;
        }
        let word = |key: &str| scheme.at.node.get(key).and_then(Node::as_str);
        match (word("in"), word("name")) {
            (_, Some("Unused")) => Vec::new(),
            (Some("header"), Some(name)) => vec![format!("$request.header.{name}")],
            (Some("query"), Some(name)) => vec![format!("$request.querystring.{name}")],
            _ => Vec::new(),
        }
    }
}
