//! Endpoints that do what a test needs, and requests to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use portcullis_client::{Client, ClientErrorKind};
use portcullis_core::Body;
use portcullis_testkit::{Recorded, Recorder, request as testkit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, version::TLS13};

pub(crate) fn client() -> Client {
    Client::builder().build().expect("the defaults are valid")
}

pub(crate) fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).expect("valid")
}

/// Sends a GET, and reads the whole answer.
pub(crate) async fn fetch(client: &Client, uri: &str) -> String {
    let response = client.send(get(uri)).await.expect("an answer");
    let body = response.into_body().collect().await.expect("whole");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

pub(crate) async fn kind(client: &Client, request: Request<Body>) -> ClientErrorKind {
    client.send(request).await.expect_err("no answer").kind()
}

/// An endpoint that answers each connection with `bytes` and closes it.
pub(crate) async fn raw(bytes: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(bytes.as_bytes()).await;
        }
    });
    addr
}

/// An endpoint that counts its connections.
pub(crate) struct Counting {
    addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    /// Hears of each connection that has ended.
    ended: mpsc::UnboundedReceiver<()>,
}

impl Counting {
    /// Each connection is closed after so many answers.
    pub(crate) async fn start(answers: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let accepted = Arc::new(AtomicUsize::new(0));
        let (ending, ended) = mpsc::unbounded_channel();
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let ending = ending.clone();
                tokio::spawn(async move {
                    answer(stream, answers).await;
                    let _ = ending.send(());
                });
            }
        });
        Self {
            addr,
            accepted,
            ended,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Waits until one more connection has ended, and until the client has heard of it.
    pub(crate) async fn one_ended(&mut self) {
        self.ended.recv().await.expect("the endpoint lives");
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
}

async fn answer(mut stream: TcpStream, answers: usize) {
    let mut head = [0; 4096];
    for _ in 0..answers {
        match stream.read(&mut head).await {
            Ok(read) if read > 0 => {}
            _ => return,
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npets";
        let _ = stream.write_all(answer).await;
    }
}

/// A TLS endpoint for `localhost` that answers with the HTTP version.
pub(crate) struct Encrypted {
    addr: SocketAddr,
    certificate: Vec<u8>,
    accepted: Arc<AtomicUsize>,
    stalled: Arc<Notify>,
}

impl Encrypted {
    pub(crate) async fn start(alpn: &[&str]) -> Self {
        Self::start_except(alpn, usize::MAX).await
    }

    /// The connection with the number `stalled` never gets its handshake.
    pub(crate) async fn start_except(alpn: &[&str], stalled: usize) -> Self {
        let (config, certificate) = server_config(alpn);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let answer: fn(&Recorded) -> Response<Full<Bytes>> =
            |got| testkit::answer(200, format!("{:?}", got.version));
        let service = TowerToHyperService::new(Recorder::new(answer));
        let accepted = Arc::new(AtomicUsize::new(0));
        let stalls = Arc::new(Notify::new());
        let (count, stall) = (Arc::clone(&accepted), Arc::clone(&stalls));
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                if count.fetch_add(1, Ordering::Relaxed) == stalled {
                    kept.push(stream);
                    stall.notify_one();
                    continue;
                }
                let (acceptor, service) = (acceptor.clone(), service.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = auto::Builder::new(TokioExecutor::new())
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    }
                });
            }
        });
        Self {
            addr,
            certificate,
            accepted,
            stalled: stalls,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/", self.addr.port())
    }

    /// Its address under a name that is not in its certificate.
    pub(crate) fn other_url(&self) -> String {
        format!("https://{}/", self.addr)
    }

    /// A client that believes its certificate.
    pub(crate) fn client(&self) -> Client {
        let client = Client::builder().root_certificate(self.certificate.clone());
        client.build().expect("a certificate")
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Waits until the connection that is to stall is there.
    pub(crate) async fn stalled(&self) {
        self.stalled.notified().await;
    }
}

fn server_config(alpn: &[&str]) -> (ServerConfig, Vec<u8>) {
    let names = ["localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("a version")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a pair");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (config, certificate.to_vec())
}
