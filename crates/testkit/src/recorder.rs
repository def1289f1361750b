//! A service that remembers what it got.

use std::{
    convert::Infallible,
    fmt::{self, Display},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body::Body;
use http_body_util::BodyExt;
use tower_service::Service;

/// What a [`Recorder`] got: one request, read to its end.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// The request's method.
    pub method: Method,
    /// The request's target, as it came.
    pub uri: Uri,
    /// The version of HTTP that it came with.
    pub version: Version,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The whole body, or what came of it.
    pub body: Bytes,
    /// The trailers, if there were any.
    pub trailers: Option<HeaderMap>,
    /// Why the body broke off, if it did.
    pub broken: Option<String>,
}

impl Recorded {
    /// A request without trailers that was read to its end.
    #[must_use]
    pub fn new(parts: http::request::Parts, body: Bytes) -> Self {
        Self {
            method: parts.method,
            uri: parts.uri,
            version: parts.version,
            headers: parts.headers,
            body,
            trailers: None,
            broken: None,
        }
    }

    /// A header's value, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A service that reads each request to its end, remembers it, and answers by a closure. Clones share one memory.
#[derive(Clone)]
pub struct Recorder<F> {
    answer: Arc<F>,
    requests: Arc<Mutex<Vec<Recorded>>>,
}

impl<F> fmt::Debug for Recorder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("requests", &self.memory())
            .finish_non_exhaustive()
    }
}

impl<F, R> Recorder<F>
where
    F: Fn(&Recorded) -> Response<R>,
{
    /// A service that answers as `answer` says.
    #[must_use]
    pub fn new(answer: F) -> Self {
        Self {
            answer: Arc::new(answer),
            requests: Arc::default(),
        }
    }
}

impl<F> Recorder<F> {
    /// What came so far, in the order in which it was complete.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.memory().clone()
    }

    /// How many requests came so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.memory().len()
    }

    /// The one request that came.
    ///
    /// # Panics
    ///
    /// If there was none, or more than one.
    #[must_use]
    #[track_caller]
    pub fn only(&self) -> Recorded {
        match self.requests().as_slice() {
            [one] => one.clone(),
            requests => panic!(
                "expected one request, got {}: {requests:#?}",
                requests.len()
            ),
        }
    }

    /// Forgets what came.
    pub fn clear(&self) {
        self.memory().clear();
    }

    fn memory(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F, B, R> Service<Request<B>> for Recorder<F>
where
    F: Fn(&Recorded) -> Response<R> + Send + Sync + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Display,
    R: 'static,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let this = Self {
            answer: Arc::clone(&self.answer),
            requests: Arc::clone(&self.requests),
        };
        Box::pin(async move {
            let recorded = read(request).await;
            let response = (this.answer)(&recorded);
            this.memory().push(recorded);
            Ok(response)
        })
    }
}

async fn read<B>(request: Request<B>) -> Recorded
where
    B: Body,
    B::Error: Display,
{
    let (head, body) = request.into_parts();
    let mut recorded = Recorded {
        method: head.method,
        uri: head.uri,
        version: head.version,
        headers: head.headers,
        body: Bytes::new(),
        trailers: None,
        broken: None,
    };
    let mut bytes = Vec::new();
    let mut body = std::pin::pin!(body);
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => bytes.extend_from_slice(&collect(data)),
            Ok(Err(frame)) => recorded.trailers = frame.into_trailers().ok(),
            Err(error) => {
                recorded.broken = Some(error.to_string());
                break;
            }
        }
    }
    recorded.body = bytes.into();
    recorded
}

fn collect(mut data: impl bytes::Buf) -> Bytes {
    data.copy_to_bytes(data.remaining())
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;
    use crate::request;

    #[tokio::test]
    async fn clones_share_one_memory() {
        let recorder = Recorder::new(|_| request::answer(200, ""));
        recorder
            .clone()
            .oneshot(request::get("/a").empty())
            .await
            .unwrap();
        recorder
            .clone()
            .oneshot(request::post("/b").body("hello"))
            .await
            .unwrap();

        assert_eq!(recorder.count(), 2);
        let last = recorder.requests().pop().unwrap();
        assert_eq!(
            (last.method.as_str(), last.uri.path(), last.text().as_str()),
            ("POST", "/b", "hello")
        );
        recorder.clear();
        assert_eq!(recorder.count(), 0);
    }

    #[tokio::test]
    async fn the_closure_sees_the_whole_request() {
        let recorder = Recorder::new(|got| request::answer(200, got.body.clone()));
        let response = recorder
            .oneshot(request::post("/").body("echo"))
            .await
            .unwrap();
        assert_eq!(request::text(response).await, "echo");
    }

    /// A body of the given frames.
    struct Frames(Vec<Result<http_body::Frame<Bytes>, &'static str>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, &'static str>>> {
            Poll::Ready((!self.0.is_empty()).then(|| self.0.remove(0)))
        }
    }

    #[tokio::test]
    async fn trailers_are_kept() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        let frames = Frames(vec![
            Ok(http_body::Frame::data("a".into())),
            Ok(http_body::Frame::trailers(trailers)),
        ]);
        let recorder = Recorder::new(|_| request::answer(200, ""));
        recorder
            .clone()
            .oneshot(Request::new(frames))
            .await
            .unwrap();
        assert_eq!(recorder.only().trailers.unwrap()["x-sum"], "1");
    }

    #[tokio::test]
    async fn a_broken_body_is_answered_and_remembered_as_broken() {
        let frames = Frames(vec![Ok(http_body::Frame::data("a".into())), Err("gone")]);
        let recorder = Recorder::new(|_| request::answer(200, ""));
        recorder
            .clone()
            .oneshot(Request::new(frames))
            .await
            .unwrap();
        let got = recorder.only();
        assert_eq!(
            (got.text().as_str(), got.broken.as_deref()),
            ("a", Some("gone"))
        );
    }
}
