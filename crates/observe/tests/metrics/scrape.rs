//! A router with metrics, scraped over a socket.

use axum::extract::MatchedPath;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, body::Body};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use portcullis_observe::{Metrics, ObserveLayer};
use tokio::net::{TcpListener, TcpStream};

use crate::exposition::Exposition;
use crate::support::exported;

/// What a server answers to a request over a connection of its own.
async fn fetch(address: std::net::SocketAddr, method: &str, path: &str) -> (StatusCode, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn prometheus_reads_what_the_router_did() {
    let (metrics, handle) = exported(Metrics::builder().route(|head| {
        head.extensions()
            .get::<MatchedPath>()
            .map(MatchedPath::as_str)
    }));
    let app = Router::new()
        .route("/pets/{id}", get(async || "a cat"))
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(ObserveLayer::new(metrics))
        .route(
            "/metrics",
            get(move || {
                handle.run_upkeep();
                let text = handle.render();
                async { Body::from(text) }
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    for path in [
        "/pets/7",
        "/pets/8",
        "/pets/%22%0a%5c",
        "/broken",
        "/nowhere",
    ] {
        fetch(address, "GET", path).await;
    }
    fetch(address, "POST", "/pets/7").await;
    let (status, text) = fetch(address, "GET", "/metrics").await;
    assert_eq!(status, 200);
    let read = Exposition::read(&text);
    let route = |method, route| [("Method", method), ("Resource", route)];
    assert_eq!(
        read.get("apigateway_Count", &route("GET", "/pets/{id}")),
        3.0
    );
    assert_eq!(
        read.get("apigateway_Count", &route("POST", "/pets/{id}")),
        1.0
    );
    assert_eq!(
        read.get("apigateway_4XXError", &route("POST", "/pets/{id}")),
        1.0
    );
    assert_eq!(
        read.get("apigateway_5XXError", &route("GET", "/broken")),
        1.0
    );
    let labels = [
        ("http_request_method", "GET"),
        ("http_response_status_code", "200"),
        ("http_route", "/pets/{id}"),
        ("url_scheme", "http"),
    ];
    assert_eq!(read.get("http_server_request_duration_count", &labels), 3.0);
    let labels = [
        ("error_type", "500"),
        ("http_request_method", "GET"),
        ("http_response_status_code", "500"),
        ("http_route", "/broken"),
        ("url_scheme", "http"),
    ];
    assert_eq!(read.get("http_server_request_duration_count", &labels), 1.0);
    assert_eq!(read.sum("http_server_active_requests"), 0.0);
    assert!(text.contains("# HELP apigateway_Count Requests."), "{text}");
}
