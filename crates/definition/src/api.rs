//! The APIs themselves: REST and HTTP, with everything that belongs to them.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::wire::{self, Timestamp, wire_enum};
use crate::{
    Authorizer, Cors, DocumentationPart, EndpointConfiguration, GatewayResponse,
    GatewayResponseType, HttpAuthorizer, HttpIntegration, Model, Policy, RequestValidator,
    Resource, Route,
};

/// One API of either kind.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the service has these two request-response kinds"
)]
pub enum Api {
    /// A REST API: resources and methods.
    Rest(Box<RestApi>),
    /// An HTTP API: routes and integrations.
    Http(Box<HttpApi>),
}

impl Api {
    /// Which kind of API this is.
    #[must_use]
    pub fn kind(&self) -> ApiKind {
        match self {
            Self::Rest(_) => ApiKind::Rest,
            Self::Http(_) => ApiKind::Http,
        }
    }

    /// The id of the API, empty until one is given.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Rest(api) => &api.id,
            Self::Http(api) => &api.api_id,
        }
    }

    /// The name of the API: its document's title.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Rest(api) => &api.name,
            Self::Http(api) => &api.name,
        }
    }

    /// The REST API, if it is one.
    #[must_use]
    pub fn as_rest(&self) -> Option<&RestApi> {
        match self {
            Self::Rest(api) => Some(api),
            Self::Http(_) => None,
        }
    }

    /// The HTTP API, if it is one.
    #[must_use]
    pub fn as_http(&self) -> Option<&HttpApi> {
        match self {
            Self::Http(api) => Some(api),
            Self::Rest(_) => None,
        }
    }
}

wire_enum! {
    /// The two kinds of API.
    #[derive(Default)]
    #[expect(clippy::exhaustive_enums, reason = "the service has these two request-response kinds")]
    pub enum ApiKind {
        /// A REST API.
        #[default]
        Rest = "rest",
        /// An HTTP API.
        Http = "http",
    }
}

wire_enum! {
    /// Where a REST API looks for the caller's API key.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum ApiKeySource {
        /// The `x-api-key` header.
        #[default]
        Header = "HEADER",
        /// `usageIdentifierKey` in the authorizer's answer.
        Authorizer = "AUTHORIZER",
    }
}

/// A REST API, as `get-rest-api` gives it, with its resources and the other things that it owns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct RestApi {
    /// The id of the API, the first label of its host name.
    #[serde(alias = "Id", alias = "restApiId", alias = "apiId")]
    pub id: String,
    /// The name, which is the title of the document it was imported from.
    #[serde(alias = "Name")]
    pub name: String,
    /// What the API is for.
    #[serde(alias = "Description", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The version that the document gives itself.
    #[serde(alias = "Version", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When the API was made.
    #[serde(alias = "CreatedDate", skip_serializing_if = "Option::is_none")]
    pub created_date: Option<Timestamp>,
    /// What the import that made this API had to say.
    #[serde(
        alias = "Warnings",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub warnings: Vec<String>,
    /// Media types whose bodies are bytes: exact, `type/*` or `*/*`.
    #[serde(
        alias = "BinaryMediaTypes",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub binary_media_types: Vec<String>,
    /// Bodies of at least so many bytes are compressed if the caller accepts it (0 to 10485760);
    /// `None` turns compression off.
    #[serde(
        alias = "MinimumCompressionSize",
        skip_serializing_if = "Option::is_none"
    )]
    pub minimum_compression_size: Option<u64>,
    /// Where the API key is looked for. The default is the header.
    #[serde(alias = "ApiKeySource")]
    pub api_key_source: ApiKeySource,
    /// How the API is reached.
    #[serde(alias = "EndpointConfiguration")]
    pub endpoint_configuration: EndpointConfiguration,
    /// The resource policy.
    #[serde(alias = "Policy", skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Whether the API answers on its custom domains only.
    #[serde(
        alias = "DisableExecuteApiEndpoint",
        deserialize_with = "wire::or_default"
    )]
    pub disable_execute_api_endpoint: bool,
    /// The id of the resource `/`.
    #[serde(alias = "RootResourceId", skip_serializing_if = "Option::is_none")]
    pub root_resource_id: Option<String>,
    /// The TLS policy of the API's own endpoint.
    #[serde(alias = "SecurityPolicy", skip_serializing_if = "Option::is_none")]
    pub security_policy: Option<String>,
    /// `BASIC` or `STRICT`.
    #[serde(alias = "EndpointAccessMode", skip_serializing_if = "Option::is_none")]
    pub endpoint_access_mode: Option<String>,
    /// What the service said of the state of the API.
    #[serde(alias = "ApiStatus", skip_serializing_if = "Option::is_none")]
    pub api_status: Option<String>,
    /// More on `api_status`.
    #[serde(alias = "ApiStatusMessage", skip_serializing_if = "Option::is_none")]
    pub api_status_message: Option<String>,
    /// Tags, kept as they are.
    #[serde(
        alias = "Tags",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub tags: IndexMap<String, String>,
    /// The resources, the root included, parents before children.
    #[serde(
        alias = "Resources",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub resources: Vec<Resource>,
    /// The authorizers, which methods name by id.
    #[serde(
        alias = "Authorizers",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub authorizers: Vec<Authorizer>,
    /// The models, which methods name by name.
    #[serde(
        alias = "Models",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub models: Vec<Model>,
    /// The request validators, which methods name by id.
    #[serde(
        alias = "RequestValidators",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub request_validators: Vec<RequestValidator>,
    /// The gateway responses that the API sets; see [`RestApi::gateway_response_table`] for all of
    /// them.
    #[serde(
        alias = "GatewayResponses",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub gateway_responses: Vec<GatewayResponse>,
    /// Documentation, which no request is touched by.
    #[serde(
        alias = "DocumentationParts",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub documentation_parts: Vec<DocumentationPart>,
}

