//! Deployments and stages, for a person to read.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::definition::Timestamp;

/// A deployment of an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DeploymentSummary {
    /// Its id, which says what is in it: the same definition has the same one, also in another process.
    pub id: String,
    /// What whoever made it said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created_date: Timestamp,
    /// The stages that serve it.
    pub stages: Vec<String>,
}

/// A stage as it is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StageSummary {
    /// Its name.
    pub stage_name: String,
    /// The deployment that it serves.
    pub deployment_id: String,
    /// What it served before, the last first: where rolling back leads.
    pub earlier_deployment_ids: Vec<String>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Of HTTP APIs: whether each change of the definition is deployed to it at once.
    pub auto_deploy: bool,
}
