//! Many requests for one key, and what becomes of them when the one that fetches is slow, fails or leaves.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use portcullis_cache::{
    CacheBody, CacheLayer, CacheRules, Cached, Key, MemoryStore, Purge, ResponseCache,
};
use portcullis_core::{Body as CoreBody, BoxError};
use tokio::sync::{Notify, mpsc};
use tower::util::BoxCloneService;
use tower::{Layer, Service, ServiceExt, service_fn};

type Inner = BoxCloneService<Request<CoreBody>, Response<CoreBody>, BoxError>;

fn cached(cache: &ResponseCache, inner: Inner) -> Cached<Inner> {
    CacheLayer::new(cache, CacheRules::builder().build().unwrap()).layer(inner)
}

fn cache() -> ResponseCache {
    ResponseCache::in_memory(16 << 20)
}

fn get() -> Request<CoreBody> {
    Request::get("/").body(CoreBody::empty()).unwrap()
}

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Boxed, since the compiler does not see through an asynchronous function that such a future can be sent.
fn text(service: Cached<Inner>) -> Boxed<String> {
    let response: Boxed<Response<CacheBody<CoreBody>>> = Box::pin(service.oneshot(get()));
    Box::pin(async move {
        let body = response.await?.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8(body.to_vec())?)
    })
}

/// Lets every other task run until it waits.
async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// An origin that answers when it is told to, each time as it is told.
struct Origin {
    calls: Arc<AtomicUsize>,
    go: Arc<Notify>,
}

impl Origin {
    fn new<F>(answer: F) -> (Self, Inner)
    where
        F: Fn(usize) -> Result<Response<CoreBody>, BoxError> + Clone + Send + Sync + 'static,
    {
        let origin = Self {
            calls: Arc::default(),
            go: Arc::default(),
        };
        let (calls, go) = (Arc::clone(&origin.calls), Arc::clone(&origin.go));
        let inner = service_fn(move |_: Request<CoreBody>| {
            let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
            let (go, answer) = (Arc::clone(&go), answer.clone());
            async move {
                go.notified().await;
                answer(number)
            }
        });
        (origin, BoxCloneService::new(inner))
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn numbered(number: usize) -> Result<Response<CoreBody>, BoxError> {
    Ok(Response::new(format!("answer {number}").into()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_requests_for_a_cold_key_make_one_call() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let inner = BoxCloneService::new(service_fn(move |_: Request<CoreBody>| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            tokio::task::yield_now().await;
            numbered(number)
        }
    }));
    let cache = cache();
    let service = cached(&cache, inner);
    let requests: Vec<_> = (0..1000)
        .map(|_| tokio::spawn(text(service.clone())))
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap(), "answer 1");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.hits), (1, 999));
    assert_eq!(stats.filling, 0);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_response_does_not_cancel_the_fill() {
    let (origin, inner) = Origin::new(numbered);
    let cache = cache();
    let service = cached(&cache, inner);
    let leader = tokio::spawn(text(service.clone()));
    settle().await;
    let follower = tokio::spawn(text(service.clone()));
    settle().await;
    leader.abort();
    settle().await;
    origin.go.notify_one();
    assert_eq!(follower.await.unwrap().unwrap(), "answer 1");
    assert_eq!(origin.calls(), 1);
}

#[tokio::test]
async fn one_of_those_who_wait_takes_the_place_of_a_leader_that_fails() {
    let (origin, inner) = Origin::new(|number| match number {
        1 => Err("broken".into()),
        number => numbered(number),
    });
    let cache = cache();
    let service = cached(&cache, inner);
    let requests: Vec<_> = (0..10)
        .map(|_| tokio::spawn(text(service.clone())))
        .collect();
    settle().await;
    assert_eq!(origin.calls(), 1);
    origin.go.notify_one();
    settle().await;
    assert_eq!(origin.calls(), 2);
    origin.go.notify_one();
    let mut failed = 0;
    for request in requests {
        match request.await.unwrap() {
            Ok(answer) => assert_eq!(answer, "answer 2"),
            Err(_) => failed += 1,
        }
    }
    assert_eq!(failed, 1);
}

