//! What a hostile client sends, as bytes on a socket, and what of it reaches the endpoint.

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use portcullis_integrations::HttpProxy;
use portcullis_testkit::wire::{self, Connection};
use portcullis_testkit::{HyperServer, Recorded, Recorder, request as testkit};

use crate::support::client;

type Backend = Recorder<fn(&Recorded) -> Response<Full<bytes::Bytes>>>;

/// A proxy that takes bodies of 64 KiB, and what stands behind it.
async fn front() -> (HyperServer, HyperServer, Backend) {
    let answer: fn(&Recorded) -> Response<_> = |_| testkit::answer(200, "ok");
    let backend = Recorder::new(answer);
    let server = HyperServer::start(backend.clone()).await;
    let proxy = HttpProxy::new(client(), &server.url("/{proxy}")).expect("an address");
    let proxy = proxy.with_max_body_bytes(64 * 1024);
    (HyperServer::start(proxy).await, server, backend)
}

#[tokio::test]
async fn two_lengths_never_make_two_requests() {
    for bytes in [
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 100\r\nconnection: close\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\nab",
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 1\r\nconnection: close\r\n\r\na",
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: +1\r\nconnection: close\r\n\r\na",
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\nconnection: close\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\nconnection: close\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\nconnection: close\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: x\r\nx: 1\r\n transfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n",
        "GET /a HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let (front, _server, backend) = front().await;
        let _ = wire::send_raw(front.addr(), bytes).await;
        for got in backend.requests() {
            assert_eq!(got.uri, "/a", "{bytes}");
            let framed = (
                got.header("content-length"),
                got.header("transfer-encoding"),
            );
            assert!(
                framed.0.is_none() || framed.1.is_none(),
                "{bytes}: {framed:?}"
            );
            assert!(got.body.len() <= 2, "{bytes}: {}", got.text());
        }
        assert!(backend.count() <= 1, "{bytes}");
    }
}

#[tokio::test]
async fn an_empty_chunked_body_arrives_as_no_body() {
    let (front, _server, backend) = front().await;
    let answer = wire::send(
        front.addr(),
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n",
    )
    .await;
    assert_eq!(answer.status, 200);
    let got = backend.only();
    assert_eq!(got.header("content-length"), Some("0"));
    assert_eq!(got.header("transfer-encoding"), None);
}

#[tokio::test]
async fn a_broken_chunk_is_the_clients_own_fault() {
    let (front, _server, backend) = front().await;
    let head =
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    for body in [
        "zz\r\nnonsense\r\n0\r\n\r\n",
        "5\r\nhello\r\nzz\r\n",
        "3\r\nhello\r\n0\r\n\r\n",
    ] {
        let answer = wire::send(front.addr(), format!("{head}{body}")).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(
            answer.header("x-amzn-errortype"),
            Some("BadRequestException")
        );
    }
    for got in backend.requests() {
        assert!(
            got.broken.is_some(),
            "an endpoint never takes half a body for a whole one"
        );
    }
}

#[tokio::test]
async fn a_chunked_body_over_the_cap_is_cut_as_it_passes() {
    let (front, _server, backend) = front().await;
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    let head =
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let answer = wire::send(
        front.addr(),
        format!("{head}{chunk}{chunk}{chunk}0\r\n\r\n"),
    )
    .await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.text(), "HTTP content length exceeded 65536 bytes.");
    for got in backend.requests() {
        assert!(
            got.broken.is_some(),
            "an endpoint never takes half a body for a whole one"
        );
    }
}

#[tokio::test]
async fn a_client_that_expects_to_continue_is_told_to() {
    let (front, _server, backend) = front().await;
    let mut connection = Connection::open(front.addr()).await;
    connection
        .write("POST /a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        .await;
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    assert_eq!(&connection.read(go_on.len()).await[..], go_on);
    let answer = connection.exchange("pets").await;
    assert_eq!(answer.status, 200);
    let got = backend.only();
    assert_eq!((got.header("expect"), &*got.text()), (None, "pets"));
}

#[tokio::test]
async fn nothing_is_upgraded() {
    let (front, _server, backend) = front().await;
    let answer = wire::send(
        front.addr(),
        "GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
    )
    .await;
    assert_eq!(answer.status, 200);
    let got = backend.only();
    assert_eq!(got.header("upgrade"), None);
    assert_eq!(got.header("connection"), None);
    assert_eq!(got.header("http2-settings"), None);
}

#[tokio::test]
async fn trailers_pass_over_http2_both_ways() {
    use bytes::Bytes;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use portcullis_core::{Body, BoxError};

    fn with_trailers(text: &'static str) -> Body {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", http::HeaderValue::from_static(text));
        let frames = [
            Ok::<_, BoxError>(Frame::data(Bytes::from_static(text.as_bytes()))),
            Ok(Frame::trailers(trailers)),
        ];
        Body::new(StreamBody::new(futures_util::stream::iter(frames)))
    }

    let (got, mut received) = tokio::sync::mpsc::unbounded_channel();
    let backend = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
        let got = got.clone();
        async move {
            let te = request.headers().get("te").cloned();
            let body = request.into_body().collect().await?;
            let _ = got.send((te, body.trailers().cloned()));
            Ok::<_, hyper::Error>(Response::new(with_trailers("answer")))
        }
    });
    let server = HyperServer::start(backend).await;
    let http2 = client().with_http2_prior_knowledge();
    let proxy = HttpProxy::new(http2.clone(), &server.url("/")).expect("an address");
    let front = HyperServer::start(proxy).await;
    let request = Request::post(front.url("/")).header("te", "trailers");
    let request = request.body(with_trailers("question")).expect("valid");
    let response = http2.send(request).await.expect("an answer");
    let answer = response.into_body().collect().await.expect("whole");
    assert_eq!(answer.trailers().expect("trailers")["x-sum"], "answer");
    let (te, trailers) = received.recv().await.expect("a request");
    assert_eq!(te.expect("gRPC insists on it"), "trailers");
    assert_eq!(trailers.expect("trailers")["x-sum"], "question");
}
