//! Over real sockets, in axum and in hyper.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use http::{Request, Response};
use portcullis_cache::ResponseCache;
use portcullis_cache::http::{HttpCacheLayer, HttpCacheRules};
use portcullis_core::{Body, BoxRequestBodyLayer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{ServiceBuilder, service_fn};

const HEADERS: [(&str, &str); 2] = [
    ("cache-control", "max-age=60"),
    ("content-type", "text/plain"),
];

async fn exchange(address: std::net::SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{head} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn layer() -> HttpCacheLayer {
    HttpCacheLayer::new(
        &ResponseCache::in_memory(1024 * 1024),
        HttpCacheRules::default(),
    )
}

#[tokio::test]
async fn an_axum_route_is_called_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let app = Router::new()
        .route(
            "/pets",
            get(async move || {
                counted.fetch_add(1, Ordering::Relaxed);
                (HEADERS, "hello")
            }),
        )
        .layer(layer());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let first = exchange(address, "GET /pets").await;
    assert!(
        first.contains("cache-status: Portcullis; fwd=uri-miss; stored"),
        "{first}"
    );
    let second = exchange(address, "GET /pets").await;
    assert!(
        second.contains("cache-status: Portcullis; hit; ttl="),
        "{second}"
    );
    assert!(second.ends_with("\r\n\r\nhello"), "{second}");
    let head = exchange(address, "HEAD /pets").await;
    assert!(
        head.contains("content-length: 5") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_hyper_service_is_called_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let hello = service_fn(move |_: Request<Body>| {
        counted.fetch_add(1, Ordering::Relaxed);
        async {
            let mut response = Response::builder();
            for (name, value) in HEADERS {
                response = response.header(name, value);
            }
            Ok::<_, Infallible>(response.body(Body::from("hello")).unwrap())
        }
    });
    let service = ServiceBuilder::new()
        .layer(BoxRequestBodyLayer::new())
        .layer(layer())
        .service(hello);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service: hyper_util::service::TowerToHyperService<_> =
                hyper_util::service::TowerToHyperService::new(service.clone());
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    exchange(address, "GET /pets").await;
    let part = exchange(address, "GET /pets").await;
    assert!(part.contains("cache-status: Portcullis; hit"), "{part}");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}
