//! What stands behind a method or a route.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::Pointer;
use crate::wire::{self, wire_enum};

wire_enum! {
    /// The kinds of integration.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum IntegrationType {
        /// The gateway answers by itself.
        #[default]
        Mock = "MOCK",
        /// An HTTP endpoint, with mapped requests and responses.
        Http = "HTTP",
        /// An HTTP endpoint that gets the request and gives the response.
        HttpProxy = "HTTP_PROXY",
        /// An AWS action or a function, with mapped requests and responses.
        Aws = "AWS",
        /// A function that gets the request as an event and gives the response.
        AwsProxy = "AWS_PROXY",
    }
}

impl IntegrationType {
    /// Whether request and response pass without templates and integration responses.
    #[must_use]
    pub fn is_proxy(self) -> bool {
        matches!(self, Self::HttpProxy | Self::AwsProxy)
    }
}

wire_enum! {
    /// The network that an integration is reached by.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum ConnectionType {
        /// The open network.
        #[default]
        Internet = "INTERNET",
        /// A VPC link.
        VpcLink = "VPC_LINK",
    }
}

wire_enum! {
    /// What becomes of a body whose media type has no request template.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum PassthroughBehavior {
        /// It passes as it is.
        #[default]
        WhenNoMatch = "WHEN_NO_MATCH",
        /// It passes if there are no templates at all; else 415.
        WhenNoTemplates = "WHEN_NO_TEMPLATES",
        /// 415.
        Never = "NEVER",
    }
}

wire_enum! {
    /// A conversion of bodies between bytes and base64 text.
    #[non_exhaustive]
    pub enum ContentHandling {
        /// Base64 text becomes the bytes that it stands for.
        ConvertToBinary = "CONVERT_TO_BINARY",
        /// Bytes become base64 text.
        ConvertToText = "CONVERT_TO_TEXT",
    }
}

wire_enum! {
    /// Whether a response is held until it is whole.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum ResponseTransferMode {
        /// It is held.
        #[default]
        Buffered = "BUFFERED",
        /// It is streamed.
        Stream = "STREAM",
    }
}

/// The integration of a REST API's method, as `get-integration` gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Integration {
    /// The kind of integration.
    #[serde(rename = "type", alias = "Type")]
    pub r#type: IntegrationType,
    /// The verb of the request to the endpoint; `ANY` keeps the caller's. Mocks need none.
    #[serde(alias = "HttpMethod", skip_serializing_if = "Option::is_none")]
    pub http_method: Option<String>,
    /// The endpoint: a URL, or an ARN for `AWS` and `AWS_PROXY`; it may hold
    /// `${stageVariables.name}` and `{parameter}`.
    #[serde(alias = "Uri", skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The network; unset means `INTERNET`.
    #[serde(alias = "ConnectionType", skip_serializing_if = "Option::is_none")]
    pub connection_type: Option<ConnectionType>,
    /// The id of the VPC link.
    #[serde(alias = "ConnectionId", skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// The ARN of the load balancer behind a VPC link.
    #[serde(alias = "IntegrationTarget", skip_serializing_if = "Option::is_none")]
    pub integration_target: Option<String>,
    /// The role to call with; `arn:aws:iam::*:user/*` is the caller's own identity.
    #[serde(alias = "Credentials", skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    /// What is set on the request: `integration.request.header.name` to where its value comes from.
    #[serde(
        alias = "RequestParameters",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub request_parameters: IndexMap<String, String>,
    /// Body templates by media type.
    #[serde(
        alias = "RequestTemplates",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub request_templates: IndexMap<String, String>,
    /// What becomes of a body without a template.
    #[serde(alias = "PassthroughBehavior")]
    pub passthrough_behavior: PassthroughBehavior,
    /// The conversion of request bodies; unset means none.
    #[serde(alias = "ContentHandling", skip_serializing_if = "Option::is_none")]
    pub content_handling: Option<ContentHandling>,
    /// Milliseconds to wait for the endpoint, 50 to 29000 unless the quota is raised; unset means
    /// 29000.
    #[serde(alias = "TimeoutInMillis", skip_serializing_if = "Option::is_none")]
    pub timeout_in_millis: Option<u32>,
    /// Which cached responses this method shares; unset means those of its resource.
    #[serde(alias = "CacheNamespace", skip_serializing_if = "Option::is_none")]
    pub cache_namespace: Option<String>,
    /// The parameters that are part of the cache key.
    #[serde(alias = "CacheKeyParameters", deserialize_with = "wire::list")]
    pub cache_key_parameters: Vec<String>,
    /// The responses by status code, in the order in which their patterns are tried.
    #[serde(
        alias = "IntegrationResponses",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub integration_responses: IndexMap<String, IntegrationResponse>,
    /// How the endpoint's certificate is checked.
    #[serde(alias = "TlsConfig", skip_serializing_if = "Option::is_none")]
    pub tls_config: Option<TlsConfig>,
    /// Whether the response is streamed; unset means it is not.
    #[serde(
        alias = "ResponseTransferMode",
        skip_serializing_if = "Option::is_none"
    )]
    pub response_transfer_mode: Option<ResponseTransferMode>,
    /// Where in its document the integration stands.
    #[serde(skip)]
    pub source: Option<Pointer>,
}

