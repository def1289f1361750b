//! Custom domains, base paths and routing rules.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::wire::{self, Timestamp, wire_enum};
use crate::{EndpointConfiguration, Policy};

wire_enum! {
    /// What chooses the API on a domain.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum RoutingMode {
        /// Mappings only.
        #[default]
        ApiMappingOnly = "API_MAPPING_ONLY" | "BASE_PATH_MAPPING_ONLY",
        /// Routing rules only.
        RoutingRuleOnly = "ROUTING_RULE_ONLY",
        /// All routing rules first, then mappings.
        RoutingRuleThenApiMapping = "ROUTING_RULE_THEN_API_MAPPING" | "ROUTING_RULE_THEN_BASE_PATH_MAPPING",
    }
}

/// A custom domain, as `get-domain-name` of either version gives it, with its mappings and rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct DomainName {
    /// The name; its first label may be `*`.
    #[serde(alias = "DomainName")]
    pub domain_name: String,
    /// The id of a private domain.
    #[serde(alias = "DomainNameId", skip_serializing_if = "Option::is_none")]
    pub domain_name_id: Option<String>,
    /// The ARN of the domain.
    #[serde(alias = "DomainNameArn", skip_serializing_if = "Option::is_none")]
    pub domain_name_arn: Option<String>,
    /// How the domain is reached.
    #[serde(
        alias = "EndpointConfiguration",
        skip_serializing_if = "Option::is_none"
    )]
    pub endpoint_configuration: Option<EndpointConfiguration>,
    /// The TLS policy.
    #[serde(alias = "SecurityPolicy", skip_serializing_if = "Option::is_none")]
    pub security_policy: Option<String>,
    /// `BASIC` or `STRICT`.
    #[serde(alias = "EndpointAccessMode", skip_serializing_if = "Option::is_none")]
    pub endpoint_access_mode: Option<String>,
    /// The authorities whose client certificates are asked for.
    #[serde(
        alias = "MutualTlsAuthentication",
        skip_serializing_if = "Option::is_none"
    )]
    pub mutual_tls_authentication: Option<MutualTlsAuthentication>,
    /// What chooses the API; unset means mappings.
    #[serde(alias = "RoutingMode", skip_serializing_if = "Option::is_none")]
    pub routing_mode: Option<RoutingMode>,
    /// The resource policy of a private domain.
    #[serde(alias = "Policy", skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Who may manage a private domain; documentation only.
    #[serde(alias = "ManagementPolicy", skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<String>,
    /// Certificates and endpoints, as version 2 lists them.
    #[serde(
        alias = "DomainNameConfigurations",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub domain_name_configurations: Vec<DomainNameConfiguration>,
    /// The mappings of `get-base-path-mappings`.
    #[serde(
        alias = "BasePathMappings",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub base_path_mappings: Vec<BasePathMapping>,
    /// The mappings of `get-api-mappings`.
    #[serde(
        alias = "ApiMappings",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub api_mappings: Vec<ApiMapping>,
    /// The rules of `list-routing-rules`.
    #[serde(
        alias = "RoutingRules",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub routing_rules: Vec<RoutingRule>,
    /// Documentation only.
    #[serde(alias = "CertificateName", skip_serializing_if = "Option::is_none")]
    pub certificate_name: Option<String>,
    /// Documentation only.
    #[serde(alias = "CertificateArn", skip_serializing_if = "Option::is_none")]
    pub certificate_arn: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "CertificateUploadDate",
        skip_serializing_if = "Option::is_none"
    )]
    pub certificate_upload_date: Option<Timestamp>,
    /// The name that the domain's record points at.
    #[serde(alias = "RegionalDomainName", skip_serializing_if = "Option::is_none")]
    pub regional_domain_name: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "RegionalHostedZoneId",
        skip_serializing_if = "Option::is_none"
    )]
    pub regional_hosted_zone_id: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "RegionalCertificateName",
        skip_serializing_if = "Option::is_none"
    )]
    pub regional_certificate_name: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "RegionalCertificateArn",
        skip_serializing_if = "Option::is_none"
    )]
    pub regional_certificate_arn: Option<String>,
    /// The name that an edge domain's record points at.
    #[serde(
        alias = "DistributionDomainName",
        skip_serializing_if = "Option::is_none"
    )]
    pub distribution_domain_name: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "DistributionHostedZoneId",
        skip_serializing_if = "Option::is_none"
    )]
    pub distribution_hosted_zone_id: Option<String>,
    /// Documentation only.
    #[serde(alias = "DomainNameStatus", skip_serializing_if = "Option::is_none")]
    pub domain_name_status: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "DomainNameStatusMessage",
        skip_serializing_if = "Option::is_none"
    )]
    pub domain_name_status_message: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "OwnershipVerificationCertificateArn",
        skip_serializing_if = "Option::is_none"
    )]
    pub ownership_verification_certificate_arn: Option<String>,
    /// `$request.basepath`, always.
    #[serde(
        alias = "ApiMappingSelectionExpression",
        skip_serializing_if = "Option::is_none"
    )]
    pub api_mapping_selection_expression: Option<String>,
    /// Tags, kept as they are.
    #[serde(
        alias = "Tags",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub tags: IndexMap<String, String>,
}

