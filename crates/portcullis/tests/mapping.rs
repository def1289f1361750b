//! Mapping and compression by a definition, as a client sees them.

use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};
use http::{Request, Response};
use portcullis::core::Body;
use portcullis::{ApiSpec, Gateway, Served};
use portcullis_testkit::{HyperServer, Recorder, request as testkit};
use serde_json::{Value, json};
use tower::ServiceExt;

fn document(paths: &Value) -> Value {
    json!({ "openapi": "3.0.1", "info": { "title": "t", "version": "1" }, "paths": paths })
}

fn operation(integration: &Value) -> Value {
    json!({
        "responses": { "200": { "description": "" }, "404": { "description": "" } },
        "x-amazon-apigateway-integration": integration,
    })
}

fn rest(document: &Value) -> Gateway {
    let api = ApiSpec::rest(document.to_string())
        .id("a")
        .stage_named("prod");
    let gateway = Gateway::builder().api(api).strict(true).build();
    gateway.expect("every field is served")
}

async fn send(gateway: &Gateway, request: http::request::Builder, body: &str) -> Response<Body> {
    let request: Request<Body> = request
        .body(Body::from(body.to_owned()))
        .expect("a request");
    gateway.clone().oneshot(request).await.expect("infallible")
}

#[tokio::test]
async fn json_becomes_soap_and_back() {
    let backend = Recorder::new(|got| {
        let text = got.text();
        let id = text.split(['<', '>']).nth(4).unwrap_or_default().to_owned();
        testkit::answer(
            200,
            format!("<pet id=\"{id}\" name=\"Rex &quot;R&quot;\"/>"),
        )
    });
    let server = HyperServer::start(backend.clone()).await;
    let integration = json!({
        "type": "http",
        "httpMethod": "POST",
        "uri": server.url("/soap"),
        "requestParameters": {
            "integration.request.header.Content-Type": "'text/xml; charset=utf-8'",
            "integration.request.header.SOAPAction": "'urn:Pet'",
        },
        "requestTemplates": {
            "application/json": "<soap><pet>$input.path('$.id')</pet></soap>",
        },
        "responses": {
            "default": {
                "statusCode": "200",
                "responseTemplates": {
                    "application/json":
                        r#"{"xml": "$util.escapeJavaScript($input.body).replaceAll("\\'","'")"}"#,
                },
            },
        },
    });
    let gateway = rest(&document(
        &json!({ "/pets": { "post": operation(&integration) } }),
    ));
    let post = Request::post("/prod/pets").header("content-type", "application/json");
    let response = send(&gateway, post, r#"{"id": "7"}"#).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = testkit::json(response).await;
    assert_eq!(
        body,
        json!({"xml": "<pet id=\"7\" name=\"Rex &quot;R&quot;\"/>"})
    );
    let got = backend.only();
    assert_eq!(got.text(), "<soap><pet>7</pet></soap>");
    assert_eq!(got.header("content-type"), Some("text/xml; charset=utf-8"));
    assert_eq!(got.header("soapaction"), Some("urn:Pet"));
}

#[tokio::test]
async fn a_template_that_cannot_be_read_is_reported_with_its_place() {
    let integration = json!({
        "type": "mock",
        "requestTemplates": { "application/json": "{\"statusCode\": 200}\n#if($x = 1)" },
        "responses": { "default": { "statusCode": "200" } },
    });
    let document = document(&json!({ "/pets": { "get": operation(&integration) } })).to_string();
    let api = || ApiSpec::rest(&*document).id("a").stage_named("prod");
    let gateway = Gateway::builder().api(api()).build();
    let gateway = gateway.expect("the service takes it, too");
    let coverage = gateway.coverage();
    let missing: Vec<_> = coverage.not_served().collect();
    assert_eq!(missing.len(), 1, "{coverage}");
    let pointer =
        "/paths/~1pets/get/x-amazon-apigateway-integration/requestTemplates/application~1json";
    assert_eq!(missing[0].pointer, pointer);
    assert!(
        missing[0].note.contains("(line 2, column 8)"),
        "{}",
        missing[0].note
    );
    let response = send(&gateway, Request::get("/prod/pets"), "").await;
    assert_eq!(response.status(), 500);
    let strict = Gateway::builder().api(api()).strict(true).build();
    assert!(strict.is_err(), "under the strict switch it is an error");
}

#[tokio::test]
async fn what_is_mapped_is_covered() {
    let integration = json!({
        "type": "http",
        "httpMethod": "POST",
        "uri": "http://127.0.0.1:1/",
        "contentHandling": "CONVERT_TO_TEXT",
        "passthroughBehavior": "when_no_templates",
        "requestParameters": { "integration.request.header.x": "method.request.body.id" },
        "requestTemplates": { "application/json": "$input.json('$')" },
        "responses": {
            "(?!2).*": {
                "statusCode": "404",
                "contentHandling": "CONVERT_TO_BINARY",
                "responseParameters": { "method.response.header.x": "integration.response.body.id" },
                "responseTemplates": { "application/json": "$input.body" },
            },
            "default": { "statusCode": "200" },
        },
    });
    let mut document = document(&json!({ "/pets": { "post": operation(&integration) } }));
    document["x-amazon-apigateway-binary-media-types"] = json!(["image/png"]);
    document["x-amazon-apigateway-minimum-compression-size"] = json!(100);
    let gateway = rest(&document);
    let coverage = gateway.coverage();
    assert_eq!(coverage.not_served().count(), 0, "{coverage}");
    for field in [
        "/x-amazon-apigateway-binary-media-types",
        "/x-amazon-apigateway-minimum-compression-size",
    ] {
        let covered = coverage.iter().find(|covered| covered.pointer == field);
        assert_eq!(
            covered.map(|covered| covered.served),
            Some(Served::Enforced),
            "{field}"
        );
    }
}

/// An API with a long and a short answer, a proxy, and one that streams.
fn compressing(backend: &HyperServer, minimum: u64) -> Gateway {
    let mock = |text: String| {
        operation(&json!({
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": text },
            } },
        }))
    };
    let proxy = |path: &str, mode: &str| {
        operation(&json!({
            "type": "http_proxy",
            "httpMethod": "GET",
            "uri": backend.url(path),
            "responseTransferMode": mode,
        }))
    };
    let mut document = document(&json!({
        "/long": { "get": mock("pets ".repeat(100)), "head": mock("pets ".repeat(100)) },
        "/short": { "get": mock("pets".to_owned()) },
        "/proxied": { "get": proxy("/", "BUFFERED") },
        "/encoded": { "get": proxy("/encoded", "BUFFERED") },
        "/streamed": { "get": proxy("/", "STREAM") },
    }));
    document["x-amazon-apigateway-minimum-compression-size"] = json!(minimum);
    rest(&document)
}

