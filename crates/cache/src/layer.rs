//! The layer: a handle on a cache and on rules.

use std::sync::Arc;

use portcullis_core::Live;
use tower_layer::Layer;

use crate::cache::ResponseCache;
use crate::rules::CacheRules;
use crate::service::Cached;

/// Serves from a cache what [`CacheRules`] say.
///
/// See the [crate docs](crate) for an example. Clones, and the services made by them, share one cache.
#[derive(Clone, Debug)]
#[must_use]
pub struct CacheLayer {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cache: ResponseCache,
    pub(crate) rules: Live<CacheRules>,
}

impl CacheLayer {
    /// A layer over a cache, which may serve others as well.
    pub fn new(cache: &ResponseCache, rules: CacheRules) -> Self {
        Self {
            shared: Arc::new(Shared {
                cache: cache.clone(),
                rules: Live::new(rules),
            }),
        }
    }

    /// The rules, which can be replaced while requests run. What is stored stays.
    #[must_use]
    pub fn rules(&self) -> &Live<CacheRules> {
        &self.shared.rules
    }

    /// The cache, to be purged and read.
    #[must_use]
    pub fn cache(&self) -> &ResponseCache {
        &self.shared.cache
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = Cached<S>;

    fn layer(&self, inner: S) -> Cached<S> {
        Cached {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}
