//! The layer and its service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use portcullis_core::{BoxError, CacheStatus, Live, RequestContext};
use tower_layer::Layer;
use tower_service::Service;

use super::flow::{self, Job};
use super::place::{Found, Place};
use super::rules::HttpCacheRules;
use super::status::{Did, Forwarded, Why};
use super::storable::{self, NotStored};
use super::terms::Use;
use super::wish::Wish;
use crate::body::CacheBody;
use crate::cache::ResponseCache;
use crate::key::Key;
use crate::rules::Asked;

/// Serves from a cache what RFC 9111 allows. See the [module](super) for an example.
///
/// Clones, and the services made by them, share one cache.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until a service is put under it"]
pub struct HttpCacheLayer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cache: ResponseCache,
    rules: Live<HttpCacheRules>,
}

impl HttpCacheLayer {
    /// A layer over a cache, which may serve others as well.
    pub fn new(cache: &ResponseCache, rules: HttpCacheRules) -> Self {
        Self {
            shared: Arc::new(Shared {
                cache: cache.clone(),
                rules: Live::new(rules),
            }),
        }
    }

    /// The rules, which can be replaced while requests run. What is stored stays, on the terms on which it was stored.
    #[must_use]
    pub fn rules(&self) -> &Live<HttpCacheRules> {
        &self.shared.rules
    }

    /// The cache, to be purged and read.
    #[must_use]
    pub fn cache(&self) -> &ResponseCache {
        &self.shared.cache
    }

    /// The key of a target (path and query) on a host, as the client names it: what [`Purge::key`](crate::Purge::key) takes. All variants of the response go with it.
    ///
    /// `None` if the host or the target is none, or too long to be stored under.
    #[must_use]
    pub fn key(&self, host: &str, target: &str) -> Option<Key> {
        let request = Request::get(target)
            .header(http::header::HOST, host)
            .body(())
            .ok()?;
        let asked = Asked::of(&request);
        let place = Place::of(&self.shared.rules.load(), &asked, &asked.scan())?;
        Some(Key::from_bytes(place.target_key()))
    }

    /// Serves one request from the cache, or by a service that is ready: for what is no stack of layers.
    pub fn serve<S, ReqBody, ResBody>(
        &self,
        inner: S,
        request: Request<ReqBody>,
    ) -> HttpCacheFuture<S::Future, ResBody, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqBody: http_body::Body + Send + 'static,
        ResBody: http_body::Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Into<BoxError>,
    {
        self.layer(inner).call(request)
    }
}

impl HttpCacheLayer {
    /// Adds to the answer that stands for an error of the service behind it what the cache did, as the request's context has it: for whoever makes such
    /// answers further out. Nothing is stored of an error.
    pub fn mark_failure(&self, context: &RequestContext, headers: &mut HeaderMap) {
        let why = match context.cache_status() {
            Some(CacheStatus::Expired | CacheStatus::Stale | CacheStatus::Revalidated) => {
                Why::Stale
            }
            Some(CacheStatus::Refreshed) => Why::Request,
            Some(CacheStatus::Bypass) if !storable::is_answered(context.method()) => Why::Method,
            Some(CacheStatus::Bypass) => Why::Bypass,
            _ => Why::Miss,
        };
        let rules = self.shared.rules.load();
        flow::mark(&rules, headers, Did::Forwarded(Forwarded::new(why)));
    }
}

impl<S> Layer<S> for HttpCacheLayer {
    type Service = HttpCache<S>;

