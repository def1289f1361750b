//! Stages: what a deployment is served under, and with which settings.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::wire::{self, Timestamp, wire_enum};

/// A stage of either kind of API, as `get-stage` gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Stage {
    /// The name, which is the first segment of paths; `$default` of an HTTP API has no segment.
    #[serde(alias = "StageName")]
    pub stage_name: String,
    /// The id of the deployment that the stage serves.
    #[serde(alias = "DeploymentId", skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// What the stage is for.
    #[serde(alias = "Description", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Stage variables.
    #[serde(
        alias = "Variables",
        alias = "stageVariables",
        alias = "StageVariables",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub variables: IndexMap<String, String>,
    /// Where access logs go, and how a line looks.
    #[serde(alias = "AccessLogSettings", skip_serializing_if = "Option::is_none")]
    pub access_log_settings: Option<AccessLogSettings>,
    /// The certificate that HTTP endpoints are shown.
    #[serde(alias = "ClientCertificateId", skip_serializing_if = "Option::is_none")]
    pub client_certificate_id: Option<String>,
    /// Tags, kept as they are.
    #[serde(
        alias = "Tags",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub tags: IndexMap<String, String>,
    /// When it was made.
    #[serde(alias = "CreatedDate", skip_serializing_if = "Option::is_none")]
    pub created_date: Option<Timestamp>,
    /// When it was last changed.
    #[serde(alias = "LastUpdatedDate", skip_serializing_if = "Option::is_none")]
    pub last_updated_date: Option<Timestamp>,
    /// Of REST APIs: settings by `*/*` or `{path}/{VERB}`.
    #[serde(
        alias = "MethodSettings",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub method_settings: IndexMap<String, MethodSetting>,
    /// Of REST APIs: the canary.
    #[serde(alias = "CanarySettings", skip_serializing_if = "Option::is_none")]
    pub canary_settings: Option<CanarySettings>,
    /// Of REST APIs: whether there is a response cache.
    #[serde(
        alias = "CacheClusterEnabled",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub cache_cluster_enabled: bool,
    /// Of REST APIs: its size in GB.
    #[serde(alias = "CacheClusterSize", skip_serializing_if = "Option::is_none")]
    pub cache_cluster_size: Option<String>,
    /// Of REST APIs: what the service said of it.
    #[serde(alias = "CacheClusterStatus", skip_serializing_if = "Option::is_none")]
    pub cache_cluster_status: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "DocumentationVersion",
        skip_serializing_if = "Option::is_none"
    )]
    pub documentation_version: Option<String>,
    /// Of REST APIs: whether requests are traced.
    #[serde(
        alias = "TracingEnabled",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub tracing_enabled: bool,
    /// Of REST APIs: the web ACL.
    #[serde(alias = "WebAclArn", skip_serializing_if = "Option::is_none")]
    pub web_acl_arn: Option<String>,
    /// Of HTTP APIs: whether a change is deployed at once.
    #[serde(
        alias = "AutoDeploy",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub auto_deploy: bool,
    /// Of HTTP APIs: the settings of all routes.
    #[serde(
        alias = "DefaultRouteSettings",
        skip_serializing_if = "Option::is_none"
    )]
    pub default_route_settings: Option<RouteSettings>,
    /// Of HTTP APIs: settings by route key.
    #[serde(
        alias = "RouteSettings",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub route_settings: IndexMap<String, RouteSettings>,
    /// Of HTTP APIs: whether the service made the stage by itself.
    #[serde(
        alias = "ApiGatewayManaged",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub api_gateway_managed: bool,
    /// Of HTTP APIs: what the service said of the last deployment.
    #[serde(
        alias = "LastDeploymentStatusMessage",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_deployment_status_message: Option<String>,
}

