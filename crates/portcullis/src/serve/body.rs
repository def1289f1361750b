//! The body that the server sends: the service's, or one of its own.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use portcullis_core::{Body, BoxError};

use super::activity::InFlight;

pin_project! {
    /// A body that keeps its request in flight until it has been sent.
    pub(super) struct Sent<B> {
        #[pin]
        kind: Kind<B>,
        in_flight: InFlight,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Service { #[pin] body: B },
        Own { #[pin] body: Body },
    }
}

impl<B> Sent<B> {
    pub(super) fn service(body: B, in_flight: InFlight) -> Self {
        Self {
            kind: Kind::Service { body },
            in_flight,
        }
    }

    pub(super) fn own(body: Body, in_flight: InFlight) -> Self {
        Self {
            kind: Kind::Own { body },
            in_flight,
        }
    }
}

impl<B> http_body::Body for Sent<B>
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
            KindProjection::Service { body } => body.poll_frame(cx).map_err(Into::into),
            KindProjection::Own { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Service { body } => body.is_end_stream(),
            Kind::Own { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Service { body } => body.size_hint(),
            Kind::Own { body } => body.size_hint(),
        }
    }
}
