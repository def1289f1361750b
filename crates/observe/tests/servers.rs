//! The layer under a real server: what hyper does not ask a body for must end all the same.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use portcullis_core::RequestContext;
use portcullis_observe::{Exchange, ObserveLayer, Observer, Outcome};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower::{Layer, ServiceExt, service_fn};

#[derive(Clone)]
struct Tells(UnboundedSender<(Outcome, u64)>);

impl Observer for Tells {
    type Watch = ();

    fn begin<B>(&self, _request: &mut Request<B>, _context: &RequestContext) {}

    fn end(&self, _watch: (), exchange: &Exchange<'_>) {
        self.0.send((exchange.outcome(), exchange.sent())).unwrap();
    }
}

fn tells() -> (Tells, UnboundedReceiver<(Outcome, u64)>) {
    let (sender, receiver) = unbounded_channel();
    (Tells(sender), receiver)
}

#[tokio::test]
async fn a_hyper_server_ends_each_request_once() {
    let (tells, mut told) = tells();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let hello = service_fn(async |_: Request<hyper::body::Incoming>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
        });
        let service = TowerToHyperService::new(ObserveLayer::new(tells).layer(hello));
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for (method, sent) in [("GET", 5), ("HEAD", 0), ("GET", 5)] {
        let request = Request::builder()
            .method(method)
            .uri("/")
            .header("host", "localhost")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = client.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        assert_eq!(told.recv().await, Some((Outcome::Complete, sent)));
    }
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn an_axum_router_can_be_layered() {
    let (tells, mut told) = tells();
    let router = axum::Router::new()
        .route("/", axum::routing::get(async || "hello"))
        .layer(ObserveLayer::new(Arc::new(tells)));
    let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(told.recv().await, Some((Outcome::Complete, 5)));
}
