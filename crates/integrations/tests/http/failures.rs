//! Endpoints that are away, silent, or wrong.

use std::net::SocketAddr;

use http_body_util::BodyExt;
use portcullis_core::{ApiKind, Body, Detail, Measure, Rejection, RequestContext};
use portcullis_integrations::{HttpProxy, Integration, IntegrationKind};
use portcullis_testkit::{HyperServer, Recorder, request as testkit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::support::{SHORT, client, compile, config, request};

/// An endpoint that takes one connection after the other, reads a request's head, answers with `bytes`, and closes, or never does.
async fn raw(bytes: &'static str, closes: bool) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(bytes.as_bytes()).await;
            if closes {
                let _ = stream.shutdown().await;
            } else {
                kept.push(stream);
            }
        }
    });
    addr
}

/// A proxy with the default timeout, which no test comes to.
fn proxy(api: ApiKind, uri: &str) -> Integration {
    compile(&config(IntegrationKind::HttpProxy, api, uri))
}

fn impatient(api: ApiKind, uri: &str) -> Integration {
    let mut config = config(IntegrationKind::HttpProxy, api, uri);
    config.timeout = Some(SHORT);
    compile(&config)
}

/// What clients of a REST and of an HTTP API get.
async fn check(uri: &str, rest: (u16, &str), http: (u16, &str)) {
    check_with(proxy, uri, rest, http).await;
}

async fn check_with(
    proxy: fn(ApiKind, &str) -> Integration,
    uri: &str,
    rest: (u16, &str),
    http: (u16, &str),
) {
    for (api, (status, message)) in [(ApiKind::Rest, rest), (ApiKind::Http, http)] {
        let mut get = request("GET", "/", "");
        let context = RequestContext::of(&mut get).clone();
        let response = proxy(api, uri).oneshot(get).await.expect("infallible");
        assert_eq!(response.status(), status, "{uri} {api:?}");
        assert_eq!(
            response.headers().contains_key("x-amzn-errortype"),
            api == ApiKind::Rest
        );
        let rejection = response.extensions().get::<Rejection>();
        assert!(rejection.is_some_and(|rejection| rejection.decision().is_some()));
        assert!(context.noted(Detail::IntegrationError).is_some());
        let body = testkit::json(response).await;
        assert_eq!(body, serde_json::json!({ "message": message }));
    }
}

const AWAY: (u16, &str) = (503, "Service Unavailable");
const INTERNAL: (u16, &str) = (500, "Internal server error");
const BROKEN: (u16, &str) = (504, "Network error communicating with endpoint");

#[tokio::test]
async fn a_refused_connection_is_a_wrong_address() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    drop(listener);
    check(&format!("http://{addr}/"), INTERNAL, AWAY).await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_wrong_address() {
    // Too long for a label: no resolver is asked.
    let host = "a".repeat(64);
    check(&format!("http://{host}.invalid/"), INTERNAL, AWAY).await;
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_timed_out() {
    let addr = raw("", false).await;
    let timed_out = (504, "Endpoint request timed out");
    check_with(impatient, &format!("http://{addr}/"), timed_out, AWAY).await;
}

#[tokio::test]
async fn an_endpoint_whose_headers_never_end_is_timed_out() {
    let addr = raw("HTTP/1.1 200 OK\r\nx: 1\r\n", false).await;
    let timed_out = (504, "Endpoint request timed out");
    check_with(impatient, &format!("http://{addr}/"), timed_out, AWAY).await;
}

#[tokio::test]
async fn an_endpoint_that_closes_without_an_answer_is_broken() {
    let addr = raw("", true).await;
    check(&format!("http://{addr}/"), BROKEN, AWAY).await;
    let addr = raw("HTTP/1.1 200 OK\r\ncontent-", true).await;
    check(&format!("http://{addr}/"), BROKEN, AWAY).await;
}

#[tokio::test]
async fn an_endpoint_that_does_not_speak_http_is_broken() {
    let addr = raw("220 smtp ready\r\n\r\n", true).await;
    check(&format!("http://{addr}/"), BROKEN, AWAY).await;
}

#[tokio::test]
async fn an_endpoint_that_switches_protocols_is_broken() {
    let switches = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let addr = raw(switches, false).await;
    check(&format!("http://{addr}/"), BROKEN, AWAY).await;
}

#[tokio::test]
async fn a_coding_that_nobody_takes_off_is_broken() {
    for coding in ["gzip, chunked", "chunked\r\ntransfer-encoding: chunked"] {
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n");
        let addr = raw(answer.leak(), true).await;
        check(&format!("http://{addr}/"), BROKEN, AWAY).await;
    }
}

#[tokio::test]
async fn a_length_beside_chunks_means_nothing() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n";
    for api in [ApiKind::Rest, ApiKind::Http] {
        let addr = raw(answer, true).await;
        let asked = proxy(api, &format!("http://{addr}/")).oneshot(request("GET", "/", ""));
        let response = asked.await.expect("infallible");
        assert_eq!(response.headers().get("content-length"), None);
        assert_eq!(testkit::text(response).await, "whole");
    }
}

