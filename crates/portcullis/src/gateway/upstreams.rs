//! Where requests go instead of where their addresses say.

use std::collections::BTreeMap;

use super::error::GatewayFault;
use crate::client::{Client, Upstream, UpstreamPool, Upstreams, UpstreamsError};

/// Where requests go instead: another origin (`http://127.0.0.1:9000`), or a pool of several.
#[derive(Clone, Debug)]
pub struct Destination(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Origin(String),
    Pool(UpstreamPool),
}

impl Destination {
    fn upstream(&self) -> Result<Upstream, UpstreamsError> {
        match &self.0 {
            Kind::Origin(origin) => origin.parse(),
            Kind::Pool(pool) => Ok(pool.clone().into()),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Origin(own), Kind::Origin(other)) => own == other,
            (Kind::Pool(own), Kind::Pool(other)) => own.is_same(other),
            _ => false,
        }
    }
}

impl From<&str> for Destination {
    fn from(origin: &str) -> Self {
        origin.to_owned().into()
    }
}

impl From<&String> for Destination {
    fn from(origin: &String) -> Self {
        origin.clone().into()
    }
}

impl From<String> for Destination {
    fn from(origin: String) -> Self {
        Self(Kind::Origin(origin))
    }
}

impl From<UpstreamPool> for Destination {
    fn from(pool: UpstreamPool) -> Self {
        Self(Kind::Pool(pool))
    }
}

/// Names, and where each leads.
#[derive(Clone, Debug, Default)]
pub(super) struct Destinations(Vec<(String, Destination)>);

impl Destinations {
    pub(super) fn push(&mut self, name: String, destination: Destination) {
        self.0.push((name, destination));
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The origins among the places that they lead to.
    pub(super) fn origins(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(_, to)| match &to.0 {
            Kind::Origin(origin) => Some(origin.as_str()),
            Kind::Pool(_) => None,
        })
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|(own, other)| own.0 == other.0 && own.1.is_same(&other.1))
    }

    /// Goes on with the pools of `before` that are configured the same: what they know of their targets stays known.
    pub(super) fn take_pools_from(&mut self, before: &Self) {
        for (name, own) in &mut self.0 {
            let known = before.0.iter().find(|(known, _)| known == name);
            if let Some((_, known)) = known
                && known.is_same(own)
            {
                own.clone_from(known);
            }
        }
    }

    /// The pools among them, with the names that lead to them.
    pub(super) fn pools(&self) -> impl Iterator<Item = (&str, &UpstreamPool)> {
        self.0.iter().filter_map(|(name, to)| match &to.0 {
            Kind::Pool(pool) => Some((name.as_str(), pool)),
            Kind::Origin(_) => None,
        })
    }

    fn upstreams(&self) -> Result<Upstreams, UpstreamsError> {
        let mut upstreams = Upstreams::default();
        for (from, to) in &self.0 {
            upstreams = upstreams.with(from, to.upstream()?)?;
        }
        Ok(upstreams)
    }

    /// As VPC links: one that names an origin which `upstreams` lead elsewhere goes there.
    pub(super) fn links(
        &self,
        upstreams: Option<&Upstreams>,
        faults: &mut Vec<GatewayFault>,
    ) -> BTreeMap<String, Upstream> {
        let mut links = BTreeMap::new();
        for (id, to) in &self.0 {
            let elsewhere = match &to.0 {
                Kind::Origin(origin) => origin.parse().ok(),
                Kind::Pool(_) => None,
            };
            let elsewhere = elsewhere.and_then(|uri| upstreams?.find(&uri).cloned());
            match elsewhere.map_or_else(|| to.upstream(), Ok) {
                Ok(upstream) if !links.contains_key(id) => {
                    links.insert(id.clone(), upstream);
                }
                Ok(_) => {
                    let place = format_args!("vpcLinks/{id}");
                    faults.push(GatewayFault::new("", place, "is there twice"));
                }
                Err(error) => {
                    let place = format_args!("vpcLinks/{id}");
                    faults.push(GatewayFault::new("", place, error));
                }
            }
        }
        links
    }
}

/// The gateway's client: the user's, the one that was made before, or a new one.
pub(super) fn client(
    given: Option<&Client>,
    made: Option<&Client>,
    destinations: &Destinations,
) -> Result<Client, GatewayFault> {
    let upstreams = || {
        destinations
            .upstreams()
            .map_err(|error| GatewayFault::new("", "upstreams", error))
    };
    match (given, made) {
        (Some(given), _) if destinations.0.is_empty() => Ok(given.clone()),
        (Some(given), _) => match given.upstreams() {
            Some(own) => Ok(given.with_upstreams(upstreams()?.or(own))),
            None => {
                let message = "sends every request to the same place, so `upstream` cannot lead elsewhere; leave one of them out";
                Err(GatewayFault::new("", "client", message))
            }
        },
        (None, Some(made)) => Ok(made.clone()),
        (None, None) => Client::builder()
            .upstreams(upstreams()?)
            .build()
            .map_err(|error| GatewayFault::new("", "client", error)),
    }
}
