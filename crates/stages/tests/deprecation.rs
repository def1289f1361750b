//! The layer that tells of a version's end, in axum.

use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use portcullis_stages::{Deprecation, DeprecationLayer};
use tower::ServiceExt;

#[tokio::test]
async fn every_response_of_a_deprecated_router_says_so_and_no_other() {
    let deprecation = Deprecation::builder()
        .since(SystemTime::UNIX_EPOCH + Duration::from_secs(5))
        .successor("/v2")
        .build()
        .expect("it is fine");
    let v1 = Router::new()
        .route("/hats", get(async || "one hat"))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(DeprecationLayer::new(deprecation));
    let app = Router::new()
        .nest("/v1", v1)
        .route("/v2/hats", get(async || "two hats"));
    for (path, status, expected) in [
        ("/v1/hats", 200, Some("@5")),
        ("/v1/none", 404, Some("@5")),
        ("/v2/hats", 200, None),
    ] {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = app.clone().oneshot(request).await.expect("it answers");
        assert_eq!(response.status(), status, "{path}");
        let said = response.headers().get("deprecation");
        assert_eq!(
            said.map(|said| said.to_str().expect("text")),
            expected,
            "{path}"
        );
        assert_eq!(response.headers().contains_key("link"), expected.is_some());
    }
}

#[test]
fn the_layer_can_go_anywhere() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    check::<DeprecationLayer>();
    check::<portcullis_stages::Deprecated<()>>();
}
