//! Functions that stream what they write.

use std::convert::Infallible;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use portcullis_client::Client;
use portcullis_core::{
    ApiKind, Body, BoxError, Function, FunctionFuture, FunctionReply, FunctionStream,
    FunctionStreamFuture, Invocation,
};
use portcullis_integrations::{FunctionProxy, Functions};
use portcullis_testkit::{HyperServer, request as testkit};
use tokio::sync::mpsc;
use tower::{ServiceExt, service_fn};

use crate::support::post;

const HEAD: &[u8] = b"{\"statusCode\":203,\"headers\":{\"content-type\":\"text/plain\",\"x-a\":\"1\"},\"cookies\":[\"a=1\",\"b=2\"]}\0\0\0\0\0\0\0\0";

const STREAMING: &str = "arn:aws:apigateway:us-west-1:lambda:path/2021-11-15/functions/arn:aws:lambda:us-west-1:111122223333:function:tell/response-streaming-invocations";

/// Writes what comes through the channel.
struct Tells(std::sync::Mutex<Option<mpsc::Receiver<&'static [u8]>>>);

impl Function for Tells {
    fn invoke(&self, _: Invocation) -> FunctionFuture {
        Box::pin(async { Ok(FunctionReply::success("\"whole\"")) })
    }

    fn invoke_with_response_stream(&self, _: Invocation) -> FunctionStreamFuture {
        let told = self.0.lock().expect("nobody panics with it").take();
        let told = told.expect("it is called once");
        let frames = stream::unfold(told, |mut told| async {
            let chunk = told.recv().await?;
            Some((
                Ok::<_, BoxError>(Frame::data(Bytes::from_static(chunk))),
                told,
            ))
        });
        let body = Body::new(StreamBody::new(frames.boxed()));
        Box::pin(async { Ok(FunctionStream::new(body)) })
    }
}

#[tokio::test]
async fn the_client_gets_what_a_function_writes_while_it_writes() {
    let (tell, told) = mpsc::channel(1);
    let functions = Functions::builder().function("tell", Tells(std::sync::Mutex::new(Some(told))));
    let functions = functions.build().expect("valid");
    let proxy = FunctionProxy::new(functions, STREAMING, ApiKind::Rest).expect("a function");
    let answered = tokio::spawn(proxy.oneshot(post()));
    tell.send(&HEAD[..10]).await.expect("it reads");
    tell.send(&HEAD[10..]).await.expect("it reads");
    let response = answered.await.expect("no panic").expect("infallible");
    assert_eq!(response.status(), 203);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.headers()["x-a"], "1");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    let mut body = response.into_body();
    for chunk in [&b"one"[..], b"two"] {
        // The next is only told when the one before has come.
        tell.send(chunk).await.expect("it reads");
        let frame = body.frame().await.expect("more").expect("not broken");
        assert_eq!(frame.into_data().expect("data"), chunk);
    }
    drop(tell);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_function_that_gives_all_at_once_may_have_the_form_of_a_stream() {
    let functions = Functions::builder()
        .function("tell", |_: Invocation| async {
            Ok(FunctionReply::success([HEAD, b"all"].concat()))
        })
        .function("plain", |_: Invocation| async {
            Ok(FunctionReply::success("{\"statusCode\":200}"))
        })
        .function("fails", |_: Invocation| async {
            Ok(FunctionReply::failure("{}"))
        })
        .build()
        .expect("valid");
    for (name, status) in [("tell", 203), ("plain", 502), ("fails", 502)] {
        let uri = STREAMING.replace("tell", name);
        let proxy = FunctionProxy::new(functions.clone(), &uri, ApiKind::Rest);
        let response = proxy.expect("a function").oneshot(post()).await;
        let response = response.expect("infallible");
        assert_eq!(response.status(), status, "{name}");
        if status == 203 {
            assert_eq!(testkit::text(response).await, "all");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_and_a_body_that_pauses_are_given_up() {
    let (tell, told) = mpsc::channel(1);
    let functions = Functions::builder().function("tell", Tells(std::sync::Mutex::new(Some(told))));
    let proxy = FunctionProxy::new(functions.build().expect("valid"), STREAMING, ApiKind::Rest);
    tell.send(b"{").await.expect("there is room");
    let response = proxy.expect("a function").oneshot(post()).await;
    assert_eq!(response.expect("infallible").status(), 504);

    let (tell, told) = mpsc::channel(1);
    let functions = Functions::builder().function("tell", Tells(std::sync::Mutex::new(Some(told))));
    let proxy = FunctionProxy::new(functions.build().expect("valid"), STREAMING, ApiKind::Rest);
    tell.send(HEAD).await.expect("there is room");
    let response = proxy.expect("a function").oneshot(post()).await;
    let started = tokio::time::Instant::now();
    let broken = response.expect("infallible").into_body().collect().await;
    assert!(broken.is_err());
    assert_eq!(started.elapsed().as_secs(), 300);
}

/// An event as the service frames it.
fn event(kind: &str, payload: &[u8]) -> Vec<u8> {
    let header = |name: &str, value: &str| {
        Header::new(
            name.to_owned(),
            HeaderValue::String(value.to_owned().into()),
        )
    };
    let message = Message::new(Bytes::copy_from_slice(payload))
        .add_header(header(":message-type", "event"))
        .add_header(header(":event-type", kind));
    let mut frame = Vec::new();
    write_message_to(&message, &mut frame).expect("it can be framed");
    frame
}

/// What comes from an endpoint that streams these bytes in pieces of seven.
async fn through_an_endpoint(bytes: Vec<u8>) -> (u16, Result<String, ()>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        assert_eq!(
            request.uri().path(),
            "/2021-11-15/functions/tell/response-streaming-invocations"
        );
        let pieces: Vec<_> = bytes.chunks(7).map(Bytes::copy_from_slice).collect();
        let frames = stream::iter(pieces).map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
        let response = Response::builder()
            .header("content-type", "application/vnd.amazon.eventstream")
            .body(StreamBody::new(frames));
        async { response }
    });
    let server = HyperServer::start(service).await;
    let functions = Functions::builder()
        .url("tell", server.url(""))
        .client(Client::builder().build().expect("valid"))
        .build()
        .expect("valid");
    let proxy = FunctionProxy::new(functions, STREAMING, ApiKind::Rest).expect("a function");
    let response = proxy.oneshot(post()).await.expect("infallible");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await;
    let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    (status, body.map_err(drop))
}

#[tokio::test]
async fn the_frames_of_the_invoke_api_are_taken_apart() {
    let whole = [
        event("PayloadChunk", &HEAD[..20]),
        event("PayloadChunk", &[&HEAD[20..], b"on"].concat()),
        event("Unknown", b"?"),
        event("PayloadChunk", b"e two"),
        event("InvokeComplete", b"{}"),
    ];
    assert_eq!(
        through_an_endpoint(whole.concat()).await,
        (203, Ok("one two".to_owned()))
    );
}

#[tokio::test]
async fn a_stream_that_fails_breaks_off_or_is_502() {
    let failed = event(
        "InvokeComplete",
        b"{\"ErrorCode\":\"Unhandled\",\"ErrorDetails\":\"x\"}",
    );
    let (status, body) = through_an_endpoint(failed.clone()).await;
    assert_eq!((status, body.is_ok()), (502, true));
    let late = [event("PayloadChunk", &[HEAD, b"one"].concat()), failed].concat();
    assert_eq!(through_an_endpoint(late).await, (203, Err(())));
    let cut = event("PayloadChunk", &[HEAD, b"one"].concat());
    assert_eq!(through_an_endpoint(cut.clone()).await, (203, Err(())));
    let mut lies = cut;
    lies[20] ^= 1;
    assert_eq!(through_an_endpoint(lies).await.0, 502);
    assert_eq!(through_an_endpoint(vec![0xff; 64]).await.0, 502);
}
