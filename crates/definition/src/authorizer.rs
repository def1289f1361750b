//! Authorizers of both kinds of API.

use serde::{Deserialize, Serialize};

use crate::Pointer;
use crate::wire::{self, wire_enum};

wire_enum! {
    /// The kinds of authorizer.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum AuthorizerType {
        /// A function that gets one token.
        #[default]
        Token = "TOKEN",
        /// A function that gets the request.
        Request = "REQUEST",
        /// Tokens of Cognito user pools.
        CognitoUserPools = "COGNITO_USER_POOLS",
        /// JSON web tokens of any issuer.
        Jwt = "JWT",
    }
}

/// An authorizer of a REST API, as `get-authorizers` gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Authorizer {
    /// The id, which methods name.
    #[serde(alias = "Id")]
    pub id: String,
    /// The name: that of the security scheme in a document.
    #[serde(alias = "Name")]
    pub name: String,
    /// The kind of authorizer.
    #[serde(rename = "type", alias = "Type")]
    pub r#type: AuthorizerType,
    /// The ARNs of the user pools.
    #[serde(
        rename = "providerARNs",
        alias = "ProviderARNs",
        alias = "providerArns",
        alias = "ProviderArns",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub provider_arns: Vec<String>,
    /// The free word that documents keep here (`custom`, `oauth2`, `cognito_user_pools`).
    #[serde(alias = "AuthType", skip_serializing_if = "Option::is_none")]
    pub auth_type: Option<String>,
    /// The function's invocation ARN.
    #[serde(alias = "AuthorizerUri", skip_serializing_if = "Option::is_none")]
    pub authorizer_uri: Option<String>,
    /// The role to call the function with.
    #[serde(
        alias = "AuthorizerCredentials",
        skip_serializing_if = "Option::is_none"
    )]
    pub authorizer_credentials: Option<String>,
    /// Where the identity is read: `method.request.header.name`, several with commas.
    #[serde(alias = "IdentitySource", skip_serializing_if = "Option::is_none")]
    pub identity_source: Option<String>,
    /// A regular expression that a token must match before anything is called.
    #[serde(
        alias = "IdentityValidationExpression",
        skip_serializing_if = "Option::is_none"
    )]
    pub identity_validation_expression: Option<String>,
    /// Seconds for which an answer is kept, 0 to 3600; unset means 300.
    #[serde(
        alias = "AuthorizerResultTtlInSeconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub authorizer_result_ttl_in_seconds: Option<u32>,
    /// Issuer and audiences of a `JWT` authorizer.
    #[serde(alias = "JwtConfiguration", skip_serializing_if = "Option::is_none")]
    pub jwt_configuration: Option<JwtConfiguration>,
    /// Where in its document the authorizer stands.
    #[serde(skip)]
    pub source: Option<Pointer>,
}

/// An authorizer of an HTTP API, as `get-authorizers` gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct HttpAuthorizer {
    /// The id, which routes name.
    #[serde(alias = "AuthorizerId")]
    pub authorizer_id: String,
    /// The name: that of the security scheme in a document.
    #[serde(alias = "Name")]
    pub name: String,
    /// The kind: `REQUEST` or `JWT`.
    #[serde(alias = "AuthorizerType")]
    pub authorizer_type: AuthorizerType,
    /// The function's invocation ARN.
    #[serde(alias = "AuthorizerUri", skip_serializing_if = "Option::is_none")]
    pub authorizer_uri: Option<String>,
    /// The role to call the function with.
    #[serde(
        alias = "AuthorizerCredentialsArn",
        skip_serializing_if = "Option::is_none"
    )]
    pub authorizer_credentials_arn: Option<String>,
    /// `1.0` or `2.0`: the shape of the function's event.
    #[serde(
        alias = "AuthorizerPayloadFormatVersion",
        skip_serializing_if = "Option::is_none"
    )]
    pub authorizer_payload_format_version: Option<String>,
    /// Seconds for which an answer is kept, 0 to 3600.
    #[serde(
        alias = "AuthorizerResultTtlInSeconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub authorizer_result_ttl_in_seconds: Option<u32>,
    /// Whether the function answers `isAuthorized` instead of a policy.
    #[serde(
        alias = "EnableSimpleResponses",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub enable_simple_responses: bool,
    /// Where the identity is read: `$request.header.name`.
    #[serde(
        alias = "IdentitySource",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub identity_source: Vec<String>,
    /// Not used by the service; kept as it is.
    #[serde(
        alias = "IdentityValidationExpression",
        skip_serializing_if = "Option::is_none"
    )]
    pub identity_validation_expression: Option<String>,
    /// Issuer and audiences of a `JWT` authorizer.
    #[serde(alias = "JwtConfiguration", skip_serializing_if = "Option::is_none")]
    pub jwt_configuration: Option<JwtConfiguration>,
    /// Where in its document the authorizer stands.
    #[serde(skip)]
    pub source: Option<Pointer>,
}

/// Which JSON web tokens an authorizer accepts: in an HTTP API those of one issuer, in a REST API those of several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct JwtConfiguration {
    /// The issuer, which is the base address of its keys.
    #[serde(alias = "Issuer", skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The audiences of which a token must have one.
    #[serde(
        alias = "Audience",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub audience: Vec<String>,
    /// In a REST API: the signature algorithms that are accepted.
    #[serde(
        alias = "DefaultAlgorithms",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub default_algorithms: Vec<String>,
    /// In a REST API: the issuers.
    #[serde(
        alias = "Issuers",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub issuers: Vec<JwtIssuer>,
}

/// An issuer whose tokens a JWT authorizer of a REST API accepts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct JwtIssuer {
    /// The issuer, which is the base address of its description.
    #[serde(alias = "Issuer")]
    pub issuer: String,
    /// The audiences of which a token must have one.
    #[serde(
        alias = "Audiences",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub audiences: Vec<String>,
    /// Claims that are asked for besides.
    #[serde(
        alias = "AdditionalClaims",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub additional_claims: Vec<AdditionalClaim>,
    /// Where the service found the keys. It is the issuer's description that says so.
    #[serde(alias = "JwksUri", skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
}

/// A claim that a JWT authorizer of a REST API looks at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct AdditionalClaim {
    /// The claim's name.
    #[serde(alias = "ClaimName")]
    pub claim_name: String,
    /// What it must be: `SINGLE_STRING`.
    #[serde(alias = "Format", skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Whether a token must have it.
    #[serde(
        alias = "Required",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub required: bool,
    /// The text that it must be, to the letter. Without one any will do.
    #[serde(
        alias = "ExpectedValues",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub expected_values: Vec<String>,
}
