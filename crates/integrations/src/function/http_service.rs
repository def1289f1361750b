//! Functions that take the HTTP request itself.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use portcullis_core::{Body, BoxError};
use tower_service::Service;

use super::local::Guarded;

pub(super) type HttpFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

/// A service in this process, without an event in between.
pub(crate) trait HttpFunction: Send + Sync {
    fn call(&self, request: Request<Body>) -> HttpFuture;
}

pub(super) struct HttpService<S> {
    name: Arc<str>,
    service: S,
}

impl<S> HttpService<S> {
    pub(super) fn new(name: &str, service: S) -> Self {
        Self {
            name: name.into(),
            service,
        }
    }
}

impl<S, ResBody> HttpFunction for HttpService<S>
where
    S: Service<Request<Body>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    fn call(&self, request: Request<Body>) -> HttpFuture {
        let mut service = self.service.clone();
        let call: HttpFuture = Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx))
                .await
                .map_err(Into::into)?;
            let response = service.call(request).await.map_err(Into::into)?;
            Ok(response.map(Body::new))
        });
        let guarded = Guarded::new(Arc::clone(&self.name), call);
        Box::pin(async move {
            guarded
                .await
                .unwrap_or_else(|crash| Err(crash.to_string().into()))
        })
    }
}
