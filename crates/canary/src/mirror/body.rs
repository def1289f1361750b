//! A body that passes as it comes, and is kept as far as it may be.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::oneshot::{self, Receiver, Sender};

pin_project! {
    /// The body of a request or an answer that a [`MirrorLayer`](crate::MirrorLayer) looks at: it passes frame by frame, and what is mirrored is copied on the way.
    pub struct MirrorBody<B> {
        #[pin]
        inner: B,
        // Boxed, since most bodies have none.
        tap: Option<Box<Tap>>,
    }
}

/// Takes a copy of what passes.
pub(super) struct Tap {
    copy: BytesMut,
    limit: usize,
    kept: Kept,
}

/// Who waits for the copy.
enum Kept {
    Request(Sender<Option<Bytes>>),
    Answer(Sender<Answer>, StatusCode, HeaderMap),
}

/// An answer, to be compared.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Absent if it is too long.
    pub(super) body: Option<Bytes>,
}

impl Tap {
    /// Copies the body of a request; absent is one that is longer than `limit`.
    pub(super) fn request(limit: usize) -> (Box<Self>, Receiver<Option<Bytes>>) {
        let (sender, receiver) = oneshot::channel();
        (Self::new(limit, Kept::Request(sender)), receiver)
    }

    /// Copies an answer for whoever waits at the other end of `sender`.
    pub(super) fn answer(
        limit: usize,
        sender: Sender<Answer>,
        status: StatusCode,
        headers: HeaderMap,
    ) -> Box<Self> {
        Self::new(limit, Kept::Answer(sender, status, headers))
    }

    fn new(limit: usize, kept: Kept) -> Box<Self> {
        Box::new(Self {
            copy: BytesMut::new(),
            limit,
            kept,
        })
    }

    /// Copies a piece, if there is room for it.
    fn take(&mut self, piece: &[u8]) -> bool {
        let fits = self.copy.len() + piece.len() <= self.limit;
        if fits {
            self.copy.extend_from_slice(piece);
        }
        fits
    }

    /// Hands on what there is: the whole body, or that it is too long.
    fn finish(self, whole: bool) {
        let body = whole.then(|| self.copy.freeze());
        // Who waited may have given up.
        match self.kept {
            Kept::Request(sender) => drop(sender.send(body)),
            Kept::Answer(sender, status, headers) => drop(sender.send(Answer {
                status,
                headers,
                body,
            })),
        }
    }
}

impl<B> MirrorBody<B> {
    /// A body that nobody copies.
    pub(super) const fn plain(inner: B) -> Self {
        Self { inner, tap: None }
    }
}

impl<B: Body> MirrorBody<B> {
    pub(super) fn tapped(inner: B, tap: Box<Tap>) -> Self {
        // Nobody polls a body in which there is nothing.
        if inner.is_end_stream() {
            tap.finish(true);
            return Self::plain(inner);
        }
        Self {
            inner,
            tap: Some(tap),
        }
    }
}

impl<B: From<Bytes>> From<Bytes> for MirrorBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self::plain(bytes.into())
    }
}

impl<B: Default> Default for MirrorBody<B> {
    fn default() -> Self {
        Self::plain(B::default())
    }
}

impl<B: Body<Data = Bytes>> Body for MirrorBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        if let Some(tap) = this.tap {
            let goes_on = match &frame {
                Some(Ok(frame)) => frame.data_ref().is_none_or(|piece| tap.take(piece)),
                // Half a body is worth nothing.
                Some(Err(_)) => {
                    *this.tap = None;
                    return Poll::Ready(frame);
                }
                None => true,
            };
            // The last piece may be the end, and nobody may ask again.
            let ends = frame.is_none() || this.inner.is_end_stream();
            if (ends || !goes_on)
                && let Some(tap) = this.tap.take()
            {
                tap.finish(goes_on);
            }
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

impl<B> fmt::Debug for MirrorBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MirrorBody")
    }
}
