//! Deployments and documentation.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::wire::{self, Timestamp};

/// A snapshot of an API that stages point at, as `get-deployment` gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Deployment {
    /// The id of the deployment.
    #[serde(alias = "Id", alias = "deploymentId", alias = "DeploymentId")]
    pub id: String,
    /// What the deployment is for.
    #[serde(alias = "Description", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made.
    #[serde(alias = "CreatedDate", skip_serializing_if = "Option::is_none")]
    pub created_date: Option<Timestamp>,
    /// What the service sums up of the methods in it; documentation only.
    #[serde(
        alias = "ApiSummary",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub api_summary: IndexMap<String, serde_json::Value>,
    /// Of HTTP APIs: whether the service made it by itself.
    #[serde(
        alias = "AutoDeployed",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub auto_deployed: bool,
    /// Of HTTP APIs: what the service said of it.
    #[serde(alias = "DeploymentStatus", skip_serializing_if = "Option::is_none")]
    pub deployment_status: Option<String>,
    /// Of HTTP APIs: more on `deployment_status`.
    #[serde(
        alias = "DeploymentStatusMessage",
        skip_serializing_if = "Option::is_none"
    )]
    pub deployment_status_message: Option<String>,
}

/// A piece of documentation; no request is touched by it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct DocumentationPart {
    /// The id of the part.
    #[serde(alias = "Id", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the part is about.
    #[serde(alias = "Location")]
    pub location: DocumentationLocation,
    /// The content, a JSON object as text.
    #[serde(alias = "Properties", skip_serializing_if = "Option::is_none")]
    pub properties: Option<String>,
}

/// What a piece of documentation is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct DocumentationLocation {
    /// The kind of thing, such as `API`, `METHOD` or `PATH_PARAMETER`.
    #[serde(
        rename = "type",
        alias = "Type",
        skip_serializing_if = "Option::is_none"
    )]
    pub r#type: Option<String>,
    /// The path of its resource.
    #[serde(alias = "Path", skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its verb.
    #[serde(alias = "Method", skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Its status code.
    #[serde(
        alias = "StatusCode",
        deserialize_with = "wire::optional_status",
        skip_serializing_if = "Option::is_none"
    )]
    pub status_code: Option<String>,
    /// Its name.
    #[serde(alias = "Name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
