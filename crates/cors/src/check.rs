//! What the rules say of a request.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use crate::grant::Grant;
use crate::origin::AllowedFuture;

/// What [`CorsRules::check`](crate::CorsRules::check) says of a request.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a request is a preflight or not, and that is decided now or later"
)]
pub enum Check {
    /// Call the service, and [`decorate`](Grant::decorate) whatever answers.
    Pass(Grant),
    /// It is a preflight: answer it, and do not call the service.
    Answer(PreflightAnswer),
    /// Call the service, and meanwhile await what to put on its answer.
    PassLater(Later<Grant>),
    /// It is a preflight whose answer has to be awaited.
    AnswerLater(Later<PreflightAnswer>),
}

/// The answer to a preflight: `204 No Content` and headers.
#[derive(Clone, Debug)]
pub struct PreflightAnswer {
    headers: HeaderMap,
}

impl PreflightAnswer {
    pub(crate) const fn new(headers: HeaderMap) -> Self {
        Self { headers }
    }

    /// The headers of the answer.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The whole answer, with an empty body.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(B::from(Bytes::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.headers_mut() = self.headers;
        response
    }
}

/// What an asynchronous predicate will have decided.
#[must_use = "a predicate that is not awaited decides nothing"]
pub struct Later<T> {
    allowed: AllowedFuture,
    /// What comes of a no and of a yes; one box, since few requests get here.
    outcomes: Box<[Option<T>; 2]>,
}

impl<T> Later<T> {
    pub(crate) fn new(allowed: AllowedFuture, granted: T, denied: T) -> Self {
        Self {
            allowed,
            outcomes: Box::new([Some(denied), Some(granted)]),
        }
    }
}

// Nothing in it is pinned but the predicate's future, which has its own box.
impl<T> Unpin for Later<T> {}

impl<T> Future for Later<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let allowed = ready!(self.allowed.as_mut().poll(cx));
        let outcome = self.outcomes[usize::from(allowed)].take();
        Poll::Ready(outcome.expect("a future is not polled after it has completed"))
    }
}

impl<T> fmt::Debug for Later<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Later").finish_non_exhaustive()
    }
}
