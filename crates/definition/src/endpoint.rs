//! How an API or a domain is reached.

use serde::{Deserialize, Serialize};

use crate::wire::{self, wire_enum};

wire_enum! {
    /// The kinds of endpoint, which differ in limits and in what they do to header names.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum EndpointType {
        /// Behind the service's content network; the default of REST APIs.
        #[default]
        Edge = "EDGE",
        /// In one region; what HTTP APIs always are.
        Regional = "REGIONAL",
        /// Reached from private networks alone.
        Private = "PRIVATE",
    }
}

/// How an API or a domain is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct EndpointConfiguration {
    /// The endpoint type: one of them, in practice.
    #[serde(
        alias = "Types",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub types: Vec<EndpointType>,
    /// `ipv4` or `dualstack`.
    #[serde(alias = "IpAddressType", skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<String>,
    /// The endpoints through which a private API is reached.
    #[serde(
        alias = "VpcEndpointIds",
        deserialize_with = "wire::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub vpc_endpoint_ids: Vec<String>,
}

impl EndpointConfiguration {
    /// The endpoint type that is in force: the first of the list, or `Edge` for an empty one.
    #[must_use]
    pub fn endpoint_type(&self) -> EndpointType {
        self.types.first().copied().unwrap_or_default()
    }
}
