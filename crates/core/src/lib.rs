//! The vocabulary of Portcullis: what its layers say to each other and to the services around them.
//!
//! A policy is a [`Guard`]; this crate has the one tower layer round a guard and the one [`Chain`] of guards.
//! A refusal is a [`Rejection`]: a complete answer that explains itself. What is known of a request is in its
//! [`RequestContext`].
//!
//! ```
//! use http::{Request, Response};
//! use portcullis_core::{
//!     Body, Guard, GuardLayer, Head, Never, Rejection, RejectionKind, Verdict,
//! };
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! /// Lets nobody in who does not say please.
//! struct Polite;
//!
//! impl Guard for Polite {
//!     type Ask = Never;
//!
//!     fn check(&self, head: &Head<'_>) -> Verdict<Never> {
//!         if head.headers().contains_key("please") {
//!             Verdict::Pass
//!         } else {
//!             Verdict::Refuse(Rejection::new(RejectionKind::AccessDenied))
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hello = service_fn(async |_request: Request<()>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello")))
//! });
//! let service = GuardLayer::new(Polite).layer(hello);
//!
//! let polite = Request::get("/").header("please", "1").body(())?;
//! assert_eq!(service.clone().oneshot(polite).await?.status(), 200);
//! assert_eq!(service.oneshot(Request::get("/").body(())?).await?.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! - A guard looks at a request's head and passes, refuses, or asks for what memory cannot answer; only then something is boxed. Where it must see
//!   the body, it says so ([`Guard::READS_BODY`]), and the body is read once for all guards of a chain.
//! - Every guard has a [`Mode`]: it enforces, or observes (what it would have refused passes, and is a list in the context), or is disabled.
//! - A refusal is a response, never an error: `{"message":"Too Many Requests"}` with its status and `x-amzn-ErrorType`, as Amazon API Gateway words it for REST or for HTTP APIs.
//!   The [`Rejection`] stays in the response's extensions, with the [`Decision`] behind it, which the client does not see.
//! - The context is the one extension that a request carries, and answers every `$context` name that the service has ([`Variable`]).
//!
//! # Order
//!
//! [`BoxRequestBodyLayer`] stands at the top of a stack and [`BoxBodyLayer`] at its bottom, where bodies cannot be made from bytes (hyper's `Incoming`, a
//! `BoxBody`). Guards stand inside whatever reads or restyles refusals.
//!
//! # What is not here
//!
//! No policy, no I/O and no runtime. Something moves here only when two crates need it: a small type or a
//! trait by which they agree, never the work itself.
//!
//! # Features
//!
//! `test-util` adds `ManualClock`.

mod body;
mod body_shell;
mod cache_status;
mod call_record;
mod chain;
mod claims;
mod client_address;
mod client_certificate;
mod clock;
mod config_error;
mod context;
mod decision;
mod function;
mod future;
mod guard;
mod identity;
mod limit_standing;
mod live;
mod permissions;
mod rejection;
mod rejection_kind;
mod release;
mod request_body;
mod request_id;
mod route;
mod service_header;
mod shell;
mod trace;
mod value;
mod variable;

#[cfg(any(test, feature = "test-util"))]
pub use clock::ManualClock;
pub use {
    body::{
        Body, BoxBody, BoxBodyFuture, BoxBodyLayer, BoxError, BoxRequestBody, BoxRequestBodyLayer,
    },
    body_shell::{BodyGuardLayer, BodyGuarded, BodyGuardedFuture},
    cache_status::CacheStatus,
    call_record::{Beginning, Call, CallRecord},
    chain::{Chain, ChainWalk},
    claims::{ClaimWording, Claims},
    client_address::{Connection, ForwardingHeader, Tls, TrustedProxies},
    client_certificate::ClientCertificate,
    clock::{Clock, SystemClock},
    config_error::ConfigError,
    context::{ApiStage, Facts, Overrides, RequestContext},
    decision::{Decision, Fact},
    function::{
        Function, FunctionError, FunctionErrorKind, FunctionFuture, FunctionReply, FunctionStream,
        FunctionStreamFuture, Invocation,
    },
    future::ResponseFuture,
    guard::{BoxAsk, Guard, Head, Mode, Never, Verdict},
    identity::{ApiKeyId, CallerKey, Identity},
    limit_standing::LimitStanding,
    live::{Live, Snapshot},
    permissions::Permissions,
    rejection::{ApiKind, ERROR_TYPE, Rejection},
    rejection_kind::RejectionKind,
    release::Release,
    request_body::RequestBody,
    request_id::{
        EXTENDED_REQUEST_ID, ExtendedRequestId, HTTP_API_REQUEST_ID, REQUEST_ID, RequestId,
    },
    route::{MatchedRoute, Route},
    service_header::is_service_header,
    shell::{GuardLayer, Guarded, GuardedFuture},
    trace::{TRACE_ID, TRACEPARENT, TRACESTATE, Trace},
    value::{ContextValue, ContextVisitor},
    variable::{Detail, Measure, Variable},
};
