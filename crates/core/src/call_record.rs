//! What was said to the endpoint behind a method, and what it said: for logs that show data.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::body::{Body, BoxError};

/// What was said to the endpoint behind a method, and what it said.
///
/// Whoever logs data puts one into the [context](crate::RequestContext::set_call_record) of a request, and whoever calls the endpoint writes into it. Clones are handles on one record.
#[derive(Clone, Default)]
pub struct CallRecord {
    call: Arc<Mutex<Call>>,
    request_body: Beginning,
    response_body: Beginning,
}

/// The heads of a [`CallRecord`].
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Call {
    /// The address of the endpoint; absent until it is called.
    pub uri: Option<String>,
    /// The headers of the request.
    pub request_headers: HeaderMap,
    /// The headers of the response; absent if there was none.
    pub response_headers: Option<HeaderMap>,
}

impl CallRecord {
    /// Notes the head of a request as it goes out. A later one takes its place.
    pub fn sent(&self, uri: impl fmt::Display, headers: &HeaderMap) {
        let mut call = lock(&self.call);
        call.uri = Some(uri.to_string());
        call.request_headers.clone_from(headers);
    }

    /// Notes the headers of the response as they came.
    pub fn answered(&self, headers: &HeaderMap) {
        lock(&self.call).response_headers = Some(headers.clone());
    }

    /// The body of the request.
    #[must_use]
    pub const fn request_body(&self) -> &Beginning {
        &self.request_body
    }

    /// The body of the response.
    #[must_use]
    pub const fn response_body(&self) -> &Beginning {
        &self.response_body
    }

    /// The heads, as far as they are known.
    #[must_use]
    pub fn call(&self) -> Call {
        lock(&self.call).clone()
    }
}

/// Headers may be secrets.
impl fmt::Debug for CallRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRecord").finish_non_exhaustive()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

/// As much of a body as a log shows.
#[derive(Clone, Default)]
pub struct Beginning(Arc<Mutex<Vec<u8>>>);

impl Beginning {
    /// The bytes that are kept at most: one more than the service's logs show, so that it can be seen that there was more.
    pub const MOST: usize = 1_025;

    /// What is kept so far.
    #[must_use]
    pub fn read(&self) -> Vec<u8> {
        lock(&self.0).clone()
    }

    /// Keeps of these bytes what there is room for.
    pub fn add(&self, bytes: &[u8]) {
        let mut own = lock(&self.0);
        let room = Self::MOST.saturating_sub(own.len());
        own.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The body, whose beginning is kept as it passes.
    pub fn of(&self, body: Body) -> Body {
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

/// Bodies may be secrets.
impl fmt::Debug for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Beginning").finish_non_exhaustive()
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Beginning, CallRecord};
    use crate::body::Body;

    #[test]
    fn of_a_body_the_beginning_is_kept() {
        let beginning = Beginning::default();
        let body = beginning.of(Body::from("[1]"));
        assert_eq!(body.as_bytes(), Some(&b"[1]"[..]));
        beginning.add(&[b'a'; 2_000]);
        let kept = beginning.read();
        assert_eq!(kept.len(), Beginning::MOST);
        assert!(kept.starts_with(b"[1]aaa"));
    }

    #[test]
    fn what_may_be_secret_is_not_in_its_debug_output() {
        let record = CallRecord::default();
        let headers = [("authorization".parse().unwrap(), "hidden".parse().unwrap())];
        record.sent("http://pets/", &headers.into_iter().collect());
        record.request_body().add(b"hidden");
        assert!(!format!("{record:?} {:?}", record.call()).contains("hidden"));
    }
}
