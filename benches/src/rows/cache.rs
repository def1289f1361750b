//! Caches of responses: what is there, by settings and by RFC 9111, and what is not.
//!
//! The service answers with four headers and a body of 1 KiB.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hash::{Hash, Hasher};
use std::io::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH,
    PRAGMA, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::Full;
use portcullis_cache::http::{HttpCacheLayer, HttpCacheRules};
use portcullis_cache::{CacheLayer, CacheRules, ResponseCache};
use portcullis_core::{Clock, SystemClock};
use quick_cache::Equivalent;
use quick_cache::sync::{Cache, GuardResult};
use tower_http_cache::backend::memory::InMemoryBackend;
use tower_layer::Layer;
use tower_service::Service;

use super::surroundings::{Body, answer, pet, request};
use crate::row::{Case, Goal, Who};

/// More than what any row stores.
const CAPACITY: u64 = 256 * 1024 * 1024;

/// Longer than any row runs.
const LIFE: Duration = Duration::from_secs(86_400);

pub(super) fn cases() -> Vec<Case> {
    vec![hit(), http_hit(), miss()]
}

/// The response is stored, and the service is not called. The bare row is what the request costs where it is.
fn hit() -> Case {
    Case::new("cache", "hit")
        .row(Who::Bare, || same(Pet))
        .row(Who::Floor, || same(ByHand::over(Pet, Conduct::Settings)))
        .row(Who::Portcullis, || same(by_settings()))
        .row(Who::Peer("tower-http-cache"), peer)
        .goal(Goal::TimesFloor(1.2))
        .goal(Goal::TimesPeerInTime("tower-http-cache", 0.25))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// The same where the response says itself what it is good for, with `Age` and `Cache-Status`.
fn http_hit() -> Case {
    Case::new("cache", "http-hit")
        .row(Who::Bare, || same(Pet))
        .row(Who::Floor, || same(ByHand::over(Pet, Conduct::Http)))
        .row(Who::Portcullis, || {
            let cache = ResponseCache::in_memory(CAPACITY);
            same(HttpCacheLayer::new(&cache, HttpCacheRules::default()).layer(Pet))
        })
        .goal(Goal::TimesFloor(1.2))
}

/// Each request asks for something else. All rows read the body.
fn miss() -> Case {
    Case::new("cache", "miss")
        .row(Who::Bare, || others(Pet))
        .row(Who::Floor, || others(ByHand::over(Pet, Conduct::Settings)))
        .row(Who::Portcullis, || others(by_settings()))
        .goal(Goal::OverBare(1_500.0))
}

fn by_settings() -> impl Service<
    Request<Body>,
    Response = Response<impl http_body::Body<Data = Bytes>>,
    Error = Infallible,
> {
    let cache = ResponseCache::in_memory(CAPACITY);
    let rules = CacheRules::builder().ttl(Duration::from_secs(3600)).build();
    CacheLayer::new(&cache, rules.expect("rules")).layer(Pet)
}

/// Asks for the same again and again.
fn same<S>(mut service: S) -> impl FnMut() -> S::Response
where
    S: Service<Request<Body>, Error = Infallible>,
{
    let uri = pet();
    move || answer(&mut service, request(&uri))
}

/// Asks for another target each time, and reads what comes.
fn others<S, B>(mut service: S) -> impl FnMut() -> usize
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes>,
{
    let mut next = 0_u64;
    move || {
        next += 1;
        let uri = Uri::try_from(format!("/pets/{next}")).expect("a target");
        read(answer(&mut service, request(&uri)).into_body())
    }
}

fn read<B: http_body::Body<Data = Bytes>>(body: B) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    let mut body = pin!(body);
    let mut length = 0;
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut cx) {
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    length
}

/// tower-http-cache as its front page has it.
fn peer() -> impl FnMut() -> bool {
    let mut service = tower_http_cache::layer::CacheLayer::builder(InMemoryBackend::new(10_000))
        .ttl(LIFE)
        .build()
        .layer(Pet);
    // It may begin tasks while it stores.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let uri = pet();
    let first = runtime.block_on(async {
        let first = service.call(request(&uri));
        first.await.is_ok()
    });
    assert!(first, "it stores the first");
    move || {
        let mut cx = Context::from_waker(Waker::noop());
        // It is always ready: the service under it is.
        let mut future = pin!(service.call(request(&uri)));
        loop {
            if let Poll::Ready(response) = future.as_mut().poll(&mut cx) {
                return response.is_ok();
            }
        }
    }
}

static PET: [u8; 1024] = [b'x'; 1024];

/// The service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pet;

