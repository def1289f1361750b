//! Requests whose bodies are a part of their keys.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use portcullis_cache::{
    BodyCacheLayer, BodyCached, CacheLayer, CacheRules, CacheRulesBuilder, KeyPart, MemoryStore,
    ResponseCache,
};
use portcullis_core::{Body as CoreBody, BoxError};
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

type Inner = BoxCloneService<Request<CoreBody>, Response<Full<Bytes>>, Infallible>;

/// A body in pieces that does not say how long it is.
struct Pieces(Vec<Result<Frame<Bytes>, BoxError>>);

impl Pieces {
    fn of(pieces: &[&'static str]) -> Self {
        let frames = pieces.iter().rev();
        Self(
            frames
                .map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))))
                .collect(),
        )
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.pop())
    }
}

fn rules() -> CacheRulesBuilder {
    CacheRules::builder()
        .methods([Method::GET, Method::POST])
        .key([KeyPart::Target, KeyPart::Body])
}

/// An origin that counts its calls and answers with the body that it was sent.
fn echo() -> (Inner, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let origin = service_fn(move |request: Request<CoreBody>| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            let body = match request.into_body().collect().await {
                Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
                Err(error) => format!("broken: {error}"),
            };
            Ok::<_, Infallible>(Response::new(Full::from(format!("{number} {body}"))))
        }
    });
    (BoxCloneService::new(origin), calls)
}

struct Setup {
    service: BodyCached<Inner>,
    calls: Arc<AtomicUsize>,
    cache: ResponseCache,
}

fn setup(rules: CacheRulesBuilder) -> Setup {
    let cache = ResponseCache::in_memory(1 << 20);
    let (origin, calls) = echo();
    let rules = rules.build().expect("the rules are good");
    Setup {
        service: BodyCacheLayer::new(&cache, rules).layer(origin),
        calls,
        cache,
    }
}

