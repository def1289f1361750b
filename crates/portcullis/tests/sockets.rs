//! A gateway on a real socket, in front of real upstreams, with good and bad clients.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use portcullis::definition::Stage;
use portcullis::serve::{Handle, Server};
use portcullis::{ApiSpec, Gateway};
use portcullis_testkit::{HyperServer, wire};
use serde_json::{Value, json};
use tower::service_fn;

/// An upstream that tells what it got; `/slow` never answers.
async fn upstream() -> HyperServer {
    HyperServer::start(service_fn(async |request: Request<Incoming>| {
        let (parts, body) = request.into_parts();
        if parts.uri.path() == "/slow" {
            std::future::pending::<()>().await;
        }
        let body = body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        let headers: Vec<_> = parts
            .headers
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect();
        let seen = json!({
            "method": parts.method.as_str(),
            "target": parts.uri.to_string(),
            "host": parts.headers.get("host").and_then(|host| host.to_str().ok()),
            "headers": headers,
            "body": String::from_utf8_lossy(&body),
        });
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(seen.to_string())))
    }))
    .await
}

fn proxy(uri: &str, extra: &Value) -> Value {
    let mut integration = json!({
        "type": "http_proxy", "httpMethod": "ANY", "uri": uri, "payloadFormatVersion": "1.0"
    });
    for (name, value) in extra.as_object().into_iter().flatten() {
        integration[name] = value.clone();
    }
    json!({ "responses": {}, "x-amazon-apigateway-integration": integration })
}

fn definition(backend: SocketAddr, refused: SocketAddr, http_api: bool) -> String {
    // An HTTP API fills path parameters in by itself.
    let mapped = if http_api {
        json!({})
    } else {
        json!({ "requestParameters": {
            "integration.request.path.proxy": "method.request.path.proxy"
        } })
    };
    let greedy = proxy("http://${stageVariables.backend}/up/{proxy}", &mapped);
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": {
            "/fixed": { "x-amazon-apigateway-any-method": proxy(&format!("http://{backend}/fixed"), &json!({})) },
            "/slow": { "get": proxy(&format!("http://{backend}/slow"), &json!({ "timeoutInMillis": 50 })) },
            "/refused": { "get": proxy(&format!("http://{refused}/"), &json!({})) },
            "/unset": { "get": proxy("http://${stageVariables.none}/", &json!({})) },
            "/up/{proxy+}": { "x-amazon-apigateway-any-method": greedy }
        }
    })
    .to_string()
}

