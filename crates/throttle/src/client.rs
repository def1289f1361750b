//! The address of the client as a key.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use portcullis_core::{ConfigError, Head, RequestContext, TrustedProxies};

use crate::key::KeyWriter;

/// The address of the client, as a [`Key`](crate::Key).
///
/// By default it is the one that the request's context has, where `serve` or another outer layer put it. An application whose server says otherwise
/// who is connected (axum's `ConnectInfo`) says so here, with the proxies that it trusts:
///
/// ```
/// use axum::extract::ConnectInfo;
/// use portcullis_core::TrustedProxies;
/// use portcullis_throttle::{ClientAddress, Key};
/// use std::net::SocketAddr;
///
/// let client = ClientAddress::new()
///     .peer(|head| head.extensions().get().map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip()))
///     .trust(TrustedProxies::new(["10.0.0.0/8".parse()?]))
///     .v6_prefix(56)?;
/// let key = Key::from(client);
/// # let _ = key;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientAddress {
    proxies: Option<TrustedProxies>,
    peer: Option<Arc<Peer>>,
    v4_mask: u32,
    v6_mask: u128,
}

type Peer = dyn Fn(&Head<'_>) -> Option<IpAddr> + Send + Sync;

impl ClientAddress {
    /// The client of the request's context; whole IPv4 addresses, the first 64 bits of IPv6 addresses.
    pub const fn new() -> Self {
        Self {
            proxies: None,
            peer: None,
            v4_mask: u32::MAX,
            v6_mask: u128::MAX << 64,
        }
    }

    /// Finds the other end of the connection by `peer`.
    pub fn peer(
        mut self,
        peer: impl Fn(&Head<'_>) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Some(Arc::new(peer));
        self
    }

    /// Believes these proxies, and nobody else, about the client.
    pub fn trust(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = Some(proxies);
        self
    }

    /// Takes IPv6 addresses with the same first `bits` for one client: 64 unless this says otherwise.
    ///
    /// # Errors
    ///
    /// If it is not 1 to 128.
    pub fn v6_prefix(mut self, bits: u8) -> Result<Self, ConfigError> {
        if !(1..=128).contains(&bits) {
            let fix = "give 1 to 128";
            return Err(ConfigError::new(
                "v6Prefix",
                bits,
                "is no prefix of an IPv6 address",
                fix,
            ));
        }
        self.v6_mask = u128::MAX << (128 - bits);
        Ok(self)
    }

    /// Takes IPv4 addresses with the same first `bits` for one client: 32 unless this says otherwise.
    ///
    /// # Errors
    ///
    /// If it is not 1 to 32.
    pub fn v4_prefix(mut self, bits: u8) -> Result<Self, ConfigError> {
        if !(1..=32).contains(&bits) {
            let fix = "give 1 to 32";
            return Err(ConfigError::new(
                "v4Prefix",
                bits,
                "is no prefix of an IPv4 address",
                fix,
            ));
        }
        self.v4_mask = u32::MAX << (32 - bits);
        Ok(self)
    }

    /// The client that sent a request with this head.
    pub(crate) fn of(&self, head: &Head<'_>) -> Option<IpAddr> {
        let context = head.context();
        let peer = match &self.peer {
            Some(peer) => peer(head)?,
            None if self.proxies.is_none() => return context?.client(),
            None => context.and_then(RequestContext::connection)?.peer.ip(),
        };
        Some(match &self.proxies {
            Some(proxies) => proxies.client(peer, head.headers()),
            None => peer,
        })
    }

    /// Writes what counts of `address`.
    pub(crate) fn write(&self, address: IpAddr, key: &mut KeyWriter<'_>) {
        key.address(match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & self.v4_mask)),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & self.v6_mask)),
        });
    }
}

impl Default for ClientAddress {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAddress")
            .field("proxies", &self.proxies)
            .field("v4_prefix", &self.v4_mask.leading_ones())
            .field("v6_prefix", &self.v6_mask.leading_ones())
            .finish_non_exhaustive()
    }
}
