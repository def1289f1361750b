//! Other addresses for upstreams.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri};

use crate::upstream_pool::UpstreamPool;

/// Which origins stand in for which: `https://api.example.com` → `http://127.0.0.1:9000`, or a [pool](UpstreamPool) of several.
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
    map: HashMap<Origin, Upstream>,
}

/// Where requests go instead of their own origin: another origin, or a [pool](UpstreamPool) of several.
///
/// ```
/// use portcullis_client::{Upstream, UpstreamPool, Upstreams};
///
/// let pool = UpstreamPool::builder().targets(["http://10.0.0.1:9000", "http://10.0.0.2:9000"]).build()?;
/// let upstreams = Upstreams::default()
///     .with("https://api.example.com", pool.into())?
///     .with("https://www.example.com", "http://127.0.0.1:8080".parse()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Upstream(pub(crate) Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Origin(Target),
    Pool(UpstreamPool),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Origin {
    encrypted: bool,
    host: String,
    port: u16,
}

/// An origin as it is written into requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
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
        let mut upstreams = Self::default();
        for (from, to) in pairs {
            upstreams = upstreams.with(from.as_ref(), to.as_ref().parse()?)?;
        }
        Ok(upstreams)
    }

    /// The same with one more.
    ///
    /// # Errors
    ///
    /// If `from` is not an `http` or `https` origin, or if there is an entry for it already.
    pub fn with(mut self, from: &str, upstream: Upstream) -> Result<Self, UpstreamsError> {
        let source = origin_only(from).as_ref().and_then(Origin::of);
        let source = source.ok_or_else(|| not_an_origin(from))?;
        if self.map.insert(source, upstream).is_some() {
            return Err(fault(from, "is there twice"));
        }
        Ok(self)
    }

    /// Both of them; where both have an entry, this one's counts.
    #[must_use]
    pub fn or(mut self, others: &Self) -> Self {
        for (from, upstream) in &others.map {
            let entry = self.map.entry(from.clone());
            entry.or_insert_with(|| upstream.clone());
        }
        self
    }

    /// Whether there is nothing to rewrite.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// What stands in for the origin of `uri`, if anything does.
    #[must_use]
    pub fn find(&self, uri: &Uri) -> Option<&Upstream> {
        if self.map.is_empty() {
            return None;
        }
        self.map.get(&Origin::of(uri)?)
    }

    /// Where to go instead of `uri`, and the `Host` to say; `None` if nothing stands in for it, or a pool does.
    #[must_use]
    pub fn rewrite(&self, uri: &Uri) -> Option<(Uri, HeaderValue)> {
        match &self.find(uri)?.0 {
            Kind::Origin(target) => target.rewrite(uri),
            Kind::Pool(_) => None,
        }
    }
}

impl FromStr for Upstream {
    type Err = UpstreamsError;

    /// Takes an origin: scheme, host and port, no path.
    fn from_str(text: &str) -> Result<Self, UpstreamsError> {
        let target = Target::parse(text).ok_or_else(|| not_an_origin(text))?;
        Ok(Self(Kind::Origin(target)))
    }
}

impl From<UpstreamPool> for Upstream {
    fn from(pool: UpstreamPool) -> Self {
        Self(Kind::Pool(pool))
    }
}

impl Target {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts = origin_only(text)?.into_parts();
        Some(Self {
            scheme: parts.scheme?,
            authority: parts.authority?,
        })
    }

    /// The address of this path there.
    pub(crate) fn at(&self, path: PathAndQuery) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
    }

    /// `uri` at this origin, and the `Host` that is meant.
    fn rewrite(&self, uri: &Uri) -> Option<(Uri, HeaderValue)> {
        let host = HeaderValue::try_from(without_user(uri.authority()?)).ok()?;
        let mut parts = uri.clone().into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        Some((Uri::from_parts(parts).ok()?, host))
    }

    pub(crate) fn apply<B>(&self, request: &mut Request<B>) {
        if let Some((target, host)) = self.rewrite(request.uri()) {
            *request.uri_mut() = target;
            request.headers_mut().entry(HOST).or_insert(host);
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
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

pub(crate) const NOT_AN_ORIGIN: &str = "is not an origin such as `https://api.example.com`";

fn origin_only(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let only = Origin::of(&uri).is_some() && uri.path() == "/" && uri.query().is_none();
    only.then_some(uri)
}

/// What keeps a text from being an origin, and what to write.
fn not_an_origin(text: &str) -> UpstreamsError {
    let bare = || format!("http://{text}").parse::<Uri>();
    let said = match text.parse::<Uri>() {
        _ if text.contains("://")
            && !text.starts_with("http://")
            && !text.starts_with("https://") =>
        {
            "has another scheme than `http` and `https`"
        }
        Ok(uri) if Origin::of(&uri).is_some() => {
            "has a path or a query; write only scheme, host and port, like `https://api.example.com`"
        }
        _ if !text.contains("://") && bare().is_ok_and(|uri| Origin::of(&uri).is_some()) => {
            "has no scheme; write `https://` or `http://` before it"
        }
        _ => NOT_AN_ORIGIN,
    };
    fault(text, said)
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
        for (wrong, said) in [
            ("api.example.com", "has no scheme; write `https://`"),
            ("api.example.com:8443", "has no scheme; write `https://`"),
            ("ftp://a.example", "has another scheme"),
            ("https://a.example/x", "has a path or a query"),
            ("", "is not an origin"),
        ] {
            let error = Upstreams::new([(wrong, "http://localhost")]).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
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
