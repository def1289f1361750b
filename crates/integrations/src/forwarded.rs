//! Who the request came from, told to HTTP endpoints.

use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};
use portcullis_core::RequestContext;

pub(crate) const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What a REST API tells: the peer's address at the end of `X-Forwarded-For`, the scheme and the port.
///
/// What a client says about scheme and port counts only if it came through a trusted proxy.
pub(crate) fn add_x_forwarded(headers: &mut HeaderMap, context: &RequestContext) {
    let Some(connection) = context.connection() else {
        return;
    };
    let peer = connection.peer.ip().to_canonical();
    let mut own = Address::new();
    own.write(peer);
    let mut lines = headers.get_all(FOR).iter().peekable();
    if lines.peek().is_none() {
        set(headers, FOR, own.as_str());
    } else {
        let mut chain = String::with_capacity(64);
        for line in lines {
            // What is no text is no address either.
            if let Ok(line) = line.to_str()
                && !line.trim().is_empty()
            {
                chain.push_str(line.trim());
                chain.push_str(", ");
            }
        }
        chain.push_str(own.as_str());
        set(headers, FOR, &chain);
    }
    let through_proxy = context.client().is_some_and(|client| client != peer);
    if through_proxy && headers.contains_key(PROTO) {
        return;
    }
    let encrypted = connection.tls.is_some();
    let default = if encrypted { 443 } else { 80 };
    let port = connection.local.as_ref().map_or(default, SocketAddr::port);
    headers.insert(
        PROTO,
        HeaderValue::from_static(if encrypted { "https" } else { "http" }),
    );
    let port = match port {
        80 => HeaderValue::from_static("80"),
        443 => HeaderValue::from_static("443"),
        other => HeaderValue::from(other),
    };
    headers.insert(PORT, port);
}

/// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`
const LONGEST_ADDRESS: usize = 45;

/// An address as text, without an allocation.
struct Address {
    text: [u8; LONGEST_ADDRESS],
    length: usize,
}

impl Address {
    const fn new() -> Self {
        Self {
            text: [0; LONGEST_ADDRESS],
            length: 0,
        }
    }

