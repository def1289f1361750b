//! The bodies of answers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use portcullis_core::BoxError;

use crate::upstream_pool::Lease;

/// The body of an answer, as it comes.
///
/// While it lasts, its request counts as one in flight where it went to a pool of targets.
#[derive(Debug)]
pub struct ResponseBody {
    incoming: Incoming,
    lease: Option<Box<Lease>>,
}

impl ResponseBody {
    pub(crate) fn with_lease(mut self, lease: Lease) -> Self {
        self.lease = Some(Box::new(lease));
        self
    }
}

impl From<Incoming> for ResponseBody {
    fn from(incoming: Incoming) -> Self {
        Self {
            incoming,
            lease: None,
        }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => {}
            // The answer has ended, well or not.
            ended => {
                if let Some(mut lease) = self.lease.take()
                    && ended.is_some()
                {
                    lease.fail();
                }
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
