//! Usage plans and API keys.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::wire::{self, Timestamp, wire_enum};

/// What the holders of some API keys may do, as `get-usage-plan` gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct UsagePlan {
    /// The id of the plan.
    #[serde(alias = "Id")]
    pub id: String,
    /// The name of the plan.
    #[serde(alias = "Name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the plan is for.
    #[serde(alias = "Description", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The stages that the plan opens.
    #[serde(
        alias = "ApiStages",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub api_stages: Vec<ApiStage>,
    /// The rate of each key, over all stages of the plan.
    #[serde(alias = "Throttle", skip_serializing_if = "Option::is_none")]
    pub throttle: Option<ThrottleSettings>,
    /// The number of requests of each key in a period.
    #[serde(alias = "Quota", skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaSettings>,
    /// A marketplace's product; documentation only.
    #[serde(alias = "ProductCode", skip_serializing_if = "Option::is_none")]
    pub product_code: Option<String>,
    /// The keys of the plan: ids, or the items of `get-usage-plan-keys`.
    #[serde(
        alias = "Keys",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub keys: Vec<UsagePlanKey>,
    /// Tags, kept as they are.
    #[serde(
        alias = "Tags",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub tags: IndexMap<String, String>,
}

/// A stage that a usage plan opens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ApiStage {
    /// The id of the API.
    #[serde(alias = "ApiId", skip_serializing_if = "Option::is_none")]
    pub api_id: Option<String>,
    /// The name of the stage.
    #[serde(alias = "Stage", skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Rates of single methods by `/resource/VERB`; the root is `//VERB`.
    #[serde(
        alias = "Throttle",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub throttle: IndexMap<String, ThrottleSettings>,
}

/// A token bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ThrottleSettings {
    /// Tokens added each second.
    #[serde(alias = "RateLimit", skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<f64>,
    /// Tokens that the bucket holds.
    #[serde(alias = "BurstLimit", skip_serializing_if = "Option::is_none")]
    pub burst_limit: Option<u32>,
}

/// A number of requests in a period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct QuotaSettings {
    /// Requests in one period.
    #[serde(alias = "Limit", skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The day of the period on which it begins: 0 for a day, 0 to 6 for a week, 0 to 27 for a
    /// month.
    #[serde(alias = "Offset", skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// The length of a period.
    #[serde(alias = "Period", skip_serializing_if = "Option::is_none")]
    pub period: Option<QuotaPeriod>,
}

wire_enum! {
    /// The periods of a quota.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum QuotaPeriod {
        /// A calendar day, UTC.
        #[default]
        Day = "DAY",
        /// Seven days.
        Week = "WEEK",
        /// A calendar month.
        Month = "MONTH",
    }
}

/// An API key, as `get-api-keys` gives it with its value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ApiKey {
    /// The id, which usage plans name.
    #[serde(alias = "Id")]
    pub id: String,
    /// What the caller sends.
    #[serde(alias = "Value", skip_serializing_if = "Option::is_none")]
    pub value: Option<SecretValue>,
    /// This project's own: another value that is good as well, while callers change over to the new one.
    #[serde(alias = "PreviousValue", skip_serializing_if = "Option::is_none")]
    pub previous_value: Option<SecretValue>,
    /// The name of the key.
    #[serde(alias = "Name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose key it is.
    #[serde(alias = "CustomerId", skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// What the key is for.
    #[serde(alias = "Description", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the key opens anything; the service takes a missing value for `false`.
    #[serde(alias = "Enabled", skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// When it was made.
    #[serde(alias = "CreatedDate", skip_serializing_if = "Option::is_none")]
    pub created_date: Option<Timestamp>,
    /// When it was last changed.
    #[serde(alias = "LastUpdatedDate", skip_serializing_if = "Option::is_none")]
    pub last_updated_date: Option<Timestamp>,
    /// Stages named in the old way (`apiId/stage`); documentation only.
    #[serde(
        alias = "StageKeys",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub stage_keys: Vec<serde_json::Value>,
    /// Tags, kept as they are.
    #[serde(
        alias = "Tags",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "IndexMap::is_empty"
    )]
    pub tags: IndexMap<String, String>,
}

/// A value that `Debug` does not show.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretValue(String);

impl SecretValue {
    /// Keeps `value` from `Debug`.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A key of a usage plan: an item of `get-usage-plan-keys`, or the id alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UsagePlanKey {
    /// The id of the API key.
    pub id: String,
}

impl UsagePlanKey {
    /// Names the API key of this id.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into() }
    }
}

impl<'de> Deserialize<'de> for UsagePlanKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            id: wire::id_or_object(deserializer)?,
        })
    }
}
