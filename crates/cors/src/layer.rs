//! The layer: a handle on the rules.

use std::sync::Arc;

use portcullis_core::Live;
use tower_layer::Layer;

use crate::rules::CorsRules;
use crate::service::Cors;

/// Applies [`CorsRules`] to the services under it. See the [crate docs](crate) for an example.
///
/// Clones, and the services made by them, share the rules.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until a service is put under it"]
pub struct CorsLayer {
    rules: Live<CorsRules>,
}

impl CorsLayer {
    /// A layer that applies `rules`.
    pub fn new(rules: impl Into<Live<CorsRules>>) -> Self {
        Self {
            rules: rules.into(),
        }
    }

    /// The rules, to be replaced from elsewhere while requests are in flight.
    #[must_use]
    pub const fn rules(&self) -> &Live<CorsRules> {
        &self.rules
    }

    /// Puts `rules` in place for all services of this layer, from the next request on, and returns those
    /// before.
    pub fn replace(&self, rules: impl Into<Arc<CorsRules>>) -> Arc<CorsRules> {
        self.rules.replace(rules)
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Cors<S> {
        Cors {
            inner,
            rules: self.rules.clone(),
        }
    }
}