#[tokio::test]
async fn informational_answers_are_passed_over() {
    let answer = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let addr = raw(answer, true).await;
    let asked = proxy(ApiKind::Http, &format!("http://{addr}/")).oneshot(request("GET", "/", ""));
    let response = asked.await.expect("infallible");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers().get("link"), None);
}

#[tokio::test]
async fn an_endpoint_that_does_not_encrypt_is_broken() {
    let addr = raw("HTTP/1.1 400 Bad Request\r\n\r\n", true).await;
    check(&format!("https://{addr}/"), BROKEN, AWAY).await;
}

#[tokio::test]
async fn an_answer_that_ends_too_early_is_an_error_for_its_reader() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense",
    ] {
        let addr = raw(answer, true).await;
        let proxy = proxy(ApiKind::Rest, &format!("http://{addr}/"));
        let response = proxy.oneshot(request("GET", "/", "")).await;
        let body = response.expect("infallible").into_body();
        assert!(body.collect().await.is_err(), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_finished_in_time_is_cut() {
    let addr = raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", false).await;
    let proxy = impatient(ApiKind::Rest, &format!("http://{addr}/"));
    let response = proxy.oneshot(request("GET", "/", "")).await;
    let body = response.expect("infallible").into_body();
    let error = body.collect().await.expect_err("it never ends");
    assert!(error.to_string().contains("in time"), "{error}");
}

#[tokio::test]
async fn an_answer_over_its_cap_is_refused_or_cut() {
    let mut config = config(IntegrationKind::HttpProxy, ApiKind::Rest, "http://x/");
    config.max_response_bytes = Some(3);
    let addr = raw("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlong", true).await;
    config.uri = Some(format!("http://{addr}/"));
    let response = compile(&config).oneshot(request("GET", "/", "")).await;
    assert_eq!(response.expect("infallible").status(), 500);
    let addr = raw("HTTP/1.1 200 OK\r\n\r\nlong", true).await;
    config.uri = Some(format!("http://{addr}/"));
    let response = compile(&config).oneshot(request("GET", "/", "")).await;
    let body = response.expect("infallible").into_body();
    assert!(body.collect().await.is_err());
}

#[tokio::test]
async fn what_the_endpoint_did_is_measured() {
    let server = HyperServer::start(Recorder::new(|_| testkit::answer(404, ""))).await;
    let mut get = request("GET", "/", "");
    let context = RequestContext::of(&mut get).clone();
    let proxy = HttpProxy::new(client(), &server.url("/")).expect("an address");
    proxy.oneshot(get).await.expect("infallible");
    assert_eq!(context.measured(Measure::IntegrationStatus), Some(404));
    assert!(context.measured(Measure::IntegrationLatency).is_some());
}

#[tokio::test]
async fn a_body_over_its_cap_is_refused_by_its_length() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let proxy = HttpProxy::new(client(), &server.url("/")).expect("an address");
    let proxy = proxy.with_max_body_bytes(3);
    let response = proxy.oneshot(request("POST", "/", "long")).await;
    let response = response.expect("infallible");
    assert_eq!(response.status(), 413);
    let text = testkit::text(response).await;
    assert_eq!(text, "HTTP content length exceeded 3 bytes.");
    assert_eq!(backend.count(), 0);
}

#[tokio::test]
async fn a_future_that_is_dropped_frees_its_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let proxy = HttpProxy::new(client(), &format!("http://{addr}/")).expect("an address");
    let call = tokio::spawn(proxy.oneshot(request("GET", "/", "")));
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut head = [0; 4096];
    assert!(stream.read(&mut head).await.expect("a request") > 0);
    call.abort();
    assert_eq!(stream.read(&mut head).await.expect("an end"), 0);
}

#[test]
fn an_integration_can_be_shared() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    fn sent<T: Send + 'static>() {}
    shared::<Integration>();
    shared::<HttpProxy>();
    sent::<portcullis_integrations::IntegrationFuture>();
    sent::<portcullis_integrations::ServiceFuture>();
    sent::<Body>();
}
