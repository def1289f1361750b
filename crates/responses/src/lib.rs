//! Gateway responses: the look of what a gateway answers by itself.
//!
//! Every refusal is a [`Rejection`](portcullis_core::Rejection), complete as it is. A [`GatewayResponses`] table gives refusals another status,
//! headers of their own and another body, under the names and by the rules of Amazon API Gateway. [`ResponsesLayer`] does so to
//! whatever an inner layer refuses.
//!
//! ```
//! use http::{Request, Response};
//! use portcullis_core::{Body, Rejection, RejectionKind};
//! use portcullis_responses::{GatewayResponses, ResponseConfig, ResponsesLayer};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let responses = GatewayResponses::builder()
//!     .response(
//!         ResponseConfig::new("THROTTLED")
//!             .status(503)
//!             .header("X-Path", "context.path")
//!             .template("application/json", r#"{"sorry":$context.error.messageString}"#),
//!     )
//!     .response(ResponseConfig::new("DEFAULT_4XX").header("Access-Control-Allow-Origin", "'*'"))
//!     .build()?;
//!
//! let refusing = service_fn(async |_request: Request<()>| {
//!     Ok::<_, std::convert::Infallible>(Rejection::new(RejectionKind::Throttled).into_response::<Body>())
//! });
//! let service = ResponsesLayer::new(responses).layer(refusing);
//! let response = service.oneshot(Request::get("/pets").body(())?).await?;
//!
//! assert_eq!(response.status(), 503);
//! assert_eq!(response.headers()["x-path"], "/pets");
//! assert_eq!(response.headers()["x-amzn-errortype"], "TooManyRequestsException");
//! assert!(!response.headers().contains_key("access-control-allow-origin"), "THROTTLED has an entry of its own");
//! assert_eq!(response.body().as_bytes(), Some(&br#"{"sorry":"Too Many Requests"}"#[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! **Which entry applies.** The one of the refusal's own type; what that leaves unset is the type's default, *not* that of `DEFAULT_4XX`.
//! Without one, `DEFAULT_4XX` or `DEFAULT_5XX`, by the class of the type's nominal status, which is not always the one that the refusal has.
//! Without that, the refusal stays as it is. An unset status is the refusal's own (502, where the nominal one is 504, say).
//!
//! **What it changes.** Status, body, and the headers that it names. Everything else on the response stays: what the refusing layer added
//! (`Retry-After`, `Allow`) and `x-amzn-ErrorType`, which goes on naming the original type. The `Rejection` stays in the response's
//! extensions, so that logs and metrics see what really happened.
//!
//! **Templates** are plain text with references: `$context.name` and `$stageVariables.name` (also with braces, `${context.name}`), and
//! `method.request.header.name`, `method.request.path.name`, `method.request.querystring.name` (also with `$`). Nothing else of Velocity is understood.
//! Values are put in as they are; `$context.error.messageString` is JSON with its quotes, so it stands without any:
//! `{"message":$context.error.messageString}`. A missing message is `null`, anything else that is missing is nothing. A template for `application/json` is used before
//! others, and the first before the rest; what the client accepts is not asked.
//!
//! **Header expressions** are `'text'`, `context.name`, `stageVariables.name`, `method.request.header.name`, `method.request.path.name`,
//! `method.request.querystring.name` or `method.input.params.name` (path, then query, then header). Control characters, line breaks among them, are
//! taken out of values, and a header without a value is left out. Path values are as the client sent them, query values are decoded; of several, the last counts.
//!
//! **The default body** of `ACCESS_DENIED` has `Message` with a capital letter, also where its template is spelt out as the service lists it:
//! only a template that differs is a template.
//!
//! **What cannot be changed**: refusals outside the types (an unknown stage, 414), refusals of HTTP APIs, and, as in the service, `REQUEST_TOO_LARGE`,
//! unless [`restyle_too_large`](GatewayResponsesBuilder::restyle_too_large) is set.
//!
//! A refused HEAD request of a REST API is answered without a body and with `Content-Length: 0`.
//!
//! # Order
//!
//! [`ResponsesLayer`] stands outside every layer that refuses, and inside CORS. It reads the [`RequestContext`](portcullis_core::RequestContext) that an outer layer
//! made, and makes one only if its templates ask for something that is in it. While requests pass it allocates nothing,
//! unless a template asks for one of their headers.
//!
//! # Caveats
//!
//! Values in bodies are not escaped, as in the service. A template that quotes what the client sent (`"$context.path"`) can be made to yield broken JSON by that client,
//! and one for `text/html` can be made to run scripts. `$context.error.messageString` is safe.
//!
//! What a table says without effect is not lost: see [`GatewayResponses::remarks`].
//!
//! # Features
//!
//! None.

mod capture;
mod config;
mod error;
mod expression;
mod layer;
mod restyle;
mod service;
mod source;
mod table;
mod template;

pub use {
    capture::Captured,
    config::ResponseConfig,
    error::{ConfigError, Fault, Remark},
    layer::ResponsesLayer,
    service::{Responses, ResponsesFuture},
    table::{GatewayResponses, GatewayResponsesBuilder},
};
