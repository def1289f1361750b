//! The powers of a managed API gateway, in your own process.

#[cfg(feature = "client")]
pub use portcullis_client as client;
pub use portcullis_core as core;
#[cfg(feature = "cors")]
pub use portcullis_cors as cors;
#[cfg(feature = "definition")]
pub use portcullis_definition as definition;
#[cfg(feature = "integrations")]
pub use portcullis_integrations as integrations;
#[cfg(feature = "openapi")]
pub use portcullis_openapi as openapi;
#[cfg(feature = "responses")]
pub use portcullis_responses as responses;
#[cfg(feature = "routing")]
pub use portcullis_routing as routing;
#[cfg(feature = "stages")]
pub use portcullis_stages as stages;

#[cfg(feature = "serve")]
pub mod serve;

#[cfg(feature = "gateway")]
mod gateway;

#[cfg(feature = "gateway")]
pub use gateway::{
    ApiSpec, CoveredField, Coverage, Gateway, GatewayBuilder, GatewayError, GatewayFault,
    GatewayFuture, Parity, RouteSummary, Served, UnknownRoute,
};
