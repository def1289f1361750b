//! The table as a layer.

use portcullis_core::Live;
use tower_layer::Layer;

use crate::service::Responses;
use crate::table::GatewayResponses;

/// Gives the refusals of inner layers the look that a table of gateway responses says.
///
/// It acts on responses that carry a [`Rejection`](portcullis_core::Rejection) of a REST API in their extensions and leaves every other one
/// alone. Clones share the table. See the [crate docs](crate) for an example.
#[derive(Clone, Debug)]
#[must_use]
pub struct ResponsesLayer {
    responses: Live<GatewayResponses>,
}

impl ResponsesLayer {
    /// A layer that follows `responses`, which may be a [`Live`] table that is replaced while requests are in flight.
    pub fn new(responses: impl Into<Live<GatewayResponses>>) -> Self {
        Self {
            responses: responses.into(),
        }
    }

    /// The handle by which the table can be replaced. A request keeps the one that it began with.
    #[must_use]
    pub const fn responses(&self) -> &Live<GatewayResponses> {
        &self.responses
    }
}

impl<S> Layer<S> for ResponsesLayer {
    type Service = Responses<S>;

    fn layer(&self, inner: S) -> Responses<S> {
        Responses::new(inner, self.responses.clone())
    }
}
