//! VPC endpoints, as networks.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// A VPC endpoint, which in this process is a network: requests from there came through it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct VpcEndpoint {
    /// `vpce-…`, the value of `aws:SourceVpce`.
    pub vpc_endpoint_id: String,
    /// `vpc-…`, the value of `aws:SourceVpc`.
    #[serde(default)]
    pub vpc_id: Option<String>,
    /// The networks of the clients that come through it.
    pub networks: Vec<IpNet>,
}

impl VpcEndpoint {
    /// An endpoint of this id for clients in these networks.
    #[must_use]
    pub fn new(id: impl Into<String>, networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self {
            vpc_endpoint_id: id.into(),
            vpc_id: None,
            networks: networks.into_iter().collect(),
        }
    }

    /// In the VPC of this id.
    #[must_use]
    pub fn in_vpc(mut self, id: impl Into<String>) -> Self {
        self.vpc_id = Some(id.into());
        self
    }
}

/// The VPC endpoints that requests can come through.
///
/// ```
/// use portcullis_auth::access::{VpcEndpoint, VpcEndpoints};
///
/// let office = VpcEndpoint::new("vpce-1", ["10.1.0.0/16".parse()?]).in_vpc("vpc-1");
/// let endpoints = VpcEndpoints::new([office]);
/// assert_eq!(endpoints.of("10.1.2.3".parse()?).map(|own| own.vpc_endpoint_id.as_str()), Some("vpce-1"));
/// assert!(endpoints.of("203.0.113.7".parse()?).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VpcEndpoints(Box<[VpcEndpoint]>);

impl VpcEndpoints {
    /// These.
    #[must_use]
    pub fn new(endpoints: impl IntoIterator<Item = VpcEndpoint>) -> Self {
        Self(endpoints.into_iter().collect())
    }

    /// The endpoint through which the client at `address` comes; of several, the one with the narrowest network.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Option<&VpcEndpoint> {
        let address = address.to_canonical();
        let networks = |own: &VpcEndpoint| {
            own.networks
                .iter()
                .filter(|network| network.contains(&address))
                .map(IpNet::prefix_len)
                .max()
        };
        self.0
            .iter()
            .filter_map(|own| Some((networks(own)?, own)))
            .max_by_key(|(length, _)| *length)
            .map(|(_, own)| own)
    }
}
