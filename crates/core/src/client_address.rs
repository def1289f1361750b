//! The connection a request came by, and the client behind trusted proxies.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::client_certificate::ClientCertificate;

/// Facts of a connection, which its listener puts into each request's
/// [`RequestContext`](crate::RequestContext).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connection {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// This end of it.
    pub local: Option<SocketAddr>,
    /// Set when the connection is encrypted.
    pub tls: Option<Tls>,
}

impl Connection {
    /// A connection in the clear.
    #[must_use]
    pub const fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            local: None,
            tls: None,
        }
    }
}

/// What was agreed on when an encrypted connection was opened.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Tls {
    /// `TLSv1.3`
    pub version: Option<Arc<str>>,
    /// The cipher's IANA name.
    pub cipher_suite: Option<Arc<str>>,
    /// The host that the client asked for (SNI).
    pub server_name: Option<Arc<str>>,
    /// The certificate that the client showed, if the listener asked for one and found it good.
    pub client_certificate: Option<Arc<ClientCertificate>>,
}

/// The proxies whose word about the client is believed, and how they give it.
///
/// Without any, the client is the peer of the connection, whatever headers say. With some, the
/// chain of addresses is walked from the peer outwards for as long as each hop is trusted, and
/// the first that is not is the client.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use portcullis_core::TrustedProxies;
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8".parse()?]);
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6, 192.0.2.7, 10.0.0.2"));
/// assert_eq!(proxies.client("10.0.0.1".parse()?, &headers).to_string(), "192.0.2.7");
/// assert_eq!(proxies.client("203.0.113.9".parse()?, &headers).to_string(), "203.0.113.9");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    header: ForwardingHeader,
}

/// The header in which a trusted proxy names the client.
///
/// Only one is read: a proxy that sets one passes a client's own other one on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`, the custom of most proxies.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl TrustedProxies {
    /// Trusts the hops in these networks.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self {
            networks: networks.into_iter().collect(),
            header: ForwardingHeader::default(),
        }
    }

    /// Reads this header instead of `X-Forwarded-For`.
    #[must_use]
    pub const fn with_header(mut self, header: ForwardingHeader) -> Self {
        self.header = header;
        self
    }

    /// Whether no proxy is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// Whether the hop with this address is believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }

    /// The client of a request that came from `peer` with these headers.
    ///
    /// An entry that is no address ends the walk: what lies behind it cannot be believed, and the last
    /// believed hop is taken for the client.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if self.networks.is_empty() || !self.trusts(client) {
            return client;
        }
        let name = match self.header {
            ForwardingHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardingHeader::Forwarded => header::FORWARDED,
        };
        // Later lines were added by later hops, and so were later entries of a line.
        for line in headers.get_all(name).iter().rev() {
            let Ok(line) = line.to_str() else {
                return client;
            };
            for entry in line.rsplit(',') {
                let address = match self.header {
                    ForwardingHeader::XForwardedFor => parse_address(entry),
                    ForwardingHeader::Forwarded => forwarded_for(entry).and_then(parse_address),
                };
                let Some(address) = address else {
                    return client;
                };
                client = address;
                if !self.trusts(client) {
                    return client;
                }
            }
        }
        client
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The `for` parameter of one element of `Forwarded`. (Quoted strings with commas do not occur in addresses.)
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("for")
            .then(|| value.trim().trim_matches('"'))
    })
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => match text.parse::<SocketAddr>() {
            Ok(socket) => socket.ip(),
            Err(_) => text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{ForwardingHeader, TrustedProxies};

    fn proxies() -> TrustedProxies {
        TrustedProxies::new([
            "10.0.0.0/8".parse().expect("a network"),
            "2001:db8::/32".parse().expect("a network"),
        ])
    }

    #[track_caller]
    fn check(proxies: &TrustedProxies, peer: &str, lines: &[(&'static str, &str)], expected: &str) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let client = proxies.client(peer.parse().expect("an address"), &headers);
        assert_eq!(client.to_string(), expected);
    }

    #[test]
    fn nobody_is_believed_by_default() {
        let lines = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
        ];
        check(&TrustedProxies::default(), "10.0.0.1", &lines, "10.0.0.1");
    }

    #[test]
    fn the_client_is_the_first_hop_that_is_not_trusted() {
        let forged = [("x-forwarded-for", "1.1.1.1, 192.0.2.1, 10.1.1.1")];
        check(&proxies(), "10.0.0.1", &forged, "192.0.2.1");
        let two_lines = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "192.0.2.1"),
        ];
        check(&proxies(), "10.0.0.1", &two_lines, "192.0.2.1");
        check(&proxies(), "192.0.2.200", &forged, "192.0.2.200");
    }

    #[test]
    fn only_the_chosen_header_is_read() {
        let lines = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.2;proto=https"),
        ];
        check(&proxies(), "10.0.0.1", &lines, "192.0.2.1");
        let forwarded = proxies().with_header(ForwardingHeader::Forwarded);
        check(&forwarded, "10.0.0.1", &lines, "192.0.2.2");
        let v6 = [("forwarded", r#"for="[2001:db9::1]:4711", for=10.2.2.2"#)];
        check(&forwarded, "10.0.0.1", &v6, "2001:db9::1");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        check(
            &proxies(),
            "10.0.0.1",
            &[("x-forwarded-for", "192.0.2.1, unknown")],
            "10.0.0.1",
        );
        check(
            &proxies(),
            "10.0.0.1",
            &[("x-forwarded-for", "192.0.2.1:99")],
            "192.0.2.1",
        );
        check(
            &proxies(),
            "::ffff:10.0.0.1",
            &[("x-forwarded-for", "192.0.2.1")],
            "192.0.2.1",
        );
    }
}
