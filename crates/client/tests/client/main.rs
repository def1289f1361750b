//! The client over real sockets.

mod pool;
mod support;
mod upstream_pool;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use portcullis_client::{Client, ClientErrorKind, UpstreamPool};
use portcullis_core::{Body, BoxError};
use portcullis_testkit::{HyperServer, Recorded, Recorder, request as testkit};
use tokio::net::TcpListener;

use support::{Encrypted, client, fetch, get, kind, raw};

#[tokio::test]
async fn tls_speaks_the_version_that_the_server_chooses() {
    for (alpn, expected) in [
        (&["h2", "http/1.1"][..], "HTTP/2.0"),
        (&["http/1.1"][..], "HTTP/1.1"),
        (&[][..], "HTTP/1.1"),
    ] {
        let endpoint = Encrypted::start(alpn).await;
        let answer = fetch(&endpoint.client(), &endpoint.url()).await;
        assert_eq!(answer, expected, "{alpn:?}");
    }
}

#[tokio::test]
async fn an_unknown_authority_is_believed_only_where_that_is_said() {
    let endpoint = Encrypted::start(&["http/1.1"]).await;
    let uri = endpoint.url();
    assert_eq!(kind(&client(), get(&uri)).await, ClientErrorKind::Tls);
    let dangerous = client().dangerous_without_verification();
    dangerous.send(get(&uri)).await.expect("an answer");

    let client = endpoint.client();
    let dangerous = client.dangerous_without_verification();
    let other_name = endpoint.other_url();
    dangerous.send(get(&other_name)).await.expect("an answer");
    assert_eq!(
        kind(&client, get(&other_name)).await,
        ClientErrorKind::Tls,
        "the certificate of another host, and no connection of the other client"
    );
}

#[tokio::test]
async fn a_certificate_is_checked_for_another_name_where_that_is_said() {
    let endpoint = Encrypted::start(&["http/1.1"]).await;
    let client = endpoint.client();
    let by_address = endpoint.other_url();
    let named = |name| client.with_server_name(name).expect("a name");
    fetch(&named("localhost"), &by_address).await;
    let other = kind(&named("pets.example.com"), get(&endpoint.url())).await;
    assert_eq!(other, ClientErrorKind::Tls, "not even by its own name");
    assert_eq!(kind(&client, get(&by_address)).await, ClientErrorKind::Tls);
    assert!(client.with_server_name("no name").is_err());
    let origin = by_address.trim_end_matches('/');
    let pool = UpstreamPool::builder()
        .target(origin)
        .client(client.clone());
    let pool = pool.build().expect("an origin");
    let through = |name| named(name).through(pool.clone().into());
    fetch(&through("localhost"), "https://internal.example.com/").await;
    let other = kind(&through("pets.example.com"), get("https://localhost/")).await;
    assert_eq!(other, ClientErrorKind::Tls);
}

#[tokio::test]
async fn http2_in_the_clear_needs_prior_knowledge() {
    let answer: fn(&Recorded) -> Response<Full<Bytes>> = |_| testkit::answer(200, "");
    let backend = Recorder::new(answer);
    let server = HyperServer::start(backend.clone()).await;
    let send = async |client: Client| client.send(get(&server.url("/"))).await.expect("ok");
    send(client()).await;
    send(client().with_http2_prior_knowledge()).await;
    let versions: Vec<_> = backend.requests().iter().map(|got| got.version).collect();
    assert_eq!(versions, [Version::HTTP_11, Version::HTTP_2]);
}

#[tokio::test]
async fn a_failure_says_what_kind_it_is() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let refused = listener.local_addr().expect("an address");
    drop(listener);
    let silent = raw("").await;
    let other = raw("220 smtp ready\r\n").await;
    let long = "a".repeat(64);
    for (uri, expected) in [
        (format!("http://{refused}/"), ClientErrorKind::Refused),
        (format!("https://{refused}/"), ClientErrorKind::Refused),
        (format!("http://{long}.invalid/"), ClientErrorKind::Dns),
        (format!("https://{long}.invalid/"), ClientErrorKind::Dns),
        (format!("http://{silent}/"), ClientErrorKind::Closed),
        (format!("https://{silent}/"), ClientErrorKind::Tls),
        (format!("http://{other}/"), ClientErrorKind::Protocol),
        (format!("https://{other}/"), ClientErrorKind::Tls),
    ] {
        assert_eq!(kind(&client(), get(&uri)).await, expected, "{uri}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_timed_out() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let client = Client::builder().connect_timeout(Duration::from_millis(50));
    let client = client.build().expect("valid settings");
    let uri = format!("https://{addr}/");
    assert_eq!(kind(&client, get(&uri)).await, ClientErrorKind::Timeout);
}

#[tokio::test]
async fn a_body_that_fails_is_told_from_an_endpoint_that_does() {
    #[derive(Debug, thiserror::Error)]
    #[error("the client went away")]
    struct Gone;

    let answer: fn(&Recorded) -> Response<Full<Bytes>> = |_| testkit::answer(200, "");
    let server = HyperServer::start(Recorder::new(answer)).await;
    for client in [client(), client().with_http2_prior_knowledge()] {
        let frames = [
            Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"half"))),
            Err(Gone.into()),
        ];
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
        let post = Request::post(server.url("/")).body(body).expect("valid");
        let error = client.send(post).await.expect_err("no answer");
        assert_eq!(error.kind(), ClientErrorKind::RequestBody);
        let source = std::error::Error::source(&error).expect("a cause");
        assert!(source.is::<Gone>(), "{source:?}");
    }
}

#[tokio::test]
async fn a_request_is_framed_from_its_body() {
    let answer: fn(&Recorded) -> Response<Full<Bytes>> = |_| testkit::answer(200, "");
    let backend = Recorder::new(answer);
    let server = HyperServer::start(backend.clone()).await;
    let mut post = Request::post(server.url("/"))
        .body(Body::from("pets"))
        .expect("valid");
    for (name, value) in [
        ("content-length", "99"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("te", "gzip"),
    ] {
        let value = http::HeaderValue::from_static(value);
        post.headers_mut().insert(name, value);
    }
    client().send(post).await.expect("an answer");
    let got = backend.only();
    assert_eq!(got.text(), "pets");
    assert_eq!(got.header("content-length"), Some("4"));
    for name in ["transfer-encoding", "connection", "keep-alive", "te"] {
        assert_eq!(got.header(name), None, "{name}");
    }
}

#[test]
fn a_root_that_is_no_certificate_is_an_error() {
    let built = Client::builder().root_certificate(*b"nothing").build();
    assert!(built.is_err());
    let built = Client::builder().connect_timeout(Duration::ZERO).build();
    assert!(built.is_err());
}
