//! What a cache by RFC 9111 does where the standard leaves a choice.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use portcullis_core::ConfigError;
use serde::Deserialize;

use super::surrogate;
use super::terms::Heuristic;

/// What a cache by RFC 9111 does where the standard leaves a choice. See the [module](super) for an example.
#[derive(Clone, Debug)]
pub struct HttpCacheRules {
    /// How the cache calls itself in `Cache-Status`, as a structured field writes it; empty if it does not.
    pub(crate) name: Box<str>,
    pub(crate) scope: Box<[u8]>,
    pub(crate) targets: Box<[HeaderName]>,
    pub(crate) surrogate: Option<Surrogate>,
    pub(crate) heuristic: Heuristic,
    /// In seconds.
    pub(crate) disconnected: u32,
    /// In seconds.
    pub(crate) keep: u32,
    pub(crate) set_cookie: SetCookie,
    obeys_requests: bool,
    pub(crate) max_body: usize,
}

/// This cache as a surrogate of its origin.
#[derive(Clone, Debug)]
pub(crate) struct Surrogate {
    pub(crate) device: Box<str>,
    pub(crate) capability: HeaderValue,
}

/// What becomes of responses that set a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SetCookie {
    /// They are not stored: what they set is somebody's.
    #[default]
    Refuse,
    /// They are stored without the cookie.
    Strip,
    /// They are stored like any other, and everybody is sent the same cookie. RFC 9111 (section 7.3) leaves it to the origin to forbid that; many do not
    /// think of it.
    Replay,
}

impl HttpCacheRules {
    /// Starts with the defaults.
    pub fn builder() -> HttpCacheRulesBuilder {
        HttpCacheRulesBuilder::default()
    }

    pub(crate) const fn obeys_requests(&self) -> bool {
        self.obeys_requests
    }
}

impl Default for HttpCacheRules {
    fn default() -> Self {
        Self::builder()
            .build()
            .expect("the defaults are rules that can be kept")
    }
}

/// Builds [`HttpCacheRules`].
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpCacheRulesBuilder {
    name: Option<String>,
    scope: Vec<u8>,
    targets: Vec<String>,
    surrogate: Option<String>,
    heuristic: f64,
    max_heuristic: Duration,
    disconnected: Duration,
    keep: Duration,
    set_cookie: SetCookie,
    obeys_requests: bool,
    max_body: usize,
}

