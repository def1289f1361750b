//! The body of a response that comes bit by bit, with whose end the request ends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Frame, SizeHint};

use super::Watching;
use crate::core::{Body, BoxError};
use crate::observe::Outcome;

pub(super) struct Watched {
    body: Body,
    watching: Watching,
    status: StatusCode,
    sent: u64,
    /// How many bytes there are to be, where that is known before.
    expected: Option<u64>,
}

impl Watched {
    pub(super) const fn new(
        body: Body,
        watching: Watching,
        status: StatusCode,
        expected: Option<u64>,
    ) -> Self {
        Self {
            body,
            watching,
            status,
            sent: 0,
            expected,
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.watching.end(outcome, Some(self.status), self.sent);
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.end(Outcome::Complete),
            Some(Err(_)) => self.end(Outcome::Broken),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.sent = self.sent.saturating_add(bytes as u64);
                // A server does not ask again then.
                if self.body.is_end_stream() {
                    self.end(Outcome::Complete);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // A server that has sent as much as was promised need not ask whether there is more.
        let whole = Some(self.sent) == self.expected;
        self.end(if whole {
            Outcome::Complete
        } else {
            Outcome::Cancelled
        });
    }
}