struct Running {
    address: SocketAddr,
    handle: Handle,
    upstream: HyperServer,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

async fn running(http_api: bool) -> Running {
    let upstream = upstream().await;
    // A port that was free a moment ago: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let refused = free.local_addr().expect("an address");
    drop(free);
    let document = definition(upstream.addr(), refused, http_api);
    let mut stage = Stage::default();
    stage.stage_name = "prod".to_owned();
    stage
        .variables
        .insert("backend".to_owned(), upstream.addr().to_string());
    let api = if http_api {
        ApiSpec::http(document)
    } else {
        ApiSpec::rest(document)
    };
    let gateway = Gateway::builder()
        .api(api.id("a").stage(stage).max_body_bytes(1000))
        .build()
        .expect("a good definition");
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .bind()
        .await
        .expect("a port");
    let handle = server.handle();
    let address = handle.local_addrs()[0];
    tokio::spawn(server.run(gateway));
    Running {
        address,
        handle,
        upstream,
    }
}

async fn get(address: SocketAddr, path: &str) -> wire::Answer {
    wire::send(
        address,
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    )
    .await
}

#[tokio::test]
async fn a_request_is_proxied_with_its_query_and_told_who_asked() {
    let running = running(false).await;
    let seen = get(running.address, "/prod/up/a/b%20c?x=1&x=2")
        .await
        .json();
    assert_eq!(seen["target"], "/up/a/b%20c?x=1&x=2");
    assert_eq!(seen["host"], running.upstream.addr().to_string());
    let headers = seen["headers"].as_array().expect("headers");
    for name in [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-amzn-trace-id",
        "x-amzn-apigateway-api-id",
    ] {
        assert!(headers.contains(&name.into()), "{name} in {headers:?}");
    }
}

#[tokio::test]
async fn a_body_is_passed_on_and_reframed() {
    let running = running(false).await;
    let chunked = "POST /prod/fixed HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let seen = wire::send(running.address, chunked).await.json();
    assert_eq!(seen["body"], "abcde");
}

#[tokio::test]
async fn what_a_client_cannot_say_is_answered_with_a_4xx_and_reaches_no_upstream() {
    let running = running(false).await;
    let long = "x".repeat(11_000);
    let big = "y".repeat(1001);
    for (request, status) in [
        ("GET /prod/fixed HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /prod/fixed HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(), 400),
        ("GET /prod/fixed HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n".to_owned(), 400),
        ("POST /prod/fixed HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(), 400),
        ("POST /prod/fixed HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n".to_owned(), 400),
        (format!("GET /prod/{long} HTTP/1.1\r\nhost: a\r\n\r\n"), 414),
        (format!("GET /prod/fixed HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"), 431),
        (format!("POST /prod/fixed HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n\r\n{big}"), 413),
        (format!("POST /prod/fixed HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{big}\r\n0\r\n\r\n"), 413),
        ("GET /prod/up/../fixed HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 400),
        ("GET /prod/up/%2e%2e/fixed HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 400),
    ] {
        let answer = wire::send(running.address, &request).await;
        let line = request.lines().next().unwrap_or_default();
        assert_eq!(answer.status, status, "{} {}", &line[..line.len().min(60)], answer.text());
    }
}

#[tokio::test]
async fn failures_of_upstreams_are_answered_as_the_service_does() {
    for (http_api, slow, refused, unset) in [(false, 504, 500, 500), (true, 503, 503, 500)] {
        let running = running(http_api).await;
        for (path, status) in [
            ("/prod/slow", slow),
            ("/prod/refused", refused),
            ("/prod/unset", unset),
        ] {
            let answer = get(running.address, path).await;
            assert_eq!(answer.status, status, "{path} {http_api} {}", answer.text());
            assert_eq!(
                answer.header("x-amzn-errortype").is_some(),
                !http_api,
                "{path}"
            );
        }
        // The gateway is well afterwards.
        assert_eq!(get(running.address, "/prod/fixed").await.status, 200);
    }
}

#[tokio::test]
async fn a_gateway_nests_in_an_axum_router() {
    let export =
        json!({ "openapi": "3.0.1", "info": { "title": "t", "version": "1" }, "paths": {} });
    let gateway = Gateway::from_export(export.to_string()).expect("a good export");
    let router = Router::new()
        .route("/own", axum::routing::get(async || "own"))
        .fallback_service(gateway);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    assert_eq!(get(address, "/own").await.text(), "own");
    assert_eq!(
        get(address, "/other").await.header("x-amzn-errortype"),
        Some("MissingAuthenticationTokenException")
    );
}

#[tokio::test]
async fn a_gateway_is_a_service_of_plain_hyper() {
    let export =
        json!({ "openapi": "3.0.1", "info": { "title": "t", "version": "1" }, "paths": {} });
    let gateway = Gateway::from_export(export.to_string()).expect("a good export");
    let server = HyperServer::start(gateway).await;
    assert_eq!(get(server.addr(), "/other").await.status, 403);
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_listener_ends() {
    let running = running(false).await;
    let address = running.address;
    let asked = tokio::spawn(async move { get(address, "/prod/slow").await });
    while running.handle.connections() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.handle.shutdown();
    assert_eq!(asked.await.expect("an answer").status, 504);
}
