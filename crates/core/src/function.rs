//! Functions that a gateway calls by name.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::body::{Body, BoxError};
use crate::context::RequestContext;
use crate::trace::Trace;

/// The future of a [`Function`].
pub type FunctionFuture =
    Pin<Box<dyn Future<Output = Result<FunctionReply, FunctionError>> + Send>>;

/// The future of a [`Function`] that streams what it gives back.
pub type FunctionStreamFuture =
    Pin<Box<dyn Future<Output = Result<FunctionStream, FunctionError>> + Send>>;

/// Calls functions by name: integrations and custom authorizers ask it, and do not know
/// whether the function is a closure in this process or a service elsewhere.
///
/// It is implemented for closures from an [`Invocation`] to a future:
///
/// ```
/// use portcullis_core::{Function, FunctionReply, Invocation};
///
/// let echo = |call: Invocation| async move { Ok(FunctionReply::success(call.payload)) };
/// fn takes_a_function(_: impl Function) {}
/// takes_a_function(echo);
/// ```
pub trait Function: Send + Sync + 'static {
    /// Sends `invocation` and waits for what comes back.
    fn invoke(&self, invocation: Invocation) -> FunctionFuture;

    /// Sends `invocation` and hands on what comes back while it comes. A function that does not stream gives all of it at once.
    fn invoke_with_response_stream(&self, invocation: Invocation) -> FunctionStreamFuture {
        let reply = self.invoke(invocation);
        Box::pin(async move { Ok(reply.await?.into()) })
    }
}

impl<F, Fut> Function for F
where
    F: Fn(Invocation) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<FunctionReply, FunctionError>> + Send + 'static,
{
    fn invoke(&self, invocation: Invocation) -> FunctionFuture {
        Box::pin(self(invocation))
    }
}

/// One call of a function.
#[derive(Clone)]
#[non_exhaustive]
pub struct Invocation {
    /// The function's name, as it stands last but one in its ARN.
    pub name: Arc<str>,
    /// Version or alias, where the caller names one.
    pub qualifier: Option<Arc<str>>,
    /// The function's whole ARN without the qualifier, where the caller knows it: region and account are in it.
    pub arn: Option<Arc<str>>,
    /// The ARN of the role with whose rights it is called, where the caller names one.
    pub role: Option<Arc<str>>,
    /// The request as whose signer it is called, where the definition wants the signer's own rights to count.
    pub signer: Option<RequestContext>,
    /// The event, as JSON.
    pub payload: Bytes,
    /// The caller asked for `Event`: do not wait for the result.
    pub asynchronous: bool,
    /// How long the caller will wait; `None` leaves it to the sender.
    pub timeout: Option<Duration>,
    /// The trace that the call is part of.
    pub trace: Option<Trace>,
}

impl Invocation {
    /// A synchronous call of `name` with `payload`.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, payload: impl Into<Bytes>) -> Self {
        Self {
            name: name.into(),
            qualifier: None,
            arn: None,
            role: None,
            signer: None,
            payload: payload.into(),
            asynchronous: false,
            timeout: None,
            trace: None,
        }
    }
}

impl fmt::Debug for Invocation {
    /// Leaves out the payload, which may hold a client's secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("name", &self.name)
            .field("qualifier", &self.qualifier)
            .field("arn", &self.arn)
            .field("role", &self.role)
            .field("as_signer", &self.signer.is_some())
            .field("payload_bytes", &self.payload.len())
            .field("asynchronous", &self.asynchronous)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// What a function gave back.
#[derive(Clone)]
#[non_exhaustive]
pub struct FunctionReply {
    /// The JSON that it returned, or that describes its error.
    pub payload: Bytes,
    /// The status of the service that ran it (200; 202 for an asynchronous call), which is not the function's own.
    pub status: u16,
    /// Set when the function itself failed: `Handled` or `Unhandled`. The payload then holds `errorMessage`.
    pub function_error: Option<Arc<str>>,
    /// The id that the service gave to the call.
    pub request_id: Option<Arc<str>>,
}

impl FunctionReply {
    /// The function returned `payload`.
    #[must_use]
    pub fn success(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            status: 200,
            function_error: None,
            request_id: None,
        }
    }

    /// The function failed; `payload` is the error as the runtime describes it.
    #[must_use]
    pub fn failure(payload: impl Into<Bytes>) -> Self {
        Self {
            function_error: Some(Arc::from("Unhandled")),
            ..Self::success(payload)
        }
    }
}

impl fmt::Debug for FunctionReply {
    /// Leaves out the payload, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionReply")
            .field("payload_bytes", &self.payload.len())
            .field("status", &self.status)
            .field("function_error", &self.function_error)
            .field("request_id", &self.request_id)
            .finish()
    }
}

/// What a function gives back while it still runs.
#[derive(Debug)]
#[non_exhaustive]
pub struct FunctionStream {
    /// What the function writes. If it fails on the way, the body ends with an error.
    pub body: Body,
    /// The status of the service that runs it, as in [`FunctionReply::status`].
    pub status: u16,
    /// Set when it is known already that the function failed.
    pub function_error: Option<Arc<str>>,
    /// The id that the service gave to the call.
    pub request_id: Option<Arc<str>>,
}

impl FunctionStream {
    /// The function writes `body`.
    #[must_use]
    pub fn new(body: impl Into<Body>) -> Self {
        Self {
            body: body.into(),
            status: 200,
            function_error: None,
            request_id: None,
        }
    }
}

impl From<FunctionReply> for FunctionStream {
    fn from(reply: FunctionReply) -> Self {
        Self {
            body: reply.payload.into(),
            status: reply.status,
            function_error: reply.function_error,
            request_id: reply.request_id,
        }
    }
}

/// Why a function could not be called. (A function that was called and failed is a
/// [`FunctionReply::failure`].)
#[derive(Debug)]
pub struct FunctionError {
    kind: FunctionErrorKind,
    source: Option<BoxError>,
}

/// The ways in which a call of a function can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FunctionErrorKind {
    /// There is no function of this name, version or alias.
    NotFound,
    /// The gateway may not call it.
    AccessDenied,
    /// It did not answer in time.
    Timeout,
    /// It could not be reached, or what came back was not an answer.
    Unreachable,
    /// It has too many calls already.
    Throttled,
}

impl FunctionError {
    /// A failure of this kind.
    #[must_use]
    pub const fn new(kind: FunctionErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds what it came from.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Which kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> FunctionErrorKind {
        self.kind
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            FunctionErrorKind::NotFound => "no such function",
            FunctionErrorKind::AccessDenied => "not allowed to call the function",
            FunctionErrorKind::Timeout => "the function did not answer in time",
            FunctionErrorKind::Unreachable => "the function cannot be reached",
            FunctionErrorKind::Throttled => "the function has too many calls",
        })
    }
}

impl Error for FunctionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
