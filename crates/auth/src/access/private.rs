//! APIs that are reached through VPC endpoints alone.

use std::sync::Arc;

use portcullis_core::{
    Decision, Guard, GuardLayer, Guarded, Head, Never, Rejection, RejectionKind, RequestContext,
    Verdict,
};
use tower_layer::Layer;

use super::vpc::VpcEndpoints;

/// Lets requests through that came through a VPC endpoint, and puts which one into their [`RequestContext`]: for private APIs.
///
/// ```
/// use portcullis_auth::access::{PrivateEndpointLayer, VpcEndpoint, VpcEndpoints};
///
/// let endpoint = VpcEndpoint::new("vpce-1", ["10.1.0.0/16".parse()?]);
/// let layer = PrivateEndpointLayer::new(VpcEndpoints::new([endpoint]));
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PrivateEndpointLayer {
    endpoints: Arc<VpcEndpoints>,
}

impl PrivateEndpointLayer {
    /// A layer for requests through one of these endpoints.
    pub fn new(endpoints: VpcEndpoints) -> Self {
        Self {
            endpoints: Arc::new(endpoints),
        }
    }
}

impl Guard for PrivateEndpointLayer {
    type Ask = Never;

    const NEEDS_CONTEXT: bool = true;

    const NAME: &'static str = "private-endpoint";

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        let client = head.context().and_then(RequestContext::client);
        let Some(endpoint) = client.and_then(|client| self.endpoints.of(client)) else {
            let mut decision = Decision::new("auth", "private/not-through-an-endpoint");
            if let Some(client) = client {
                decision = decision.with("client", client.to_string());
            }
            let rejection = Rejection::new(RejectionKind::UnknownStage).with_decision(decision);
            return Verdict::Refuse(rejection);
        };
        if let Some(context) = head.context() {
            context.update_identity(|identity| {
                let id = endpoint.vpc_endpoint_id.as_str();
                identity.other.insert("vpceId", id.into());
                if let Some(id) = &endpoint.vpc_id {
                    identity.other.insert("vpcId", id.as_str().into());
                }
            });
        }
        Verdict::Pass
    }
}

impl<S> Layer<S> for PrivateEndpointLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Guarded<S, Self> {
        GuardLayer::new(self.clone()).layer(inner)
    }
}
