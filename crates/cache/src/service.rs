//! The service: looks into the cache, and calls on where that has nothing.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::WARNING;
use http::{Request, Response};
use pin_project_lite::pin_project;
use portcullis_core::{BoxError, CacheStatus, RequestContext};
use tower_service::Service;

use crate::body::CacheBody;
use crate::fill::Lead;
use crate::key::KeyBuilder;
use crate::layer::{CacheLayer, Shared};
use crate::look::{self, Look, look, note};
use crate::rules::{self, Asked, CacheRules, RulesAdmit, UnauthorizedRefresh, WARNING_TEXT, Wish};

/// The service of [`CacheLayer`]. See the [crate docs](crate) for an example.
#[derive(Clone, Debug)]
pub struct Cached<S> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Cached<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqBody: http_body::Body + Send + 'static,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<CacheBody<ResBody>>;
    type Error = S::Error;
    type Future = CacheFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        serve(&self.shared, request, None, &mut self.inner)
    }
}

impl CacheLayer {
    /// Serves one request from the cache, or by `call`: for what is no tower service.
    pub fn serve<F, C, ReqBody, ResBody, E>(
        &self,
        request: Request<ReqBody>,
        call: C,
    ) -> CacheFuture<F, ResBody, E>
    where
        C: FnOnce(Request<ReqBody>) -> F + Send + 'static,
        F: Future<Output = Result<Response<ResBody>, E>> + Send + 'static,
        E: Send + 'static,
        ReqBody: http_body::Body + Send + 'static,
        ResBody: http_body::Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Into<BoxError>,
    {
        serve(&self.shared, request, None, Call(call))
    }
}

/// What stands behind the cache.
pub(crate) trait Origin<ReqBody> {
    type Future;
    type Error;

    /// Calls it at once.
    fn call(self, request: Request<ReqBody>) -> Self::Future;

    /// Calls it when that turns out to be needed.
    fn later(
        self,
        request: Request<ReqBody>,
    ) -> impl Future<Output = Result<Self::Future, Self::Error>> + Send + 'static;
}

/// A service that is ready.
impl<S, ReqBody> Origin<ReqBody> for &mut S
where
    S: Service<Request<ReqBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    ReqBody: Send + 'static,
{
    type Future = S::Future;
    type Error = S::Error;

    fn call(self, request: Request<ReqBody>) -> S::Future {
        self.call(request)
    }

    fn later(
        self,
        request: Request<ReqBody>,
    ) -> impl Future<Output = Result<S::Future, S::Error>> + Send + 'static {
        // The clone becomes ready when it is needed, if it is.
        let mut inner = self.clone();
        async move {
            poll_fn(|cx| inner.poll_ready(cx)).await?;
            Ok(inner.call(request))
        }
    }
}

pub(crate) struct Call<C>(pub(crate) C);

impl<C, F, ReqBody, ResBody, E> Origin<ReqBody> for Call<C>
where
    C: FnOnce(Request<ReqBody>) -> F + Send + 'static,
    F: Future<Output = Result<Response<ResBody>, E>> + Send + 'static,
    ReqBody: Send + 'static,
    ResBody: 'static,
    E: 'static,
{
    type Future = F;
    type Error = E;

    fn call(self, request: Request<ReqBody>) -> F {
        (self.0)(request)
    }

    async fn later(self, request: Request<ReqBody>) -> Result<F, E> {
        Ok((self.0)(request))
    }
}

