//! A cache by RFC 9111 between the routes of an HTTP API and their integrations.

use crate::cache::ResponseCache;
use crate::cache::http::{HttpCacheFuture, HttpCacheLayer, HttpCacheRulesBuilder};
use crate::core::{Body, Rejection, RequestContext};
use crate::integrations::IntegrationFuture;

/// The future of a request that goes through it.
pub(super) type CachedFuture = HttpCacheFuture<IntegrationFuture, Body, Rejection>;

/// The caches of an API, by the stage that serves a request.
#[derive(Debug)]
pub(super) struct HttpCaches {
    stages: Vec<(Box<str>, HttpCacheLayer)>,
}

impl HttpCaches {
    /// One for each stage, under what is purged with it.
    ///
    /// # Errors
    ///
    /// If the rules cannot be kept.
    pub(super) fn new<'a>(
        rules: &HttpCacheRulesBuilder,
        cache: &ResponseCache,
        stages: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Result<Self, crate::cache::ConfigError> {
        let layer = |(stage, scope): (&str, String)| {
            let rules = rules.clone().scope(scope).build()?;
            Ok((stage.into(), HttpCacheLayer::new(cache, rules)))
        };
        Ok(Self {
            stages: stages.into_iter().map(layer).collect::<Result<_, _>>()?,
        })
    }

    /// The one for a request, if its stage has one.
    pub(super) fn of(&self, context: &RequestContext) -> Option<&HttpCacheLayer> {
        let stage = context.stage().map(|stage| &*stage.stage);
        let own = self.stages.iter().find(|(own, _)| Some(&**own) == stage);
        own.map(|(_, layer)| layer)
    }
}
