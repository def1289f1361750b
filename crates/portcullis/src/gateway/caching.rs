//! The cache of a gateway, which outlives deployments.

use std::sync::Arc;

#[cfg(feature = "redis")]
use super::config::RedisConfig;
use crate::cache::{MemoryStore, ResponseCache};
#[cfg(feature = "redis")]
use crate::cache::{RedisStore, TwoTiers};
use crate::core::Clock;
#[cfg(feature = "redis")]
use crate::definition::SecretValue;

/// Where a gateway keeps responses.
#[derive(Clone)]
pub(super) struct Caching {
    /// What the user wants to have used.
    pub(super) own: Option<ResponseCache>,
    /// How many bytes the gateway's own may hold.
    pub(super) max_bytes: u64,
    /// What stands behind the memory, and is shared with other gateways.
    #[cfg(feature = "redis")]
    pub(super) shared: Option<SharedStore>,
    /// Absent until the gateway is built.
    made: Option<ResponseCache>,
}

/// A store that several gateways share, and what it was made from.
#[cfg(feature = "redis")]
#[derive(Clone)]
pub(super) struct SharedStore {
    pub(super) store: RedisStore,
    pub(super) settings: (RedisConfig, Vec<SecretValue>),
}

impl Default for Caching {
    fn default() -> Self {
        Self {
            own: None,
            max_bytes: 256 * 1024 * 1024,
            #[cfg(feature = "redis")]
            shared: None,
            made: None,
        }
    }
}

impl Caching {
    /// The cache; empty, the first time.
    pub(super) fn cache(&mut self, clock: &Arc<dyn Clock>) -> ResponseCache {
        if let Some(own) = &self.own {
            return own.clone();
        }
        let made = self.made.get_or_insert_with(|| {
            let builder = ResponseCache::builder().clock(Arc::clone(clock));
            #[cfg(feature = "redis")]
            if let Some(shared) = &self.shared {
                let tiers = TwoTiers::new(self.max_bytes, shared.store.clone());
                return builder.build(tiers.clock(Arc::clone(clock)));
            }
            builder.build(MemoryStore::new(self.max_bytes))
        });
        made.clone()
    }

    /// The cache, once the gateway is built.
    pub(super) fn built(&self) -> Option<&ResponseCache> {
        self.own.as_ref().or(self.made.as_ref())
    }

    /// Goes on with what was cached before, unless there is to be another size or place.
    pub(super) fn take_from(&mut self, before: &Self) {
        if self.own.is_none() && self.max_bytes == before.max_bytes && self.is_shared_like(before) {
            self.made.clone_from(&before.made);
        }
    }

    #[cfg(feature = "redis")]
    fn is_shared_like(&self, before: &Self) -> bool {
        let settings = |caching: &Self| {
            caching
                .shared
                .as_ref()
                .map(|shared| shared.settings.clone())
        };
        settings(self) == settings(before)
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "with Redis it is looked at")]
    const fn is_shared_like(&self, _: &Self) -> bool {
        true
    }
}