/// How an answer of the endpoint becomes a response of the method.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct IntegrationResponse {
    /// The status code of the response, which a method response must declare.
    #[serde(alias = "StatusCode", deserialize_with = "wire::status")]
    pub status_code: String,
    /// The regular expression that the endpoint's status or a function's error message must match;
    /// `None` is the default response.
    #[serde(alias = "SelectionPattern", skip_serializing_if = "Option::is_none")]
    pub selection_pattern: Option<String>,
    /// What is set on the response: `method.response.header.name` to where its value comes from.
    #[serde(
        alias = "ResponseParameters",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub response_parameters: IndexMap<String, String>,
    /// Body templates by media type.
    #[serde(
        alias = "ResponseTemplates",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub response_templates: IndexMap<String, String>,
    /// The conversion of response bodies; unset means none.
    #[serde(alias = "ContentHandling", skip_serializing_if = "Option::is_none")]
    pub content_handling: Option<ContentHandling>,
}

/// How the certificate of an integration's endpoint is checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct TlsConfig {
    /// Of REST APIs: accept a certificate that no known authority signed.
    #[serde(
        alias = "InsecureSkipVerification",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub insecure_skip_verification: bool,
    /// Of HTTP APIs: the name that the certificate must have.
    #[serde(alias = "ServerNameToVerify", skip_serializing_if = "Option::is_none")]
    pub server_name_to_verify: Option<String>,
}

/// The integration of an HTTP API's routes, as `get-integrations` gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct HttpIntegration {
    /// The id of the integration.
    #[serde(alias = "IntegrationId")]
    pub integration_id: String,
    /// The kind of integration: `HTTP_PROXY` or `AWS_PROXY`.
    #[serde(alias = "IntegrationType")]
    pub integration_type: IntegrationType,
    /// The AWS action of a first-class integration, such as `SQS-SendMessage`.
    #[serde(alias = "IntegrationSubtype", skip_serializing_if = "Option::is_none")]
    pub integration_subtype: Option<String>,
    /// The verb of the request to the endpoint; `ANY` keeps the caller's.
    #[serde(alias = "IntegrationMethod", skip_serializing_if = "Option::is_none")]
    pub integration_method: Option<String>,
    /// The endpoint: a URL, or the ARN of a function, a listener or a service.
    #[serde(alias = "IntegrationUri", skip_serializing_if = "Option::is_none")]
    pub integration_uri: Option<String>,
    /// The network; unset means `INTERNET`.
    #[serde(alias = "ConnectionType", skip_serializing_if = "Option::is_none")]
    pub connection_type: Option<ConnectionType>,
    /// The id of the VPC link.
    #[serde(alias = "ConnectionId", skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// The role to call with.
    #[serde(alias = "CredentialsArn", skip_serializing_if = "Option::is_none")]
    pub credentials_arn: Option<String>,
    /// What the integration is for.
    #[serde(alias = "Description", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `1.0` or `2.0`: the shape of a function's event.
    #[serde(
        alias = "PayloadFormatVersion",
        skip_serializing_if = "Option::is_none"
    )]
    pub payload_format_version: Option<String>,
    /// Parameter mapping such as `overwrite:header.name`, or the parameters of a subtype.
    #[serde(
        alias = "RequestParameters",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub request_parameters: IndexMap<String, String>,
    /// Parameter mapping of responses by status code.
    #[serde(
        alias = "ResponseParameters",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub response_parameters: IndexMap<String, IndexMap<String, String>>,
    /// Milliseconds to wait for the endpoint, 50 to 30000; unset means 30000.
    #[serde(alias = "TimeoutInMillis", skip_serializing_if = "Option::is_none")]
    pub timeout_in_millis: Option<u32>,
    /// How the endpoint's certificate is checked.
    #[serde(alias = "TlsConfig", skip_serializing_if = "Option::is_none")]
    pub tls_config: Option<TlsConfig>,
    /// Whether the service made the integration by itself.
    #[serde(
        alias = "ApiGatewayManaged",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub api_gateway_managed: bool,
    /// Of WebSocket APIs; kept as it is.
    #[serde(
        alias = "ContentHandlingStrategy",
        skip_serializing_if = "Option::is_none"
    )]
    pub content_handling_strategy: Option<ContentHandling>,
    /// Kept as it is.
    #[serde(
        alias = "IntegrationResponseSelectionExpression",
        skip_serializing_if = "Option::is_none"
    )]
    pub integration_response_selection_expression: Option<String>,
    /// Of WebSocket APIs; kept as it is.
    #[serde(alias = "PassthroughBehavior", skip_serializing_if = "Option::is_none")]
    pub passthrough_behavior: Option<PassthroughBehavior>,
    /// Of WebSocket APIs; kept as it is.
    #[serde(
        alias = "RequestTemplates",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub request_templates: IndexMap<String, String>,
    /// Of WebSocket APIs; kept as it is.
    #[serde(
        alias = "TemplateSelectionExpression",
        skip_serializing_if = "Option::is_none"
    )]
    pub template_selection_expression: Option<String>,
    /// Where in its document the integration stands.
    #[serde(skip)]
    pub source: Option<Pointer>,
}
