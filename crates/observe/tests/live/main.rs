//! The live page in a real browser.
//!
//! `cargo xtask test` installs what drives the browser, and the browser.

use std::convert::Infallible;
use std::future::Ready;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use metrics_exporter_prometheus::PrometheusBuilder;
use portcullis_core::{
    ApiStage, CacheStatus, Decision, MatchedRoute, Rejection, RejectionKind, Release,
    RequestContext, Route,
};
use portcullis_observe::{LivePage, Metrics, ObserveLayer};
use portcullis_testkit::installed;
use tokio::net::TcpListener;
use tokio::process::Command;
use tower::{Layer, service_fn};

/// A service that writes down what a gateway would of each request.
fn answer(mut request: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    let path = request.uri().path().to_owned();
    let has = |name: &str, value: &str| request.headers().get(name).is_some_and(|it| it == value);
    let (hit, miss) = (has("x-cache", "hit"), has("x-cache", "miss"));
    let release = if has("x-canary", "1") {
        Release::Canary("canary".into())
    } else {
        Release::Production
    };
    let uri = request.uri().clone();
    let context = RequestContext::of(&mut request);
    let mut stage = ApiStage::default();
    stage.api_id = "petstore".to_owned();
    stage.stage = "prod".to_owned();
    context.set_stage(stage);
    context.set_release(release);
    let template = if path.starts_with("/pets/") {
        "/pets/{id}"
    } else {
        &*path
    };
    context.set_route(MatchedRoute::new(Route::new(template), &uri, 0));
    if hit || miss {
        context.set_cache_status(if hit {
            CacheStatus::Hit
        } else {
            CacheStatus::Miss
        });
    }
    let status = match &*path {
        "/broken" => StatusCode::BAD_GATEWAY,
        "/limited" => {
            let decision = Decision::new("throttle", "per-client");
            let refusal = Rejection::new(RejectionKind::Throttled).with_decision(decision);
            context.record_refusal(&refusal);
            StatusCode::TOO_MANY_REQUESTS
        }
        _ => StatusCode::OK,
    };
    let mut response = Response::new(Body::from("a cat"));
    *response.status_mut() = status;
    std::future::ready(Ok(response))
}

/// The browser; without one the test is left out, or with `CI` set it fails.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("chromium"));
    let found = found.find(|program| program.exists());
    if found.is_none() {
        let missing = "chromium is missing: run `cargo xtask test`";
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("left out: {missing}");
    }
    found
}

#[tokio::test]
async fn an_operator_sees_the_routes_move() {
    let (Some(modules), Some(chromium)) = (installed("browser/node_modules"), chromium()) else {
        return;
    };
    let recorder = PrometheusBuilder::new()
        .set_buckets(&Metrics::DURATION_BUCKETS)
        .expect("buckets")
        .build_recorder();
    let handle = recorder.handle();
    let metrics = Metrics::builder().recorder(Arc::new(recorder)).build();
    let app = Router::new()
        .route("/metrics", get(move || std::future::ready(handle.render())))
        .route_service("/live", LivePage::titled("Pets, live", "/metrics"))
        .fallback_service(ObserveLayer::new(metrics).layer(service_fn(answer)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async { axum::serve(listener, app).await });

    // Modules are looked for beside the script.
    let folder = modules.parent().expect("a folder");
    let script = folder.join("look.mjs");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/look.mjs");
    std::fs::copy(own, &script).expect("a script");
    let mut look = Command::new("node");
    look.arg(script).arg(origin).stdin(Stdio::null());
    // For the guide.
    look.args(std::env::var_os("PICTURE"));
    let output = look.env("CHROMIUM", chromium).output().await;
    let output = output.expect("node starts");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