impl Setup {
    async fn send(&self, request: Request<CoreBody>) -> (u16, String) {
        let response = self
            .service
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        let status = response.status().as_u16();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    async fn post(&self, body: impl Into<CoreBody>) -> String {
        self.send(post(body)).await.1
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn post(body: impl Into<CoreBody>) -> Request<CoreBody> {
    Request::post("/search")
        .body(body.into())
        .expect("a request")
}

#[tokio::test]
async fn the_same_body_is_answered_from_the_cache_and_another_is_not() {
    let setup = setup(rules());
    assert_eq!(setup.post("cats").await, "1 cats");
    assert_eq!(setup.post("cats").await, "1 cats");
    assert_eq!(setup.post("dogs").await, "2 dogs");
    // No body is a body of its own.
    assert_eq!(setup.post("").await, "3 ");
    assert_eq!(setup.post("").await, "3 ");
    assert_eq!(setup.cache.stats().hits, 2);
}

#[tokio::test]
async fn a_get_with_a_body_is_kept_apart_from_one_without() {
    let setup = setup(rules());
    let get = |body: &'static str| {
        Request::get("/search")
            .body(body.into())
            .expect("a request")
    };
    assert_eq!(setup.send(get("")).await.1, "1 ");
    assert_eq!(setup.send(get("poison")).await.1, "2 poison");
    assert_eq!(setup.send(get("")).await.1, "1 ");
}

#[tokio::test]
async fn what_says_how_a_body_is_to_be_read_is_a_part_of_the_key() {
    let setup = setup(rules());
    let with = |name: HeaderName, value: &str| {
        let mut request = post("a=1");
        request
            .headers_mut()
            .insert(name, value.parse().expect("a value"));
        request
    };
    assert_eq!(
        setup.send(with(CONTENT_TYPE, "text/plain")).await.1,
        "1 a=1"
    );
    assert_eq!(
        setup.send(with(CONTENT_TYPE, "application/json")).await.1,
        "2 a=1"
    );
    assert_eq!(setup.send(with(CONTENT_ENCODING, "gzip")).await.1, "3 a=1");
    assert_eq!(
        setup.send(with(CONTENT_TYPE, "text/plain")).await.1,
        "1 a=1"
    );
}

#[tokio::test]
async fn a_body_over_the_bound_passes_whole_and_is_not_cached() {
    let setup = setup(rules().max_key_body_bytes(4));
    assert_eq!(setup.post("cats").await, "1 cats");
    assert_eq!(setup.post("cats").await, "1 cats");
    assert_eq!(setup.post("horse").await, "2 horse");
    assert_eq!(setup.post("horse").await, "3 horse");
    // Nor is one that does not say how long it will be; nothing is read of it.
    let pieces = || CoreBody::new(Pieces::of(&["c", "a", "t"]));
    assert_eq!(setup.post(pieces()).await, "4 cat");
    assert_eq!(setup.post(pieces()).await, "5 cat");
    assert_eq!(setup.cache.stats().bypassed, 4);
}

#[tokio::test]
async fn bodies_are_held_within_the_bound_of_all_that_is_not_complete() {
    let cache = ResponseCache::builder()
        .max_filling_bytes(3)
        .build(MemoryStore::new(1 << 20));
    let (origin, _) = echo();
    let service = BodyCacheLayer::new(&cache, rules().build().unwrap()).layer(origin);
    for _ in 0..2 {
        let response = service.clone().oneshot(post("cats")).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    assert_eq!((cache.stats().bypassed, cache.stats().hits), (2, 0));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_client_s_fault() {
    struct Broken;
    impl Body for Broken {
        type Data = Bytes;
        type Error = BoxError;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(Some(Err("cut".into())))
        }
        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(10)
        }
    }
    let setup = setup(rules());
    let (status, _) = setup.send(post(CoreBody::new(Broken))).await;
    assert_eq!((status, setup.calls()), (400, 0));
}

#[tokio::test]
async fn without_the_body_in_the_key_a_request_with_one_passes() {
    let cache = ResponseCache::in_memory(1 << 20);
    for rules in [rules().key([KeyPart::Target]), rules()] {
        let (origin, calls) = echo();
        let service = CacheLayer::new(&cache, rules.build().unwrap()).layer(origin);
        for _ in 0..2 {
            service.clone().oneshot(post("cats")).await.unwrap();
        }
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}

/// For what is no tower service.
async fn read(layer: &CacheLayer, request: Request<CoreBody>) -> String {
    let read = layer.read(request).await.expect("it does not break off");
    let (origin, _) = echo();
    let response = layer
        .serve_read(read, move |request| origin.oneshot(request))
        .await;
    let body = response.expect("infallible").into_body().collect().await;
    String::from_utf8(body.expect("a body").to_bytes().to_vec()).expect("text")
}

#[tokio::test]
async fn a_body_that_does_not_say_how_long_it_is_can_be_read_and_handed_back() {
    let cache = ResponseCache::in_memory(1 << 20);
    let layer = CacheLayer::new(&cache, rules().max_key_body_bytes(4).build().unwrap());
    let pieces = |pieces: &[&'static str]| post(CoreBody::new(Pieces::of(pieces)));
    let hits = || cache.stats().hits;
    assert_eq!(read(&layer, pieces(&["c", "at"])).await, "1 cat");
    assert_eq!(read(&layer, post("cat")).await, "1 cat");
    assert_eq!(hits(), 1);
    for _ in 0..2 {
        assert_eq!(read(&layer, pieces(&["ho", "rs", "es"])).await, "1 horses");
    }
    let mut declared = post("cat");
    declared.headers_mut().insert(CONTENT_LENGTH, 5.into());
    assert_eq!(read(&layer, declared).await, "1 cat");
    assert_eq!((hits(), cache.stats().bypassed), (1, 3));
}

#[tokio::test]
async fn a_body_that_was_read_for_rules_that_are_replaced_is_not_left_out_of_the_key() {
    let cache = ResponseCache::in_memory(1 << 20);
    let layer = CacheLayer::new(&cache, rules().build().unwrap());
    let read = layer.read(post("cats")).await.unwrap();
    let other = rules().key([KeyPart::Target]).build().unwrap();
    layer.rules().replace(other);
    let (origin, _) = echo();
    let served = layer.serve_read(read, move |request| origin.oneshot(request));
    let body = served.await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "1 cats");
    assert_eq!((cache.stats().bypassed, cache.stats().stored), (1, 0));
}

#[tokio::test]
async fn trailers_of_a_request_reach_the_origin_and_it_is_not_cached() {
    let cache = ResponseCache::in_memory(1 << 20);
    let layer = CacheLayer::new(&cache, rules().build().unwrap());
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-checksum", "1".parse().unwrap());
    let frames = [Frame::trailers(trailers), Frame::data("cats".into())];
    let body = Pieces(frames.into_iter().map(Ok).collect());
    let read = layer.read(post(CoreBody::new(body))).await.unwrap();
    let origin = async |request: Request<CoreBody>| {
        let body = request.into_body().collect().await.expect("a body");
        let checksum = body.trailers().expect("they are there")["x-checksum"].clone();
        let mut response = Response::new(Full::<Bytes>::from(body.to_bytes()));
        response.headers_mut().insert("x-checksum", checksum);
        Ok::<_, Infallible>(response)
    };
    let response = layer
        .serve_read(read, move |request| Box::pin(origin(request)))
        .await;
    assert_eq!(response.unwrap().headers()["x-checksum"], "1");
    assert_eq!(cache.stats().bypassed, 1);
}
