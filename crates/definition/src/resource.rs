//! Resources and methods of REST APIs.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::wire::{self, wire_enum};
use crate::{Integration, Pointer};

wire_enum! {
    /// Who may call a method of a REST API, or a route of an HTTP API.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum AuthorizationType {
        /// Everybody.
        #[default]
        None = "NONE",
        /// Whoever signs with credentials that IAM allows it.
        AwsIam = "AWS_IAM",
        /// Whom a custom (function) authorizer allows it.
        Custom = "CUSTOM",
        /// Whoever brings a token of a Cognito user pool.
        CognitoUserPools = "COGNITO_USER_POOLS",
        /// Whoever brings a JSON web token that the authorizer accepts.
        Jwt = "JWT",
    }
}

/// One node of a REST API's tree of paths.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Resource {
    /// The id of the resource.
    #[serde(alias = "Id")]
    pub id: String,
    /// The id of the parent; the root has none.
    #[serde(alias = "ParentId", skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// The last segment of the path, such as `pets`, `{id}` or `{proxy+}`; the root has none.
    #[serde(alias = "PathPart", skip_serializing_if = "Option::is_none")]
    pub path_part: Option<String>,
    /// The full path, beginning with `/`.
    #[serde(alias = "Path")]
    pub path: String,
    /// The methods by verb in capitals; `ANY` stands for the verbs without a method of their own.
    #[serde(
        alias = "ResourceMethods",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub resource_methods: IndexMap<String, Method>,
    /// Where in its document the path stands.
    #[serde(skip)]
    pub source: Option<Pointer>,
}

/// What a resource does for one verb, as `get-method` gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Method {
    /// The verb in capitals, or `ANY`.
    #[serde(alias = "HttpMethod")]
    pub http_method: String,
    /// Who may call the method.
    #[serde(alias = "AuthorizationType")]
    pub authorization_type: AuthorizationType,
    /// The id of the authorizer, for `CUSTOM` and `COGNITO_USER_POOLS`.
    #[serde(alias = "AuthorizerId", skip_serializing_if = "Option::is_none")]
    pub authorizer_id: Option<String>,
    /// The scopes of which a token must have one.
    #[serde(
        alias = "AuthorizationScopes",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub authorization_scopes: Vec<String>,
    /// Whether the caller needs an API key.
    #[serde(alias = "ApiKeyRequired", deserialize_with = "wire::or_default")]
    pub api_key_required: bool,
    /// The id of the request validator.
    #[serde(alias = "RequestValidatorId", skip_serializing_if = "Option::is_none")]
    pub request_validator_id: Option<String>,
    /// The name of the operation: a document's `operationId`.
    #[serde(alias = "OperationName", skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    /// The declared parameters, such as `method.request.querystring.page`, and whether each is
    /// required.
    #[serde(
        alias = "RequestParameters",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub request_parameters: IndexMap<String, bool>,
    /// The names of the models of request bodies by media type.
    #[serde(
        alias = "RequestModels",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub request_models: IndexMap<String, String>,
    /// The declared responses by status code.
    #[serde(
        alias = "MethodResponses",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub method_responses: IndexMap<String, MethodResponse>,
    /// What answers the request.
    #[serde(alias = "MethodIntegration", skip_serializing_if = "Option::is_none")]
    pub method_integration: Option<Integration>,
    /// Where in its document the operation stands.
    #[serde(skip)]
    pub source: Option<Pointer>,
}

/// A response that a method declares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct MethodResponse {
    /// The status code, three digits.
    #[serde(alias = "StatusCode", deserialize_with = "wire::status")]
    pub status_code: String,
    /// The declared headers, such as `method.response.header.Location`; the value has no effect.
    #[serde(
        alias = "ResponseParameters",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub response_parameters: IndexMap<String, bool>,
    /// The names of the models of response bodies by media type.
    #[serde(
        alias = "ResponseModels",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub response_models: IndexMap<String, String>,
}
