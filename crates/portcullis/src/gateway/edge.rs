//! The content network in front of edge-optimised APIs.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

/// The content network that stands in front of APIs whose endpoint type is `EDGE`, and how it tells of viewers. It is believed where its addresses are among the
/// [trusted proxies](super::GatewayBuilder::trusted_proxies).
///
/// ```
/// use http::HeaderName;
/// use portcullis::{Edge, Gateway};
///
/// let cloudfront = Edge::cloudfront();
/// let another = Edge::new()
///     .viewer_address(HeaderName::from_static("cf-connecting-ip"))
///     .viewer_country(HeaderName::from_static("cf-ipcountry"));
/// let builder = Gateway::builder().edge(another);
/// # let _ = (cloudfront, builder);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Edge {
    viewer_address: Option<HeaderName>,
    viewer_country: Option<HeaderName>,
}

/// What all headers begin with by which the service's own network tells of viewers.
const OWN: &str = "cloudfront-";
const VIEWER_ADDRESS: HeaderName = HeaderName::from_static("cloudfront-viewer-address");
const VIEWER_COUNTRY: HeaderName = HeaderName::from_static("cloudfront-viewer-country");

impl Edge {
    /// A network that tells nothing but what the [forwarding header](crate::core::ForwardingHeader) says.
    pub fn new() -> Self {
        Self::default()
    }

    /// Amazon CloudFront, with its headers `CloudFront-Viewer-Address` and `CloudFront-Viewer-Country`.
    pub fn cloudfront() -> Self {
        Self::new()
            .viewer_address(VIEWER_ADDRESS)
            .viewer_country(VIEWER_COUNTRY)
    }

    /// Takes the viewer's address, which is then the client's, from this header. A port behind it does not matter.
    pub fn viewer_address(mut self, header: HeaderName) -> Self {
        self.viewer_address = Some(header);
        self
    }

    /// Takes the viewer's country from this header. Integrations read it as `CloudFront-Viewer-Country`, whatever the network calls it.
    pub fn viewer_country(mut self, header: HeaderName) -> Self {
        self.viewer_country = Some(header);
        self
    }

    /// The viewer, as a request that the network passed on says, whose headers are put in order.
    pub(super) fn passed_on(&self, headers: &mut HeaderMap) -> Option<IpAddr> {
        if let Some(name) = &self.viewer_country
            && *name != VIEWER_COUNTRY
        {
            // The network in front knows nothing of this header, and may have passed a viewer's own one on.
            match headers.get(name).cloned() {
                Some(country) => headers.insert(VIEWER_COUNTRY, country),
                None => headers.remove(VIEWER_COUNTRY),
            };
        }
        let name = self.viewer_address.as_ref()?;
        let text = headers.get(name)?.to_str().ok()?.trim();
        match *name == VIEWER_ADDRESS {
            // It always has a port, and IPv6 has no brackets.
            true => address(text.rsplit_once(':')?.0),
            false => address(text),
        }
    }

    /// Whether a header is for the network to write.
    fn owns(&self, name: &HeaderName) -> bool {
        name.as_str().starts_with(OWN)
            || self.viewer_address.as_ref() == Some(name)
            || self.viewer_country.as_ref() == Some(name)
    }

    /// Takes away what only the network may say from a request that did not come from there.
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        if !headers.keys().any(|name| self.owns(name)) {
            return;
        }
        let names = headers.keys().filter(|name| self.owns(name));
        for name in names.cloned().collect::<Vec<_>>() {
            headers.remove(name);
        }
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse::<SocketAddr>().map(|own| own.ip());
    let address = bare.parse::<IpAddr>().or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let lines = lines.iter();
        lines
            .map(|(name, value)| {
                let value = value.parse().expect("a value");
                (HeaderName::from_static(name), value)
            })
            .collect()
    }

    #[track_caller]
    fn check(edge: &Edge, name: &'static str, value: &str, expected: Option<&str>) {
        let viewer = edge.passed_on(&mut headers(&[(name, value)]));
        assert_eq!(
            viewer.map(|viewer| viewer.to_string()).as_deref(),
            expected,
            "{value}"
        );
    }

    #[test]
    fn the_viewers_address_may_have_a_port() {
        let own = Edge::cloudfront();
        check(
            &own,
            "cloudfront-viewer-address",
            "198.51.100.10:46532",
            Some("198.51.100.10"),
        );
        check(
            &own,
            "cloudfront-viewer-address",
            "2001:db8::1:46532",
            Some("2001:db8::1"),
        );
        check(
            &own,
            "cloudfront-viewer-address",
            "[2001:db8::1]:46532",
            Some("2001:db8::1"),
        );
        check(&own, "cloudfront-viewer-address", "nobody", None);
        let other = Edge::new().viewer_address(HeaderName::from_static("cf-connecting-ip"));
        check(
            &other,
            "cf-connecting-ip",
            "2001:db8::1",
            Some("2001:db8::1"),
        );
        check(
            &other,
            "cf-connecting-ip",
            "198.51.100.10:1",
            Some("198.51.100.10"),
        );
        check(&other, "cloudfront-viewer-address", "198.51.100.10:1", None);
    }

    #[test]
    fn the_country_goes_by_the_name_that_integrations_know() {
        let edge = Edge::new().viewer_country(HeaderName::from_static("cf-ipcountry"));
        let mut own = headers(&[("cf-ipcountry", "IS"), ("cloudfront-viewer-country", "XX")]);
        edge.passed_on(&mut own);
        assert_eq!(own["cloudfront-viewer-country"], "IS");
        let mut none = headers(&[("cloudfront-viewer-country", "XX")]);
        edge.passed_on(&mut none);
        assert!(none.is_empty());
    }

    #[test]
    fn what_others_say_of_viewers_is_taken_away() {
        let edge = Edge::new().viewer_address(HeaderName::from_static("cf-connecting-ip"));
        let lines = [
            ("accept", "x"),
            ("cf-connecting-ip", "1.1.1.1"),
            ("cloudfront-is-mobile-viewer", "true"),
        ];
        let mut all = headers(&lines);
        edge.strip(&mut all);
        assert_eq!(all, headers(&lines[..1]));
    }
}
