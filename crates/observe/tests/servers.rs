//! The layer under a real server: what hyper does not ask a body for must end all the same.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use portcullis_core::{RequestContext, TrustedProxies};
use portcullis_observe::{Exchange, ObserveLayer, Observer, Outcome, Peer};
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
async fn a_peer_is_known_where_the_server_says_who_is_connected() {
    #[derive(Clone)]
    struct Client(UnboundedSender<Option<IpAddr>>);

    impl Observer for Client {
        type Watch = ();

        fn begin<B>(&self, _request: &mut Request<B>, _context: &RequestContext) {}

        fn end(&self, _watch: (), exchange: &Exchange<'_>) {
            self.0.send(exchange.context().client()).unwrap();
        }
    }

    let (sender, mut client) = unbounded_channel();
    let peer = Peer::new(|head| head.extensions().get().map(|ConnectInfo(peer)| *peer))
        .trust(TrustedProxies::new(["127.0.0.0/8".parse().unwrap()]));
    let app = axum::Router::new()
        .route("/", axum::routing::get(async || "hello"))
        .layer(ObserveLayer::new((peer, Client(sender))))
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for (header, shown) in [("x-forwarded-for", "192.0.2.1"), ("x-other", "127.0.0.1")] {
        let request = Request::get("/")
            .header("host", "localhost")
            .header(header, "192.0.2.1");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(shown.parse().unwrap()));
    }
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