/// A certificate and an endpoint of a domain, as version 2 lists them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct DomainNameConfiguration {
    /// The name that the domain's record points at.
    #[serde(
        alias = "ApiGatewayDomainName",
        skip_serializing_if = "Option::is_none"
    )]
    pub api_gateway_domain_name: Option<String>,
    /// Documentation only.
    #[serde(alias = "CertificateArn", skip_serializing_if = "Option::is_none")]
    pub certificate_arn: Option<String>,
    /// Documentation only.
    #[serde(alias = "CertificateName", skip_serializing_if = "Option::is_none")]
    pub certificate_name: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "CertificateUploadDate",
        skip_serializing_if = "Option::is_none"
    )]
    pub certificate_upload_date: Option<Timestamp>,
    /// Documentation only.
    #[serde(alias = "DomainNameStatus", skip_serializing_if = "Option::is_none")]
    pub domain_name_status: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "DomainNameStatusMessage",
        skip_serializing_if = "Option::is_none"
    )]
    pub domain_name_status_message: Option<String>,
    /// The endpoint type.
    #[serde(alias = "EndpointType", skip_serializing_if = "Option::is_none")]
    pub endpoint_type: Option<String>,
    /// Documentation only.
    #[serde(alias = "HostedZoneId", skip_serializing_if = "Option::is_none")]
    pub hosted_zone_id: Option<String>,
    /// `ipv4` or `dualstack`.
    #[serde(alias = "IpAddressType", skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<String>,
    /// Documentation only.
    #[serde(
        alias = "OwnershipVerificationCertificateArn",
        skip_serializing_if = "Option::is_none"
    )]
    pub ownership_verification_certificate_arn: Option<String>,
    /// The TLS policy.
    #[serde(alias = "SecurityPolicy", skip_serializing_if = "Option::is_none")]
    pub security_policy: Option<String>,
}

/// Client certificates of a domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct MutualTlsAuthentication {
    /// Where the authorities' certificates are.
    #[serde(alias = "TruststoreUri", skip_serializing_if = "Option::is_none")]
    pub truststore_uri: Option<String>,
    /// The version of that object.
    #[serde(alias = "TruststoreVersion", skip_serializing_if = "Option::is_none")]
    pub truststore_version: Option<String>,
    /// What the service found fault with.
    #[serde(
        alias = "TruststoreWarnings",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub truststore_warnings: Vec<String>,
}

