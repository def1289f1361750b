//! The body of a response that is being observed.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::exchange::Outcome;
use crate::observation::Observation;
use crate::observer::Observer;

pin_project! {
    /// A response's body, with whose end the request ends.
    pub struct ObservedBody<B, O: Observer> {
        #[pin]
        inner: B,
        observation: Option<Observation<O>>,
    }
}

impl<B, O: Observer> ObservedBody<B, O> {
    pub(crate) const fn new(inner: B, observation: Option<Observation<O>>) -> Self {
        Self { inner, observation }
    }

    /// The body itself. For whoever observes, the request ends here.
    #[must_use]
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B: Body, O: Observer> Body for ObservedBody<B, O> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(observation) = this.observation else {
            return this.inner.poll_frame(cx);
        };
        let frame = ready!(observation.work(|| this.inner.as_mut().poll_frame(cx)));
        let ended = match &frame {
            None => Some(Outcome::Complete),
            Some(Err(_)) => Some(Outcome::Broken),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    observation.sent(data.remaining());
                }
                // A server does not ask again then.
                this.inner.is_end_stream().then_some(Outcome::Complete)
            }
        };
        if let Some(outcome) = ended {
            observation.end(outcome);
            *this.observation = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer of an outer layer's own, which is not observed.
impl<B: From<Bytes>, O: Observer> From<Bytes> for ObservedBody<B, O> {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes.into(), None)
    }
}

impl<B: Default, O: Observer> Default for ObservedBody<B, O> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B: fmt::Debug, O: Observer> fmt::Debug for ObservedBody<B, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObservedBody").field(&self.inner).finish()
    }
}
