//! WebSockets through `HTTP_PROXY`.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Response, StatusCode};
use portcullis::core::{Guard, Head, Never, Rejection, RejectionKind, Verdict};
use portcullis::{ApiSpec, Gateway, Parity};
use portcullis_testkit::wire;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async, client_async};

use crate::support::{Running, http, proxy, rest};

/// Greets whoever comes, tells what it was asked for, and says everything back; `bye` ends it, `drop` ends it rudely.
async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

#[expect(clippy::result_large_err, reason = "the library asks for it")]
async fn serve(stream: TcpStream) {
    let mut asked = String::new();
    let answer = |request: &server::Request, mut response: server::Response| {
        let header = |name: &str| {
            let value = request.headers().get(name);
            value.map_or("-", |value| value.to_str().unwrap_or("?"))
        };
        asked = format!("{} {} {}", request.uri(), header("host"), header("x-pet"));
        if request.uri().path() == "/closed" {
            let mut refused = Response::new(Some("closed on Sundays".to_owned()));
            *refused.status_mut() = StatusCode::FORBIDDEN;
            return Err(refused);
        }
        let headers = response.headers_mut();
        headers.insert(
            "sec-websocket-protocol",
            HeaderValue::from_static("pets.v1"),
        );
        headers.insert("server", HeaderValue::from_static("kennel"));
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, answer).await else {
        return;
    };
    if socket.send(asked.into()).await.is_err() {
        return;
    }
    while let Some(Ok(message)) = socket.next().await {
        let word = message.to_text().unwrap_or_default();
        if word == "drop" {
            return;
        }
        if word == "bye" {
            let frame = CloseFrame {
                code: CloseCode::Library(4001),
                reason: "bye".into(),
            };
            let _ = socket.close(Some(frame)).await;
        } else if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err()
        {
            return;
        }
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn connect(
    address: SocketAddr,
    path: &str,
) -> Result<(Socket, Response<Option<Vec<u8>>>), Error> {
    let mut request = format!("ws://{address}{path}").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("x-pet", HeaderValue::from_static("rex"));
    headers.insert(
        "sec-websocket-protocol",
        HeaderValue::from_static("pets.v1"),
    );
    let stream = TcpStream::connect(address).await.expect("it listens");
    client_async(request, stream).await
}

async fn text(socket: &mut Socket) -> String {
    let message = socket.next().await.expect("a message").expect("a good one");
    message.into_text().expect("text").to_string()
}

async fn running(api: impl Fn(&str, &Value) -> ApiSpec) -> (Running, SocketAddr) {
    let backend = backend().await;
    let api = api("/pets", &proxy(&format!("http://{backend}/socket?a=1")));
    (Running::start(Gateway::builder().api(api)).await, backend)
}

#[tokio::test]
async fn what_both_say_passes_in_both_kinds_of_apis() {
    for (api, path) in [
        (rest as fn(&str, &Value) -> ApiSpec, "/prod/pets"),
        (http, "/pets"),
    ] {
        let (running, backend) = running(api).await;
        let (mut socket, response) = connect(running.address, path).await.expect("it switches");
        assert_eq!(response.headers()["sec-websocket-protocol"], "pets.v1");
        let id = ["x-amzn-requestid", "apigw-requestid"];
        assert!(id.iter().any(|name| response.headers().contains_key(*name)));
        let greeting = text(&mut socket).await;
        assert_eq!(greeting, format!("/socket?a=1 {backend} rex"));
        // More than any buffer on the way.
        let long = "x".repeat(1 << 20);
        for message in [
            Message::text("hello"),
            Message::binary(vec![0, 255]),
            Message::text(long),
        ] {
            socket.send(message.clone()).await.expect("it is open");
            let echo = socket.next().await.expect("a message").expect("a good one");
            assert_eq!(echo, message);
        }
        socket.send(Message::text("bye")).await.expect("it is open");
        let closed = socket.next().await.expect("a message").expect("a good one");
        let Message::Close(Some(frame)) = closed else {
            panic!("{closed:?}");
        };
        assert_eq!(
            (frame.code, &*frame.reason),
            (CloseCode::Library(4001), "bye")
        );
        assert!(socket.next().await.is_none_or(|last| last.is_err()));
    }
}

#[tokio::test]
async fn an_end_that_goes_away_takes_the_other_with_it() {
    let (running, _) = running(http).await;
    let (mut socket, _) = connect(running.address, "/pets")
        .await
        .expect("it switches");
    text(&mut socket).await;
    socket
        .send(Message::text("drop"))
        .await
        .expect("it is open");
    assert!(socket.next().await.is_none_or(|last| last.is_err()));
}

#[tokio::test]
async fn an_endpoint_may_say_no() {
    let backend = backend().await;
    let api = rest("/pets", &proxy(&format!("http://{backend}/closed")));
    let running = Running::start(Gateway::builder().api(api)).await;
    match connect(running.address, "/prod/pets").await {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 403);
            let body = response.body().as_deref().unwrap_or_default();
            // With its framing, which the library leaves on.
            assert!(String::from_utf8_lossy(body).contains("closed on Sundays"));
        }
        other => panic!("{:?}", other.map(|(_, response)| response)),
    }
}