async fn pets() -> HyperServer {
    HyperServer::start(Recorder::new(|got| {
        let mut answer = testkit::answer(200, "pets ".repeat(100));
        if got.uri.path() == "/encoded" {
            let coding = http::HeaderValue::from_static("br");
            answer.headers_mut().insert("content-encoding", coding);
        }
        answer
    }))
    .await
}

#[tokio::test]
async fn responses_are_compressed_from_a_size_on() {
    let server = pets().await;
    let gateway = compressing(&server, 100);
    for (method, path, accept, coding) in [
        ("GET", "/long", Some("gzip"), Some("gzip")),
        ("GET", "/long", Some("deflate"), Some("deflate")),
        ("GET", "/long", Some("br, gzip;q=0.5"), Some("gzip")),
        ("GET", "/long", Some("*"), None),
        ("GET", "/long", None, None),
        ("HEAD", "/long", Some("gzip"), None),
        ("GET", "/short", Some("gzip"), None),
        ("GET", "/proxied", Some("gzip"), Some("gzip")),
        ("GET", "/encoded", Some("gzip"), Some("br")),
        ("GET", "/streamed", Some("gzip"), None),
        ("GET", "/none", Some("gzip"), None),
    ] {
        let place = format!("{method} {path} {accept:?}");
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/prod{path}"));
        if let Some(accept) = accept {
            request = request.header("accept-encoding", accept);
        }
        let response = send(&gateway, request, "").await;
        let got = response.headers().get("content-encoding");
        assert_eq!(
            got.map(|coding| coding.to_str().expect("text")),
            coding,
            "{place}"
        );
        let body = testkit::bytes(response).await;
        let mut text = String::new();
        match coding {
            Some("gzip") => GzDecoder::new(&*body).read_to_string(&mut text).map(drop),
            Some("deflate") => ZlibDecoder::new(&*body).read_to_string(&mut text).map(drop),
            _ => continue,
        }
        .expect("it is compressed so");
        assert_eq!(text, "pets ".repeat(100), "{place}");
    }
}

#[tokio::test]
async fn a_minimum_of_nothing_compresses_all_and_refusals_too() {
    let server = pets().await;
    let gateway = compressing(&server, 0);
    for path in ["/short", "/none"] {
        let request = Request::get(format!("/prod{path}")).header("accept-encoding", "gzip");
        let response = send(&gateway, request, "").await;
        assert_eq!(response.headers()["content-encoding"], "gzip", "{path}");
        assert_eq!(response.headers()["vary"], "accept-encoding");
    }
}

#[tokio::test]
async fn an_http_apis_parameters_are_mapped() {
    let backend = Recorder::new(|_| testkit::answer(500, "{}"));
    let server = HyperServer::start(backend.clone()).await;
    let integration = json!({
        "type": "http_proxy",
        "httpMethod": "ANY",
        "uri": server.url("/"),
        "payloadFormatVersion": "1.0",
        "requestParameters": {
            "append:header.x-route": "$context.routeKey",
            "overwrite:path": "/internal/${request.path.id}",
        },
        "responseParameters": { "500": { "overwrite:statuscode": "404" } },
    });
    let document = document(&json!({ "/pets/{id}": { "get": operation(&integration) } }));
    let api = ApiSpec::http(document.to_string())
        .id("a")
        .stage_named("$default");
    let gateway = Gateway::builder().api(api).strict(true).build();
    let gateway = gateway.expect("every field is served");
    let response = send(&gateway, Request::get("/pets/7"), "").await;
    assert_eq!(response.status(), 404);
    let got = backend.only();
    assert_eq!(got.uri, "/internal/7");
    assert_eq!(got.header("x-route"), Some("GET /pets/{id}"));
}

