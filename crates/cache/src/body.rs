//! The body of a response that comes from a cache, or goes into it.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body as _, Frame, SizeHint};
use pin_project_lite::pin_project;
use portcullis_core::{Body, BoxError};

use crate::pump::Reader;

pin_project! {
    /// The body of a response from behind a cache: bytes of the store, or the body of the service, as it is or while a copy of it is stored.
    pub struct CacheBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Bytes { bytes: Option<Bytes> },
        Inner { #[pin] body: B },
        // Boxed, so that the bodies of hits are no larger for it.
        Read { read: Box<Read<B>> },
    }
}

/// A body of which something has been read already.
pub(crate) struct Read<B> {
    pub(crate) frames: VecDeque<Frame<Bytes>>,
    pub(crate) then: Then<B>,
}

/// What comes after that.
pub(crate) enum Then<B> {
    End,
    Break(BoxError),
    Rest(Pin<Box<B>>),
    Pumped(Reader<B>),
}

impl<B> CacheBody<B> {
    /// The body of a service, as it is.
    #[must_use]
    pub const fn inner(body: B) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    pub(crate) fn read(frames: impl Into<VecDeque<Frame<Bytes>>>, then: Then<B>) -> Self {
        let read = Read {
            frames: frames.into(),
            then,
        };
        Self {
            kind: Kind::Read {
                read: Box::new(read),
            },
        }
    }

    /// A body that is complete, in the chunks in which it came.
    pub(crate) fn chunks(mut chunks: Vec<Bytes>) -> Self {
        if chunks.len() > 1 {
            let frames: VecDeque<_> = chunks.into_iter().map(Frame::data).collect();
            return Self::read(frames, Then::End);
        }
        chunks.pop().unwrap_or_default().into()
    }
}

impl<B> From<Bytes> for CacheBody<B> {
    fn from(bytes: Bytes) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        Self {
            kind: Kind::Bytes { bytes },
        }
    }
}

impl<B> Default for CacheBody<B> {
    fn default() -> Self {
        Bytes::new().into()
    }
}

/// Without a box around what is in memory, or was a [`Body`] before.
impl From<CacheBody<Self>> for Body {
    fn from(body: CacheBody<Self>) -> Self {
        match body.kind {
            Kind::Bytes { bytes } => bytes.unwrap_or_default().into(),
            Kind::Inner { body } => body,
            kind @ Kind::Read { .. } => Self::new(CacheBody { kind }),
        }
    }
}

impl<B> http_body::Body for CacheBody<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProjection::Bytes { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            KindProjection::Inner { body } => {
                let frame = ready!(body.poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            KindProjection::Read { read } => read.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Bytes { bytes } => bytes.is_none(),
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Read { read } => read.frames.is_empty() && matches!(read.then, Then::End),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Bytes { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Inner { body } => body.size_hint(),
            Kind::Read { read } => read.size_hint(),
        }
    }
}

impl<B> Read<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(frame) = self.frames.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        loop {
            match &mut self.then {
                Then::End => return Poll::Ready(None),
                Then::Break(_) => {
                    let Then::Break(error) = std::mem::replace(&mut self.then, Then::End) else {
                        return Poll::Ready(None);
                    };
                    return Poll::Ready(Some(Err(error)));
                }
                Then::Rest(body) => {
                    let frame = ready!(body.as_mut().poll_frame(cx));
                    return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
                }
                Then::Pumped(reader) => match ready!(reader.poll_frame(cx)) {
                    Ok(frame) => return Poll::Ready(Some(Ok(frame))),
                    Err(then) => self.then = then,
                },
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let data = self.frames.iter().filter_map(Frame::data_ref);
        let read = data.map(|data| data.remaining() as u64).sum::<u64>();
        let rest = match &self.then {
            Then::End | Then::Break(_) => SizeHint::with_exact(0),
            Then::Rest(body) => body.size_hint(),
            Then::Pumped(reader) => reader.size_hint(),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(read + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(read + upper);
        }
        hint
    }
}

impl<B> fmt::Debug for CacheBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Bytes { bytes } => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                write!(f, "CacheBody({length} bytes)")
            }
            Kind::Inner { .. } => f.write_str("CacheBody(of the service)"),
            Kind::Read { .. } => f.write_str("CacheBody(while it is read)"),
        }
    }
}
