//! The powers of a managed API gateway, in your own process.
//!
//! Two things in one: `tower` layers to pick one by one, each from a crate of its own that is re-exported here behind a feature of the same
//! name, and a whole [`Gateway`] that runs an API definition exported from Amazon API Gateway unchanged.
//!
#![cfg_attr(feature = "gateway", doc = "```")]
#![cfg_attr(not(feature = "gateway"), doc = "```ignore")]
//! use http::Request;
//! use portcullis::{Gateway, core::Body};
//! use serde_json::json;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let export = json!({
//!     "openapi": "3.0.1",
//!     "info": { "title": "pets", "version": "1.0" },
//!     "paths": { "/pets": { "post": {
//!         "responses": {},
//!         "x-amazon-apigateway-integration": {
//!             "type": "aws_proxy",
//!             "httpMethod": "POST",
//!             "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:create-pet/invocations"
//!         }
//!     } } }
//! });
//! // A fixed answer stands in for the function; a Rust handler would do as well.
//! let gateway = Gateway::builder()
//!     .export(export.to_string())
//!     .function_mock("create-pet", json!({ "statusCode": 201, "body": "{\"id\": 4}" }))
//!     .build()?;
//!
//! let response = gateway.clone().oneshot(Request::post("/pets").body(Body::empty())?).await?;
//! assert_eq!(response.status(), 201);
//! let response = gateway.oneshot(Request::get("/pets").body(Body::empty())?).await?;
//! assert_eq!(response.status(), 403); // as the service says it: "Missing Authentication Token"
//! # Ok(())
//! # }
//! ```
//!
//! # Layers alone
//!
//! ```sh
//! cargo add portcullis --features cors            # one layer: `portcullis::cors::CorsLayer`, and nothing else is compiled
//! cargo add portcullis --features auth,throttle   # two of them
//! cargo add portcullis --features gateway,serve   # `Gateway`, and a listener for it
//! ```
//!
//! The guide has the [order of layers](https://github.com/portcullis-rs/portcullis/blob/main/docs/guide/layers.md), and
//! [where each of Amazon's words](https://github.com/portcullis-rs/portcullis/blob/main/docs/guide/aws.md) is here.
//!
//! # Semantics
//!
//! By default a gateway sends what the service sends: statuses, headers, bodies. `docs/deviations.md` lists where it does not.
//! What a definition asks for and is not served yet is in the [`Coverage`]; a method that needs an authorizer, a
//! signature or a key that is not served yet refuses every request.
//!
//! # Features
//!
//! None is on by default. `gateway` has [`Gateway`] and the configuration file, `serve` a listener, `admin` the operators' API, `full` everything; each
//! crate has one of its own name.

#[cfg(feature = "auth")]
pub use portcullis_auth as auth;
#[cfg(feature = "cache")]
pub use portcullis_cache as cache;
#[cfg(feature = "canary")]
pub use portcullis_canary as canary;
#[cfg(feature = "client")]
pub use portcullis_client as client;
pub use portcullis_core as core;
#[cfg(feature = "cors")]
pub use portcullis_cors as cors;
#[cfg(feature = "definition")]
pub use portcullis_definition as definition;
#[cfg(feature = "integrations")]
pub use portcullis_integrations as integrations;
#[cfg(feature = "observe")]
pub use portcullis_observe as observe;
#[cfg(feature = "openapi")]
pub use portcullis_openapi as openapi;
#[cfg(feature = "redis")]
pub use portcullis_redis as redis;
#[cfg(feature = "responses")]
pub use portcullis_responses as responses;
#[cfg(feature = "routing")]
pub use portcullis_routing as routing;
#[cfg(feature = "stages")]
pub use portcullis_stages as stages;
#[cfg(feature = "templates")]
pub use portcullis_templates as templates;
#[cfg(feature = "throttle")]
pub use portcullis_throttle as throttle;

#[cfg(feature = "serve")]
pub mod serve;

#[cfg(feature = "gateway")]
mod gateway;

#[cfg(feature = "gateway")]
pub use gateway::{
    AccessLogConfig, AccountConfig, ApiConfig, ApiSpec, CacheConfig, CanaryRules, CanarySummary,
    Change, ConfigError, ConfigFault, ConfigFormat, Coverage, CoveredField, CredentialsConfig,
    DeploymentDiff, DeploymentSummary, Destination, Edge, EmfConfig, FieldChange, FileStore,
    FunctionConfig, FunctionPlace, Gateway, GatewayBuilder, GatewayConfig, GatewayError,
    GatewayFault, GatewayFuture, GatewayHandle, HandleError, HandleErrorKind, IntrospectionConfig,
    IssuerConfig, LimitsAway, LogConfig, MirrorSummary, NewDeployment, Parity, RedisConfig,
    RouteChange, RouteSummary, Served, SharedLimitsConfig, StageSummary, StateError, StateStore,
    StoredState, TlsFiles, TracesConfig, UnknownRoute, UpstreamConfig,
};
#[cfg(feature = "admin")]
pub use gateway::{AdminFuture, AdminService};

/// The pages whose examples the tests run.
#[cfg(all(doctest, feature = "gateway", feature = "serve"))]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;

    #[doc = include_str!("../../../docs/guide/api-keys.md")]
    struct ApiKeys;

    #[doc = include_str!("../../../docs/guide/auth.md")]
    struct Auth;

    #[doc = include_str!("../../../docs/guide/canary.md")]
    struct CanaryReleases;
    #[doc = include_str!("../../../docs/guide/caching.md")]
    struct Caching;

    #[cfg(feature = "mtls")]
    #[doc = include_str!("../../../docs/guide/client-certificates.md")]
    struct ClientCertificates;

    #[doc = include_str!("../../../docs/guide/configuration.md")]
    struct Configuration;

    #[cfg(feature = "admin")]
    #[doc = include_str!("../../../docs/guide/deployments.md")]
    struct Deployments;
    #[doc = include_str!("../../../docs/guide/domains.md")]
    struct Domains;

    #[doc = include_str!("../../../docs/guide/functions.md")]
    struct Functions;

    #[doc = include_str!("../../../docs/guide/getting-started.md")]
    struct GettingStarted;

    #[doc = include_str!("../../../docs/guide/http-cache.md")]
    struct HttpCache;

    #[doc = include_str!("../../../docs/guide/iam.md")]
    struct Iam;

    #[doc = include_str!("../../../docs/guide/integrations.md")]
    struct Integrations;

    #[doc = include_str!("../../../docs/guide/layers.md")]
    struct Layers;

    #[doc = include_str!("../../../docs/guide/observability.md")]
    struct Observability;

    #[doc = include_str!("../../../docs/guide/live-page.md")]
    struct LivePage;

    #[doc = include_str!("../../../docs/guide/traces.md")]
    struct Traces;

    #[doc = include_str!("../../../docs/guide/upstreams.md")]
    struct Upstreams;

    #[cfg(feature = "validation")]
    #[doc = include_str!("../../../docs/guide/validation.md")]
    struct Validation;

    #[cfg(feature = "throttle")]
    #[doc = include_str!("../../../docs/guide/throttling.md")]
    struct Throttling;
}