#[tokio::test]
async fn the_definition_in_the_guide_runs() {
    let guide = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/guide/integrations.md"
    );
    let guide = std::fs::read_to_string(guide).expect("the guide");
    let (_, rest) = guide.split_once("```yaml\n").expect("a definition");
    let (definition, _) = rest.split_once("```\n").expect("its end");
    let backend = Recorder::new(|got| {
        let answer = if got.header("x-express").is_some() {
            "<rejected/>"
        } else {
            "<ok a='1'/>"
        };
        let failed = got.uri.query() == Some("dry=1");
        testkit::answer(if failed { 503 } else { 200 }, answer)
    });
    let server = HyperServer::start(backend.clone()).await;
    let api = ApiSpec::rest(definition).id("a").stage_named("prod");
    let gateway = Gateway::builder()
        .api(api)
        .upstream("http://127.0.0.1:9000", server.url(""))
        .strict(true)
        .build()
        .expect("every field is served");

    let response = send(&gateway, Request::get("/prod/pets/7"), "").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-stage"], "prod");
    assert_eq!(testkit::json(response).await, json!({"id": "7"}));
    let response = send(&gateway, Request::get("/prod/pets/none"), "").await;
    assert_eq!(response.status(), 404);
    assert_eq!(
        testkit::json(response).await,
        json!({"message": "no such pet"})
    );

    let order = r#"{"order": {"id": 7, "skus": ["a", "b"]}}"#;
    let response = send(&gateway, Request::post("/prod/orders"), order).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        testkit::json(response).await,
        json!({"answer": "<ok a='1'/>"})
    );
    let got = backend.only();
    assert_eq!(
        got.text().trim(),
        "<order id=\"7\"><sku>a</sku><sku>b</sku></order>"
    );
    assert_eq!(got.header("x-order"), Some("7"));
    let express = r#"{"order": {"id": 8, "express": true, "skus": []}}"#;
    let response = send(&gateway, Request::post("/prod/orders"), express).await;
    assert_eq!(response.status(), 409);
    let response = send(&gateway, Request::post("/prod/orders?dry=1"), order).await;
    assert_eq!(response.status(), 502);
    let csv = Request::post("/prod/orders").header("content-type", "text/csv");
    assert_eq!(send(&gateway, csv, "a,b").await.status(), 415);
}

#[tokio::test]
async fn bad_input_is_answered_as_recorded() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let http = |extra: &Value| {
        let mut integration = json!({
            "type": "http", "httpMethod": "POST", "uri": server.url("/"),
            "responses": { "default": { "statusCode": "200" } },
        });
        for (name, value) in extra.as_object().into_iter().flatten() {
            integration[name] = value.clone();
        }
        json!({ "post": operation(&integration) })
    };
    let mock = |template: &str| {
        let integration = json!({
            "type": "mock", "requestTemplates": { "application/json": template },
            "responses": { "default": { "statusCode": "200" } },
        });
        json!({ "post": operation(&integration) })
    };
    let document = document(&json!({
        "/template": http(&json!({ "requestTemplates": { "application/json": "$input.json('$.a')" } })),
        "/parameter": http(&json!({ "requestParameters": {
            "integration.request.header.x-a": "method.request.body.a",
        } })),
        "/binary": http(&json!({ "contentHandling": "CONVERT_TO_BINARY" })),
        "/unset": http(&json!({ "uri": "http://${stageVariables.none}/" })),
        "/status/text": mock("{\"statusCode\": \"ok\"}"),
        "/status/fraction": mock("{\"statusCode\": 200.5}"),
        "/status/none": mock("{\"status\": 200}"),
        "/status/no-json": mock("ok"),
    }));
    // The strict switch does not take a variable that is not set.
    let api = ApiSpec::rest(document.to_string()).stage_named("prod");
    let gateway = Gateway::builder()
        .api(api)
        .build()
        .expect("a good definition");
    for (path, body, status) in [
        ("/template", "{", 400),
        ("/parameter", "{", 400),
        ("/binary", "@@@", 500),
        ("/unset", "{}", 500),
        ("/status/text", "{}", 500),
        ("/status/fraction", "{}", 500),
        ("/status/none", "{}", 500),
        ("/status/no-json", "{}", 500),
    ] {
        let request = Request::post(format!("/prod{path}"));
        let request = request.header("content-type", "application/json");
        let response = send(&gateway, request, body).await;
        assert_eq!(response.status(), status, "{path}");
        let answer = testkit::json(response).await;
        if status == 500 {
            assert_eq!(
                answer,
                json!({ "message": "Internal server error" }),
                "{path}"
            );
        } else {
            assert!(answer["message"].is_string(), "{path}: {answer}");
        }
    }
    assert_eq!(backend.count(), 0);
}
