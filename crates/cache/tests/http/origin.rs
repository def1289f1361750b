//! An origin that notes what it is asked, behind a cache whose clock stands still.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, HOST};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use portcullis_cache::http::{HttpCacheLayer, HttpCacheRules, HttpCacheRulesBuilder};
use portcullis_cache::{CacheBody, ResponseCache};
use portcullis_core::{Body, ManualClock, RequestContext};
use tower::{Layer, Service, ServiceExt};

/// Answers a request by its number, from 1 on, or breaks off.
type Answer = dyn Fn(usize, &Request<Body>) -> Option<Response<Body>> + Send + Sync;

/// What the origin was asked: method, target and headers.
pub(crate) type Asked = (Method, String, HeaderMap);

/// An origin behind a cache.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) cache: ResponseCache,
    pub(crate) layer: HttpCacheLayer,
    clock: ManualClock,
    origin: Origin,
}

#[derive(Clone)]
pub(crate) struct Origin {
    answer: Arc<Answer>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// How long an answer takes.
    delay: Duration,
}

/// The origin did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Silence;

impl Scene {
    pub(crate) fn new(
        answer: impl Fn(usize, &Request<Body>) -> Option<Response<Body>> + Send + Sync + 'static,
    ) -> Self {
        Self::with(HttpCacheRules::builder(), answer)
    }

    pub(crate) fn with(
        rules: HttpCacheRulesBuilder,
        answer: impl Fn(usize, &Request<Body>) -> Option<Response<Body>> + Send + Sync + 'static,
    ) -> Self {
        let clock = ManualClock::default();
        let store = portcullis_cache::MemoryStore::new(16 * 1024 * 1024);
        let cache = ResponseCache::builder().clock(clock.clone()).build(store);
        Self {
            layer: HttpCacheLayer::new(&cache, rules.build().unwrap()),
            cache,
            clock,
            origin: Origin {
                answer: Arc::new(answer),
                asked: Arc::default(),
                delay: Duration::ZERO,
            },
        }
    }

    /// The same, of an origin that takes this long.
    pub(crate) fn slow(mut self, delay: Duration) -> Self {
        self.origin.delay = delay;
        self
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn service(
        &self,
    ) -> impl Service<
        Request<Body>,
        Response = Response<CacheBody<Body>>,
        Error = Silence,
        Future: Send,
    > + Clone
    + Send
    + 'static {
        self.layer.layer(self.origin.clone())
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Seen, Silence> {
        let response = self.service().oneshot(request).await?;
        Ok(Seen::of(response).await)
    }

    pub(crate) async fn get(&self, target: &str) -> Seen {
        self.ask(target, &[]).await
    }

    /// `GET` with these headers.
    pub(crate) async fn ask(&self, target: &str, headers: &[(&str, &str)]) -> Seen {
        self.send(request(Method::GET, target, headers))
            .await
            .unwrap()
    }

    /// What the origin has been asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.origin.asked.lock().unwrap())
    }

    /// How often the origin has been asked since the last time.
    pub(crate) fn calls(&self) -> usize {
        self.asked().len()
    }
}

impl Service<Request<Body>> for Origin {
    type Response = Response<Body>;
    type Error = Silence;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Silence>> + Send>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Silence>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            let target = request.uri().to_string();
            asked.push((request.method().clone(), target, request.headers().clone()));
            asked.len()
        };
        let answer = (self.answer)(number, &request).ok_or(Silence);
        let delay = self.delay;
        Box::pin(async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            answer
        })
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) async fn of(response: Response<CacheBody<Body>>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// The only value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map_or("", |value| value.to_str().unwrap());
        assert_eq!(values.next(), None, "{name}");
        value
    }

    /// What the cache says of itself.
    pub(crate) fn cache(&self) -> &str {
        let status = self.header("cache-status");
        status.strip_prefix("Portcullis; ").unwrap_or(status)
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.cache().starts_with("hit")
    }
}

pub(crate) fn request(method: Method, target: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, "api.example.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    // As behind a server of ours.
    RequestContext::of(&mut request);
    request
}

/// A response of these headers with `hello` in it.
pub(crate) fn hello(headers: &[(&str, &str)]) -> Option<Response<Body>> {
    answer(200, headers, "hello")
}

pub(crate) fn answer(
    status: u16,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Option<Response<Body>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Some(response.body(body.into()).unwrap())
}

/// A response that is fresh for a minute.
pub(crate) fn fresh() -> Option<Response<Body>> {
    hello(&[(CACHE_CONTROL.as_str(), "max-age=60")])
}
