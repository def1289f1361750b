//! Cross-origin resource sharing (CORS) as a tower layer.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use portcullis_cors::{CorsLayer, CorsRules};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rules = CorsRules::builder()
//!     .allow_origins(["https://app.example", "https://*.preview.app.example"])
//!     .allow_methods(["PUT", "DELETE"])
//!     .allow_headers(["content-type", "authorization"])
//!     .allow_credentials(true)
//!     .build()?;
//! let hello = service_fn(async |_request: Request<()>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))
//! });
//! let service = CorsLayer::new(rules).layer(hello);
//!
//! // A preflight is answered without the service.
//! let preflight = Request::options("/")
//!     .header("origin", "https://app.example")
//!     .header("access-control-request-method", "PUT")
//!     .body(())?;
//! let answer = service.clone().oneshot(preflight).await?;
//! assert_eq!(answer.status(), StatusCode::NO_CONTENT);
//! assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example");
//! assert_eq!(answer.headers()["access-control-allow-methods"], "PUT,DELETE");
//!
//! // A request of an allowed origin gets the service's answer, and may read it.
//! let request = Request::get("/").header("origin", "https://7.preview.app.example").body(())?;
//! let answer = service.clone().oneshot(request).await?;
//! assert_eq!(answer.headers()["access-control-allow-origin"], "https://7.preview.app.example");
//! assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
//! assert_eq!(answer.headers()["vary"], "Origin");
//!
//! // A request of another origin gets it too, but its browser keeps it from the page.
//! let request = Request::get("/").header("origin", "https://evil.example").body(())?;
//! let answer = service.oneshot(request).await?;
//! assert_eq!(answer.status(), StatusCode::OK);
//! assert!(!answer.headers().contains_key("access-control-allow-origin"));
//! assert_eq!(answer.headers()["vary"], "Origin");
//! # Ok(())
//! # }
//! ```
//!
//! Origins can be asked for by a predicate, asynchronous if need be, and rules can be replaced while requests
//! are in flight:
//!
//! ```
//! use portcullis_cors::{CorsLayer, CorsRules};
//!
//! # fn main() -> Result<(), portcullis_cors::ConfigError> {
//! let layer = CorsLayer::new(
//!     CorsRules::builder()
//!         .allow_origins(["https://app.example"])
//!         .allow_origins_if_async(async |origin| origin == "https://tenant.example")
//!         .build()?,
//! );
//! let live = layer.rules().clone();
//! live.replace(CorsRules::builder().allow_origins(["*"]).build()?);
//!
//! // What browsers would not accept is not accepted here.
//! let error = CorsRules::builder().allow_origins(["*"]).allow_credentials(true).build().unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "allowOrigins: `*` cannot stand together with credentials; \
//!      name the origins, or set allowCredentials to false",
//! );
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! CORS is not access control: no request is refused. The layer answers preflights, and sets the headers by
//! which browsers know whether a page may read an answer: on the service's answers, and on whatever refusals
//! and errors come from under it. CORS headers that the service sets by itself are taken away first, so that
//! an origin that the rules deny never sees some.
//!
//! There are two [conducts](Conduct):
//!
//! | | [`Conduct::Standard`] | [`Conduct::HttpApi`] |
//! | --- | --- | --- |
//! | follows | the WHATWG Fetch standard | HTTP APIs of Amazon API Gateway |
//! | takes for a preflight | `OPTIONS` with `Origin` and `Access-Control-Request-Method` | every `OPTIONS` |
//! | grants a preflight | if the origin is allowed; the browser compares methods and headers | if the origin, the method and all headers are allowed |
//! | answers one that is not granted | 204, no CORS headers | 204, no CORS headers |
//! | origins | exact, `https://*.example.com`, `https://*`, `http://*`, `*`, `null`, predicates | exact, `https://*`, `http://*`, `*` |
//! | compares origins | byte by byte, as browsers write them | without regard to case |
//! | says `*` | on every answer, to requests without an origin as well | to requests with an origin only |
//! | `*` in other lists with credentials | an error, since browsers take it for a name | sent as it is |
//! | no allowed headers | no `Access-Control-Allow-Headers` | an empty one |
//! | exposed headers | on real answers | on preflights too |
//!
//! Where the service's conduct is not documented, this crate decides: preflights are answered 204 (a success
//! with nothing in it, and recorded is only that it is a success), and there is a `Vary`, which can be
//! [left out](CorsRulesBuilder::omit_vary). REST APIs of Amazon API Gateway have no CORS of their own (a
//! definition answers `OPTIONS` by a mock integration), so there is no third conduct.
//!
//! `Vary` names `Origin` wherever the answer depends on it, so also where the origin is denied or absent; it
//! does not where the rules are `*` in the standard's conduct. It is added to a `Vary` of the service, once.
//! On preflights it names the request headers that decided.
//!
//! More than one `Origin` header, or a list in one, is no origin that could be allowed. `null` (what sandboxed
//! frames and local files send) is allowed by `null` or `*` only.
//!
//! An asynchronous predicate does not delay the service: it is asked while the service works.
//!
//! # Order
//!
//! Outside everything that can refuse: authentication, throttling, validation, timeouts. Inside, preflights
//! (which browsers send without credentials) would be refused, and pages could not read why a request was.
//! Outside of it stand access logs and metrics, and compression.
//!
//! # Caveats
//!
//! - `*` among the allowed headers does not cover `Authorization`, by the standard: name it besides, or
//!   [mirror](CorsRulesBuilder::mirror_headers) what is asked for.
//! - `null` with credentials trusts every sandboxed frame. A predicate is asked about `null` too.
//! - `https://*.example.com` trusts whoever gets a name under `example.com`, and does not cover
//!   `https://example.com` itself.
//! - `https://*` with credentials is refused in the standard's conduct: it would be `*` by another name.
//! - Rules without any origin are valid: they deny all of them.
//! - A preflight that is answered is not seen by the service's routes, so it says nothing about whether the
//!   path or the method exists.
//!
//! # Features
//!
//! None.

mod builder;
mod check;
mod config;
mod error;
mod grant;
mod layer;
mod origin;
mod preflight;
mod rules;
mod service;

pub use {
    builder::CorsRulesBuilder,
    check::{Check, Later, PreflightAnswer},
    config::CorsConfig,
    error::ConfigError,
    grant::Grant,
    layer::CorsLayer,
    rules::{Conduct, CorsRules},
    service::{Cors, CorsFuture},
};