/// Serves a request from the cache, or by its origin. `body` is what its key has of its body, where that has been read.
pub(crate) fn serve<O, ReqBody, ResBody>(
    shared: &Shared,
    mut request: Request<ReqBody>,
    body: Option<&Bytes>,
    origin: O,
) -> CacheFuture<O::Future, ResBody, O::Error>
where
    O: Origin<ReqBody>,
    O::Future: Future<Output = Result<Response<ResBody>, O::Error>> + Send + 'static,
    O::Error: Send + 'static,
    ReqBody: http_body::Body + Send + 'static,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    let Shared { cache, rules } = shared;
    let rules = rules.load();
    let asked = Asked {
        body: body.map(|body| &**body),
        ..Asked::with_body(&request)
    };
    let key = match rules.serve(&asked) {
        rules::Service::Look {
            key,
            refresh: false,
        } => key,
        rules::Service::Look { key, refresh: true } => {
            let context = RequestContext::of(&mut request).clone();
            match rules.may_refresh(&context) {
                Ok(()) => {
                    let asked = Asked::with_body(&request);
                    let admit = RulesAdmit {
                        rules: Arc::clone(&rules),
                        wish: Wish::of(&asked),
                    };
                    let landing = look::refresh(cache, &asked, key);
                    return CacheFuture::of(State::Lead {
                        lead: Lead::new(origin.call(request), admit, landing),
                    });
                }
                Err(UnauthorizedRefresh::Refuse) => {
                    let rejection = rules::refusal(&context);
                    context.record_refusal(&rejection);
                    return CacheFuture::of(State::Reply {
                        response: Some(rejection.into_response()),
                    });
                }
                Err(otherwise) => {
                    let mut future = found(shared, &rules, request, key, origin);
                    future.warns = otherwise == UnauthorizedRefresh::Warn;
                    return future;
                }
            }
        }
        rules::Service::Pass => {
            return CacheFuture::of(State::Pass {
                inner: origin.call(request),
            });
        }
        rules::Service::Bypass => {
            note(
                cache,
                Asked::with_body(&request).context,
                CacheStatus::Bypass,
            );
            return CacheFuture::of(State::Pass {
                inner: origin.call(request),
            });
        }
    };
    found(shared, &rules, request, key, origin)
}

/// Serves what is found under a key, or what is fetched for it.
fn found<O, ReqBody, ResBody>(
    shared: &Shared,
    rules: &Arc<CacheRules>,
    request: Request<ReqBody>,
    key: KeyBuilder,
    origin: O,
) -> CacheFuture<O::Future, ResBody, O::Error>
where
    O: Origin<ReqBody>,
    O::Future: Future<Output = Result<Response<ResBody>, O::Error>> + Send + 'static,
    O::Error: Send + 'static,
    ReqBody: http_body::Body + Send + 'static,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    let asked = Asked::with_body(&request);
    CacheFuture::of(match look(&shared.cache, &asked, key) {
        Look::Hit(entry) => State::Reply {
            response: Some(entry.to_response()),
        },
        Look::Fetch(landing) => {
            let admit = RulesAdmit {
                rules: Arc::clone(rules),
                wish: Wish::of(&asked),
            };
            State::Lead {
                lead: Lead::new(origin.call(request), admit, landing),
            }
        }
        Look::Slow(search) => {
            let wish = Wish::of(&asked);
            State::Slow {
                search: Box::pin(search.serve(Arc::clone(rules), wish, origin.later(request))),
            }
        }
    })
}

pin_project! {
    /// The future of [`Cached`] and of [`CacheLayer::serve`]. A hit in memory and what passes box nothing.
    pub struct CacheFuture<F, B, E> {
        #[pin]
        state: State<F, B, E>,
        // The client is told that it may not ask for what it asked for.
        warns: bool,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B, E> {
        Reply { response: Option<Response<CacheBody<B>>> },
        Pass { #[pin] inner: F },
        Lead { lead: Lead<F, RulesAdmit> },
        Slow { search: Slow<B, E> },
    }
}

type Slow<B, E> = Pin<Box<dyn Future<Output = Result<Response<CacheBody<B>>, E>> + Send>>;

impl<F, B, E> CacheFuture<F, B, E> {
    const fn of(state: State<F, B, E>) -> Self {
        Self {
            state,
            warns: false,
        }
    }
}

impl<F, B, E> Future for CacheFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<CacheBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut polled = match this.state.project() {
            StateProjection::Reply { response } => Poll::Ready(Ok(response
                .take()
                .expect("a future is not polled after it has completed"))),
            StateProjection::Pass { inner } => {
                let response = ready!(inner.poll(cx))?;
                Poll::Ready(Ok(response.map(CacheBody::inner)))
            }
            StateProjection::Lead { lead } => Pin::new(lead).poll(cx),
            StateProjection::Slow { search } => search.as_mut().poll(cx),
        };
        if *this.warns
            && let Poll::Ready(Ok(response)) = &mut polled
        {
            response.headers_mut().insert(WARNING, WARNING_TEXT);
        }
        polled
    }
}

impl<F, B, E> fmt::Debug for CacheFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Reply { .. } => "CacheFuture(reply)",
            State::Pass { .. } => "CacheFuture(pass)",
            State::Lead { .. } => "CacheFuture(lead)",
            State::Slow { .. } => "CacheFuture(slow)",
        })
    }
}