impl RestApi {
    /// The resource at `path` (such as `/pets/{id}`), found by a walk over all of them.
    #[must_use]
    pub fn resource(&self, path: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.path == path)
    }

    /// The authorizer of this id.
    #[must_use]
    pub fn authorizer(&self, id: &str) -> Option<&Authorizer> {
        self.authorizers
            .iter()
            .find(|authorizer| authorizer.id == id)
    }

    /// The model of this name.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The request validator of this id.
    #[must_use]
    pub fn request_validator(&self, id: &str) -> Option<&RequestValidator> {
        self.request_validators
            .iter()
            .find(|validator| validator.id == id)
    }

    /// All gateway response types as `get-gateway-responses` lists them: what the API sets, with
    /// the built-in value for each part that it leaves out, and else the built-in response.
    #[must_use]
    pub fn gateway_response_table(&self) -> IndexMap<GatewayResponseType, GatewayResponse> {
        GatewayResponseType::ALL
            .iter()
            .map(|&kind| {
                let own = self
                    .gateway_responses
                    .iter()
                    .find(|own| own.response_type == Some(kind));
                (
                    kind,
                    own.map_or_else(
                        || GatewayResponse::built_in(kind),
                        GatewayResponse::completed,
                    ),
                )
            })
            .collect()
    }
}

/// An HTTP API, as `get-api` gives it, with its routes, integrations and authorizers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct HttpApi {
    /// The id of the API, the first label of its host name.
    #[serde(alias = "ApiId", alias = "id")]
    pub api_id: String,
    /// The name, which is the title of the document it was imported from.
    #[serde(alias = "Name")]
    pub name: String,
    /// What the API is for.
    #[serde(alias = "Description", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The version that the document gives itself.
    #[serde(alias = "Version", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When the API was made.
    #[serde(alias = "CreatedDate", skip_serializing_if = "Option::is_none")]
    pub created_date: Option<Timestamp>,
    /// What the import that made this API warned of.
    #[serde(
        alias = "Warnings",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub warnings: Vec<String>,
    /// What that import passed over: valid, and without effect on an HTTP API.
    #[serde(
        alias = "ImportInfo",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub import_info: Vec<String>,
    /// The address that the service gave the API.
    #[serde(alias = "ApiEndpoint", skip_serializing_if = "Option::is_none")]
    pub api_endpoint: Option<String>,
    /// Whether the service manages the API itself.
    #[serde(
        alias = "ApiGatewayManaged",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub api_gateway_managed: bool,
    /// Of WebSocket APIs; kept as it is.
    #[serde(
        alias = "ApiKeySelectionExpression",
        skip_serializing_if = "Option::is_none"
    )]
    pub api_key_selection_expression: Option<String>,
    /// CORS, which the service answers by itself if this is set.
    #[serde(alias = "CorsConfiguration", skip_serializing_if = "Option::is_none")]
    pub cors_configuration: Option<Cors>,
    /// Of WebSocket APIs; kept as it is.
    #[serde(
        alias = "DisableSchemaValidation",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub disable_schema_validation: bool,
    /// Whether the API answers on its custom domains only.
    #[serde(
        alias = "DisableExecuteApiEndpoint",
        deserialize_with = "wire::or_default"
    )]
    pub disable_execute_api_endpoint: bool,
    /// `ipv4` or `dualstack`.
    #[serde(alias = "IpAddressType", skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<String>,
    /// `HTTP`; a WebSocket API says so here.
    #[serde(alias = "ProtocolType", skip_serializing_if = "Option::is_none")]
    pub protocol_type: Option<String>,
    /// `${request.method} ${request.path}`, always.
    #[serde(
        alias = "RouteSelectionExpression",
        skip_serializing_if = "Option::is_none"
    )]
    pub route_selection_expression: Option<String>,
    /// Tags, kept as they are.
    #[serde(
        alias = "Tags",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub tags: IndexMap<String, String>,
    /// The routes.
    #[serde(
        alias = "Routes",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub routes: Vec<Route>,
    /// The integrations, which routes name by id.
    #[serde(
        alias = "Integrations",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub integrations: Vec<HttpIntegration>,
    /// The authorizers, which routes name by id.
    #[serde(
        alias = "Authorizers",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub authorizers: Vec<HttpAuthorizer>,
}

impl HttpApi {
    /// The integration of this id.
    #[must_use]
    pub fn integration(&self, id: &str) -> Option<&HttpIntegration> {
        self.integrations
            .iter()
            .find(|integration| integration.integration_id == id)
    }

    /// The authorizer of this id.
    #[must_use]
    pub fn authorizer(&self, id: &str) -> Option<&HttpAuthorizer> {
        self.authorizers
            .iter()
            .find(|authorizer| authorizer.authorizer_id == id)
    }
}
