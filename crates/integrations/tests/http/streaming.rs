//! Bodies stream, and nobody runs ahead of who reads them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use portcullis_core::Body;
use portcullis_integrations::HttpProxy;
use portcullis_testkit::HyperServer;
use tower::{ServiceExt, service_fn};

use crate::support::{client, request};

/// A body of as many chunks of 64 KiB as it has left, which counts those that were taken.
struct Chunks {
    left: u64,
    taken: Arc<AtomicU64>,
}

static CHUNK: [u8; 64 * 1024] = [7; 64 * 1024];
/// 1 GiB
const MANY: u64 = 16 * 1024;

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.taken.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&CHUNK)))))
    }
}

/// Lets everything run until nobody takes any more.
async fn settled(taken: &AtomicU64) -> u64 {
    let mut last = taken.load(Ordering::Relaxed);
    let mut still = 0;
    while still < 500 {
        tokio::task::yield_now().await;
        let now = taken.load(Ordering::Relaxed);
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
    last
}

#[tokio::test]
async fn an_endpoint_does_not_run_ahead_of_the_client() {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let backend = service_fn(move |_: Request<Incoming>| {
        let taken = Arc::clone(&counter);
        async move { Ok::<_, Infallible>(Response::new(Chunks { left: MANY, taken })) }
    });
    let server = HyperServer::start(backend).await;
    let proxy = HttpProxy::new(client(), &server.url("/")).expect("an address");
    let response = proxy.oneshot(request("GET", "/", "")).await;
    let mut body = response.expect("infallible").into_body();
    body.frame().await.expect("a frame").expect("not broken");
    let ahead = settled(&taken).await;
    assert!(
        ahead < MANY / 8,
        "{ahead} chunks were taken for one that was read"
    );
}

#[tokio::test]
async fn a_client_does_not_run_ahead_of_the_endpoint() {
    // The endpoint answers at once and reads nothing.
    let backend = service_fn(|request: Request<Incoming>| async {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move {
            let _body = request.into_body();
            let _ = receiver.await;
        });
        sender_forever(sender);
        Ok::<_, Infallible>(Response::new(Body::from("early")))
    });
    let server = HyperServer::start(backend).await;
    let proxy = HttpProxy::new(client(), &server.url("/")).expect("an address");
    let taken = Arc::new(AtomicU64::new(0));
    let body = Body::new(Chunks {
        left: MANY,
        taken: Arc::clone(&taken),
    });
    let post = Request::post("/").body(body).expect("valid");
    let response = proxy.oneshot(post).await.expect("infallible");
    assert_eq!(
        response.status(),
        200,
        "an answer may come before the body is through"
    );
    let ahead = settled(&taken).await;
    assert!(
        ahead < MANY / 8,
        "{ahead} chunks were taken and none was read"
    );
}

fn sender_forever(sender: tokio::sync::oneshot::Sender<()>) {
    static KEPT: std::sync::Mutex<Vec<tokio::sync::oneshot::Sender<()>>> =
        std::sync::Mutex::new(Vec::new());
    KEPT.lock().expect("nobody panics with it").push(sender);
}

#[tokio::test]
async fn a_body_of_unknown_length_arrives_whole() {
    let backend = service_fn(|request: Request<Incoming>| async {
        let body = request.into_body().collect().await.expect("whole");
        let length = body.to_bytes().len().to_string();
        Ok::<_, Infallible>(Response::new(Body::from(length)))
    });
    let server = HyperServer::start(backend).await;
    let proxy = HttpProxy::new(client(), &server.url("/")).expect("an address");
    let body = Body::new(Chunks {
        left: 100,
        taken: Arc::default(),
    });
    let post = Request::post("/").body(body).expect("valid");
    let response = proxy.oneshot(post).await.expect("infallible");
    let body = response.into_body().collect().await.expect("whole");
    assert_eq!(body.to_bytes(), (100 * CHUNK.len()).to_string());
}
