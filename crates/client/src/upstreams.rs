//! Other addresses for upstreams.

use std::collections::HashMap;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Uri};

/// Which origins stand in for which: `https://api.example.com` → `http://127.0.0.1:9000`.
///
/// So a definition runs unchanged on a laptop. A request keeps the path, the query and the `Host` that it would have
/// had.
///
/// ```
/// use portcullis_client::Upstreams;
///
/// let upstreams = Upstreams::new([("https://api.example.com", "http://127.0.0.1:9000")])?;
/// let (uri, host) = upstreams.rewrite(&"https://api.example.com/v1?a=1".parse()?).unwrap();
/// assert_eq!(uri, "http://127.0.0.1:9000/v1?a=1");
/// assert_eq!(host, "api.example.com");
/// assert!(upstreams.rewrite(&"https://www.example.com/".parse()?).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Upstreams {
    map: HashMap<Origin, Target>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Origin {
    encrypted: bool,
    host: String,
    port: u16,
}

#[derive(Clone, Debug)]
struct Target {
    scheme: Scheme,
    authority: Authority,
}

/// An entry of [`Upstreams`] that is not a pair of origins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` {fault}")]
pub struct UpstreamsError {
    entry: String,
    fault: &'static str,
}

impl Upstreams {
    /// Takes pairs of the origin that is meant and the origin to go to instead: scheme, host and port, no path.
    ///
    /// # Errors
    ///
    /// If one is not an `http` or `https` origin, or if two entries are for the same one.
    pub fn new<F, T>(pairs: impl IntoIterator<Item = (F, T)>) -> Result<Self, UpstreamsError>
    where
        F: AsRef<str>,
        T: AsRef<str>,
    {
        let mut map = HashMap::new();
        for (from, to) in pairs {
            let (from, to) = (from.as_ref(), to.as_ref());
            let source = origin_only(from)?;
            let target = origin_only(to)?.into_parts();
            let (Some(source), Some(scheme), Some(authority)) =
                (Origin::of(&source), target.scheme, target.authority)
            else {
                return Err(fault(from, NOT_AN_ORIGIN));
            };
            if map.insert(source, Target { scheme, authority }).is_some() {
                return Err(fault(from, "is there twice"));
            }
        }
        Ok(Self { map })
    }

    /// Whether there is nothing to rewrite.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Where to go instead of `uri`, and the `Host` to say; `None` if nothing stands in for it.
    #[must_use]
    pub fn rewrite(&self, uri: &Uri) -> Option<(Uri, HeaderValue)> {
        if self.map.is_empty() {
            return None;
        }
        let target = self.map.get(&Origin::of(uri)?)?;
        let host = HeaderValue::try_from(without_user(uri.authority()?)).ok()?;
        let mut parts = uri.clone().into_parts();
        parts.scheme = Some(target.scheme.clone());
        parts.authority = Some(target.authority.clone());
        Some((Uri::from_parts(parts).ok()?, host))
    }

    pub(crate) fn apply<B>(&self, request: &mut Request<B>) {
        if let Some((target, host)) = self.rewrite(request.uri()) {
            *request.uri_mut() = target;
            request.headers_mut().entry(HOST).or_insert(host);
        }
    }
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return None,
        };
        Some(Self {
            encrypted,
            host: uri.host()?.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 }),
        })
    }
}

const NOT_AN_ORIGIN: &str = "is not an origin such as `https://api.example.com`";

fn origin_only(text: &str) -> Result<Uri, UpstreamsError> {
    let uri: Uri = text.parse().map_err(|_| fault(text, NOT_AN_ORIGIN))?;
    if Origin::of(&uri).is_none() || uri.path() != "/" || uri.query().is_some() {
        return Err(fault(text, NOT_AN_ORIGIN));
    }
    Ok(uri)
}

fn fault(entry: &str, fault: &'static str) -> UpstreamsError {
    UpstreamsError {
        entry: entry.to_owned(),
        fault,
    }
}

pub(crate) fn without_user(authority: &Authority) -> &str {
    let text = authority.as_str();
    text.rsplit_once('@').map_or(text, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::Upstreams;

    #[track_caller]
    fn check(from: &str, uri: &str, expected: Option<&str>) {
        let upstreams = Upstreams::new([(from, "http://127.0.0.1:9000")]).expect("origins");
        let rewritten = upstreams.rewrite(&uri.parse().expect("a URI"));
        let rewritten = rewritten.map(|(uri, host)| format!("{uri} {}", host.to_str().unwrap()));
        assert_eq!(rewritten.as_deref(), expected);
    }

    #[test]
    fn hosts_are_compared_without_case_and_default_ports_are_known() {
        check(
            "https://API.example.com",
            "https://api.EXAMPLE.com:443/x",
            Some("http://127.0.0.1:9000/x api.EXAMPLE.com:443"),
        );
        check("https://api.example.com", "http://api.example.com/x", None);
        check(
            "https://api.example.com",
            "https://api.example.com:8443/x",
            None,
        );
    }

    #[test]
    fn only_origins_are_taken() {
        for wrong in [
            "api.example.com",
            "ftp://a.example",
            "https://a.example/x",
            "",
        ] {
            let error = Upstreams::new([(wrong, "http://localhost")]).unwrap_err();
            assert!(error.to_string().contains("is not an origin"), "{error}");
        }
    }

    #[test]
    fn one_origin_cannot_go_two_ways() {
        let twice = [
            ("https://a.example", "http://b.example"),
            ("https://a.example:443/", "http://c.example"),
        ];
        assert!(Upstreams::new(twice).is_err());
    }
}