impl Default for HttpCacheRulesBuilder {
    fn default() -> Self {
        Self {
            name: Some("Portcullis".to_owned()),
            scope: Vec::new(),
            targets: vec!["cdn-cache-control".to_owned()],
            surrogate: None,
            heuristic: 0.1,
            max_heuristic: DAY,
            disconnected: Duration::from_secs(3600),
            keep: DAY,
            set_cookie: SetCookie::default(),
            obeys_requests: true,
            max_body: 8 * 1024 * 1024,
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);

impl HttpCacheRulesBuilder {
    /// How the cache calls itself in `Cache-Status` (RFC 9211). Default: `Portcullis`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds no `Cache-Status` to responses.
    pub fn without_status(mut self) -> Self {
        self.name = None;
        self
    }

    /// What keys begin with, so that several layers share a cache without sharing responses, and [`Purge::scope`](crate::Purge::scope) finds those of one. Default: nothing.
    pub fn scope(mut self, scope: impl Into<Vec<u8>>) -> Self {
        self.scope = scope.into();
        self
    }

    /// The fields that go before `Cache-Control` and `Expires`, the first one first (RFC 9213). Default: `CDN-Cache-Control`.
    pub fn targeted_fields(mut self, names: impl IntoIterator<Item: Into<String>>) -> Self {
        self.targets = names.into_iter().map(Into::into).collect();
        self
    }

    /// Also reads `Surrogate-Control`, the field that came before RFC 9213, and says to the origin by `Surrogate-Capability` that it does, under this name (a word).
    /// It goes before `Cache-Control`, and after targeted fields.
    pub fn surrogate(mut self, device: impl Into<String>) -> Self {
        self.surrogate = Some(device.into());
        self
    }

    /// How long a response with `Last-Modified` is fresh where its origin says nothing: this part of the time since it was last modified, and no longer than
    /// `at_most` (RFC 9111 section 4.2.2). Default: 0.1, a day. 0 switches it off.
    pub const fn heuristic_freshness(mut self, part: f64, at_most: Duration) -> Self {
        self.heuristic = part;
        self.max_heuristic = at_most;
        self
    }

    /// For how long a stale response is served where the origin does not answer at all, unless it forbids that (RFC 9111 section 4.2.4). Errors that the
    /// origin itself answers are replaced only where its `stale-if-error` says so. Default: an hour.
    pub const fn stale_when_disconnected(mut self, at_most: Duration) -> Self {
        self.disconnected = at_most;
        self
    }

    /// For how long a stale response is kept that can be confirmed by `ETag` or `Last-Modified`. Default: a day.
    pub const fn keep_stale(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// What becomes of responses that set a cookie. Default: they are not stored.
    pub const fn set_cookie(mut self, rule: SetCookie) -> Self {
        self.set_cookie = rule;
        self
    }

    /// Whether `Cache-Control` of requests counts. Without it, clients cannot make the origin work by `no-cache` and the like; `only-if-cached` counts
    /// nevertheless, and so does `no-store`, as far as storing goes. Default: it does.
    pub const fn obey_requests(mut self, obey: bool) -> Self {
        self.obeys_requests = obey;
        self
    }

    /// The longest body that is stored, in bytes. Longer ones pass. Default: 8 MiB.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Checks the rules.
    ///
    /// # Errors
    ///
    /// If a name is none, or a number is out of bounds.
    pub fn build(self) -> Result<HttpCacheRules, ConfigError> {
        let name = match self.name {
            None => String::new(),
            Some(name) => structured_name(&name)?,
        };
        if !(0.0..=1.0).contains(&self.heuristic) {
            let fault = "is no part";
            return Err(ConfigError::new(
                "heuristic",
                self.heuristic,
                fault,
                "give a number from 0 to 1",
            ));
        }
        Ok(HttpCacheRules {
            name: name.into(),
            scope: self.scope.into(),
            targets: names("targetedFields", &self.targets)?,
            surrogate: self.surrogate.map(Surrogate::new).transpose()?,
            heuristic: Heuristic {
                // Between 0 and 1000, as checked above.
                per_mille: (self.heuristic * 1000.0).round() as u32,
                most: seconds(self.max_heuristic),
            },
            disconnected: seconds(self.disconnected),
            keep: seconds(self.keep),
            set_cookie: self.set_cookie,
            obeys_requests: self.obeys_requests,
            max_body: self.max_body,
        })
    }
}

impl Surrogate {
    fn new(device: String) -> Result<Self, ConfigError> {
        let wrong = |device: &str| {
            let fix = "give a word of letters, digits, `-`, `_` and `.`";
            ConfigError::new("surrogate", device, "is no word", fix)
        };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if device.is_empty() || !device.bytes().all(is_word) {
            return Err(wrong(&device));
        }
        let capability = surrogate::capability(&device).ok_or_else(|| wrong(&device))?;
        Ok(Self {
            device: device.into(),
            capability,
        })
    }
}

/// A token where it is one, or else a string in quotes (RFC 9211 section 2).
fn structured_name(name: &str) -> Result<String, ConfigError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '*');
    if begins && name.bytes().all(is_token) {
        return Ok(name.to_owned());
    }
    if name.is_empty() || !name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        let fix = "give a name of ASCII letters";
        return Err(ConfigError::new("name", name, "cannot be written", fix));
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{escaped}\""))
}

fn names(field: &'static str, texts: &[String]) -> Result<Box<[HeaderName]>, ConfigError> {
    let parse = |(at, text): (usize, &String)| {
        HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
            let field = format!("{field}/{at}");
            ConfigError::new(field, text, "is no header's name", "write one name an item")
        })
    };
    texts.iter().enumerate().map(parse).collect()
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// [`HttpCacheRules`] as a file has them. What is left out has its default.
///
/// ```
/// use portcullis_cache::http::{HttpCacheConfig, HttpCacheRules};
///
/// let config: HttpCacheConfig = serde_json::from_str(
///     r#"{"staleWhenDisconnected": 600, "setCookie": "strip", "targetedFields": ["Edge-Cache-Control", "CDN-Cache-Control"]}"#,
/// )?;
/// let rules = HttpCacheRules::try_from(config)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct HttpCacheConfig {
    /// See [`HttpCacheRulesBuilder::name`].
    pub name: Option<String>,
    /// Whether responses get a `Cache-Status`; by default they do.
    pub status: Option<bool>,
    /// See [`HttpCacheRulesBuilder::targeted_fields`].
    pub targeted_fields: Option<Vec<String>>,
    /// See [`HttpCacheRulesBuilder::surrogate`].
    pub surrogate: Option<String>,
    /// The part of [`HttpCacheRulesBuilder::heuristic_freshness`].
    pub heuristic: Option<f64>,
    /// The most of [`HttpCacheRulesBuilder::heuristic_freshness`], in seconds.
    pub max_heuristic: Option<u32>,
    /// Seconds; see [`HttpCacheRulesBuilder::stale_when_disconnected`].
    pub stale_when_disconnected: Option<u32>,
    /// Seconds; see [`HttpCacheRulesBuilder::keep_stale`].
    pub keep_stale: Option<u32>,
    /// See [`HttpCacheRulesBuilder::set_cookie`].
    pub set_cookie: Option<SetCookie>,
    /// See [`HttpCacheRulesBuilder::obey_requests`].
    pub obey_requests: Option<bool>,
    /// Bytes; see [`HttpCacheRulesBuilder::max_body`].
    pub max_body_bytes: Option<usize>,
}