#[tokio::test]
async fn those_who_wait_go_at_once_when_the_response_is_not_for_them() {
    let (origin, inner) = Origin::new(|number| {
        let mut response = numbered(number)?;
        *response.status_mut() = StatusCode::NOT_FOUND;
        Ok(response)
    });
    let service = cached(&cache(), inner);
    let requests: Vec<_> = (0..10)
        .map(|_| tokio::spawn(text(service.clone())))
        .collect();
    settle().await;
    assert_eq!(origin.calls(), 1);
    origin.go.notify_one();
    settle().await;
    assert_eq!(origin.calls(), 10);
    // And for a while nobody waits for another.
    let late: Vec<_> = (0..2)
        .map(|_| tokio::spawn(text(service.clone())))
        .collect();
    settle().await;
    assert_eq!(origin.calls(), 12);
    for request in requests.into_iter().chain(late) {
        origin.go.notify_waiters();
        request.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_lose_patience_with_a_slow_leader() {
    let (origin, inner) = Origin::new(numbered);
    let cache = ResponseCache::builder()
        .patience(Duration::from_secs(2))
        .build(MemoryStore::new(1 << 20));
    let service = cached(&cache, inner);
    let leader = tokio::spawn(text(service.clone()));
    settle().await;
    let follower = tokio::spawn(text(service.clone()));
    settle().await;
    assert_eq!(origin.calls(), 1);
    tokio::time::sleep(Duration::from_millis(2001)).await;
    settle().await;
    assert_eq!(origin.calls(), 2);
    origin.go.notify_waiters();
    follower.await.unwrap().unwrap();
    leader.await.unwrap().unwrap();
}

/// An origin whose body is sent by the test, frame by frame.
fn streaming() -> (mpsc::UnboundedSender<Result<Frame<Bytes>, BoxError>>, Inner) {
    let (frames, body) = mpsc::unbounded_channel();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let inner = service_fn(move |_: Request<CoreBody>| {
        let mut body: mpsc::UnboundedReceiver<_> = body.lock().unwrap().take().expect("one call");
        let frames = futures_stream(move |cx| body.poll_recv(cx));
        let body = CoreBody::new(StreamBody::new(frames));
        std::future::ready(Ok::<_, BoxError>(Response::new(body)))
    });
    (frames, BoxCloneService::new(inner))
}

fn futures_stream<T>(
    poll: impl FnMut(&mut std::task::Context<'_>) -> std::task::Poll<Option<T>> + Unpin,
) -> impl futures_util::Stream<Item = T> {
    futures_util::stream::poll_fn(poll)
}

fn data(text: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from(text)))
}

async fn frame<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> Option<Bytes> {
    let frame = body.frame().await?;
    frame.ok()?.into_data().ok()
}

#[tokio::test]
async fn the_first_client_reads_while_the_body_is_still_coming() {
    let (frames, inner) = streaming();
    let cache = cache();
    let service = cached(&cache, inner);
    frames.send(data("one ")).unwrap();
    let mut first = service.clone().oneshot(get()).await.unwrap().into_body();
    assert_eq!(frame(&mut first).await.unwrap(), "one ");
    frames.send(data("two")).unwrap();
    assert_eq!(frame(&mut first).await.unwrap(), "two");
    assert_eq!(cache.stats().size.entries, 0);
    drop(frames);
    assert_eq!(frame(&mut first).await, None);
    settle().await;
    assert_eq!(text(service).await.unwrap(), "one two");
    assert_eq!(cache.stats().hits, 1);
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_nobody_up() {
    let (frames, inner) = streaming();
    let service = cached(&cache(), inner);
    let mut slow = service.clone().oneshot(get()).await.unwrap().into_body();
    let waiting = tokio::spawn(text(service));
    for text in ["a", "b", "c"] {
        frames.send(data(text)).unwrap();
    }
    drop(frames);
    assert_eq!(waiting.await.unwrap().unwrap(), "abc");
    assert_eq!(frame(&mut slow).await.unwrap(), "a");
}

#[tokio::test]
async fn a_client_that_leaves_while_it_reads_does_not_cancel_the_fill() {
    let (frames, inner) = streaming();
    let service = cached(&cache(), inner);
    frames.send(data("a")).unwrap();
    let mut first = service.clone().oneshot(get()).await.unwrap().into_body();
    assert_eq!(frame(&mut first).await.unwrap(), "a");
    drop(first);
    settle().await;
    frames.send(data("b")).unwrap();
    drop(frames);
    settle().await;
    assert_eq!(text(service).await.unwrap(), "ab");
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_nobody_waits_for_ends_with_its_time() {
    let (frames, inner) = streaming();
    let cache = ResponseCache::builder()
        .fill_timeout(Duration::from_secs(3))
        .build(MemoryStore::new(1 << 20));
    let first = cached(&cache, inner).oneshot(get()).await.unwrap();
    drop(first);
    settle().await;
    assert_eq!(cache.stats().filling, 1);
    tokio::time::sleep(Duration::from_secs(4)).await;
    settle().await;
    assert_eq!(cache.stats().filling, 0);
    assert!(frames.send(data("late")).is_err());
}

#[tokio::test]
async fn a_body_that_grows_too_long_reaches_its_client_whole() {
    let (frames, inner) = streaming();
    let cache = cache();
    let rules = CacheRules::builder().max_body_bytes(5).build().unwrap();
    let service = CacheLayer::new(&cache, rules).layer(inner);
    let body = service.oneshot(get()).await.unwrap().into_body();
    for text in ["abc", "def", "ghi"] {
        frames.send(data(text)).unwrap();
        settle().await;
    }
    drop(frames);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "abcdefghi");
    assert_eq!(cache.stats().size.entries, 0);
}

#[tokio::test]
async fn bodies_that_are_not_complete_are_bounded_together() {
    let (frames, inner) = streaming();
    let cache = ResponseCache::builder()
        .max_filling_bytes(5)
        .build(MemoryStore::new(1 << 20));
    let body = cached(&cache, inner)
        .oneshot(get())
        .await
        .unwrap()
        .into_body();
    for text in ["abc", "def"] {
        frames.send(data(text)).unwrap();
        settle().await;
    }
    drop(frames);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "abcdef");
    assert_eq!(cache.stats().size.entries, 0);
}

#[tokio::test]
async fn trailers_reach_the_client_and_such_a_response_is_not_stored() {
    let (frames, inner) = streaming();
    let cache = cache();
    let body = cached(&cache, inner)
        .oneshot(get())
        .await
        .unwrap()
        .into_body();
    frames.send(data("a")).unwrap();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-checksum", "1".parse().unwrap());
    frames.send(Ok(Frame::trailers(trailers))).unwrap();
    drop(frames);
    let whole = body.collect().await.unwrap();
    assert_eq!(whole.trailers().unwrap()["x-checksum"], "1");
    assert_eq!(whole.to_bytes(), "a");
    assert_eq!(cache.stats().size.entries, 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_for_its_client_and_is_not_stored() {
    let (frames, inner) = streaming();
    let cache = cache();
    let body = cached(&cache, inner)
        .oneshot(get())
        .await
        .unwrap()
        .into_body();
    frames.send(data("a")).unwrap();
    settle().await;
    frames.send(Err("cut".into())).unwrap();
    let error = body.collect().await.unwrap_err();
    assert_eq!(error.to_string(), "cut");
    settle().await;
    assert_eq!(cache.stats().size.entries, 0);
    assert_eq!(cache.stats().filling, 0);
}

#[tokio::test]
async fn what_was_asked_for_before_a_purge_is_not_stored_after_it() {
    let (origin, inner) = Origin::new(numbered);
    let cache = cache();
    let service = cached(&cache, inner);
    let before = tokio::spawn(text(service.clone()));
    settle().await;
    cache.purge(Purge::prefix("/")).await.unwrap();
    // Who comes after the purge does not wait for what was asked for before.
    let after = tokio::spawn(text(service.clone()));
    settle().await;
    assert_eq!(origin.calls(), 2);
    origin.go.notify_one();
    assert_eq!(before.await.unwrap().unwrap(), "answer 1");
    assert_eq!(cache.stats().size.entries, 0);
    origin.go.notify_one();
    assert_eq!(after.await.unwrap().unwrap(), "answer 2");
    assert_eq!(text(service).await.unwrap(), "answer 2");
}

#[tokio::test]
async fn a_purge_of_something_else_does_not_divide_those_who_wait() {
    let (origin, inner) = Origin::new(numbered);
    let cache = cache();
    let service = cached(&cache, inner);
    let first = tokio::spawn(text(service.clone()));
    settle().await;
    for purge in [
        Purge::key(Key::from_bytes(b"another")),
        Purge::scope(b"another"),
        Purge::prefix("/another"),
        Purge::tag("another"),
    ] {
        cache.purge(purge).await.unwrap();
    }
    let second = tokio::spawn(text(service.clone()));
    settle().await;
    origin.go.notify_one();
    assert_eq!(first.await.unwrap().unwrap(), "answer 1");
    assert_eq!(second.await.unwrap().unwrap(), "answer 1");
    assert_eq!(origin.calls(), 1);
    assert_eq!(cache.stats().size.entries, 1);
}

#[tokio::test]
async fn who_came_after_a_purge_by_tag_is_not_given_what_it_takes_away() {
    let (origin, inner) = Origin::new(|number| {
        let response = Response::builder().header("cache-tag", "pets");
        Ok(response.body(format!("answer {number}").into())?)
    });
    let cache = cache();
    let service = cached(&cache, inner);
    let before = [(); 2].map(|()| tokio::spawn(text(service.clone())));
    settle().await;
    cache.purge(Purge::tag("pets")).await.unwrap();
    // Nobody knows yet whether that concerns what is being fetched.
    let after = [(); 2].map(|()| tokio::spawn(text(service.clone())));
    settle().await;
    assert_eq!(origin.calls(), 1);
    origin.go.notify_one();
    for request in before {
        assert_eq!(request.await.unwrap().unwrap(), "answer 1");
    }
    settle().await;
    assert_eq!(origin.calls(), 2);
    origin.go.notify_one();
    for request in after {
        assert_eq!(request.await.unwrap().unwrap(), "answer 2");
    }
    assert_eq!(text(service).await.unwrap(), "answer 2");
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn a_client_that_only_calls_and_never_polls_leaves_a_fill_behind() {
    let (origin, inner) = Origin::new(numbered);
    let cache = cache();
    let mut service = cached(&cache, inner);
    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    drop(service.call(get()));
    settle().await;
    origin.go.notify_one();
    settle().await;
    assert_eq!(text(service).await.unwrap(), "answer 1");
}
