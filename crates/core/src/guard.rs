//! Policies that may refuse a request.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, HeaderMap, Method, Request, Uri};
use serde::{Deserialize, Serialize};

use crate::context::RequestContext;
use crate::rejection::Rejection;
use crate::request_body::RequestBody;

/// What a guard looks at: everything of a request but its body, and the body where a guard must see it.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
    body: Option<&'a RequestBody>,
}

impl<'a> Head<'a> {
    /// The head of `request`.
    #[must_use]
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
            body: None,
        }
    }

    /// The head with the request's body beside it.
    #[must_use]
    pub const fn with_body(mut self, body: &'a RequestBody) -> Self {
        self.body = Some(body);
        self
    }

    /// The request's method.
    #[must_use]
    pub const fn method(&self) -> &'a Method {
        self.method
    }

    /// The request's target.
    #[must_use]
    pub const fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The request's headers.
    #[must_use]
    pub const fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The request's extensions.
    #[must_use]
    pub const fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// The request's context, if an outer layer put one there or the guard [needs](Guard::NEEDS_CONTEXT) it.
    #[must_use]
    pub fn context(&self) -> Option<&'a RequestContext> {
        self.extensions.get()
    }

    /// The request's body: there if this guard [wants](Guard::body_limit) it, or an earlier one of the same chain did.
    #[must_use]
    pub const fn body(&self) -> Option<&'a RequestBody> {
        self.body
    }
}

impl fmt::Debug for Head<'_> {
    /// Leaves out the headers, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("method", self.method)
            .field("path", &self.uri.path())
            .finish_non_exhaustive()
    }
}

/// What a guard says of a request.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a guard can do these three things")]
pub enum Verdict<A> {
    /// Let it through.
    Pass,
    /// Refuse it.
    Refuse(Rejection),
    /// Memory alone cannot tell: wait for this.
    Ask(A),
}

/// Whether refusals are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a layer decides and acts, only decides, or neither"
)]
pub enum Mode {
    /// Refuse what the policy refuses.
    #[default]
    Enforce,
    /// Decide, record and log the same, and let every request pass: what would be refused is
    /// a list in the [`RequestContext`].
    Observe,
    /// Do not even look.
    Disabled,
}

/// A policy that looks at a request and passes it, refuses it, or asks for something that memory cannot answer.
///
/// The same object serves as a layer ([`GuardLayer`](crate::GuardLayer), or [`BodyGuardLayer`](crate::BodyGuardLayer) if it
/// reads bodies) and as a link of a [`Chain`](crate::Chain). It holds no policy of *how* to refuse: mode, recording and the answer are the shell's.
///
/// ```
/// use portcullis_core::{Guard, GuardLayer, Head, Never, Rejection, RejectionKind, Verdict};
///
/// struct OfficeHours { open: bool }
///
/// impl Guard for OfficeHours {
///     type Ask = Never; // it never has to wait
///
///     fn check(&self, _head: &Head<'_>) -> Verdict<Never> {
///         if self.open {
///             Verdict::Pass
///         } else {
///             Verdict::Refuse(Rejection::new(RejectionKind::AccessDenied))
///         }
///     }
/// }
///
/// let layer = GuardLayer::new(OfficeHours { open: true });
/// # let _ = layer;
/// ```
pub trait Guard: Send + Sync + 'static {
    /// The wait for an answer from elsewhere: [`Never`] where the guard is synchronous. Facts that it
    /// learns go into the [`RequestContext`], which it can keep a clone of.
    type Ask: Future<Output = Result<(), Rejection>> + Send + Unpin + 'static;

    /// Whether the shell must see to it that the head has a context, even where no outer layer made one.
    const NEEDS_CONTEXT: bool = false;

    /// Whether it must see bodies of requests, all or some. Then its layer is a
    /// [`BodyGuardLayer`](crate::BodyGuardLayer); a [`Chain`](crate::Chain) takes it like any other.
    const READS_BODY: bool = false;

    /// What it is called in traces.
    const NAME: &'static str = "guard";

    /// Up to how many bytes the body of this request may have for [`check`](Self::check) to see it in
    /// [`Head::body`]; `None` where the head alone decides, so that nothing is read for a request that is refused anyway.
    ///
    /// It is asked only of a guard that [reads bodies](Self::READS_BODY), before `check`. A request with a longer body is answered 413.
    fn body_limit(&self, _head: &Head<'_>) -> Option<u64> {
        None
    }

    /// Looks at `head` and decides.
    fn check(&self, head: &Head<'_>) -> Verdict<Self::Ask>;

    /// Whether refusals are carried out. It is read for each request, so that an operator can change it.
    fn mode(&self) -> Mode {
        Mode::Enforce
    }
}

impl<G: Guard> Guard for Arc<G> {
    type Ask = G::Ask;

    const NEEDS_CONTEXT: bool = G::NEEDS_CONTEXT;

    const READS_BODY: bool = G::READS_BODY;

    const NAME: &'static str = G::NAME;

    fn body_limit(&self, head: &Head<'_>) -> Option<u64> {
        G::body_limit(self, head)
    }

    fn check(&self, head: &Head<'_>) -> Verdict<Self::Ask> {
        G::check(self, head)
    }

    fn mode(&self) -> Mode {
        G::mode(self)
    }
}

/// The [`Guard::Ask`] of a guard that never asks.
#[derive(Clone, Copy, Debug)]
pub struct Never(Infallible);

impl Future for Never {
    type Output = Result<(), Rejection>;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.0 {}
    }
}

/// The [`Guard::Ask`] of a guard whose waits have no name: boxed, which is fine for what is slow anyway.
pub type BoxAsk = Pin<Box<dyn Future<Output = Result<(), Rejection>> + Send>>;