impl HttpCacheConfig {
    /// The rules that it describes, for more to be said of them.
    pub fn into_builder(self) -> HttpCacheRulesBuilder {
        let mut builder = HttpCacheRules::builder();
        if let Some(name) = self.name {
            builder = builder.name(name);
        }
        if self.status == Some(false) {
            builder = builder.without_status();
        }
        if let Some(names) = self.targeted_fields {
            builder = builder.targeted_fields(names);
        }
        if let Some(device) = self.surrogate {
            builder = builder.surrogate(device);
        }
        let part = self.heuristic.unwrap_or(builder.heuristic);
        let most = self
            .max_heuristic
            .map_or(builder.max_heuristic, from_seconds);
        builder = builder.heuristic_freshness(part, most);
        if let Some(seconds) = self.stale_when_disconnected {
            builder = builder.stale_when_disconnected(from_seconds(seconds));
        }
        if let Some(seconds) = self.keep_stale {
            builder = builder.keep_stale(from_seconds(seconds));
        }
        if let Some(rule) = self.set_cookie {
            builder = builder.set_cookie(rule);
        }
        if let Some(obey) = self.obey_requests {
            builder = builder.obey_requests(obey);
        }
        if let Some(bytes) = self.max_body_bytes {
            builder = builder.max_body(bytes);
        }
        builder
    }
}

impl TryFrom<HttpCacheConfig> for HttpCacheRules {
    type Error = ConfigError;

    fn try_from(config: HttpCacheConfig) -> Result<Self, ConfigError> {
        config.into_builder().build()
    }
}

fn from_seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

#[cfg(test)]
mod tests {
    use super::{HttpCacheConfig, HttpCacheRules, SetCookie};

    #[track_caller]
    fn refused(json: &str, expected: &str) {
        let config: HttpCacheConfig = serde_json::from_str(json).unwrap();
        let error = HttpCacheRules::try_from(config).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_a_file_says_is_what_the_builder_says() {
        let config: HttpCacheConfig = serde_json::from_str(
            r#"{"name": "My cache", "surrogate": "edge", "heuristic": 0.25, "maxHeuristic": 60, "staleWhenDisconnected": 0,
                "keepStale": 5, "setCookie": "replay", "obeyRequests": false, "maxBodyBytes": 10, "targetedFields": []}"#,
        )
        .unwrap();
        let rules = HttpCacheRules::try_from(config).unwrap();
        assert_eq!(&*rules.name, "\"My cache\"");
        assert_eq!(&*rules.surrogate.as_ref().unwrap().device, "edge");
        assert_eq!((rules.heuristic.per_mille, rules.heuristic.most), (250, 60));
        assert_eq!((rules.disconnected, rules.keep, rules.max_body), (0, 5, 10));
        assert_eq!(rules.set_cookie, SetCookie::Replay);
        assert!(!rules.obeys_requests && rules.targets.is_empty());
        let quiet = HttpCacheConfig {
            status: Some(false),
            ..HttpCacheConfig::default()
        };
        assert_eq!(&*HttpCacheRules::try_from(quiet).unwrap().name, "");
        assert_eq!(&*HttpCacheRules::default().name, "Portcullis");
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        refused(
            r#"{"heuristic": 2}"#,
            "heuristic: `2` is no part; give a number from 0 to 1",
        );
        refused(
            r#"{"name": ""}"#,
            "name: `` cannot be written; give a name of ASCII letters",
        );
        refused(
            r#"{"surrogate": "a b"}"#,
            "surrogate: `a b` is no word; give a word of letters, digits, `-`, `_` and `.`",
        );
        refused(
            r#"{"targetedFields": ["a b"]}"#,
            "targetedFields/0: `a b` is no header's name; write one name an item",
        );
    }

    #[test]
    fn a_field_that_is_not_known_is_an_error() {
        let parsed = serde_json::from_str::<HttpCacheConfig>(r#"{"ttl": 5}"#);
        assert!(parsed.unwrap_err().to_string().contains("ttl"));
    }
}
