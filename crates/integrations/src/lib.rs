//! What stands behind a method: mocks, HTTP endpoints, functions and AWS services.
//!
//! Each integration is a [`tower::Service`](tower_service::Service) of its own, and one of the variants of [`Integration`], which
//! a gateway compiles from an [`IntegrationConfig`] and calls.
//!
//! ```
//! use portcullis_client::Client;
//! use portcullis_core::Body;
//! use portcullis_integrations::HttpProxy;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder().build()?;
//! // Nothing listens on port 1.
//! let proxy = HttpProxy::new(client, "http://127.0.0.1:1/v1/{proxy}")?;
//! let response = proxy.oneshot(http::Request::get("/pets?limit=3").body(Body::empty())?).await?;
//! assert_eq!(response.status(), 500);
//! assert_eq!(response.headers()["x-amzn-errortype"], "InternalServerErrorException");
//! # Ok(())
//! # }
//! ```
//!
//! A function is a closure, a service, a fixed answer or an endpoint elsewhere; with [`handler`](FunctionsBuilder::handler) it has types of its own for
//! events and replies:
//!
//! ```
//! use portcullis_core::{ApiKind, FunctionReply, Invocation};
//! use portcullis_integrations::{FunctionProxy, Functions};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let functions = Functions::builder()
//!     .function("hello", |_call: Invocation| async {
//!         Ok(FunctionReply::success(r#"{"statusCode": 200, "body": "hello"}"#))
//!     })
//!     .build()?;
//! let uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:hello/invocations";
//! let proxy = FunctionProxy::new(functions, uri, ApiKind::Rest)?;
//! let response = proxy.oneshot(http::Request::new(portcullis_core::Body::empty())).await?;
//! assert_eq!(response.body().as_bytes(), Some(&b"hello"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! `MOCK`, `HTTP` and `AWS` map requests and responses: by templates, parameters, patterns and overrides.
//!
//! ```
//! use portcullis_client::Client;
//! use portcullis_core::{ApiKind, Body, FunctionReply, Invocation};
//! use portcullis_integrations::{Backends, Functions, IntegrationConfig, IntegrationKind, ResponseConfig};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let functions = Functions::builder()
//!     .function("echo", |call: Invocation| async { Ok(FunctionReply::success(call.payload)) })
//!     .build()?;
//!
//! let json = "application/json".to_owned();
//! let mut config = IntegrationConfig::new(IntegrationKind::Aws, ApiKind::Rest);
//! config.uri = Some("echo".into());
//! config.request_templates = vec![(json.clone(), r#"{"name": $input.json('$.pet.name')}"#.into())];
//! let mut response = ResponseConfig::new("200");
//! response.parameters = vec![("method.response.header.x-name".into(), "integration.response.body.name".into())];
//! response.templates = vec![(json, "#set($context.responseOverride.status = 201)Hello, $input.path('$.name')!".into())];
//! config.responses = vec![response];
//!
//! let backends = Backends::new(Client::builder().build()?, functions);
//! let integration = config.compile(&backends)?.integration; // compiled once; a tower service
//! let request = http::Request::post("/").body(Body::from(r#"{"pet": {"name": "Rex"}}"#))?;
//! let response = integration.oneshot(request).await?;
//! assert_eq!(response.status(), 201);
//! assert_eq!(response.headers()["x-name"], "Rex");
//! assert_eq!(response.body().as_bytes(), Some(&b"Hello, Rex!"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! Requests, responses and failures are those of Amazon API Gateway, for both kinds of APIs. What is decided otherwise:
//!
//! - A path value that has `.` or `..` for a segment, encoded or not, is answered 400: the endpoint would read another path than
//!   the route that was matched.
//! - `Content-Encoding` stays on a proxied request that has a body, and on every answer: without it the body could not be read.
//! - A mapping reads a body only where it needs it, and within the integration's timeout and the cap on bodies; compressed ones (gzip,
//!   deflate) must fit the cap when they are inflated, too.
//! - A template that cannot be read is reported as [`Unsupported`] with its line and column, and a request that comes to it is answered
//!   500, as by the service. One that fails while it is rendered is answered 500, or 400 if it is the client's body that is no JSON.
//! - The letter case of header names does not matter in templates and mappings.
//! - Bodies of proxies stream. An endpoint that breaks off in the middle of its answer, or takes longer than the timeout to
//!   finish it, breaks the client's response off; the service, which holds answers back, sends a 5xx.
//! - `Expect`, `Upgrade` and what else speaks of one connection only is never passed on, and no message is framed by
//!   headers that it came with. WebSockets pass where [`HttpProxy::with_web_sockets`] says so.
//!
//! # Order
//!
//! An integration is the innermost service. What it reads of the [`RequestContext`](portcullis_core::RequestContext), an outer layer has put there: the stage with its variables, the
//! route with its path parameters, the caller. Without them it works on the request alone.
//!
//! # Caveats
//!
//! A VPC link leads to an upstream that [`Backends::vpc_links`] names; one that it does not name is answered 500, and
//! [`IntegrationConfig::compile`] lists it as [`Unsupported`].
//!
//! # Features
//!
//! `validation` adds `Validator` and `ValidationLayer`, which check requests before anything is called, with a JSON Schema library.

mod answering;
mod aws;
mod body;
mod coding;
mod config;
mod error;
mod exchange;
mod failure;
mod forwarded;
mod function;
mod headers;
mod http_api;
mod http_backend;
mod http_proxy;
mod integration;
mod mapping;
mod mock;
mod mock_status;
mod target;
mod unserved;
mod uri;
#[cfg(feature = "validation")]
mod validation;
mod web_socket;

#[cfg(feature = "validation")]
pub use validation::{
    Model, Models, ValidationLayer, Validator, ValidatorBuilder, ValidatorConfig,
};
pub use {
    aws::{
        Aws, AwsBuilder, AwsService, Credentials, CredentialsError, CredentialsFuture,
        CredentialsProvider, CredentialsSource,
    },
    coding::{Compression, CompressionFuture, CompressionLayer, CompressionService, ContentCoding},
    config::{
        Backends, Compiled, ContentHandling, IntegrationConfig, IntegrationKind, ResponseConfig,
    },
    error::{Conduct, ConfigError, Unsupported},
    function::{
        FunctionAlias, FunctionProxy, FunctionTarget, FunctionUri, Functions, FunctionsBuilder,
        LambdaAction, PayloadFormat,
    },
    http_api::{MappedProxy, ServiceProxy},
    http_backend::HttpBackend,
    http_proxy::HttpProxy,
    integration::{Integration, IntegrationFuture, ServiceFuture},
    mapping::Passthrough,
    mock::Mock,
    unserved::Unserved,
};
