//! The cache of a gateway, which outlives deployments.

use std::sync::Arc;

use crate::cache::{MemoryStore, ResponseCache};
use crate::core::Clock;

/// Where a gateway keeps responses.
#[derive(Clone)]
pub(super) struct Caching {
    /// What the user wants to have used.
    pub(super) own: Option<ResponseCache>,
    /// How many bytes the gateway's own may hold.
    pub(super) max_bytes: u64,
    /// Absent until the gateway is built.
    made: Option<ResponseCache>,
}

impl Default for Caching {
    fn default() -> Self {
        Self {
            own: None,
            max_bytes: 256 * 1024 * 1024,
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
            ResponseCache::builder()
                .clock(Arc::clone(clock))
                .build(MemoryStore::new(self.max_bytes))
        });
        made.clone()
    }

    /// The cache, once the gateway is built.
    pub(super) fn built(&self) -> Option<&ResponseCache> {
        self.own.as_ref().or(self.made.as_ref())
    }

    /// Goes on with what was cached before, unless there is to be another size.
    pub(super) fn take_from(&mut self, before: &Self) {
        if self.own.is_none() && self.max_bytes == before.max_bytes {
            self.made.clone_from(&before.made);
        }
    }
}
