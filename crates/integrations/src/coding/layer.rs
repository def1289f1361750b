//! Compression round any service.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use portcullis_core::{Body, BoxError};
use tower_layer::Layer;
use tower_service::Service;

use super::{Compression, ContentCoding};

/// Compresses the responses of the service below it. See [`Compression`] for which.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use portcullis_integrations::{Compression, CompressionLayer};
/// use tower::{ServiceExt, service_fn};
/// use tower_layer::Layer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pets = service_fn(async |_: Request<()>| {
///     Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from("pets ".repeat(1000)))))
/// });
/// let service = CompressionLayer::new(Compression::new(1024)?).layer(pets);
/// let request = Request::get("/").header("accept-encoding", "gzip").body(())?;
/// let response = service.oneshot(request).await?;
/// assert_eq!(response.headers()["content-encoding"], "gzip");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct CompressionLayer {
    compression: Compression,
}

impl CompressionLayer {
    /// Compresses responses so.
    pub const fn new(compression: Compression) -> Self {
        Self { compression }
    }
}

impl<S> Layer<S> for CompressionLayer {
    type Service = CompressionService<S>;

    fn layer(&self, inner: S) -> CompressionService<S> {
        CompressionService {
            inner,
            compression: self.compression,
        }
    }
}

/// The service of [`CompressionLayer`]. It answers with [`Body`], since what it does is done to the body.
#[derive(Clone, Copy, Debug)]
pub struct CompressionService<S> {
    inner: S,
    compression: Compression,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for CompressionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: HttpBody<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = CompressionFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The answer to HEAD has no body, and its length is that of the answer to GET as it is.
        let compression = (request.method() != Method::HEAD).then_some(self.compression);
        CompressionFuture {
            coding: ContentCoding::preferred(request.headers()),
            inner: self.inner.call(request),
            compression,
        }
    }
}

pin_project! {
    /// The future of [`CompressionService`].
    #[derive(Debug)]
    pub struct CompressionFuture<F> {
        #[pin]
        inner: F,
        coding: Option<ContentCoding>,
        compression: Option<Compression>,
    }
}

impl<F, ResBody, E> Future for CompressionFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: HttpBody<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?.map(Body::new);
        Poll::Ready(Ok(match this.compression {
            Some(compression) => compression.apply(*this.coding, response),
            None => response,
        }))
    }
}
