//! The plain configuration, as a file has it.

use http::HeaderName;
use ipnet::IpNet;
use portcullis_core::{ConfigError, Mode, TrustedProxies};
use serde::Deserialize;

use crate::buckets::Buckets;
use crate::client::ClientAddress;
use crate::headers::Headers;
use crate::key::Key;
use crate::layer::ThrottleLayer;
use crate::limit::Limit;
use crate::rule::Rule;

/// A [`ThrottleLayer`] as a file describes it.
///
/// ```
/// use portcullis_throttle::{ThrottleConfig, ThrottleLayer};
///
/// let config: ThrottleConfig = serde_json::from_str(
///     r#"{
///         "rules": [
///             {"name": "per-client", "key": "clientAddress + route", "rate": 5, "burst": 10},
///             {"name": "per-tenant", "key": "header:x-tenant", "rate": 1000, "per": "hour", "burst": 100},
///             {"name": "everybody", "rate": 500, "burst": 500}
///         ],
///         "trustedProxies": ["10.0.0.0/8"],
///         "headers": {"retryAfter": true},
///         "mode": "observe"
///     }"#,
/// )?;
/// let layer = ThrottleLayer::try_from(config)?;
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ThrottleConfig {
    /// The rules, in the order in which they are asked.
    pub rules: Vec<RuleConfig>,
    /// The most keys that are kept, of all rules together; a million unless it is said.
    pub max_keys: Option<usize>,
    /// The proxies that are believed about the client.
    pub trusted_proxies: Vec<IpNet>,
    /// The bits of IPv6 addresses that tell clients apart; 64 unless it is said.
    pub v6_prefix: Option<u8>,
    /// What clients are told.
    pub headers: Headers,
    /// Whether refusals are carried out.
    pub mode: Mode,
}

/// A rule of a [`ThrottleConfig`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RuleConfig {
    /// The name, which is the scope.
    pub name: String,
    /// What it counts by, parts joined by `+`: `clientAddress`, `apiKey`, `principal`, `route`, `method`, `stage`, `header:NAME`, `claim:NAME`. Nothing: all
    /// requests together.
    pub key: String,
    /// Tokens added in each period.
    pub rate: f64,
    /// The period of the rate; a second unless it is said.
    pub per: Period,
    /// Tokens that the bucket holds.
    pub burst: u32,
}

/// The time in which a rate's tokens are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "these are the ones of `Limit`")]
pub enum Period {
    /// A second.
    #[default]
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl TryFrom<ThrottleConfig> for ThrottleLayer {
    type Error = ConfigError;

    fn try_from(config: ThrottleConfig) -> Result<Self, ConfigError> {
        let mut client = ClientAddress::new();
        if let Some(bits) = config.v6_prefix {
            client = client.v6_prefix(bits)?;
        }
        if !config.trusted_proxies.is_empty() {
            client = client.trust(TrustedProxies::new(config.trusted_proxies));
        }
        let mut builder = Self::builder().headers(config.headers).mode(config.mode);
        if let Some(keys) = config.max_keys {
            builder = builder.buckets(&Buckets::new(keys));
        }
        for rule in config.rules {
            let place = format!("rules.{}", rule.name);
            let rule = rule.into_rule(&client);
            builder = builder.rule(rule.map_err(|error| error.within(&place))?);
        }
        builder.build()
    }
}

impl RuleConfig {
    fn into_rule(self, client: &ClientAddress) -> Result<Rule, ConfigError> {
        let limit = match self.per {
            Period::Second => Limit::per_second(self.rate, self.burst),
            Period::Minute => Limit::per_minute(self.rate, self.burst),
            Period::Hour => Limit::per_hour(self.rate, self.burst),
        };
        let mut key = Key::shared();
        let parts = self.key.split('+').map(str::trim);
        for part in parts.filter(|_| !self.key.trim().is_empty()) {
            key = key.and(parse(part, client)?);
        }
        Ok(Rule::new(self.name, key, limit?))
    }
}

/// The part of a key that `text` names.
fn parse(text: &str, client: &ClientAddress) -> Result<Key, ConfigError> {
    Ok(match text.split_once(':') {
        None => match text {
            "clientAddress" => client.clone().into(),
            "apiKey" => Key::api_key(),
            "principal" => Key::principal(),
            "route" => Key::route(),
            "method" => Key::method(),
            "stage" => Key::stage(),
            _ => return Err(unknown(text)),
        },
        Some(("header", name)) => match HeaderName::try_from(name) {
            Ok(name) => Key::header(name),
            Err(_) => {
                let fix = "write `header:` and a name, as in `header:x-tenant`";
                return Err(ConfigError::new("key", text, "names no header", fix));
            }
        },
        Some(("claim", name)) => Key::claim(name),
        Some(_) => return Err(unknown(text)),
    })
}

fn unknown(text: &str) -> ConfigError {
    let fix =
        "use clientAddress, apiKey, principal, route, method, stage, header:NAME or claim:NAME";
    ConfigError::new("key", text, "is nothing that a limit counts by", fix)
}
