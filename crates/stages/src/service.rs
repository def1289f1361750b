//! The service of the layer.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use ipnet::IpNet;
use portcullis_core::{ApiStage, Live, Rejection, RejectionKind, RequestContext, ResponseFuture};
use tower_service::Service;

use crate::lookup::Lookup;
use crate::resolver::Resolver;

/// The service of [`StagesLayer`](crate::StagesLayer). See the [crate docs](crate) for an example.
#[derive(Clone, Debug)]
pub struct Stages<S> {
    inner: S,
    resolver: Live<Resolver<Arc<ApiStage>>>,
    private_networks: Arc<[IpNet]>,
}

impl<S> Stages<S> {
    pub(crate) const fn new(
        inner: S,
        resolver: Live<Resolver<Arc<ApiStage>>>,
        private_networks: Arc<[IpNet]>,
    ) -> Self {
        Self {
            inner,
            resolver,
            private_networks,
        }
    }

    fn is_private(&self, context: &RequestContext) -> bool {
        let client = context.client().map(|client| client.to_canonical());
        client.is_some_and(|client| {
            let mut networks = self.private_networks.iter();
            networks.any(|network| network.contains(&client))
        })
    }

    /// Notes the stage and shortens the target, or says why neither can be done.
    fn enter<B>(&self, request: &mut Request<B>) -> Result<(), Rejection> {
        let context = RequestContext::of(request).clone();
        let resolver = self.resolver.load();
        let path = request.uri().path();
        let connection = context.connection();
        let mut asked = Lookup::new(context.host(), path)
            .headers(request.headers())
            .private(self.is_private(&context));
        let tls = connection.and_then(|connection| connection.tls.as_ref());
        if let Some(name) = tls.and_then(|tls| tls.server_name.as_deref()) {
            asked = asked.server_name(name);
        }
        let found = resolver.look_up(&asked)?;
        context.set_stage(Arc::clone(found.target()));
        found.note(&context);
        if found.consumed() > 0 {
            let uri = with_path(request.uri(), found.rest_of(path));
            *request.uri_mut() = uri?;
        }
        Ok(())
    }
}

/// `uri` with this path, which is the end of its own. The query stays.
fn with_path(uri: &Uri, path: &str) -> Result<Uri, Rejection> {
    let query = uri.query();
    let mut target = String::with_capacity(path.len() + 2 + query.map_or(0, str::len));
    if !path.starts_with('/') {
        target.push('/');
    }
    target.push_str(path);
    if let Some(query) = query {
        target.push('?');
        target.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    // A part of a valid path is a valid path; were it not so, it would be the client's fault.
    let malformed = |_| Rejection::new(RejectionKind::MalformedRequest);
    parts.path_and_query =
        Some(PathAndQuery::from_maybe_shared(Bytes::from(target)).map_err(malformed)?);
    Uri::from_parts(parts).map_err(|_| Rejection::new(RejectionKind::MalformedRequest))
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Stages<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        match self.enter(&mut request) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(rejection) => {
                RequestContext::of(&mut request).record_refusal(&rejection);
                tracing::debug!(%rejection, "refused");
                ResponseFuture::reply(rejection.into_response())
            }
        }
    }
}
