//! The layer round services: readiness, errors, cookies, axum.

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{Request, Response, header};
use portcullis_canary::{Canary, CanaryLayer, Split, Sticky, StickyCookie};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceExt, service_fn};

type Answer = Result<Response<&'static str>, Infallible>;

/// Answers with its name. It counts how often it is asked whether it is ready.
#[derive(Clone)]
struct Named {
    name: &'static str,
    asked: Arc<AtomicU32>,
}

fn named(name: &'static str) -> Named {
    Named {
        name,
        asked: Arc::default(),
    }
}

impl Service<Request<()>> for Named {
    type Response = Response<&'static str>;
    type Error = Infallible;
    type Future = Ready<Answer>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<()>) -> Self::Future {
        ready(Ok(Response::new(self.name)))
    }
}

async fn body<S>(service: S) -> &'static str
where
    S: Service<Request<()>, Response = Response<&'static str>, Error = Infallible>,
{
    let answer = service.oneshot(Request::new(())).await;
    answer.expect("it never fails").into_body()
}

#[tokio::test]
async fn all_services_of_a_layer_have_one_split() {
    let layer = CanaryLayer::to("v2", 0.0, named("new")).expect("a layer");
    let (one, other) = (layer.layer(named("a")), layer.clone().layer(named("b")));
    assert_eq!(
        (body(one.clone()).await, body(other.clone()).await),
        ("a", "b")
    );
    layer.split().promote("v2").expect("there is one");
    assert_eq!((body(one).await, body(other).await), ("new", "new"));
}

#[tokio::test]
async fn several_variants_are_found_by_name() {
    let split = Split::builder()
        .variant("v2", 0.0)
        .variant("v3", 0.0)
        .build()
        .expect("a split");
    let layer = CanaryLayer::new(split, [("v3", named("three")), ("v2", named("two"))]);
    let layer = layer.expect("a layer");
    let service = layer.layer(named("one"));
    assert_eq!(body(service.clone()).await, "one");
    layer.split().promote("v2").expect("there is one");
    assert_eq!(body(service.clone()).await, "two");
    layer.split().promote("v3").expect("there is one");
    assert_eq!(body(service).await, "three");
}

#[tokio::test]
async fn a_variant_is_asked_whether_it_is_ready_only_for_its_own_requests() {
    let (new, old) = (named("new"), named("old"));
    let layer = CanaryLayer::to("v2", 0.0, new.clone()).expect("a layer");
    let service = layer.layer(old.clone());
    body(service.clone()).await;
    assert_eq!(
        (
            new.asked.load(Ordering::Relaxed),
            old.asked.load(Ordering::Relaxed)
        ),
        (0, 1)
    );
    layer.split().promote("v2").expect("there is one");
    body(service).await;
    assert_eq!(new.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_variant_that_is_busy_holds_up_its_own_requests_and_no_other() {
    let slow = ConcurrencyLimitLayer::new(1).layer(service_fn(async |_request: Request<()>| {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Answer::Ok(Response::new("new"))
    }));
    let layer = CanaryLayer::to("v2", 100.0, slow).expect("a layer");
    let service = layer.layer(named("old"));
    let first = tokio::spawn(service.clone().oneshot(Request::new(())));
    let second = tokio::spawn(service.clone().oneshot(Request::new(())));
    tokio::time::sleep(Duration::from_secs(1)).await;
    layer.split().roll_back();
    let answered = tokio::time::timeout(Duration::from_millis(1), body(service)).await;
    assert_eq!(answered.expect("production does not wait"), "old");
    // The second waits for the first, and is not lost.
    for waiting in [first, second] {
        let answer = waiting.await.expect("no panic").expect("it never fails");
        assert_eq!(answer.into_body(), "new");
    }
}

#[tokio::test]
async fn errors_come_as_they_are() {
    let failing = service_fn(async |_request: Request<()>| Err::<Response<()>, _>("broken"));
    let layer = CanaryLayer::to("v2", 100.0, failing).expect("a layer");
    let service = layer.layer(service_fn(async |_request: Request<()>| {
        Ok(Response::new(()))
    }));
    assert_eq!(
        service.clone().oneshot(Request::new(())).await.unwrap_err(),
        "broken"
    );
    layer.split().roll_back();
    assert!(service.oneshot(Request::new(())).await.is_ok());
}

#[tokio::test]
async fn a_client_without_a_cookie_gets_one_whichever_version_answers() {
    let sticky = Sticky::own_cookie(StickyCookie::new("release"));
    let split = Split::builder()
        .variant("v2", 50.0)
        .sticky(sticky)
        .build()
        .expect("a split");
    let layer = CanaryLayer::new(split, [("v2", named("new"))]).expect("a layer");
    let service = layer.layer(named("old"));
    let mut seen = std::collections::HashSet::new();
    for _ in 0..64 {
        let answer = service
            .clone()
            .oneshot(Request::new(()))
            .await
            .expect("it never fails");
        let cookie = answer.headers()[header::SET_COOKIE]
            .to_str()
            .expect("text")
            .to_owned();
        let pair = cookie.split(';').next().unwrap_or_default();
        seen.insert(*answer.body());
        let again = Request::builder()
            .header(header::COOKIE, pair)
            .body(())
            .expect("a request");
        let again = service
            .clone()
            .oneshot(again)
            .await
            .expect("it never fails");
        assert_eq!(again.body(), answer.body());
        assert!(!again.headers().contains_key(header::SET_COOKIE));
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn axum_takes_the_layer() {
    let new = Router::new().route("/pets", get(async || "new"));
    let layer = CanaryLayer::to("v2", 0.0, new).expect("a layer");
    let app = Router::new()
        .route("/pets", get(async || "old"))
        .layer(layer.clone());
    let text = async |app: Router| {
        let request = Request::get("/pets")
            .body(axum::body::Body::empty())
            .expect("a request");
        let answer = app.oneshot(request).await.expect("it never fails");
        axum::body::to_bytes(answer.into_body(), 100)
            .await
            .expect("a body")
    };
    assert_eq!(text(app.clone()).await, "old");
    layer.split().promote("v2").expect("there is one");
    assert_eq!(text(app).await, "new");
}

#[tokio::test]
async fn a_request_that_is_dropped_while_it_waits_leaves_nothing_behind() {
    let limit = ConcurrencyLimitLayer::new(1);
    let stuck = limit.layer(service_fn(|_request: Request<()>| pending::<Answer>()));
    let layer = CanaryLayer::to("v2", 100.0, stuck).expect("a layer");
    let service: Canary<_, _> = layer.layer(named("old"));
    let first = tokio::spawn(service.clone().oneshot(Request::new(())));
    let second = tokio::spawn(service.clone().oneshot(Request::new(())));
    tokio::task::yield_now().await;
    second.abort();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled() && second.await.unwrap_err().is_cancelled());
    layer.split().roll_back();
    assert_eq!(body(service).await, "old");
}
