//! The store that several gateways share, and the limits that they count in it together.

use super::GatewayConfig;
use super::error::ConfigFault;
use super::reader::{Object, Reader};
use crate::definition::SecretValue;

/// A Redis or Valkey that several gateways share.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RedisConfig {
    /// Its address, `redis://user:password@host:6379/0`; of a cluster, those of some nodes.
    pub url: Vec<SecretValue>,
    /// Whether it is a cluster.
    pub cluster: bool,
    /// What stands before every key. Default: `portcullis:`.
    pub prefix: Option<String>,
}

/// How limits are counted together with other gateways.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SharedLimitsConfig {
    /// The milliseconds that a request waits for a decision. Default: 25.
    pub deadline_in_millis: Option<u64>,
    /// How many tokens are taken ahead. Default: none.
    pub lease: Option<u64>,
    /// What is decided while the store does not answer. Default: what this gateway's own share of the limits allows.
    pub when_away: LimitsAway,
    /// That share, more than 0, at most 1. Default: 1, all of them.
    pub share: Option<f64>,
    /// The hash tag of all keys. Default: `throttle`.
    pub group: Option<String>,
    /// Spreads the buckets over the nodes of a cluster. Default: they stand in one slot, so that each decision is one script.
    pub spread: bool,
}

/// What is decided while the store of [`SharedLimitsConfig`] does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitsAway {
    /// Each gateway decides by its share of every limit.
    #[default]
    Local,
    /// Everything passes.
    Open,
    /// Nothing passes.
    Closed,
}

const AWAY: &[(&str, LimitsAway)] = &[
    ("local", LimitsAway::Local),
    ("open", LimitsAway::Open),
    ("closed", LimitsAway::Closed),
];

pub(super) fn redis(object: Object<'_>, reader: &mut Reader) -> Option<RedisConfig> {
    let path = object.at("redis");
    let own = reader.object(object.get("redis")?, &path, &["url", "cluster", "prefix"])?;
    let urls = match own.get("url") {
        Some(value) if value.is_array() => reader.texts(own, "url"),
        _ => vec![reader.needed(own, "url")?.to_owned()],
    };
    if urls.is_empty() {
        reader.fault(own.at("url"), "must name one address at least");
    }
    Some(RedisConfig {
        url: urls.iter().map(SecretValue::new).collect(),
        cluster: reader.flag(own, "cluster").unwrap_or_default(),
        prefix: reader.text(own, "prefix").map(str::to_owned),
    })
}

pub(super) fn limits(object: Object<'_>, reader: &mut Reader) -> Option<SharedLimitsConfig> {
    const FIELDS: &[&str] = &[
        "deadlineInMillis",
        "lease",
        "whenAway",
        "share",
        "group",
        "spread",
    ];
    let path = object.at("sharedLimits");
    let own = reader.object(object.get("sharedLimits")?, &path, FIELDS)?;
    let config = SharedLimitsConfig {
        deadline_in_millis: reader.number(own, "deadlineInMillis"),
        lease: reader.number(own, "lease"),
        when_away: reader.word(own, "whenAway", AWAY).unwrap_or_default(),
        share: reader.decimal(own, "share"),
        group: reader.text(own, "group").map(str::to_owned),
        spread: reader.flag(own, "spread").unwrap_or_default(),
    };
    if object.get("redis").is_none() {
        reader.fault(&path, "needs `redis`: where the limits are counted");
    }
    if config.share.is_some() && config.when_away != LimitsAway::Local {
        reader.fault(own.at("share"), "is for `whenAway: local` only");
    }
    Some(config)
}

impl GatewayConfig {
    /// The shared limits, if there are any.
    #[cfg(feature = "redis")]
    pub(super) fn limits_in_redis(
        &self,
        faults: &mut Vec<ConfigFault>,
    ) -> Option<crate::throttle::SharedBuckets> {
        use std::time::Duration;

        use crate::throttle::{SharedBuckets, WhenAway};

        let redis = self.redis_store(faults);
        let own = self.shared_limits.as_ref()?;
        let mut fault = |field: &str, error: &dyn std::fmt::Display| {
            faults.push(ConfigFault {
                place: format!("/sharedLimits{field}"),
                message: error.to_string(),
            });
        };
        let when_away = match own.when_away {
            LimitsAway::Open => WhenAway::Open,
            LimitsAway::Closed => WhenAway::Closed,
            LimitsAway::Local => WhenAway::Local {
                share: own.share.unwrap_or(1.0),
            },
        };
        let mut shared = match SharedBuckets::new(redis?, when_away) {
            Ok(shared) => shared,
            Err(error) => {
                fault("/share", &error);
                return None;
            }
        };
        match own.deadline_in_millis {
            Some(0) => fault("/deadlineInMillis", &"must be 1 at least"),
            Some(millis) => shared = shared.deadline(Duration::from_millis(millis)),
            None => {}
        }
        if let Some(group) = &own.group {
            shared = shared.group(group.as_str());
        }
        if own.spread {
            shared = shared.spread();
        }
        if let Some(tokens) = own.lease {
            match shared.lease(u32::try_from(tokens).unwrap_or(u32::MAX)) {
                Ok(leasing) => return Some(leasing),
                Err(error) => fault("/lease", &error),
            }
            return None;
        }
        Some(shared)
    }

    /// The store that several gateways share, if there is one. Nothing is connected yet.
    #[cfg(feature = "redis")]
    pub(super) fn redis_store(&self, faults: &mut Vec<ConfigFault>) -> Option<crate::redis::Redis> {
        use crate::redis::Redis;

        let own = self.redis.as_ref()?;
        let urls = own.url.iter().map(SecretValue::expose);
        let mut builder = match (own.cluster, urls.clone().next()) {
            (true, _) => Redis::cluster(urls),
            (false, Some(url)) => Redis::builder(url),
            (false, None) => return None,
        };
        if !own.cluster && own.url.len() > 1 {
            faults.push(ConfigFault {
                place: "/redis/url".to_owned(),
                message: "has several addresses; say `cluster: true` if they are nodes of one"
                    .to_owned(),
            });
        }
        if let Some(prefix) = &own.prefix {
            builder = builder.prefix(prefix);
        }
        match builder.build() {
            Ok(redis) => Some(redis),
            Err(error) => {
                faults.push(ConfigFault {
                    place: "/redis/url".to_owned(),
                    message: error.to_string(),
                });
                None
            }
        }
    }

    /// Says that this build knows no Redis.
    #[cfg(not(feature = "redis"))]
    pub(super) fn refuse_redis(&self, faults: &mut Vec<ConfigFault>) {
        if self.redis.is_some() {
            faults.push(ConfigFault {
                place: "/redis".to_owned(),
                message: "needs the feature `redis`, which this program was built without"
                    .to_owned(),
            });
        }
    }
}
