//! Copies of requests for another version: what is compared, what is bounded, and what the live request is spared.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use portcullis_canary::{Comparison, MirrorHandle, MirrorLayer, MirrorLayerBuilder, MirrorReport};
use tower::{Service, ServiceExt, service_fn};

fn mirror() -> MirrorLayerBuilder {
    MirrorLayer::builder()
}

fn old() -> Router {
    Router::new()
        .route(
            "/pets",
            get(async || {
                (
                    [(header::CONTENT_TYPE, "application/json")],
                    r#"{"pets": 2, "at": 1}"#,
                )
            }),
        )
        .route("/echo", post(async |body: Bytes| body))
        .route("/cut", get(async || "a longer body than the limit"))
}

fn new() -> Router {
    Router::new()
        .route(
            "/pets",
            get(async || {
                (
                    [(header::CONTENT_TYPE, "application/json")],
                    r#"{"at":2,"pets":3}"#,
                )
            }),
        )
        .route("/echo", post(async |body: Bytes| body))
}

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, Bytes) {
    let answer = app.clone().oneshot(request).await.expect("it never fails");
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("a body");
    (status, body.to_bytes())
}

fn get_request(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("a request")
}

/// Waits until everything that was begun has come to something.
async fn settled(handle: &MirrorHandle) -> MirrorReport {
    loop {
        let report = handle.report();
        if report.compared + report.skipped + report.failed == report.mirrored {
            return report;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn answers_that_differ_are_counted_and_kept() {
    let compare = Comparison::new().ignore_path("/at").expect("a pointer");
    let layer = mirror().compare(compare).build(new()).expect("a layer");
    let handle = layer.handle();
    let app = old().layer(layer);
    let (status, body) = send(&app, get_request("/pets?secret=1")).await;
    assert_eq!(
        (status, &*body),
        (StatusCode::OK, &br#"{"pets": 2, "at": 1}"#[..])
    );
    let report = settled(&handle).await;
    assert_eq!(
        (
            report.compared,
            report.mismatched,
            report.bodies,
            report.status
        ),
        (1, 1, 1, 0)
    );
    assert_eq!(
        report.samples[0].to_string(),
        "GET /pets\n  body /pets: 2 became 3"
    );
    assert_eq!(handle.comparisons().mismatched(), 1);
    assert_eq!(
        report.to_string(),
        "100.00 % of 1 differ (0 in status, 0 in headers, 1 in bodies); of 1 mirrored, 0 failed and 0 were skipped; 0 were dropped"
    );
}

#[tokio::test]
async fn the_body_of_a_request_goes_to_both() {
    let layer = mirror().method(Method::POST).build(new()).expect("a layer");
    let handle = layer.handle();
    let app = old().layer(layer);
    let pieces = [
        Ok::<_, Infallible>(Bytes::from("cat, ")),
        Ok(Bytes::from("dog")),
    ];
    let frames = pieces.map(|piece| piece.map(http_body::Frame::data));
    let body = Body::new(http_body_util::StreamBody::new(tokio_stream(frames)));
    let request = Request::post("/echo").body(body).expect("a request");
    assert_eq!(send(&app, request).await.1, "cat, dog");
    let report = settled(&handle).await;
    assert_eq!((report.compared, report.mismatched), (1, 0));
}

/// A stream of what is there already.
fn tokio_stream<T: Unpin>(
    items: impl IntoIterator<Item = T, IntoIter: Unpin>,
) -> impl futures_util::Stream<Item = T> {
    futures_util::stream::iter(items)
}

#[tokio::test]
async fn only_what_changes_nothing_is_copied_unless_it_is_said() {
    let layer = mirror().build(new()).expect("a layer");
    let handle = layer.handle();
    let app = old().layer(layer);
    let request = Request::post("/echo")
        .body(Body::from("cat"))
        .expect("a request");
    assert_eq!(send(&app, request).await.1, "cat");
    assert_eq!(handle.report().mirrored, 0);
}

#[tokio::test]
async fn bodies_that_are_too_long_pass_and_are_not_compared() {
    let layer = mirror()
        .method(Method::POST)
        .max_body_bytes(8)
        .build(new())
        .expect("a layer");
    let handle = layer.handle();
    let app = old().layer(layer);
    assert_eq!(send(&app, get_request("/cut")).await.1.len(), 28);
    let long = Body::from("longer than eight");
    let request = Request::post("/echo").body(long).expect("a request");
    assert_eq!(send(&app, request).await.1, "longer than eight");
    let report = settled(&handle).await;
    assert_eq!((report.skipped, report.compared), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shadow_that_hangs_holds_a_bounded_number_of_copies_and_nobody_up() {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let hanging = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        service_fn(move |_request: Request<portcullis_core::Body>| {
            let now = running.fetch_add(1, Ordering::Relaxed) + 1;
            most.fetch_max(now, Ordering::Relaxed);
            let running = Arc::clone(&running);
            async move {
                // Whoever gives up drops this.
                let _ends = Ends(running);
                std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await
            }
        })
    };
    let layer = mirror()
        .concurrency(2)
        .queue(3)
        .timeout(Duration::from_secs(5));
    let layer = layer.build(hanging).expect("a layer");
    let handle = layer.handle();
    let app = old().layer(layer);
    for _ in 0..100 {
        let answer = send(&app, get_request("/pets"));
        let answer = tokio::time::timeout(Duration::from_millis(1), answer).await;
        assert_eq!(answer.expect("nobody waits").0, StatusCode::OK);
    }
    let report = handle.report();
    assert_eq!((report.mirrored, report.dropped), (5, 95));
    // Two at a time they are given up.
    tokio::time::sleep(Duration::from_secs(16)).await;
    let report = handle.report();
    assert_eq!((report.failed, most.load(Ordering::Relaxed)), (5, 2));
    assert_eq!(running.load(Ordering::Relaxed), 0);
    send(&app, get_request("/pets")).await;
    assert_eq!(handle.report().mirrored, 6);
}

struct Ends(Arc<AtomicUsize>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_copy_is_marked_and_knows_nothing_of_the_context() {
    let seen = Arc::new(std::sync::Mutex::new(None));
    let shadow = {
        let seen = Arc::clone(&seen);
        service_fn(move |request: Request<portcullis_core::Body>| {
            let context = request
                .extensions()
                .get::<portcullis_core::RequestContext>()
                .is_some();
            let mark = request.headers().get("x-mirror").cloned();
            *seen.lock().expect("nobody panics") = Some((context, mark));
            std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
        })
    };
    let layer = mirror()
        .mark(HeaderName::from_static("x-mirror"))
        .build(shadow);
    let layer = layer.expect("a layer");
    let handle = layer.handle();
    let mut request = get_request("/pets");
    portcullis_core::RequestContext::of(&mut request);
    send(&old().layer(layer), request).await;
    settled(&handle).await;
    let seen = seen.lock().expect("nobody panics").take();
    assert_eq!(
        seen,
        Some((false, Some("mirror".parse().expect("a value"))))
    );
}

#[tokio::test]
async fn a_share_of_the_requests_is_copied_and_few_samples_are_kept() {
    let state = AtomicUsize::new(0);
    let counts = move || (state.fetch_add(1, Ordering::Relaxed) as u64 % 100) << 57;
    let layer = mirror()
        .share(25.0)
        .samples(3)
        .chance(counts)
        .build(new())
        .expect("a layer");
    let handle = layer.handle();
    let app = old().layer(layer);
    for _ in 0..128 {
        send(&app, get_request("/pets")).await;
        settled(&handle).await;
    }
    let report = settled(&handle).await;
    // The first 32 of each hundred numbers, of 128.
    assert_eq!(report.mirrored, 60);
    assert_eq!(report.samples.len(), 3);
}

#[tokio::test]
async fn a_live_answer_that_is_dropped_is_not_compared() {
    let layer = mirror().build(new()).expect("a layer");
    let handle = layer.handle();
    let answer = old().layer(layer).oneshot(get_request("/pets")).await;
    drop(answer.expect("it never fails"));
    let report = settled(&handle).await;
    assert_eq!((report.skipped, report.compared), (1, 0));
}

#[test]
fn a_mirror_that_has_room_for_nothing_is_an_error_that_names_the_field() {
    let error = mirror().share(100.5).build(()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "mirror.share: 100.5 is no share; give 0 to 100"
    );
    let error = mirror().concurrency(0).build(()).unwrap_err();
    assert_eq!(error.field(), "mirror.concurrency");
    let error = Comparison::new().tolerance(-1.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "mirror.tolerance: -1 is no distance of numbers; give 0 or more"
    );
    let error = Comparison::new().ignore_path("a").unwrap_err();
    assert_eq!(
        error.to_string(),
        "mirror.ignorePaths: `a` is no JSON pointer; begin it with `/`"
    );
}

/// Outside of a runtime there is nobody to send copies; requests pass.
#[test]
fn without_a_runtime_requests_pass() {
    let layer = mirror().build(new()).expect("a layer");
    let handle = layer.handle();
    let live = service_fn(|_request: Request<_>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    let mut service = tower::Layer::layer(&layer, live);
    let request = Request::new(Full::<Bytes>::default());
    let mut answer = std::pin::pin!(service.call(request));
    let polled = answer
        .as_mut()
        .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(polled.is_ready());
    assert_eq!(handle.report().dropped, 1);
}