/// Access logs of a stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct AccessLogSettings {
    /// Where they go.
    #[serde(alias = "DestinationArn", skip_serializing_if = "Option::is_none")]
    pub destination_arn: Option<String>,
    /// A line, with `$context` variables.
    #[serde(alias = "Format", skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// Settings of the methods of a stage; what is unset is left to the next wider setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct MethodSetting {
    /// Whether there are metrics of the single method.
    #[serde(alias = "MetricsEnabled", skip_serializing_if = "Option::is_none")]
    pub metrics_enabled: Option<bool>,
    /// `OFF`, `ERROR` or `INFO`.
    #[serde(alias = "LoggingLevel", skip_serializing_if = "Option::is_none")]
    pub logging_level: Option<String>,
    /// Whether bodies are logged.
    #[serde(alias = "DataTraceEnabled", skip_serializing_if = "Option::is_none")]
    pub data_trace_enabled: Option<bool>,
    /// Tokens that the bucket holds; -1 is no limit.
    #[serde(
        alias = "ThrottlingBurstLimit",
        skip_serializing_if = "Option::is_none"
    )]
    pub throttling_burst_limit: Option<i64>,
    /// Requests each second; -1 is no limit.
    #[serde(alias = "ThrottlingRateLimit", skip_serializing_if = "Option::is_none")]
    pub throttling_rate_limit: Option<f64>,
    /// Whether responses are cached.
    #[serde(alias = "CachingEnabled", skip_serializing_if = "Option::is_none")]
    pub caching_enabled: Option<bool>,
    /// Seconds for which a response is kept, 0 to 3600.
    #[serde(alias = "CacheTtlInSeconds", skip_serializing_if = "Option::is_none")]
    pub cache_ttl_in_seconds: Option<u32>,
    /// Whether the cache is encrypted.
    #[serde(alias = "CacheDataEncrypted", skip_serializing_if = "Option::is_none")]
    pub cache_data_encrypted: Option<bool>,
    /// Whether a caller needs permission to pass the cache by.
    #[serde(
        alias = "RequireAuthorizationForCacheControl",
        skip_serializing_if = "Option::is_none"
    )]
    pub require_authorization_for_cache_control: Option<bool>,
    /// What becomes of a caller without it.
    #[serde(
        alias = "UnauthorizedCacheControlHeaderStrategy",
        skip_serializing_if = "Option::is_none"
    )]
    pub unauthorized_cache_control_header_strategy: Option<UnauthorizedCacheControl>,
}

/// The canary of a stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CanarySettings {
    /// The share of requests that the canary gets, 0.0 to 100.0.
    #[serde(alias = "PercentTraffic")]
    pub percent_traffic: f64,
    /// The deployment that the canary serves; unset is that of the stage.
    #[serde(alias = "DeploymentId", skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// Variables that replace or join those of the stage.
    #[serde(
        alias = "StageVariableOverrides",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub stage_variable_overrides: IndexMap<String, String>,
    /// Whether the canary uses the stage's cache.
    #[serde(
        alias = "UseStageCache",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub use_stage_cache: bool,
}

/// Settings of the routes of an HTTP API's stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct RouteSettings {
    /// Tokens that the bucket holds.
    #[serde(
        alias = "ThrottlingBurstLimit",
        skip_serializing_if = "Option::is_none"
    )]
    pub throttling_burst_limit: Option<i64>,
    /// Requests each second.
    #[serde(alias = "ThrottlingRateLimit", skip_serializing_if = "Option::is_none")]
    pub throttling_rate_limit: Option<f64>,
    /// Whether there are metrics of the single route.
    #[serde(
        alias = "DetailedMetricsEnabled",
        skip_serializing_if = "Option::is_none"
    )]
    pub detailed_metrics_enabled: Option<bool>,
    /// Of WebSocket APIs; kept as it is.
    #[serde(alias = "DataTraceEnabled", skip_serializing_if = "Option::is_none")]
    pub data_trace_enabled: Option<bool>,
    /// Of WebSocket APIs; kept as it is.
    #[serde(alias = "LoggingLevel", skip_serializing_if = "Option::is_none")]
    pub logging_level: Option<String>,
}

wire_enum! {
    /// What becomes of a caller who may not pass the cache by, but asks for it.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum UnauthorizedCacheControl {
        /// 403.
        FailWith403 = "FAIL_WITH_403",
        /// The cached response, with a warning in a header.
        #[default]
        SucceedWithResponseHeader = "SUCCEED_WITH_RESPONSE_HEADER",
        /// The cached response.
        SucceedWithoutResponseHeader = "SUCCEED_WITHOUT_RESPONSE_HEADER",
    }
}
