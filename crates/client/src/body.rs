//! Request bodies whose failure is told from the endpoint's.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use portcullis_core::{Body, BoxError};

/// Where a body leaves the error that it failed with.
///
/// HTTP/1 reports such an error as the cause of its own; HTTP/2 only resets the stream. The slot works for both.
#[derive(Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<BoxError>>>);

impl Slot {
    /// A slot for this body; `None` for one in memory, which cannot fail.
    pub(crate) fn of(body: &Body) -> Option<Self> {
        body.as_bytes().is_none().then(Self::default)
    }

    pub(crate) fn take(&self) -> Option<BoxError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, error: BoxError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// A body on its way out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    body: Body,
    slot: Option<Slot>,
}

impl Outgoing {
    pub(crate) const fn new(body: Body, slot: Option<Slot>) -> Self {
        Self { body, slot }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(http_body::Body::poll_frame(Pin::new(&mut self.body), cx));
        if let (Some(Err(error)), Some(slot)) = (&frame, &self.slot) {
            let text = error.to_string();
            if let Some(Err(error)) = frame {
                slot.put(error);
            }
            return Poll::Ready(Some(Err(text.into())));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}
