//! Large bodies through `HTTP_PROXY`: they pass, and do not pile up.
//!
//! `PORTCULLIS_STREAM_MIB=1024` sends a gibibyte each way instead of 64 MiB, and prints what it took.
#![cfg(target_os = "linux")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use portcullis::client::{Client, HttpProtocol, UpstreamPool};
use portcullis::core::Body;
use portcullis::serve::{Handle, Server};
use portcullis::{ApiSpec, Gateway};
use portcullis_testkit::HyperServer;
use serde_json::json;
use tower::service_fn;

const MIB: u64 = 1 << 20;

/// What the process may take more of while bodies pass, however long they are. Client, gateway and upstream are one process, and each
/// connection has some buffers.
const MOST: u64 = 24 * MIB;

static CHUNK: [u8; 64 << 10] = [b'x'; 64 << 10];

/// A body that is made as it is read.
struct Made {
    left: u64,
    /// Whether its length is told.
    told: bool,
    made: Arc<AtomicU64>,
}

impl http_body::Body for Made {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.left.min(CHUNK.len() as u64);
        if length == 0 {
            return Poll::Ready(None);
        }
        self.left -= length;
        self.made.fetch_add(length, Ordering::Relaxed);
        let length = usize::try_from(length).unwrap_or(CHUNK.len());
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&CHUNK[..length])))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.told {
            SizeHint::with_exact(self.left)
        } else {
            SizeHint::new()
        }
    }
}

/// `/down/{told}/{bytes}` sends so much, `/up` counts what it gets.
async fn upstream(made: Arc<AtomicU64>) -> HyperServer {
    HyperServer::start(service_fn(move |request: Request<Incoming>| {
        let made = Arc::clone(&made);
        async move {
            let path = request.uri().path().to_owned();
            let mut steps = path.split('/').skip(1);
            let body = if steps.next() == Some("down") {
                let told = steps.next() == Some("told");
                let left = steps.next().and_then(|bytes| bytes.parse().ok());
                let left = left.unwrap_or_default();
                Body::new(Made { left, told, made })
            } else {
                Body::from(read(request.into_body()).await.to_string())
            };
            Ok::<_, Infallible>(Response::new(body))
        }
    }))
    .await
}

/// Reads a body, and counts.
async fn read<B>(mut body: B) -> u64
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Debug,
{
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.expect("it does not break");
        bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
    }
    bytes
}

struct Running {
    address: SocketAddr,
    handle: Handle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

async fn running(upstream: &HyperServer, protocol: HttpProtocol) -> Running {
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": { "/{proxy+}": { "x-amazon-apigateway-any-method": {
            "responses": {},
            "x-amazon-apigateway-integration": {
                "type": "http_proxy", "httpMethod": "ANY",
                "uri": "http://upstream.example.com/{proxy}",
                "requestParameters": { "integration.request.path.proxy": "method.request.path.proxy" },
                // What takes longer than the service's 29 s on a busy machine is no fault here.
                "timeoutInMillis": 600_000,
                "responseTransferMode": "STREAM",
            },
        } } },
    });
    let pool = UpstreamPool::builder()
        .target(upstream.url(""))
        .protocol(protocol);
    let api = ApiSpec::rest(document.to_string())
        .stage_named("prod")
        .max_body_bytes(1 << 40);
    let gateway = Gateway::builder()
        .api(api)
        .upstream(
            "http://upstream.example.com",
            pool.build().expect("a good pool"),
        )
        .build()
        .expect("a good definition");
    let server = Server::builder().listen("127.0.0.1:0").bind();
    let server = server.await.expect("a port");
    let handle = server.handle();
    tokio::spawn(server.run(gateway));
    let address = handle.local_addrs()[0];
    Running { address, handle }
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.expect("a number of kB") * 1024
}

/// Does something, and says to how much the process grew meanwhile.
async fn peak<T>(work: impl Future<Output = T>) -> (T, u64) {
    let mut most = resident();
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return (done, most.max(resident())),
            _ = ticks.tick() => most = most.max(resident()),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Up,
    Down { told: bool },
}

async fn send(client: &Client, address: SocketAddr, way: Way, bytes: u64) -> u64 {
    let made = Arc::default();
    let (path, body) = match way {
        Way::Up => {
            let told = false;
            let body = Body::new(Made {
                left: bytes,
                told,
                made,
            });
            ("up".to_owned(), body)
        }
        Way::Down { told: true } => (format!("down/told/{bytes}"), Body::empty()),
        Way::Down { told: false } => (format!("down/untold/{bytes}"), Body::empty()),
    };
    let request = Request::post(format!("http://{address}/prod/{path}")).body(body);
    let response = client
        .send(request.expect("valid"))
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
    match way {
        Way::Up => {
            let body = response
                .into_body()
                .collect()
                .await
                .expect("whole")
                .to_bytes();
            String::from_utf8_lossy(&body).parse().expect("a number")
        }
        Way::Down { .. } => read(response.into_body()).await,
    }
}

#[tokio::test]
async fn bodies_of_any_length_take_the_same_memory() {
    let wanted = std::env::var("PORTCULLIS_STREAM_MIB").ok();
    let bytes = wanted
        .as_deref()
        .map_or(64, |mib| mib.parse().expect("a number"))
        * MIB;
    let made = Arc::new(AtomicU64::new(0));
    let upstream = upstream(Arc::clone(&made)).await;
    for protocol in [HttpProtocol::Http1, HttpProtocol::Http2] {
        let running = running(&upstream, protocol).await;
        let client = Client::builder().build().expect("the defaults");
        let client = match protocol {
            HttpProtocol::Http2 => client.with_http2_prior_knowledge(),
            _ => client,
        };
        for way in [Way::Up, Way::Down { told: true }, Way::Down { told: false }] {
            // Buffers and connections are there after the first.
            send(&client, running.address, way, 4 * MIB).await;
            let before = resident();
            let (passed, most) = peak(send(&client, running.address, way, bytes)).await;
            assert_eq!(passed, bytes);
            let grown = most.saturating_sub(before);
            if wanted.is_some() {
                println!(
                    "{protocol:?} {way:?}: {} MiB passed, {:.1} MiB resident before, {:.1} MiB at most",
                    bytes / MIB,
                    before as f64 / MIB as f64,
                    most as f64 / MIB as f64
                );
            }
            assert!(grown <= MOST, "{protocol:?} {way:?}: {grown} bytes more");
        }

        // A client that does not read holds the upstream back.
        made.store(0, Ordering::Relaxed);
        let address = running.address;
        let request = Request::get(format!("http://{address}/prod/down/told/{bytes}"));
        let request = request.body(Body::empty()).expect("valid");
        let before = resident();
        let response = client.send(request).await.expect("an answer");
        let mut seen = u64::MAX;
        // Until nothing more is made.
        while made.load(Ordering::Relaxed) != seen {
            seen = made.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(seen < bytes, "{protocol:?}: all of it was made");
        let grown = resident().saturating_sub(before);
        assert!(grown <= MOST, "{protocol:?}: {grown} bytes are held");
        assert_eq!(read(response.into_body()).await, bytes);
    }
}
