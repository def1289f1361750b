//! The layer.

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use crate::error::ConfigError;
use crate::service::{Canary, Routes};
use crate::split::Split;

/// Sends a share of the requests to other services than the one that it surrounds.
///
/// See the [crate docs](crate) for an example. Clones, and the services made by them, share one [`Split`].
#[must_use]
pub struct CanaryLayer<C> {
    routes: Arc<Routes<C>>,
}

impl<C> CanaryLayer<C> {
    /// A layer that sends requests where `split` says; `services` are its variants by name, of one type.
    ///
    /// # Errors
    ///
    /// If a variant has no service, or a service no variant.
    pub fn new<'a>(
        split: Split,
        services: impl IntoIterator<Item = (&'a str, C)>,
    ) -> Result<Self, ConfigError> {
        let mut slots: Vec<Option<C>> = split.variants().map(|_| None).collect();
        for (name, service) in services {
            let problem = match split.position(name).map(|own| &mut slots[own]) {
                Some(slot @ None) => {
                    *slot = Some(service);
                    continue;
                }
                Some(Some(_)) => "the variant has two services; leave one out",
                None => "the split has no such variant; give it one, or leave the service out",
            };
            return Err(ConfigError::new(format!("services.{name}"), problem));
        }
        let missing = slots.iter().position(Option::is_none);
        if let Some(missing) = missing.and_then(|own| split.variants().nth(own)) {
            let problem = "the variant has no service; give it one";
            return Err(ConfigError::new(format!("services.{missing}"), problem));
        }
        let variants = slots.into_iter().flatten().collect();
        Ok(Self {
            routes: Arc::new(Routes { split, variants }),
        })
    }

    /// A layer that sends this share of the requests, in percent, to `service` by chance.
    ///
    /// # Errors
    ///
    /// Those of [`Split::new`].
    pub fn to(variant: &str, percent: f64, service: C) -> Result<Self, ConfigError> {
        Self::new(Split::new(variant, percent)?, [(variant, service)])
    }

    /// The split, to be read and changed while requests run.
    #[must_use]
    pub fn split(&self) -> &Split {
        &self.routes.split
    }
}

impl<C> Clone for CanaryLayer<C> {
    fn clone(&self) -> Self {
        Self {
            routes: Arc::clone(&self.routes),
        }
    }
}

impl<S, C> Layer<S> for CanaryLayer<C> {
    type Service = Canary<S, C>;

    fn layer(&self, production: S) -> Canary<S, C> {
        Canary::new(production, Arc::clone(&self.routes))
    }
}

impl<C> fmt::Debug for CanaryLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CanaryLayer").field(self.split()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::CanaryLayer;
    use crate::split::Split;

    #[track_caller]
    fn refused(services: &[&'static str], expected: &str) {
        let split = Split::builder()
            .variant("a", 1.0)
            .variant("b", 1.0)
            .build()
            .unwrap();
        let services = services.iter().map(|name| (*name, ()));
        let error = CanaryLayer::new(split, services).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn each_variant_has_one_service() {
        refused(
            &["b"],
            "services.a: the variant has no service; give it one",
        );
        refused(
            &["a", "a"],
            "services.a: the variant has two services; leave one out",
        );
        refused(
            &["a", "b", "c"],
            "services.c: the split has no such variant; give it one, or leave the service out",
        );
    }
}
