//! `cache` of the configuration: where responses are kept, and how.

use serde_json::Value;

use super::GatewayConfig;
use super::http_cache::found;
use super::reader::{Object, Reader, join};
use crate::cache::EncryptionKeys;
use crate::definition::SecretValue;

/// Where the gateway keeps the responses of methods that are cached.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CacheConfig {
    /// How many bytes are kept in the memory of the process, for all stages together. Default: 256 MiB.
    pub max_bytes: Option<u64>,
    /// Whether they are kept in `redis` as well, which several gateways share. Default: they are not.
    pub shared: bool,
    /// What they are encrypted with there: 32 bytes in Base64 each. The first encrypts, all decrypt. Default: they are not encrypted.
    pub encryption_keys: Vec<SecretValue>,
}

pub(super) fn parse(object: Object<'_>, reader: &mut Reader) -> CacheConfig {
    let path = object.at("cache");
    let Some(value) = object.get("cache") else {
        return CacheConfig::default();
    };
    let read = reader.checked(value, &path, fields, |config| {
        if config.encryption_keys.is_empty() {
            return Ok(());
        }
        let keys = config.encryption_keys.iter().map(SecretValue::expose);
        let keys = EncryptionKeys::from_base64(keys);
        keys.map(drop).map_err(|error| vec![found(&error)])
    });
    let config = read.unwrap_or_default();
    if config.shared && object.get("redis").is_none() {
        reader.fault(
            join(&path, "shared"),
            "needs `redis`: where responses are kept",
        );
    }
    config
}

fn fields(value: &Value, path: &str, reader: &mut Reader) -> Option<CacheConfig> {
    const FIELDS: &[&str] = &["maxBytes", "shared", "encryptionKeys"];
    let cache = reader.object(value, path, FIELDS)?;
    let shared = reader.flag(cache, "shared").unwrap_or_default();
    let mut keys = Vec::new();
    for (place, item) in reader.list(cache, "encryptionKeys") {
        match item.as_str() {
            Some(key) => keys.push(SecretValue::new(key)),
            // Without what stands there instead, which may be a secret as well.
            None => reader.fault(place, "must be a text: 32 bytes in Base64"),
        }
    }
    if !shared && cache.get("encryptionKeys").is_some() {
        let message = "is for `shared: true`; what is kept in memory alone is encrypted with a key that the process makes";
        reader.fault(cache.at("encryptionKeys"), message);
    }
    Some(CacheConfig {
        max_bytes: reader.number(cache, "maxBytes"),
        shared,
        encryption_keys: keys,
    })
}

impl GatewayConfig {
    /// The store that gateways share for their responses, if there is one.
    #[cfg(feature = "redis")]
    pub(super) fn responses_in_redis(
        &self,
        faults: &mut Vec<super::error::ConfigFault>,
    ) -> Option<crate::gateway::caching::SharedStore> {
        use super::error::ConfigFault;
        use crate::cache::RedisStore;
        use crate::gateway::caching::SharedStore;

        let CacheConfig {
            shared,
            encryption_keys,
            ..
        } = &self.cache;
        if !shared {
            return None;
        }
        // What is wrong with it is told where limits are looked at.
        let redis = self.redis_store(&mut Vec::new())?;
        let store = if encryption_keys.is_empty() {
            RedisStore::new(redis)
        } else {
            match EncryptionKeys::from_base64(encryption_keys.iter().map(SecretValue::expose)) {
                Ok(keys) => RedisStore::encrypted(redis, keys),
                Err(error) => {
                    faults.push(ConfigFault {
                        place: format!("/cache/{}", error.field()),
                        message: format!("{}; {}", error.problem(), error.fix()),
                    });
                    return None;
                }
            }
        };
        Some(SharedStore {
            store,
            settings: (self.redis.clone()?, encryption_keys.clone()),
        })
    }
}
