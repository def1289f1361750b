//! TLS, its reload, and h2 with it or without.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis::serve::TlsConfig;
use portcullis_testkit::wire::Connection;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{builder, start};

struct Pair {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

fn pair() -> Pair {
    let made = rcgen::generate_simple_self_signed(["pets.test".to_owned()]).expect("a certificate");
    Pair {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().clone(),
    }
}

/// Connects as a client who trusts `certificate` alone.
async fn connect(
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
    alpn: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = "pets.test".try_into().expect("a name");
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

async fn over_h2<I>(io: I, request: Request<Empty<Bytes>>) -> Response<Incoming>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io))
        .await
        .expect("h2");
    tokio::spawn(connection);
    sender.send_request(request).await.expect("an answer")
}

fn get(target: &str) -> http::request::Builder {
    Request::get(target)
}

async fn seen(response: Response<Incoming>) -> Value {
    let body = response.into_body().collect().await.expect("a body");
    serde_json::from_slice(&body.to_bytes()).expect("JSON")
}

#[tokio::test]
async fn the_service_learns_what_was_agreed_on() {
    let pair = pair();
    let tls = TlsConfig::from_pem(pair.certificate, pair.key);
    let server = start(builder().tls(tls).expect("a pair")).await;

    let stream = connect(server.address, &pair.der, b"h2")
        .await
        .expect("TLS");
    let request = get("https://pets.test/")
        .body(Empty::new())
        .expect("a request");
    let over_h2 = seen(over_h2(stream, request).await).await;
    assert_eq!(over_h2["version"], "HTTP/2.0");
    assert_eq!(over_h2["tls"]["version"], "TLSv1.3");
    assert_eq!(over_h2["tls"]["serverName"], "pets.test");
    let cipher = over_h2["tls"]["cipher"].as_str().expect("a cipher");
    assert!(cipher.starts_with("TLS_AES_"), "{cipher}");

    let mut stream = connect(server.address, &pair.der, b"http/1.1")
        .await
        .expect("TLS");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: pets.test\r\nConnection: close\r\n\r\n")
        .await
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.contains(r#""version":"HTTP/1.1""#), "{answer}");
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections() {
    let (old, new) = (pair(), pair());
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let write = |certificate_text: &str, key_text: &str| {
        std::fs::write(&certificate, certificate_text).expect("a file");
        std::fs::write(&key, key_text).expect("a file");
    };
    write(&old.certificate, &old.key);
    let tls = TlsConfig::from_files(&certificate, &key);
    let server = start(builder().tls(tls).expect("a pair")).await;
    let mut open = connect(server.address, &old.der, b"http/1.1")
        .await
        .expect("TLS");

    // Half a change changes nothing.
    write(&new.certificate, &old.key);
    server
        .handle
        .reload_tls()
        .expect_err("they do not belong together");
    connect(server.address, &old.der, b"h2")
        .await
        .expect("the old one");

    write(&new.certificate, &new.key);
    server.handle.reload_tls().expect("a pair");
    connect(server.address, &new.der, b"h2")
        .await
        .expect("the new one");
    connect(server.address, &old.der, b"h2")
        .await
        .expect_err("the old one is gone");

    open.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .expect("a request");
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named() {
    let error = builder().tls(TlsConfig::from_files("no-such.pem", "no-such.key"));
    let error = error.expect_err("no file").to_string();
    assert!(error.starts_with("cannot read `no-such.pem`"), "{error}");
    let error = builder().tls(TlsConfig::from_pem(pair().certificate, "nothing"));
    let error = error.expect_err("no key").to_string();
    assert_eq!(error, "`the key` holds no private key");
    let error = builder().tls(TlsConfig::from_pem(pair().certificate, pair().key));
    assert!(error.is_err());
    let server = start(builder()).await;
    assert!(!server.handle.has_tls());
    server.handle.reload_tls().expect("nothing to read");
    let another = TlsConfig::from_pem("", "");
    let error = server
        .handle
        .replace_tls(another)
        .expect_err("there is none");
    assert_eq!(error.to_string(), "the server was built without TLS");
}

#[tokio::test]
async fn a_handshake_that_stalls_gives_its_place_back() {
    let pair = pair();
    let tls = TlsConfig::from_pem(pair.certificate, pair.key);
    let builder = builder()
        .tls(tls)
        .expect("a pair")
        .max_connections(1)
        .handshake_timeout(Duration::from_millis(500));
    let server = start(builder).await;
    let mut stalled = Connection::open(server.address).await;
    stalled.write(b"\x16\x03\x01").await;
    connect(server.address, &pair.der, b"h2")
        .await
        .expect("TLS");
    assert!(stalled.read_to_end().await.is_empty());
}

#[tokio::test]
async fn h2_is_spoken_in_the_clear_to_those_who_know() {
    let server = start(builder()).await;
    let stream = TcpStream::connect(server.address)
        .await
        .expect("a connection");
    let request = get("http://pets.test/pets?a=1")
        .body(Empty::new())
        .expect("a request");
    let seen = seen(over_h2(stream, request).await).await;
    assert_eq!(seen["version"], "HTTP/2.0");
    assert_eq!(seen["target"], "http://pets.test/pets?a=1");
    assert_eq!(seen["client"], "127.0.0.1");
}

#[tokio::test]
async fn h2_has_the_same_rules() {
    let server = start(builder().health_path("/healthz")).await;
    let requests = [
        (200, get("http://a.test/").header("host", "A.test")),
        (400, get("http://a.test/").header("host", "b.test")),
        (200, get("http://a.test/healthz").header("host", "b.test")),
        (414, get(&format!("http://a.test/{}", "x".repeat(10_300)))),
        (431, get("http://a.test/").header("x", "y".repeat(10_300))),
    ];
    for (status, request) in requests {
        let stream = TcpStream::connect(server.address)
            .await
            .expect("a connection");
        let request = request.body(Empty::new()).expect("a request");
        let what = format!("{} {:.60}", request.method(), request.uri().to_string());
        let response = over_h2(stream, request).await;
        assert_eq!(response.status(), status, "{what}");
        assert!(!response.headers().contains_key("connection"));
    }
}

#[tokio::test]
async fn requests_in_flight_over_h2_finish_before_the_end() {
    let server = start(builder()).await;
    let stream = TcpStream::connect(server.address)
        .await
        .expect("a connection");
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("h2");
    tokio::spawn(connection);
    let request = || {
        get("http://a.test/wait")
            .body(Empty::<Bytes>::new())
            .expect("a request")
    };
    let answers = [
        sender.send_request(request()),
        sender.send_request(request()),
    ];
    server.gates.arrival().await;
    server.gates.arrival().await;
    server.handle.shutdown();
    server.gates.release();
    server.gates.release();
    for answer in answers {
        assert_eq!(
            seen(answer.await.expect("an answer")).await["target"],
            "http://a.test/wait"
        );
    }
    assert_eq!(server.finished.await.expect("an end").cut(), 0);
}
