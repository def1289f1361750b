//! One body type for the places where one is needed.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// What can go wrong while a body is read.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A body of bytes in memory, or any other body behind one box.
///
/// Layers of this workspace keep the body types around them. Where a type must be named
/// (a whole gateway, a service over hyper's `Incoming`), this is the one. A body made from
/// bytes is not boxed, and one made from a `Body` is not boxed again.
pub struct Body(Kind);

enum Kind {
    Bytes(Option<Bytes>),
    Boxed(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>),
}

impl Body {
    /// Wraps `body`, with a box unless it is a [`Body`] already.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = Some(body);
        if let Some(same) = (&mut body as &mut dyn std::any::Any).downcast_mut::<Option<Self>>() {
            return same.take().unwrap_or_default();
        }
        match body {
            Some(body) => Self(Kind::Boxed(Box::pin(Foreign { body }))),
            None => Self::empty(),
        }
    }

    /// A body with nothing in it.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Bytes(None))
    }

    /// The bytes of a body that is in memory, as far as they are unread; `None` for any other body.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Bytes(bytes) => Some(bytes.as_deref().unwrap_or_default()),
            Kind::Boxed(_) => None,
        }
    }

    /// Another body with the same bytes, for a request that may be sent twice; `None` for a body that is not in memory. Nothing is
    /// copied.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Kind::Bytes(bytes) => Some(Self(Kind::Bytes(bytes.clone()))),
            Kind::Boxed(_) => None,
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Bytes(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                write!(f, "Body({length} bytes)")
            }
            Kind::Boxed(_) => f.write_str("Body(stream)"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Bytes((!bytes.is_empty()).then_some(bytes)))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Bytes(bytes) => bytes.is_none(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Bytes(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

pin_project! {
    struct Foreign<B> {
        #[pin]
        body: B,
    }
}

impl<B> http_body::Body for Foreign<B>
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
        let frame = ready!(self.project().body.poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Gives the layers above it [`Body`] for a response body, whatever the service below answers with.
///
/// Put it once at the bottom of a stack whose body has no `From<Bytes>` (hyper's `Incoming`,
/// a `BoxBody`), and every layer that can refuse a request fits on top.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
#[non_exhaustive]
pub struct BoxBodyLayer;

impl BoxBodyLayer {
    /// Returns the layer; the same as `BoxBodyLayer::default()`.
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for BoxBodyLayer {
    type Service = BoxBody<S>;

    fn layer(&self, inner: S) -> BoxBody<S> {
        BoxBody { inner }
    }
}

/// The service of [`BoxBodyLayer`].
#[derive(Clone, Copy, Debug)]
pub struct BoxBody<S> {
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for BoxBody<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxBodyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        BoxBodyFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The future of [`BoxBody`].
    #[derive(Debug)]
    pub struct BoxBodyFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F, ResBody, E> Future for BoxBodyFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(response.map(Body::new)))
    }
}

/// Gives the service below it [`Body`] for a request body, whatever comes from above.
///
/// Put it on top of a stack that buffers request bodies when the server hands in hyper's `Incoming`.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
#[non_exhaustive]
pub struct BoxRequestBodyLayer;

impl BoxRequestBodyLayer {
    /// Returns the layer; the same as `BoxRequestBodyLayer::default()`.
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for BoxRequestBodyLayer {
    type Service = BoxRequestBody<S>;

    fn layer(&self, inner: S) -> BoxRequestBody<S> {
        BoxRequestBody { inner }
    }
}

/// The service of [`BoxRequestBodyLayer`].
#[derive(Clone, Copy, Debug)]
pub struct BoxRequestBody<S> {
    inner: S,
}

impl<S, ReqBody> Service<Request<ReqBody>> for BoxRequestBody<S>
where
    S: Service<Request<Body>>,
    ReqBody: http_body::Body<Data = Bytes> + Send + 'static,
    ReqBody::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> S::Future {
        self.inner.call(request.map(Body::new))
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, Kind};

    #[test]
    fn a_body_is_not_boxed_twice() {
        let body = Body::new(Body::from("pets"));
        assert!(matches!(body.0, Kind::Bytes(Some(_))));
    }

    #[test]
    fn a_body_in_memory_can_be_sent_twice() {
        let body = Body::from("pets");
        let copy = body
            .try_clone()
            .and_then(|copy| copy.as_bytes().map(<[u8]>::to_vec));
        assert_eq!(copy.as_deref(), body.as_bytes());
        let streams = http_body_util::Limited::new(Body::from("pets"), 4);
        assert!(Body::new(streams).try_clone().is_none());
    }

    #[test]
    fn a_body_of_no_bytes_is_at_its_end() {
        let body = Body::from("");
        assert!(http_body::Body::is_end_stream(&body));
        assert_eq!(body.as_bytes(), Some(&b""[..]));
    }
}