    fn layer(&self, inner: S) -> HttpCache<S> {
        HttpCache {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

/// The service of [`HttpCacheLayer`]. See the [module](super) for an example.
#[derive(Clone, Debug)]
pub struct HttpCache<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for HttpCache<S>
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
    type Future = HttpCacheFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let cache = &self.shared.cache;
        let rules = self.shared.rules.load();
        if !storable::is_answered(request.method()) {
            if storable::is_unsafe(request.method()) {
                let rules = self.shared.rules.load_full();
                let cache = cache.clone();
                return HttpCacheFuture::slow(flow::change(self.ready(), cache, rules, request));
            }
            return self.pass(request, Why::Method, None);
        }
        let asked = Asked::of(&request);
        let scan = asked.scan();
        let wish = Wish::of(request.headers(), rules.obeys_requests());
        // An origin may read of such a request what no key tells.
        if scan.has_body
            || scan.overrides_method
            || wish.unclear
            || asked.has_two_hosts(scan.host)
            || !request.body().is_end_stream()
        {
            return self.pass(request, Why::Bypass, None);
        }
        if wish.for_the_origin {
            return self.pass(request, Why::Bypass, Some(NotStored::Conditional));
        }
        if wish.directives.no_store() && rules.obeys_requests() {
            return self.pass(request, Why::Request, Some(NotStored::RequestNoStore));
        }
        let Some(mut place) = Place::of(&rules, &asked, &scan) else {
            return self.pass(request, Why::Bypass, Some(NotStored::TooLarge));
        };
        let now = cache.now();
        let found = place.find_now(cache, request.headers(), now);
        if let Some(Found::Response(stored)) = &found {
            let used = stored.terms.assess(now.as_millis(), wish.directives);
            if used != Use::Validate {
                let response = flow::answer(cache, &rules, wish, &request, stored, false, now);
                if let (Use::ServeAndRevalidate, Some(Found::Response(stored))) = (used, found) {
                    self.job(place, wish).revalidate(request, stored);
                }
                return HttpCacheFuture::reply(response);
            }
        }
        HttpCacheFuture::slow(self.job(place, wish).serve(request, found))
    }
}

impl<S: Clone> HttpCache<S> {
    /// The service that is ready, in exchange for one that is not.
    fn ready(&mut self) -> S {
        let clone = self.inner.clone();
        std::mem::replace(&mut self.inner, clone)
    }

    fn job(&mut self, place: Place, wish: Wish) -> Job<S> {
        Job {
            inner: self.ready(),
            cache: self.shared.cache.clone(),
            rules: self.shared.rules.load_full(),
            place,
            wish,
        }
    }

    /// Calls on, and has no part in what comes of it.
    fn pass<ReqBody, ResBody>(
        &mut self,
        request: Request<ReqBody>,
        why: Why,
        detail: Option<NotStored>,
    ) -> HttpCacheFuture<S::Future, ResBody, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    {
        flow::note(
            &self.shared.cache,
            request.extensions().get(),
            CacheStatus::Bypass,
        );
        let forwarded = Forwarded {
            detail,
            ..Forwarded::new(why)
        };
        HttpCacheFuture {
            state: State::Pass {
                future: self.inner.call(request),
                forwarded,
                shared: Arc::clone(&self.shared),
            },
        }
    }
}

type Slow<B, E> = Pin<Box<dyn Future<Output = Result<Response<CacheBody<B>>, E>> + Send>>;

pin_project! {
    /// The future of [`HttpCache`]. It boxes nothing where the answer is in memory, or the cache has no part in the request.
    pub struct HttpCacheFuture<F, B, E> {
        #[pin]
        state: State<F, B, E>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B, E> {
        Reply {
            response: Option<Response<CacheBody<B>>>,
        },
        Pass {
            #[pin] future: F,
            forwarded: Forwarded,
            shared: Arc<Shared>,
        },
        Slow {
            future: Slow<B, E>,
        },
    }
}

impl<F, B, E> HttpCacheFuture<F, B, E> {
    const fn reply(response: Response<CacheBody<B>>) -> Self {
        Self {
            state: State::Reply {
                response: Some(response),
            },
        }
    }

    fn slow(
        future: impl Future<Output = Result<Response<CacheBody<B>>, E>> + Send + 'static,
    ) -> Self {
        Self {
            state: State::Slow {
                future: Box::pin(future),
            },
        }
    }
}

impl<F, B, E> Future for HttpCacheFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<CacheBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Reply { response } => Poll::Ready(Ok(response
                .take()
                .expect("a future is not polled after it has completed"))),
            StateProjection::Pass {
                future,
                forwarded,
                shared,
            } => {
                let mut response = ready!(future.poll(cx))?.map(CacheBody::inner);
                let did = Did::Forwarded(*forwarded);
                flow::mark(&shared.rules.load(), response.headers_mut(), did);
                Poll::Ready(Ok(response))
            }
            StateProjection::Slow { future } => future.as_mut().poll(cx),
        }
    }
}

impl<F, B, E> fmt::Debug for HttpCacheFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Reply { .. } => "HttpCacheFuture(answered)",
            State::Pass { .. } => "HttpCacheFuture(passed)",
            State::Slow { .. } => "HttpCacheFuture(waiting)",
        })
    }
}