    /// Formatting an address of IPv4 by the standard library costs ten times that.
    fn write(&mut self, address: IpAddr) {
        let IpAddr::V4(address) = address else {
            // It has room for the longest.
            let _ = write!(self, "{address}");
            return;
        };
        for (index, octet) in address.octets().into_iter().enumerate() {
            if index > 0 {
                self.push(b'.');
            }
            let digit = |number: u8| b'0' + number % 10;
            if octet >= 100 {
                self.push(digit(octet / 100));
            }
            if octet >= 10 {
                self.push(digit(octet / 10));
            }
            self.push(digit(octet));
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }
}

impl Write for Address {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}

/// What an HTTP API tells: `Forwarded` (RFC 7239), into which it turns `X-Forwarded-For`.
pub(crate) fn add_forwarded(headers: &mut HeaderMap, context: &RequestContext) {
    let host = headers.get(HOST).cloned();
    let mut chain = String::with_capacity(96);
    for line in headers.get_all(FORWARDED) {
        if let Ok(line) = line.to_str()
            && !line.trim().is_empty()
        {
            let _ = write!(chain, "{}, ", line.trim());
        }
    }
    for line in headers.get_all(FOR) {
        for entry in line.to_str().unwrap_or_default().split(',') {
            if let Some(node) = node(entry.trim()) {
                let _ = write!(chain, "for={node}, ");
            }
        }
    }
    let peer = context.connection().map(|connection| connection.peer);
    let through_proxy = match (peer, context.client()) {
        (Some(peer), Some(client)) => client != peer.ip().to_canonical(),
        _ => false,
    };
    let told = through_proxy
        .then(|| headers.get(PROTO)?.to_str().ok())
        .flatten()
        .filter(|proto| matches!(*proto, "http" | "https"));
    if let Some(connection) = context.connection() {
        if let Some(local) = connection.local {
            let _ = write!(chain, "by={};", address(local.ip()));
        }
        let _ = write!(chain, "for={};", address(connection.peer.ip()));
        if let Some(host) = host.as_ref().and_then(|host| host.to_str().ok())
            && host.bytes().all(is_host_byte)
        {
            let quote = if host.contains([':', '[']) { "\"" } else { "" };
            let _ = write!(chain, "host={quote}{host}{quote};");
        }
        let own = if connection.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let _ = write!(chain, "proto={}", told.unwrap_or(own));
    }
    for name in [FOR, PROTO, PORT, FORWARDED_HOST] {
        headers.remove(name);
    }
    let chain = chain.trim_end_matches([',', ' ']);
    if chain.is_empty() {
        headers.remove(FORWARDED);
    } else {
        set(headers, FORWARDED, chain);
    }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// An entry of `X-Forwarded-For` as a node of `Forwarded`; `None` if it is no address.
fn node(entry: &str) -> Option<String> {
    if let Ok(ip) = entry.parse::<IpAddr>() {
        return Some(address(ip));
    }
    let socket: SocketAddr = entry.parse().ok()?;
    Some(format!("\"{socket}\""))
}

fn address(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("\"[{ip}]\""),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use portcullis_core::{Connection, SystemClock, Tls};

    use super::*;

    fn context(tls: bool, client: Option<&str>) -> RequestContext {
        let context = RequestContext::new(&Request::new(()), &SystemClock::new());
        let mut connection = Connection::new("192.0.2.9:4711".parse().expect("an address"));
        connection.local = Some("192.0.2.1:8443".parse().expect("an address"));
        connection.tls = tls.then(Tls::default);
        context.set_connection(connection);
        if let Some(client) = client {
            context.set_client(client.parse().expect("an address"));
        }
        context
    }

    #[track_caller]
    fn check(
        add: fn(&mut HeaderMap, &RequestContext),
        context: &RequestContext,
        lines: &[(&'static str, &'static str)],
        expected: &[(&str, &str)],
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        add(&mut headers, context);
        let mut got: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
            .filter(|(name, _)| *name != "host")
            .collect();
        got.sort_unstable();
        assert_eq!(got, expected);
    }

    #[test]
    fn an_address_is_written_as_by_the_standard_library() {
        for text in [
            "0.0.0.0",
            "255.249.100.99",
            "10.9.101.1",
            "::1",
            "2001:db8::7",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            let mut address = Address::new();
            address.write(text.parse().expect("an address"));
            assert_eq!(address.as_str(), text);
        }
    }

    #[test]
    fn the_peer_is_appended_to_the_chain() {
        check(
            add_x_forwarded,
            &context(true, None),
            &[
                ("x-forwarded-for", "10.0.0.1, 10.0.0.2"),
                ("x-forwarded-for", "10.0.0.3"),
                ("x-forwarded-proto", "gopher"),
                ("x-forwarded-port", "1"),
            ],
            &[
                ("x-forwarded-for", "10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.9"),
                ("x-forwarded-port", "8443"),
                ("x-forwarded-proto", "https"),
            ],
        );
    }

    #[test]
    fn a_trusted_proxys_word_on_the_scheme_stands() {
        check(
            add_x_forwarded,
            &context(false, Some("10.0.0.1")),
            &[
                ("x-forwarded-for", "10.0.0.1"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-port", "443"),
            ],
            &[
                ("x-forwarded-for", "10.0.0.1, 192.0.2.9"),
                ("x-forwarded-port", "443"),
                ("x-forwarded-proto", "https"),
            ],
        );
    }

    #[test]
    fn an_http_api_speaks_of_forwarded() {
        check(
            add_forwarded,
            &context(true, None),
            &[
                ("host", "api.example.com:8443"),
                ("forwarded", "for=10.9.9.9"),
                ("x-forwarded-for", "10.0.0.1, ::1, nonsense;for=x"),
                ("x-forwarded-host", "evil"),
                ("x-forwarded-proto", "gopher"),
            ],
            &[(
                "forwarded",
                "for=10.9.9.9, for=10.0.0.1, for=\"[::1]\", by=192.0.2.1;for=192.0.2.9;host=\"api.example.com:8443\";proto=https",
            )],
        );
    }

    #[test]
    fn nothing_is_made_up_about_an_unknown_connection() {
        let context = RequestContext::new(&Request::new(()), &SystemClock::new());
        check(add_x_forwarded, &context, &[], &[]);
        check(
            add_forwarded,
            &context,
            &[("x-forwarded-proto", "https")],
            &[],
        );
    }
}