/// Which API and stage answer under a base path, in the words of version 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct BasePathMapping {
    /// The base path without a leading slash; `(none)` is the empty one.
    #[serde(alias = "BasePath", skip_serializing_if = "Option::is_none")]
    pub base_path: Option<String>,
    /// The id of the API.
    #[serde(alias = "RestApiId", skip_serializing_if = "Option::is_none")]
    pub rest_api_id: Option<String>,
    /// The stage; without one the caller writes it after the base path.
    #[serde(alias = "Stage", skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
}

/// Which API and stage answer under a base path, in the words of version 2.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ApiMapping {
    /// The id of the mapping.
    #[serde(alias = "ApiMappingId", skip_serializing_if = "Option::is_none")]
    pub api_mapping_id: Option<String>,
    /// The base path without a leading slash; unset is the empty one.
    #[serde(alias = "ApiMappingKey", skip_serializing_if = "Option::is_none")]
    pub api_mapping_key: Option<String>,
    /// The id of the API.
    #[serde(alias = "ApiId", skip_serializing_if = "Option::is_none")]
    pub api_id: Option<String>,
    /// The stage.
    #[serde(alias = "Stage", skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
}

impl From<BasePathMapping> for ApiMapping {
    fn from(mapping: BasePathMapping) -> Self {
        Self {
            api_mapping_id: None,
            api_mapping_key: mapping.base_path.filter(|path| path != "(none)"),
            api_id: mapping.rest_api_id,
            stage: mapping.stage.filter(|stage| stage != "(none)"),
        }
    }
}

/// A rule that sends some requests of a domain to an API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct RoutingRule {
    /// The id of the rule.
    #[serde(alias = "RoutingRuleId", skip_serializing_if = "Option::is_none")]
    pub routing_rule_id: Option<String>,
    /// The ARN of the rule.
    #[serde(alias = "RoutingRuleArn", skip_serializing_if = "Option::is_none")]
    pub routing_rule_arn: Option<String>,
    /// Lower ones are tried first; no two are equal.
    #[serde(alias = "Priority", skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// What must hold, all of it; none hold always.
    #[serde(
        alias = "Conditions",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub conditions: Vec<RoutingCondition>,
    /// What is done: one action.
    #[serde(
        alias = "Actions",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub actions: Vec<RoutingAction>,
}

/// One condition of a routing rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct RoutingCondition {
    /// The base path must be one of these.
    #[serde(alias = "MatchBasePaths", skip_serializing_if = "Option::is_none")]
    pub match_base_paths: Option<MatchBasePaths>,
    /// A header must match one of these.
    #[serde(alias = "MatchHeaders", skip_serializing_if = "Option::is_none")]
    pub match_headers: Option<MatchHeaders>,
}

/// Base paths of a condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct MatchBasePaths {
    /// Base paths without a leading slash; letter case counts.
    #[serde(
        alias = "AnyOf",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub any_of: Vec<String>,
}

/// Headers of a condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct MatchHeaders {
    /// Header names and the patterns of their values.
    #[serde(
        alias = "AnyOf",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub any_of: Vec<MatchHeader>,
}

/// One header of a condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct MatchHeader {
    /// The name; letter case does not count.
    #[serde(alias = "Header", skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The value, with `*` at either end; letter case counts.
    #[serde(alias = "ValueGlob", skip_serializing_if = "Option::is_none")]
    pub value_glob: Option<String>,
}

/// The action of a routing rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct RoutingAction {
    /// Call an API.
    #[serde(alias = "InvokeApi", skip_serializing_if = "Option::is_none")]
    pub invoke_api: Option<InvokeApi>,
}

/// The API that a routing rule calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct InvokeApi {
    /// The id of the API.
    #[serde(alias = "ApiId", skip_serializing_if = "Option::is_none")]
    pub api_id: Option<String>,
    /// The stage.
    #[serde(alias = "Stage", skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Whether the base path that matched is taken off.
    #[serde(
        alias = "StripBasePath",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub strip_base_path: bool,
}
