//! The layer in an axum router, and in a hyper server over loopback.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use portcullis_cors::{CorsLayer, CorsRules};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt, service_fn};

const APP: &str = "https://app.example";

fn layer() -> CorsLayer {
    let rules = CorsRules::builder()
        .allow_origins([APP])
        .allow_methods(["PUT"]);
    CorsLayer::new(rules.build().expect("the rules are good"))
}

#[tokio::test]
async fn an_axum_router_can_be_layered() {
    let router = axum::Router::new()
        .route("/", axum::routing::get(async || "hello"))
        .layer(layer());
    for (method, path, status) in [
        ("GET", "/", 200),
        ("GET", "/unknown", 404),
        ("PUT", "/", 405),
        ("OPTIONS", "/", 204),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("origin", APP)
            .header("access-control-request-method", "PUT")
            .body(axum::body::Body::empty())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["access-control-allow-origin"], APP);
    }
}

#[tokio::test]
async fn a_hyper_server_sends_a_preflight_without_a_body_and_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let hello = service_fn(async |_: Request<hyper::body::Incoming>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
        });
        let service = TowerToHyperService::new(layer().layer(hello));
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await
    });

    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = |method: &str| {
        Request::builder()
            .method(method)
            .uri("/")
            .header("host", "localhost")
            .header("origin", APP)
            .header("access-control-request-method", "PUT")
            .body(Empty::<Bytes>::new())
            .unwrap()
    };
    let answer = client.send_request(request("OPTIONS")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["access-control-allow-methods"], "PUT");
    assert!(!answer.headers().contains_key("content-length"));
    assert!(!answer.headers().contains_key("transfer-encoding"));
    assert!(
        answer
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );

    let answer = client.send_request(request("GET")).await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], APP);
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        "hello"
    );
}