/// Refuses everyone.
struct Shut;

impl Guard for Shut {
    type Ask = Never;

    fn check(&self, _: &Head<'_>) -> Verdict<Never> {
        Verdict::Refuse(Rejection::new(RejectionKind::AccessDenied))
    }
}

#[tokio::test]
async fn guards_hold_for_web_sockets_too() {
    let backend = backend().await;
    let api = rest("/pets", &proxy(&format!("http://{backend}/socket")));
    let running = Running::start(Gateway::builder().api(api).guard(Shut)).await;
    match connect(running.address, "/prod/pets").await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("{:?}", other.map(|(_, response)| response)),
    }
}

#[tokio::test]
async fn upgrade_is_dropped_where_web_sockets_do_not_pass() {
    let off = |path: &str, integration: &Value| rest(path, integration).web_sockets(false);
    let strict = |path: &str, integration: &Value| rest(path, integration).parity(Parity::Strict);
    for (running, _) in [running(off).await, running(strict).await] {
        match connect(running.address, "/prod/pets").await {
            // The endpoint has not been asked for one.
            Err(Error::Http(response)) => assert_ne!(response.status(), 101),
            other => panic!("{:?}", other.map(|(_, response)| response)),
        }
    }
}

#[tokio::test]
async fn other_upgrades_are_dropped() {
    let plain = portcullis_testkit::Recorder::new(|_| portcullis_testkit::request::answer(200, ""));
    let server = portcullis_testkit::HyperServer::start(plain.clone()).await;
    let api = rest("/pets", &proxy(&server.url("/")));
    let running = Running::start(Gateway::builder().api(api)).await;
    for head in [
        "GET /prod/pets HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n\r\n",
        "POST /prod/pets HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n",
        "GET /prod/pets HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n",
    ] {
        plain.clear();
        assert_eq!(wire::send(running.address, head).await.status, 200);
        let got = plain.only();
        assert_eq!(
            (got.header("upgrade"), got.header("connection")),
            (None, None)
        );
    }
}

#[tokio::test]
async fn a_proxy_alone_passes_web_sockets_over_axum() {
    let backend = backend().await;
    let client = portcullis::client::Client::default();
    let proxy =
        portcullis::integrations::HttpProxy::new(client, &format!("http://{backend}/alone"));
    let proxy = proxy.expect("an address").with_web_sockets(true);
    let router = axum::Router::new().fallback_service(proxy);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let (mut socket, _) = connect(address, "/").await.expect("it switches");
    assert!(text(&mut socket).await.starts_with("/alone"));
}
