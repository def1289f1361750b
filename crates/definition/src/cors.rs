//! CORS of HTTP APIs.

use serde::{Deserialize, Serialize};

use crate::wire;

/// The CORS configuration of an HTTP API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Cors {
    /// Whether credentials may be sent; not together with the origin `*`.
    #[serde(
        alias = "AllowCredentials",
        deserialize_with = "wire::or_default",
        skip_serializing_if = "wire::is_false"
    )]
    pub allow_credentials: bool,
    /// Request headers that are allowed, or `*`.
    #[serde(
        alias = "AllowHeaders",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub allow_headers: Vec<String>,
    /// Verbs that are allowed, or `*`.
    #[serde(
        alias = "AllowMethods",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub allow_methods: Vec<String>,
    /// Exact origins, `*`, `http://*` or `https://*`.
    #[serde(
        alias = "AllowOrigins",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub allow_origins: Vec<String>,
    /// Response headers that scripts may read, or `*`.
    #[serde(
        alias = "ExposeHeaders",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub expose_headers: Vec<String>,
    /// Seconds for which a preflight may be kept, -1 to 86400.
    #[serde(alias = "MaxAge", skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i32>,
}