impl<B> Service<Request<B>> for Pet {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(request);
        let mut headers = HeaderMap::with_capacity(4);
        for (name, value) in [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "public, max-age=86400"),
            (ETAG, "\"0123456789abcdef\""),
            (CONTENT_LANGUAGE, "en"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let mut response = Response::new(Body::from(Bytes::from_static(&PET)));
        *response.headers_mut() = headers;
        ready(Ok(response))
    }
}

/// The floor: quick_cache, a key of what decides about the response, and no more copies than need be. Misses of one key wait for one another, as far as one thread can.
#[derive(Clone)]
pub(crate) struct ByHand<S> {
    inner: S,
    shared: Arc<Shared>,
    conduct: Conduct,
}

struct Shared {
    cache: Cache<Key, Arc<Held>>,
    clock: SystemClock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    Settings,
    Http,
}

/// What was stored.
struct Held {
    status: StatusCode,
    headers: Box<[(HeaderName, HeaderValue)]>,
    body: Bytes,
    since: Instant,
    until: Instant,
}

#[derive(Clone, PartialEq, Eq)]
struct Key {
    host: Box<[u8]>,
    target: Box<str>,
}

/// The key as the request has it.
struct Asked<'a> {
    host: &'a [u8],
    target: &'a str,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&*self.host, &*self.target).hash(state);
    }
}

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.host, self.target).hash(state);
    }
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.host == &*key.host && self.target == &*key.target
    }
}

impl Asked<'_> {
    fn to_key(&self) -> Key {
        Key {
            host: self.host.into(),
            target: self.target.into(),
        }
    }
}

impl<S> ByHand<S> {
    pub(crate) fn over(inner: S, conduct: Conduct) -> Self {
        Self {
            inner,
            shared: Arc::new(Shared {
                cache: Cache::new(100_000),
                clock: SystemClock::new(),
            }),
            conduct,
        }
    }
}

impl<S, B> Service<Request<B>> for ByHand<S>
where
    B: http_body::Body,
    S: Service<
            Request<B>,
            Response = Response<Body>,
            Error = Infallible,
            Future = Ready<Result<Response<Body>, Infallible>>,
        >,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.method() != Method::GET || !request.body().is_end_stream() {
            return self.inner.call(request);
        }
        // One walk finds the host and whatever keeps the cache out of it.
        let mut host = None;
        for (name, value) in request.headers() {
            if *name == HOST {
                host = Some(value.as_bytes());
            } else if *name == AUTHORIZATION
                || (self.conduct == Conduct::Http
                    && [CACHE_CONTROL, PRAGMA, RANGE, IF_NONE_MATCH].contains(name))
            {
                return self.inner.call(request);
            }
        }
        let asked = Asked {
            host: host.unwrap_or_default(),
            target: request
                .uri()
                .path_and_query()
                .map_or("/", |target| target.as_str()),
        };
        let Shared { cache, clock } = &*self.shared;
        let now = clock.now();
        if let Some(held) = cache.get(&asked)
            && now < held.until
        {
            return ready(Ok(held.answer(self.conduct, now)));
        }
        let guard = match cache.get_value_or_guard(&asked.to_key(), None) {
            GuardResult::Value(held) => return ready(Ok(held.answer(self.conduct, now))),
            GuardResult::Guard(guard) => guard,
            GuardResult::Timeout => return self.inner.call(request),
        };
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(response)) = pin!(self.inner.call(request)).poll(&mut cx) else {
            unreachable!("it is ready");
        };
        let (head, mut body) = response.into_parts();
        let Poll::Ready(Some(Ok(frame))) = pin!(&mut body).poll_frame(&mut cx) else {
            unreachable!("it is in memory");
        };
        let body = frame.into_data().unwrap_or_default();
        let copied = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).ok();
        let headers = head.headers.iter();
        let held = Arc::new(Held {
            status: head.status,
            headers: headers
                .filter_map(|(name, value)| Some((name.clone(), copied(value)?)))
                .collect(),
            body: Bytes::copy_from_slice(&body),
            since: now,
            until: now + LIFE,
        });
        let _ = guard.insert(held);
        ready(Ok(Response::from_parts(head, Full::new(body))))
    }
}

impl Held {
    fn answer(&self, conduct: Conduct, now: Instant) -> Response<Body> {
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 2);
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        if conduct == Conduct::Http {
            let age = now.duration_since(self.since).as_secs();
            headers.insert(AGE, age.into());
            let ttl = self.until.duration_since(now).as_secs();
            let mut status = Vec::with_capacity(32);
            let _ = write!(status, "Portcullis; hit; ttl={ttl}");
            if let Ok(status) = HeaderValue::from_maybe_shared(Bytes::from(status)) {
                headers.append(HeaderName::from_static("cache-status"), status);
            }
        }
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}
