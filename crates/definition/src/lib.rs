//! API definitions as plain data, under the names that Amazon API Gateway gives them.
//!
//! What the service's tools print (`get-rest-api`, `get-resources --embed methods`, `get-stage`,
//! `get-usage-plans`, `get-api-keys`, `get-domain-name`, and their counterparts for HTTP APIs)
//! deserialises as it is:
//!
//! ```
//! use portcullis_definition::{IntegrationType, List, Resource, read};
//!
//! let printed = serde_json::json!({"items": [{
//!     "id": "abc123", "path": "/pets",
//!     "resourceMethods": {"GET": {
//!         "httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": true,
//!         "methodIntegration": {"type": "http_proxy", "uri": "http://pets.test", "httpMethod": "GET"},
//!     }},
//! }]});
//! let resources = read::<List<Resource>>(&printed)?;
//! assert!(resources.unknown.is_empty());
//!
//! let get = &resources.value.0[0].resource_methods["GET"];
//! assert!(get.api_key_required);
//! let integration = get.method_integration.as_ref().unwrap();
//! assert_eq!(integration.r#type, IntegrationType::HttpProxy);
//! # Ok::<(), portcullis_definition::ReadError>(())
//! ```
//!
//! # Semantics
//!
//! - Names are read in camelCase and in PascalCase, and written in camelCase.
//! - Lists are bare arrays or objects with the array under `items`, `Items` or `item`.
//! - Dates are ISO 8601 text or seconds since 1970, and stay what they were ([`Timestamp`]).
//! - Status codes are text or numbers. Words such as `HTTP_PROXY` are read in any letter case.
//! - A policy is an object, or its JSON text, escaped once or twice ([`Policy`]).
//! - [`read`] names every field that nothing took up by its JSON pointer.
//!
//! # Caveats
//!
//! Nothing here says whether a definition makes sense: only stages check their names and
//! variables ([`Stage::faults`]), because what breaks them is written by hand. Documents are
//! checked where they are imported.
//!
//! # Features
//!
//! None.

mod api;
mod authorizer;
mod cors;
mod deployment;
mod domain;
mod endpoint;
mod fields;
mod gateway_response;
mod integration;
mod model;
mod pointer;
mod policy;
mod read;
mod resource;
mod route;
mod stage;
mod stage_check;
mod usage_plan;
mod validator;
mod wire;

pub use api::{Api, ApiKeySource, ApiKind, HttpApi, RestApi};
pub use authorizer::{
    AdditionalClaim, Authorizer, AuthorizerType, HttpAuthorizer, JwtConfiguration, JwtIssuer,
};
pub use cors::Cors;
pub use deployment::{Deployment, DocumentationLocation, DocumentationPart};
pub use domain::{
    ApiMapping, BasePathMapping, DomainName, DomainNameConfiguration, InvokeApi, MatchBasePaths,
    MatchHeader, MatchHeaders, MutualTlsAuthentication, RoutingAction, RoutingCondition,
    RoutingMode, RoutingRule,
};
pub use endpoint::{EndpointConfiguration, EndpointType};
pub use fields::known_fields;
pub use gateway_response::{GatewayResponse, GatewayResponseType};
pub use integration::{
    ConnectionType, ContentHandling, HttpIntegration, Integration, IntegrationResponse,
    IntegrationType, PassthroughBehavior, ResponseTransferMode, TlsConfig,
};
pub use model::Model;
pub use pointer::Pointer;
pub use policy::Policy;
pub use read::{Read, ReadError, read};
pub use resource::{AuthorizationType, Method, MethodResponse, Resource};
pub use route::Route;
pub use stage::{
    AccessLogSettings, CanarySettings, MethodSetting, RouteSettings, Stage,
    UnauthorizedCacheControl,
};
pub use stage_check::{StageFault, check_stage_name, check_stage_variable};
pub use usage_plan::{
    ApiKey, ApiStage, QuotaPeriod, QuotaSettings, SecretValue, ThrottleSettings, UsagePlan,
    UsagePlanKey,
};
pub use validator::RequestValidator;
pub use wire::{List, Timestamp, UnknownWord};
