//! Hosts, base paths and stages: which API, and which stage of it, a request is for.
//!
//! A [`Resolver`] answers that question for a host and a path, without allocating. [`StagesLayer`] is the
//! resolver as a tower layer: it notes the stage in the request's context and hands the path below the stage on.
//!
//! ```
//! use portcullis_core::ApiKind;
//! use portcullis_stages::{Api, Domain, Resolver};
//!
//! let resolver = Resolver::builder("us-east-1")
//!     .api(Api::new("a1b2c3", ApiKind::Rest).stage("prod", "shop, live").stage("test", "shop, to try"))
//!     .domain(Domain::new("shop.example.com").map("v1", "a1b2c3", "prod"))
//!     .build()?;
//!
//! let found = resolver
//!     .resolve(Some("a1b2c3.execute-api.us-east-1.amazonaws.com"), "/test/hats/5")
//!     .expect("the API has a stage of this name");
//! assert_eq!(*found.target(), "shop, to try");
//! assert_eq!(found.rest_of("/test/hats/5"), "/hats/5");
//!
//! let found = resolver.resolve(Some("shop.example.com:8443"), "/v1/hats/5").expect("the domain maps v1");
//! assert_eq!((*found.target(), found.stage(), found.base_path()), ("shop, live", "prod", Some("v1")));
//!
//! let refusal = resolver.resolve(Some("shop.example.com"), "/v2/hats").expect_err("nothing maps v2");
//! assert_eq!(refusal.to_rejection().status(), 403);
//! # Ok::<(), portcullis_stages::ConfigError>(())
//! ```
//!
//! As a layer:
//!
//! ```
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use portcullis_core::{ApiKind, RequestContext};
//! use portcullis_stages::{Api, Fallback, Resolver, StageVariables, StagesLayer};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let variables = StageVariables::new([("table", "pets-test")])?;
//! let resolver = Resolver::builder("us-east-1")
//!     .api(Api::new("a1b2c3", ApiKind::Rest).plain_stage("test", variables))
//!     .fallback(Fallback::Api("a1b2c3".into()))
//!     .build()?;
//! let service = StagesLayer::new(resolver).layer(service_fn(async |mut request: Request<()>| {
//!     let context = RequestContext::of(&mut request).clone();
//!     let table = &context.stage().expect("the layer found one").variables["table"];
//!     let text = format!("{} of {table}", request.uri().path());
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::from(text)))
//! }));
//!
//! let known = Request::get("/test/pets").header("host", "localhost:8080").body(())?;
//! assert_eq!(service.clone().oneshot(known).await?.status(), 200);
//! let unknown = Request::get("/tset/pets").header("host", "localhost:8080").body(())?;
//! assert_eq!(service.oneshot(unknown).await?.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! **Hosts** are compared without case, port and trailing dot. Each API answers to
//! `{api id}.execute-api.{region}.amazonaws.com`, unless its default endpoint is
//! [disabled](Api::disable_default_endpoint) (then 403, whatever the path), and to the
//! [hosts](Api::host) that it is given. A [`Domain`] is a host with base path mappings; one whose first
//! label is `*` stands for every name with one label in that place, and an exact name goes before it.
//! Every other host is the [`Fallback`]'s.
//!
//! **Stages of a REST API**: the first segment of the path is the stage's name, compared as it was sent. Slashes
//! doubled before or after the stage count as one: below `//test//pets` is `/pets`. Slashes doubled further
//! down stay. No such stage: 403 `{"message":"Forbidden"}`.
//!
//! **Stages of an HTTP API**: a first segment that names a stage chooses it; otherwise the stage `$default` serves the
//! whole path; otherwise 404 `{"message":"Not Found"}`. Doubled slashes are segments like any other.
//!
//! **Base paths** are compared with case, and the longest that fits wins, also if its API then has no such route.
//! While each mapping of a domain is at most one segment long, the first segment has to be equal. One mapping of
//! two or more segments changes that *for the whole domain*: the path only has to begin with the base path, so that
//! `/ordersandmore` belongs to `orders`, with `andmore` as the rest. `(none)` is the empty base path and fits what
//! nothing else fits. No mapping: 403 `{"message":"Forbidden"}`. A mapping without a stage expects the stage's name behind
//! the base path. A slash doubled behind the base path counts as one.
//!
//! **Routing rules** of a domain are tried before its base paths, the lowest priority first; the first [`Rule`] all of whose conditions fit decides, also if its API then
//! has no such route. A condition on a header looks at each line of it: `*json` fits the second of two lines `Accept`, and not the middle of a list in one. A condition
//! on the path is made of whole segments. No rule and no mapping: 403.
//!
//! **Private APIs** let in whoever comes from the [networks](StagesLayer::private_networks) that are private, and refuse everyone else with 403.
//!
//! **Stage variables** are checked when they are set ([`StageVariables`]). [`StageTemplate`] puts them into
//! URIs, and says so where one is unset, which the service answers with 500.
//!
//! **Versions that go away** are told of by [`Deprecation`], with every response: of a router of yours by [`DeprecationLayer`].
//!
//! # Order
//!
//! [`StagesLayer`] belongs outside everything that asks for the stage, the route or the variables, and inside
//! CORS and gateway responses. It always enforces: without a stage nobody could serve the request.
//!
//! # Caveats
//!
//! - `/ping` and `/sping` are the service's own health checks on custom domains. They cannot be base paths, as in the service;
//!   requests for them go to the domain's `(none)` mapping like others, because an answer of ours would hide a route of yours.
//! - On a domain with a mapping of several segments the service turns header names into lower case. Here they always are.
//! - Client certificates are a matter of the listener. The default endpoint of an API that relies on them has to be disabled.
//!
//! # Features
//!
//! None.

mod api;
mod base_paths;
mod build;
mod deprecation;
mod deprecation_layer;
mod domain;
mod error;
mod glob;
mod host;
mod host_map;
mod layer;
mod lookup;
mod prefixes;
mod refusal;
mod resolver;
mod rule;
mod service;
mod template;
mod variables;

pub use {
    api::Api,
    build::{Fallback, ResolverBuilder},
    deprecation::{Deprecation, DeprecationBuilder},
    deprecation_layer::{Deprecated, DeprecatedFuture, DeprecationLayer},
    domain::Domain,
    error::{ConfigError, Fault},
    host_map::HostMap,
    layer::StagesLayer,
    lookup::Lookup,
    refusal::{Refusal, RefusalReason},
    resolver::{Resolved, Resolver},
    rule::Rule,
    service::Stages,
    template::{StageTemplate, UnsetVariable, expand},
    variables::StageVariables,
};
