//! What data tracing keeps of a request and its response.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::core::{Body, BoxError};
use crate::observe::{DataTrace, ExecutionLog};

/// The heads and the beginnings of the bodies.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) request_headers: HeaderMap,
    pub(super) request_body: Beginning,
    pub(super) response_headers: Option<HeaderMap>,
    pub(super) response_body: Beginning,
}

impl Kept {
    pub(super) fn trace<T>(&self, read: impl FnOnce(&DataTrace<'_>) -> T) -> T {
        let request_body = self.request_body.read();
        let response_body = self.response_body.read();
        let mut trace = DataTrace::new(&self.request_headers);
        trace.request_body = &request_body;
        trace.response_headers = self.response_headers.as_ref();
        trace.response_body = &response_body;
        read(&trace)
    }
}

/// As much of a body as a log shows.
#[derive(Clone, Default)]
pub(super) struct Beginning(Arc<Mutex<Vec<u8>>>);

impl Beginning {
    fn read(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn add(&self, bytes: &[u8]) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One more than is shown, so that it can be seen that there was more.
        let room = (ExecutionLog::MOST + 1).saturating_sub(own.len());
        own.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The body, whose beginning is kept as it passes.
    pub(super) fn of(&self, body: Body) -> Body {
        match body.as_bytes() {
            Some(bytes) => {
                self.add(bytes);
                body
            }
            None => Body::new(Passing {
                body,
                beginning: self.clone(),
            }),
        }
    }
}

struct Passing {
    body: Body,
    beginning: Beginning,
}

impl http_body::Body for Passing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.beginning.add(data);
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
