//! Access keys that several machines share.

use std::fmt;
use std::sync::Arc;

use portcullis_redis::{Redis, RedisError};
use quick_cache::sync::Cache;

use super::credential::Credential;
use super::file::PrincipalConfig;
use super::store::{CredentialLookup, CredentialStore, StoreError};

/// The longest id that is looked for. The service's have 128 characters at most.
const MAX_ID: usize = 128;

/// How many principals are kept as they were read.
const READ: usize = 1024;

/// Access keys in Redis or Valkey (feature `redis`): one round trip for each request.
///
/// ```no_run
/// use portcullis_auth::credentials::RedisCredentials;
/// use portcullis_redis::Redis;
///
/// # async fn run() -> Result<(), portcullis_redis::RedisError> {
/// let store = RedisCredentials::new(Redis::builder("redis://127.0.0.1:6379/0").build()?);
/// store.put("AKIDEXAMPLE", r#"{
///     "arn": "arn:aws:iam::123456789012:user/tom",
///     "accessKeys": [{"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "secret"}],
///     "policies": []
/// }"#).await?;
/// # Ok(())
/// # }
/// ```
///
/// Under `access-key:` and its id (behind the prefix of the [`Redis`]) an access key has the JSON of its principal, a [`PrincipalConfig`] that has this
/// key among its `accessKeys`; other programs can write it as well. A change counts from the next request on, on every machine. What has been
/// read is compiled once, for 1,024 keys at a time. Secrets stand there as they are, since signatures are checked with them: guard the store.
///
/// While the store does not answer, requests are refused.
#[derive(Clone)]
pub struct RedisCredentials {
    redis: Redis,
    read: Arc<Cache<Box<str>, Read>>,
}

/// A document, and what it says.
#[derive(Clone)]
struct Read {
    document: Arc<[u8]>,
    key: Option<Credential>,
}

impl RedisCredentials {
    /// The access keys in this store.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        Self {
            redis,
            read: Arc::new(Cache::new(READ)),
        }
    }

    /// Stores the JSON of a principal for the access key with this id.
    ///
    /// # Errors
    ///
    /// If the store does not answer.
    pub async fn put(&self, access_key_id: &str, principal: &str) -> Result<(), RedisError> {
        self.redis.set(&place(access_key_id), principal).await
    }

    /// Takes the access key with this id away, and says whether there was one.
    ///
    /// # Errors
    ///
    /// If the store does not answer.
    pub async fn remove(&self, access_key_id: &str) -> Result<bool, RedisError> {
        self.redis.remove(&place(access_key_id)).await
    }

    async fn look(&self, id: &str) -> Result<Option<Credential>, StoreError> {
        let found = self.redis.get(&place(id)).await.map_err(StoreError::new)?;
        let Some(document) = found else {
            return Ok(None);
        };
        if let Some(read) = self.read.get(id)
            && *read.document == *document
        {
            return Ok(read.key);
        }
        let key = read(id, &document)?;
        let kept = Read {
            document: document.into(),
            key: key.clone(),
        };
        self.read.insert(id.into(), kept);
        Ok(key)
    }
}

fn place(id: &str) -> String {
    format!("access-key:{id}")
}

/// The active key of this id in the document of a principal.
fn read(id: &str, document: &[u8]) -> Result<Option<Credential>, StoreError> {
    // The library's words repeat what it found, which may be a secret.
    let principal: PrincipalConfig = serde_json::from_slice(document)
        .map_err(|_| StoreError::new("what stands there is no principal"))?;
    let keys = principal.credentials().map_err(StoreError::new)?;
    Ok(keys.into_iter().find(|key| &**key.access_key_id() == id))
}

impl CredentialStore for RedisCredentials {
    fn find(&self, access_key_id: &str) -> CredentialLookup {
        let possible = access_key_id.len() <= MAX_ID
            && access_key_id.bytes().all(|byte| byte.is_ascii_graphic());
        if !possible {
            return CredentialLookup::Ready(None);
        }
        let (own, id) = (self.clone(), access_key_id.to_owned());
        CredentialLookup::later(async move { own.look(&id).await })
    }
}

impl fmt::Debug for RedisCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisCredentials")
            .field(&self.redis)
            .finish()
    }
}
