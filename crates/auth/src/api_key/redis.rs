//! Keys that several machines share.

use std::collections::BTreeMap;
use std::fmt;

use portcullis_redis::{Redis, RedisError};
use serde::{Deserialize, Serialize};

use super::hash::KeyHash;
use super::key::ApiKey;
use super::store::{KeyLookup, KeyStore, KeyStoreError};

/// API keys in Redis or Valkey (feature `redis`): one round trip for each request.
///
/// ```no_run
/// use portcullis_auth::api_key::{ApiKey, ApiKeyLayer, RedisKeys};
/// use portcullis_redis::Redis;
///
/// # async fn run() -> Result<(), portcullis_redis::RedisError> {
/// let keys = RedisKeys::new(Redis::builder("redis://127.0.0.1:6379/0").build()?);
/// keys.put(&ApiKey::new("acme", "0123456789abcdefghij").with_usage_plan("gold")).await?;
/// let layer = ApiKeyLayer::new(keys);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// A key stands, for each of its values, under `api-key:` and the SHA-256 of the value in lower-case hexadecimal (behind the prefix of the [`Redis`]),
/// as JSON that other programs can write as well: `{"id": "acme", "enabled": true, "usagePlanIds": ["gold"]}`, and, where there are, `name`,
/// `description`, `customerId` and `tags`. A change counts from the next request on, on every machine.
///
/// While the store does not answer, requests are refused.
#[derive(Clone)]
pub struct RedisKeys {
    redis: Redis,
}

/// What stands under the hash of a value.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: String,
    #[serde(default)]
    enabled: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    usage_plan_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

impl RedisKeys {
    /// The keys in this store.
    #[must_use]
    pub const fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Stores a key, under each of its values.
    ///
    /// # Errors
    ///
    /// If the store does not answer.
    pub async fn put(&self, key: &ApiKey) -> Result<(), RedisError> {
        // What is plain data can be written.
        let record = serde_json::to_vec(&Record::of(key)).unwrap_or_default();
        for hash in key.hashes() {
            self.redis.set(&place(&hash), &record).await?;
        }
        Ok(())
    }

    /// Ends the value of this hash, and says whether there was a key with it: a key that was [`put`](Self::put) with two values keeps the other.
    ///
    /// # Errors
    ///
    /// If the store does not answer.
    pub async fn remove(&self, hash: &KeyHash) -> Result<bool, RedisError> {
        self.redis.remove(&place(hash)).await
    }
}

fn place(hash: &KeyHash) -> String {
    let text = hash.to_string();
    format!("api-key:{}", text.trim_start_matches("sha256:"))
}

impl Record {
    fn of(key: &ApiKey) -> Self {
        let tags = key.tags();
        Self {
            id: key.id().to_string(),
            enabled: key.is_enabled(),
            usage_plan_ids: key.usage_plans().iter().map(|id| id.to_string()).collect(),
            name: key.name().map(str::to_owned),
            description: key.description().map(str::to_owned),
            customer_id: key.customer_id().map(str::to_owned),
            tags: tags
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    fn key(self, hash: KeyHash) -> ApiKey {
        let mut key = ApiKey::hashed(self.id, hash).with_enabled(self.enabled);
        for plan in self.usage_plan_ids {
            key = key.with_usage_plan(plan);
        }
        if let Some(name) = &self.name {
            key = key.with_name(name);
        }
        if let Some(description) = &self.description {
            key = key.with_description(description);
        }
        if let Some(id) = &self.customer_id {
            key = key.with_customer_id(id);
        }
        for (name, value) in &self.tags {
            key = key.with_tag(name, value);
        }
        key
    }
}

impl KeyStore for RedisKeys {
    fn find(&self, hash: &KeyHash) -> KeyLookup {
        let (redis, hash) = (self.redis.clone(), *hash);
        KeyLookup::later(async move {
            let found = redis.get(&place(&hash)).await.map_err(KeyStoreError::new)?;
            let Some(record) = found else { return Ok(None) };
            let record: Record = serde_json::from_slice(&record)
                .map_err(|_| KeyStoreError::new("what stands there is no key"))?;
            Ok(Some(record.key(hash)))
        })
    }
}

impl fmt::Debug for RedisKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisKeys").field(&self.redis).finish()
    }
}
