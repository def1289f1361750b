//! The layer on axum's routes, beside the limiter that is usually put there.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::BoxError;
use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::routing::get;
use http::{Request, StatusCode};
use portcullis_core::ManualClock;
use portcullis_throttle::{Buckets, Key, Limit, Rule, ThrottleLayer};
use tower::{ServiceBuilder, ServiceExt};

const ROUTES: usize = 102;
const REQUESTS: usize = 1500;

/// A router with many routes, each of which has the layer for itself.
fn router<L>(layer: &L) -> Router
where
    L: tower::Layer<axum::routing::Route> + Clone + Send + Sync + 'static,
    L::Service: tower::Service<Request<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    <L::Service as tower::Service<Request<Body>>>::Response: axum::response::IntoResponse + 'static,
    <L::Service as tower::Service<Request<Body>>>::Future: Send + 'static,
{
    (0..ROUTES).fold(Router::new(), |router, route| {
        let handler = get(async || "hello").layer(layer.clone());
        router.route(&format!("/{route}"), handler)
    })
}

/// Sends all requests at once, and says how many of them were let in.
async fn flood(app: &Router) -> u32 {
    let admitted = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..REQUESTS)
        .map(|index| {
            let (app, admitted) = (app.clone(), Arc::clone(&admitted));
            tokio::spawn(async move {
                let request = Request::get(format!("/{}", index % ROUTES)).body(Body::empty());
                let answer = app.oneshot(request.expect("a request")).await;
                if answer.expect("an answer").status() == StatusCode::OK {
                    admitted.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    admitted.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_a_second_are_five_a_second_on_a_hundred_routes() {
    let clock = ManualClock::default();
    let limit = Limit::per_second(5.0, 5).expect("a limit");
    let layer = ThrottleLayer::builder()
        .rule(Rule::new("everybody", Key::shared(), limit))
        .buckets(&Buckets::with_clock(10, clock.clone()))
        .build()
        .expect("a layer");
    let app = router(&layer);
    assert_eq!(flood(&app).await, 5);
    clock.advance(Duration::from_millis(600));
    assert_eq!(flood(&app).await, 3, "what the time has earned");
    assert_eq!(layer.stats().passed, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_by_the_clock_of_the_system() {
    let limit = Limit::per_second(5.0, 5).expect("a limit");
    let layer = ThrottleLayer::new(Rule::new("everybody", Key::shared(), limit));
    let start = tokio::time::Instant::now();
    let admitted = flood(&router(&layer)).await;
    let earned = (start.elapsed().as_secs_f64() * 5.0).floor() as u32;
    assert!((5..=5 + earned).contains(&admitted), "{admitted}");
}

/// `tower`'s own limiter on the same routes: each has one of its own, and those who are over it wait. What should take five minutes
/// takes three seconds, and everybody is let in.
#[tokio::test(start_paused = true)]
async fn beside_it_the_rate_limit_of_tower_counts_each_route_for_itself() {
    let layer = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |_: BoxError| {
            StatusCode::TOO_MANY_REQUESTS
        }))
        .buffer(REQUESTS)
        .rate_limit(5, Duration::from_secs(1));
    let start = tokio::time::Instant::now();
    assert_eq!(flood(&router(&layer)).await, 1500);
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
}
