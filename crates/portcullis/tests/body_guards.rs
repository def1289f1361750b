//! Guards that read bodies, in a whole gateway.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use portcullis::core::{Body, Guard, Head, Never, RejectionKind, Verdict};
use portcullis::{ApiSpec, Gateway};
use portcullis_testkit::{HyperServer, request as testkit};
use serde_json::json;
use tower::{ServiceExt, service_fn};

/// Takes JSON only.
struct JsonOnly;

impl Guard for JsonOnly {
    type Ask = Never;
    const READS_BODY: bool = true;

    fn body_limit(&self, head: &Head<'_>) -> Option<u64> {
        (head.method() != http::Method::PUT).then_some(1 << 30)
    }

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        match head.body().map(|body| body.json()) {
            None | Some(Ok(_)) => Verdict::Pass,
            Some(Err(_)) => Verdict::Refuse(RejectionKind::BadRequestBody.into()),
        }
    }
}

/// A backend that answers with the body that it gets.
async fn echo() -> HyperServer {
    HyperServer::start(service_fn(async |request: Request<Incoming>| {
        let body = request.into_body().collect().await.expect("whole");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(body.to_bytes())))
    }))
    .await
}

fn gateway(backend: &HyperServer, http_api: bool) -> Gateway {
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": { "/": { "x-amazon-apigateway-any-method": {
            "responses": {},
            "x-amazon-apigateway-integration": {
                "type": "http_proxy", "httpMethod": "ANY", "payloadFormatVersion": "1.0",
                "uri": format!("http://{}/", backend.addr()),
            }
        } } }
    });
    let api = if http_api {
        ApiSpec::http(document.to_string())
    } else {
        ApiSpec::rest(document.to_string()).stage_named("prod")
    };
    Gateway::builder()
        .api(api.id("a").max_body_bytes(16))
        .guard(JsonOnly)
        .build()
        .expect("a good definition")
}

/// A body of unknown length that never ends after this piece.
fn endless(piece: &'static str) -> Body {
    let piece = Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece.as_bytes())));
    Body::new(StreamBody::new(
        stream::iter([piece]).chain(stream::pending()),
    ))
}

async fn post(gateway: &Gateway, uri: &str, body: impl Into<Body>) -> (u16, String) {
    let request = Request::post(uri).body(body.into()).expect("a request");
    let response = gateway.clone().oneshot(request).await.expect("never fails");
    (response.status().as_u16(), testkit::text(response).await)
}

#[tokio::test]
async fn a_body_that_passes_its_guards_reaches_the_integration() {
    let backend = echo().await;
    let gateway = gateway(&backend, false);
    assert_eq!(
        post(&gateway, "/prod/", "[1, 2]").await,
        (200, "[1, 2]".to_owned())
    );
    let refused = r#"{"message":"Invalid request body"}"#.to_owned();
    assert_eq!(post(&gateway, "/prod/", "[1, 2").await, (400, refused));
}

#[tokio::test]
async fn no_guard_reads_more_than_the_api_allows() {
    let backend = echo().await;
    for (http_api, uri, text) in [
        (false, "/prod/", "HTTP content length exceeded 16 bytes."),
        (true, "/", r#"{"message":"Request Entity Too Large"}"#),
    ] {
        let gateway = gateway(&backend, http_api);
        let long = "[1, 2, 3, 4, 5, 6]";
        for body in [Body::from(long), endless(long)] {
            assert_eq!(post(&gateway, uri, body).await, (413, text.to_owned()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_sending_is_not_waited_for_forever() {
    let backend = echo().await;
    let gateway = gateway(&backend, false);
    let answer = post(&gateway, "/prod/", endless("[1, ")).await;
    assert_eq!(answer, (400, r#"{"message":"Bad Request"}"#.to_owned()));
}
