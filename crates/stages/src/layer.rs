//! The resolver as a layer.

use std::sync::Arc;

use ipnet::IpNet;
use portcullis_core::{ApiStage, Live};
use tower_layer::Layer;

use crate::resolver::Resolver;
use crate::service::Stages;

/// Finds the stage of each request, notes it in the request's context, and hands the path below the stage on.
///
/// It reads the host and the path as they came, and writes the [`ApiStage`] and the matched base path. The request's URI
/// loses base path and stage; [`RequestContext::uri`](portcullis_core::RequestContext::uri) keeps them. A request without
/// a stage is refused. Clones share the resolver. See the [crate docs](crate) for an example.
#[derive(Clone, Debug)]
#[must_use]
pub struct StagesLayer {
    resolver: Live<Resolver<Arc<ApiStage>>>,
    private_networks: Arc<[IpNet]>,
}

impl StagesLayer {
    /// A layer that asks `resolver`, which may be a [`Live`] one that is replaced while requests are in flight.
    pub fn new(resolver: impl Into<Live<Resolver<Arc<ApiStage>>>>) -> Self {
        Self {
            resolver: resolver.into(),
            private_networks: Arc::default(),
        }
    }

    /// From where [private](crate::Api::private) APIs are reached. Default: from nowhere. The address is the one that the context has of the client.
    pub fn private_networks(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.private_networks = networks.into_iter().collect();
        self
    }

    /// The handle by which the resolver can be replaced.
    #[must_use]
    pub const fn resolver(&self) -> &Live<Resolver<Arc<ApiStage>>> {
        &self.resolver
    }
}

impl<S> Layer<S> for StagesLayer {
    type Service = Stages<S>;

    fn layer(&self, inner: S) -> Stages<S> {
        Stages::new(
            inner,
            self.resolver.clone(),
            Arc::clone(&self.private_networks),
        )
    }
}
