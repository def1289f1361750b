//! The conduct of the service's cache over real sockets, in axum and in hyper, with hyper's client.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body as AxumBody;
use axum::extract::State;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use portcullis_cache::{
    BodyCacheLayer, CacheLayer, CacheRules, CacheRulesBuilder, KeyPart, Purge, ResponseCache,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower::{Layer, Service, service_fn};

#[derive(Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A client on one connection.
struct Client(hyper::client::conn::http1::SendRequest<Full<Bytes>>);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("a connection");
        tokio::spawn(connection);
        Self(sender)
    }

    async fn begin(&mut self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.0.ready().await.expect("the connection is open");
        self.0.send_request(request).await.expect("an answer")
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> (StatusCode, HeaderMap, String) {
        let (head, body) = self.begin(request).await.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("text");
        (head.status, head.headers, text)
    }

    async fn get(&mut self, target: &str) -> String {
        self.send(request(Method::GET, target, "")).await.2
    }
}

fn request(method: Method, target: &str, body: &'static str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(target);
    let request = request.header("host", "api.example.com");
    request.body(Full::from(body)).expect("a request")
}

fn rules() -> CacheRulesBuilder {
    CacheRules::builder()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

async fn serve_axum(app: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Any tower service, in hyper.
async fn serve_hyper<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    address
}

#[tokio::test]
async fn an_axum_route_answers_from_the_cache_until_it_is_purged() {
    let (calls, cache) = (Calls::default(), ResponseCache::in_memory(1 << 20));
    let pets = async |State(calls): State<Calls>| {
        let headers = [("set-cookie", "session=1"), ("content-type", "text/plain")];
        (headers, format!("answer {}", calls.next()))
    };
    let app = Router::new()
        .route("/pets", get(pets))
        .layer(CacheLayer::new(&cache, rules().build().unwrap()))
        .with_state(calls.clone());
    let mut client = Client::connect(serve_axum(app).await).await;

    let (_, miss, text) = client.send(request(Method::GET, "/pets", "")).await;
    assert_eq!(
        (text.as_str(), &miss["set-cookie"]),
        ("answer 1", &"session=1".parse().unwrap())
    );
    let (status, hit, text) = client.send(request(Method::GET, "/pets", "")).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "answer 1"));
    assert_eq!(hit["content-length"], "8");
    assert_eq!(hit["content-type"], "text/plain");
    assert!(hit.contains_key("date") && !hit.contains_key("set-cookie"));

    let mut reload = request(Method::GET, "/pets", "");
    reload
        .headers_mut()
        .insert("cache-control", "max-age=0".parse().unwrap());
    let (_, warned, text) = client.send(reload).await;
    assert!(warned["warning"].to_str().unwrap().starts_with("199 "));
    assert_eq!(text, "answer 1");

    cache.purge(Purge::prefix("/pets")).await.unwrap();
    assert_eq!(client.get("/pets").await, "answer 2");
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn an_axum_route_is_cached_by_the_bodies_that_it_is_sent() {
    let (calls, cache) = (Calls::default(), ResponseCache::in_memory(1 << 20));
    let search =
        async |State(calls): State<Calls>, body: String| format!("{} for {body}", calls.next());
    let rules = rules()
        .methods([Method::POST])
        .key([KeyPart::Target, KeyPart::Body]);
    let app = Router::new()
        .route("/search", post(search))
        .layer(BodyCacheLayer::new(&cache, rules.build().unwrap()))
        .with_state(calls.clone());
    let mut client = Client::connect(serve_axum(app).await).await;
    for (body, expected) in [
        ("cats", "1 for cats"),
        ("dogs", "2 for dogs"),
        ("cats", "1 for cats"),
        ("dogs", "2 for dogs"),
    ] {
        let (_, _, text) = client.send(request(Method::POST, "/search", body)).await;
        assert_eq!(text, expected);
    }
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn a_hyper_service_answers_from_the_cache() {
    let (calls, cache) = (Calls::default(), ResponseCache::in_memory(1 << 20));
    let counted = calls.clone();
    let origin = service_fn(move |request: Request<Incoming>| {
        let text = format!("{} {}", counted.next(), request.uri().path());
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(
            text,
        ))))
    });
    let layer = CacheLayer::new(&cache, rules().build().unwrap());
    let mut client = Client::connect(serve_hyper(layer.layer(origin)).await).await;
    assert_eq!(client.get("/a").await, "1 /a");
    assert_eq!(client.get("/b").await, "2 /b");
    assert_eq!(client.get("/a").await, "1 /a");
    // What a client sends with a GET reaches the origin, and nobody else.
    let fat = request(Method::GET, "/a", "evil");
    assert_eq!(client.send(fat).await.2, "3 /a");
    assert_eq!(client.get("/a").await, "1 /a");
    // Nor does it matter in which form the target comes.
    assert_eq!(client.get("http://api.example.com/a").await, "1 /a");
    assert_eq!(client.get("http://evil.example.com/a").await, "4 /a");
    assert_eq!(client.get("/a").await, "1 /a");
    assert_eq!(calls.count(), 4);
}

#[tokio::test]
async fn many_clients_of_a_cold_target_are_one_for_a_hyper_service() {
    let (calls, cache) = (Calls::default(), ResponseCache::in_memory(1 << 20));
    let counted = calls.clone();
    let (go, gate) = tokio::sync::watch::channel(false);
    let origin = service_fn(move |_: Request<Incoming>| {
        let number = counted.next();
        let mut gate = gate.clone();
        async move {
            let _ = gate.wait_for(|open| *open).await;
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(number.to_string())))
        }
    });
    let layer = CacheLayer::new(&cache, rules().build().unwrap());
    let address = serve_hyper(layer.layer(origin)).await;
    let clients: Vec<_> = (0..50)
        .map(|_| tokio::spawn(async move { Client::connect(address).await.get("/").await }))
        .collect();
    while calls.count() == 0 {
        tokio::task::yield_now().await;
    }
    go.send_replace(true);
    for client in clients {
        assert_eq!(client.await.unwrap(), "1");
    }
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_the_response_to_those_who_come_later() {
    let (calls, cache) = (Calls::default(), ResponseCache::in_memory(1 << 20));
    let (frames, body) = mpsc::unbounded_channel::<Result<Frame<Bytes>, Infallible>>();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let counted = calls.clone();
    let app = Router::new()
        .fallback(async move || {
            counted.next();
            let mut body = body.lock().unwrap().take().expect("it is asked once");
            let frames = futures_util::stream::poll_fn(move |cx| body.poll_recv(cx));
            Response::new(AxumBody::new(StreamBody::new(frames)))
        })
        .layer(CacheLayer::new(&cache, rules().build().unwrap()));
    let address = serve_axum(app).await;
    let mut client = Client::connect(address).await;
    let mut answer = client.begin(request(Method::GET, "/", "")).await;
    frames.send(Ok(Frame::data("first, ".into()))).unwrap();
    // It reads along while the response is stored.
    let frame = answer.frame().await.expect("a frame").expect("it came");
    assert_eq!(frame.into_data().unwrap(), "first, ");
    drop((answer, client));
    frames.send(Ok(Frame::data("and the rest".into()))).unwrap();
    drop(frames);
    let text = Client::connect(address).await.get("/").await;
    assert_eq!(text, "first, and the rest");
    assert_eq!(calls.count(), 1);
}
