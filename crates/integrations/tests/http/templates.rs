//! `HTTP` with templates: what the endpoint gets, and what the client gets.

use std::io::Write;

use flate2::write::GzEncoder;
use http::{HeaderName, HeaderValue, Request, Response};
use portcullis_core::{ApiKind, Body, RequestContext};
use portcullis_integrations::{
    ContentHandling, IntegrationConfig, IntegrationKind, ResponseConfig,
};
use portcullis_testkit::{HyperServer, Recorder, request as testkit};
use serde_json::json;
use tower::ServiceExt;

use crate::support::{SHORT, compile, config, in_gateway, pairs, request};

fn http(uri: &str) -> IntegrationConfig {
    let mut config = config(IntegrationKind::Http, ApiKind::Rest, uri);
    config.method = Some("POST".into());
    config.responses = vec![ResponseConfig::new("200")];
    config
}

fn with_headers(mut request: Request<Body>, headers: &[(&str, &str)]) -> Request<Body> {
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a name");
        let value = HeaderValue::from_str(value).expect("a value");
        request.headers_mut().append(name, value);
    }
    request
}

async fn call(config: &IntegrationConfig, request: Request<Body>) -> Response<Body> {
    let request = in_gateway(request, ApiKind::Rest, "/pets/{id}");
    compile(config).oneshot(request).await.expect("infallible")
}

/// What the endpoint gets by a request template.
async fn sent(template: &str, request: Request<Body>) -> String {
    let backend = Recorder::new(|_| testkit::answer(200, "{}"));
    let server = HyperServer::start(backend.clone()).await;
    let mut config = http(&server.url("/"));
    config.request_templates = pairs(&[("application/json", template)]);
    let response = call(&config, request).await;
    assert_eq!(response.status(), 200, "{template}");
    backend.only().text()
}

/// What the client gets by a response template over `answer`.
async fn given(template: &str, answer: &'static str) -> (u16, String) {
    let server = HyperServer::start(Recorder::new(move |_| testkit::answer(200, answer))).await;
    let mut config = http(&server.url("/"));
    config.responses[0].templates = pairs(&[("application/json", template)]);
    let response = call(&config, request("GET", "/pets/7", "")).await;
    (response.status().as_u16(), testkit::text(response).await)
}

#[tokio::test]
async fn a_request_template_sees_body_parameters_context_and_stage_variables() {
    let order = r#"{"order": {"id": 7, "tags": ["a", "b"]}}"#;
    let post = || {
        let post = request("POST", "/pets/a%20b?q=1&q=x+y&id=hidden", order);
        with_headers(post, &[("X-User", "ada"), ("x-user", "bob")])
    };
    for (template, expected) in [
        ("$input.path('$.order').tags[1]", "b"),
        ("$input.json('$.order.tags')", r#"["a","b"]"#),
        ("$input.body", order),
        ("$input.params('q')", "x y"),
        ("$input.params('X-User')", "bob"),
        ("$input.params().header.get('x-user')", "bob"),
        // The path goes before the query, and stays as the client encoded it.
        ("$input.params('id')", "a%20b"),
        ("$util.urlDecode($input.params('id'))", "a b"),
        ("$input.params().path.keySet()", "[id]"),
        ("$input.params().querystring.keySet()", "[q, id]"),
        ("$input.params('none')", ""),
        (
            "$context.apiId $context.stage $context.httpMethod",
            "abc test POST",
        ),
        (
            "$context.resourcePath $context.path",
            "/pets/{id} /pets/a%20b",
        ),
        (
            "$context.identity.sourceIp/$context.identity.user",
            "192.0.2.9/",
        ),
        ("$stageVariables.env$stageVariables.none", "beta"),
        ("$input.params('Host')", "abc.example.com"),
        ("$input.params('X-Forwarded-For')", "192.0.2.9"),
        ("$context.authorizer.claims.sub", ""),
        ("static", "static"),
    ] {
        assert_eq!(sent(template, post()).await, expected, "{template}");
    }
}

#[tokio::test]
async fn an_authorizer_is_seen_by_its_principal_and_values() {
    let mut post = request("POST", "/pets/7", "");
    let context = RequestContext::of(&mut post);
    let values = json!({"tenant": "t1", "level": 3});
    context.set_authorizer(values.as_object().cloned().expect("an object"));
    context.note(portcullis_core::Detail::AuthorizerPrincipalId, "u-1");
    let template =
        "$context.authorizer.principalId $context.authorizer.tenant $context.authorizer.level";
    assert_eq!(sent(template, post).await, "u-1 t1 3");
}

#[tokio::test]
async fn an_empty_body_reads_as_an_empty_object() {
    let read = |template| sent(template, request("GET", "/pets/7", ""));
    assert_eq!(read("$input.body").await, "{}");
    assert_eq!(read("$input.json('$')").await, "{}");
}

#[tokio::test]
async fn overrides_take_the_place_of_what_is_mapped() {
    let backend = Recorder::new(|_| testkit::answer(200, "{}"));
    let server = HyperServer::start(backend.clone()).await;
    let mut config = http(&server.url("/v1/{place}"));
    config.request_parameters = pairs(&[
        ("integration.request.header.x-a", "'mapped'"),
        ("integration.request.header.x-b", "'mapped'"),
        ("integration.request.querystring.q", "'mapped'"),
        ("integration.request.path.place", "'mapped'"),
    ]);
    let template = r#"
#set($context.requestOverride.header.x-a = "over")
#set($context.requestOverride.header["x-c"] = ["1", "2"])
#set($context.requestOverride.querystring.q = "a b")
$context.requestOverride.querystring.put("r", "1")
#set($context.requestOverride.path.place = "x/y")
{}"#;
    config.request_templates = pairs(&[("application/json", template)]);
    let mut post = request("POST", "/pets/7", "");
    let context = RequestContext::of(&mut post).clone();
    assert_eq!(call(&config, post).await.status(), 200);
    let got = backend.only();
    assert_eq!(got.uri, "/v1/x%2Fy?q=a%20b&r=1");
    assert_eq!(got.header("x-a"), Some("over"));
    assert_eq!(got.header("x-b"), Some("mapped"));
    let all: Vec<_> = got.headers.get_all("x-c").iter().collect();
    assert_eq!(all, ["1", "2"]);
    let told = context.get("requestOverride.header.x-a");
    assert_eq!(told, Some("over".into()), "logs can name it");
}

#[tokio::test]
async fn an_override_that_none_may_set_fails_the_request() {
    let backend = Recorder::new(|_| testkit::answer(200, "{}"));
    let server = HyperServer::start(backend.clone()).await;
    for (template, status) in [
        (
            r##"#set($context.requestOverride.header["Content-Length"] = "0")"##,
            500,
        ),
        (
            r##"#set($context.requestOverride.header["a b"] = "0")"##,
            500,
        ),
        (
            r##"#set($context.requestOverride.header["x"] = $input.body)"##,
            400,
        ),
    ] {
        let mut config = http(&server.url("/"));
        config.request_templates = pairs(&[("application/json", template)]);
        let response = call(&config, request("POST", "/pets/7", "a\r\nx: 1")).await;
        assert_eq!(response.status(), status, "{template}");
    }
    assert_eq!(backend.count(), 0);
}

#[tokio::test]
async fn a_body_that_a_template_cannot_read_is_the_clients_fault() {
    let backend = Recorder::new(|_| testkit::answer(200, "{}"));
    let server = HyperServer::start(backend.clone()).await;
    let mut config = http(&server.url("/"));
    config.request_templates = pairs(&[("application/json", "$input.json('$')")]);
    for body in ["{\"a\": ", "[1, 2"] {
        let response = call(&config, request("POST", "/pets/7", body)).await;
        assert_eq!(response.status(), 400, "{body}");
        assert_eq!(
            response.headers()["x-amzn-errortype"],
            "BadRequestException"
        );
        let text = testkit::text(response).await;
        assert!(
            text.starts_with(r#"{"message":"Could not process payload"#),
            "{text}"
        );
    }
    assert_eq!(backend.count(), 0);
    // What begins no object and no list is a text.
    let response = call(&config, request("POST", "/pets/7", "a=b")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(backend.only().text(), "\"a=b\"");
}

#[tokio::test]
async fn a_value_of_a_parameter_needs_json() {
    let backend = Recorder::new(|_| testkit::answer(200, "{}"));
    let server = HyperServer::start(backend.clone()).await;
    for kind in [IntegrationKind::Http, IntegrationKind::HttpProxy] {
        backend.clear();
        let mut config = config(kind, ApiKind::Rest, &server.url("/"));
        config.responses = vec![ResponseConfig::new("200")];
        config.request_parameters = pairs(&[(
            "integration.request.header.x-id",
            "method.request.body.order.id",
        )]);
        let response = call(&config, request("POST", "/pets/7", "no json")).await;
        assert_eq!(response.status(), 400);
        let body = testkit::json(response).await;
        assert_eq!(body, json!({"message": "Invalid JSON in request body"}));
        let order = r#"{"order": {"id": 7}}"#;
        let response = call(&config, request("POST", "/pets/7", order)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(backend.only().header("x-id"), Some("7"), "{kind:?}");
        assert_eq!(backend.only().text(), order, "the body passes all the same");
    }
}

#[tokio::test]
async fn a_template_that_fails_is_answered_500() {
    let server = HyperServer::start(Recorder::new(|_| testkit::answer(200, "{\"a\": "))).await;
    let failing = [
        "#set($l = [1])$l[9]",
        "#foreach($i in [1..2000])x#end",
        "$util.parseJson('{')",
        "$input.json('$[')",
    ];
    for template in failing {
        let mut config = http(&server.url("/"));
        config.request_templates = pairs(&[("application/json", template)]);
        let response = call(&config, request("POST", "/pets/7", "{}")).await;
        assert_eq!(response.status(), 500, "{template}");
        let body = testkit::json(response).await;
        assert_eq!(body, json!({"message": "Internal server error"}));
    }
    // The endpoint's broken body is not the client's fault.
    for template in failing.into_iter().chain(["$input.json('$')"]) {
        let mut config = http(&server.url("/"));
        config.responses[0].templates = pairs(&[("application/json", template)]);
        let response = call(&config, request("POST", "/pets/7", "{}")).await;
        assert_eq!(response.status(), 500, "{template}");
    }
}

#[tokio::test]
async fn a_response_template_sees_the_answer_and_the_requests_parameters() {
    for (template, expected) in [
        ("$input.path('$.n')", "1"),
        ("$input.json('$.o')", r#"{"k":"v"}"#),
        ("$input.params('id')", "7"),
        ("$context.stage", "test"),
    ] {
        let got = given(template, r#"{"n": 1, "o": {"k": "v"}}"#).await;
        assert_eq!(got, (200, expected.to_owned()), "{template}");
    }
}

#[tokio::test]
async fn a_response_template_overrides_status_and_headers() {
    for (status, expected) in [
        ("404", 404),
        ("201", 201),
        ("\"404\"", 200),
        ("600", 200),
        ("99", 200),
        ("4.5", 200),
    ] {
        let template = format!("#set($context.responseOverride.status = {status})x");
        assert_eq!(
            given(&template, "{}").await,
            (expected, "x".to_owned()),
            "{status}"
        );
    }
    let server = HyperServer::start(Recorder::new(|_| testkit::answer(200, "{}"))).await;
    let mut config = http(&server.url("/"));
    config.responses[0].parameters = pairs(&[
        ("method.response.header.x-a", "'mapped'"),
        ("method.response.header.x-b", "'mapped'"),
    ]);
    let template = r##"#set($context.responseOverride.header.x-a = "over")
#set($context.responseOverride.header.x-list = ["1", "2"])
#set($context.responseOverride.header.Server = "mine")
#set($context.responseOverride.header.Content-Type = "text/plain")"##;
    config.responses[0].templates = pairs(&[("application/json", template)]);
    let response = call(&config, request("GET", "/pets/7", "")).await;
    let all = |name: &str| -> Vec<_> {
        let values = response.headers().get_all(name).iter();
        values.map(|value| value.to_str().expect("text")).collect()
    };
    assert_eq!(all("x-a"), ["over"]);
    assert_eq!(all("x-b"), ["mapped"]);
    assert_eq!(all("x-list"), ["1", "2"]);
    assert_eq!(all("x-amzn-remapped-server"), ["mine"]);
    assert_eq!(all("content-type"), ["text/plain"]);
}

#[tokio::test]
async fn an_override_is_set_once_in_each_template() {
    let server = HyperServer::start(Recorder::new(|_| testkit::answer(200, "{}"))).await;
    let set = |what: &str| format!("#set($context.{what} = 202)");
    for (template, expected) in [
        (set("responseOverride.status").repeat(2), 500),
        (set("requestOverride.header.x-a").repeat(2), 500),
        (set("requestOverride.querystring['a']").repeat(2), 500),
        ("$context.requestOverride.path.put('a', 1)".repeat(2), 500),
        // What is no parameter is a stash.
        (set("responseOverride.custom").repeat(2), 200),
        (set("responseOverride.status"), 202),
    ] {
        let mut config = http(&server.url("/"));
        config.request_templates = pairs(&[("application/json", &template)]);
        let response = call(&config, request("POST", "/pets/7", "")).await;
        assert_eq!(response.status(), expected, "{template}");
    }
    let mut config = http(&server.url("/"));
    let once = set("responseOverride.status");
    config.request_templates = pairs(&[("application/json", &once)]);
    let again = once.replace("202", "409");
    config.responses[0].templates = pairs(&[("application/json", &again)]);
    let response = call(&config, request("POST", "/pets/7", "")).await;
    assert_eq!(response.status(), 409, "each template may");
}

#[tokio::test]
async fn what_a_request_template_sets_reaches_the_response() {
    let server = HyperServer::start(Recorder::new(|_| testkit::answer(200, "{}"))).await;
    let mut config = http(&server.url("/"));
    let request_template = r##"#set($context.requestOverride.path.stash = "kept")
#set($context.responseOverride.status = 202)
#set($context.responseOverride.custom = "own")
#set($context.responseOverride.header.x-a = "1"){}"##;
    config.request_templates = pairs(&[("application/json", request_template)]);
    let response = call(&config, request("POST", "/pets/7", "")).await;
    assert_eq!(response.status(), 202, "without a response template, too");
    assert_eq!(response.headers()["x-a"], "1");

    let response_template = r##"#set($context.responseOverride.header.x-b = "2")
$context.requestOverride.path.stash $context.responseOverride.status $context.responseOverride.custom"##;
    config.responses[0].templates = pairs(&[("application/json", response_template)]);
    let response = call(&config, request("POST", "/pets/7", "")).await;
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["x-a"], "1");
    assert_eq!(response.headers()["x-b"], "2");
    assert_eq!(testkit::text(response).await.trim(), "kept 202 own");
}

#[tokio::test]
async fn response_parameters_come_from_everywhere() {
    let server = HyperServer::start(Recorder::new(|_| {
        let answer = Response::builder().header("x-a", "1").header("x-a", "2");
        let body = http_body_util::Full::new(r#"{"id": 7, "tags": ["a"]}"#.into());
        answer
            .body::<http_body_util::Full<bytes::Bytes>>(body)
            .expect("an answer")
    }))
    .await;
    let mut config = http(&server.url("/"));
    config.responses[0].parameters = pairs(&[
        (
            "method.response.header.one",
            "integration.response.header.X-A",
        ),
        (
            "method.response.header.all",
            "integration.response.multivalueheader.x-a",
        ),
        ("method.response.header.id", "integration.response.body.id"),
        (
            "method.response.header.tags",
            "integration.response.body.tags",
        ),
        ("method.response.header.whole", "integration.response.body"),
        (
            "method.response.header.none",
            "integration.response.body.none",
        ),
        ("method.response.header.stage", "context.stage"),
        ("method.response.header.env", "stageVariables.env"),
    ]);
    let response = call(&config, request("GET", "/pets/7", "")).await;
    for (name, expected) in [
        ("one", Some("2")),
        ("all", Some("1,2")),
        ("id", Some("7")),
        ("tags", Some(r#"["a"]"#)),
        ("whole", Some(r#"{"id": 7, "tags": ["a"]}"#)),
        ("none", None),
        ("stage", Some("test")),
        ("env", Some("beta")),
        ("x-a", None),
    ] {
        let value = response.headers().get(name);
        let value = value.map(|value| value.to_str().expect("text"));
        assert_eq!(value, expected, "{name}");
    }
    assert_eq!(testkit::text(response).await, r#"{"id": 7, "tags": ["a"]}"#);
}

#[tokio::test]
async fn a_parameter_from_an_answer_that_is_no_json_is_500() {
    let server = HyperServer::start(Recorder::new(|_| testkit::answer(200, "<a/>"))).await;
    let mut config = http(&server.url("/"));
    config.responses[0].parameters =
        pairs(&[("method.response.header.id", "integration.response.body.id")]);
    let response = call(&config, request("GET", "/pets/7", "")).await;
    assert_eq!(response.status(), 500);
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const PNG_BASE64: &str = "iVBORw0KGgo=";
const PNG_AS_TEXT: &str = "\u{fffd}PNG\r\n\u{1a}\n";

#[tokio::test]
async fn a_requests_body_is_converted_as_recorded() {
    use ContentHandling::{ToBinary, ToText};
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let (raw, encoded) = (PNG, PNG_BASE64.as_bytes());
    let as_text = PNG_AS_TEXT.as_bytes();
    for (content_type, handling, body, expected) in [
        ("text/plain", None, raw, Some(as_text)),
        ("text/plain", Some(ToText), raw, Some(as_text)),
        ("text/plain", Some(ToBinary), encoded, Some(raw)),
        ("text/plain", Some(ToBinary), raw, None),
        ("image/png", None, raw, Some(raw)),
        ("image/png", Some(ToBinary), raw, Some(raw)),
        ("image/png", Some(ToText), raw, Some(encoded)),
    ] {
        backend.clear();
        let mut config = http(&server.url("/"));
        config.binary_media_types = vec!["image/*".into()];
        config.content_handling = handling;
        let post = with_headers(
            request("POST", "/pets/7", ""),
            &[("content-type", content_type)],
        );
        let response = call(&config, post.map(|_| Body::from(body.to_vec()))).await;
        let place = format!("{content_type} {handling:?}");
        match expected {
            Some(expected) => {
                assert_eq!(response.status(), 200, "{place}");
                assert_eq!(backend.only().body, expected, "{place}");
            }
            None => assert_eq!(response.status(), 500, "{place}"),
        }
    }
}

#[tokio::test]
async fn a_proxys_body_is_converted_where_it_is_asked_for() {
    use ContentHandling::{ToBinary, ToText};
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let (raw, encoded) = (PNG, PNG_BASE64.as_bytes());
    for (content_type, handling, body, expected) in [
        ("text/plain", None, raw, Some(raw)),
        ("text/plain", Some(ToText), raw, Some(raw)),
        ("text/plain", Some(ToBinary), encoded, Some(raw)),
        ("text/plain", Some(ToBinary), raw, None),
        ("image/png", Some(ToBinary), raw, Some(raw)),
        ("image/png", Some(ToText), raw, Some(encoded)),
    ] {
        backend.clear();
        let mut config = config(IntegrationKind::HttpProxy, ApiKind::Rest, &server.url("/"));
        config.binary_media_types = vec!["image/*".into()];
        config.content_handling = handling;
        let post = with_headers(
            request("POST", "/pets/7", ""),
            &[("content-type", content_type)],
        );
        let response = call(&config, post.map(|_| Body::from(body.to_vec()))).await;
        let place = format!("{content_type} {handling:?}");
        match expected {
            Some(expected) => assert_eq!(backend.only().body, expected, "{place}"),
            None => assert_eq!(response.status(), 500, "{place}"),
        }
    }
}

#[tokio::test]
async fn a_template_sees_bytes_only_as_base64() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    for (handling, expected) in [
        (Some(ContentHandling::ToText), Some(PNG_BASE64)),
        (Some(ContentHandling::ToBinary), None),
        (None, None),
    ] {
        backend.clear();
        let mut config = http(&server.url("/"));
        config.binary_media_types = vec!["image/png".into()];
        config.content_handling = handling;
        config.request_templates = pairs(&[("image/png", "$input.body")]);
        let post = with_headers(
            request("POST", "/pets/7", ""),
            &[("content-type", "image/png")],
        );
        let response = call(&config, post.map(|_| Body::from(PNG.to_vec()))).await;
        match expected {
            Some(expected) => assert_eq!(backend.only().text(), expected),
            None => assert_eq!(response.status(), 500, "{handling:?}"),
        }
    }
}

#[tokio::test]
async fn an_answers_body_is_converted_as_recorded() {
    use ContentHandling::{ToBinary, ToText};
    let backend = Recorder::new(|got| {
        let text = got.header("x-type") == Some("text/plain");
        let encoded = got.header("x-encoded").is_some();
        let body = if encoded {
            PNG_BASE64.into()
        } else {
            bytes::Bytes::from_static(PNG)
        };
        let mut answer = testkit::answer(200, body);
        let media_type = if text { "text/plain" } else { "image/png" };
        let media_type = HeaderValue::from_static(media_type);
        answer.headers_mut().insert("content-type", media_type);
        answer
    });
    let server = HyperServer::start(backend).await;
    let (raw, encoded) = (PNG, PNG_BASE64.as_bytes());
    let (as_text, twice) = (PNG_AS_TEXT.as_bytes(), b"aVZCT1J3MEtHZ289".as_slice());
    for (payload, accept, handling, encodes, expected) in [
        ("text/plain", "text/plain", None, false, Some(as_text)),
        ("text/plain", "text/plain", None, true, Some(encoded)),
        ("text/plain", "text/plain", Some(ToBinary), true, Some(raw)),
        ("text/plain", "text/plain", Some(ToBinary), false, None),
        (
            "text/plain",
            "text/plain",
            Some(ToText),
            false,
            Some(as_text),
        ),
        ("text/plain", "image/png", None, true, Some(raw)),
        ("text/plain", "image/png", None, false, None),
        ("text/plain", "image/png", Some(ToText), true, Some(encoded)),
        ("image/png", "text/plain", None, false, Some(encoded)),
        ("image/png", "text/plain", None, true, Some(twice)),
        ("image/png", "text/plain", Some(ToBinary), false, Some(raw)),
        (
            "image/png",
            "text/plain",
            Some(ToText),
            false,
            Some(encoded),
        ),
        ("image/png", "image/png, */*", None, false, Some(raw)),
        ("image/png", "image/png", Some(ToBinary), false, Some(raw)),
        ("image/png", "image/png", Some(ToText), false, Some(encoded)),
    ] {
        let mut config = http(&server.url("/"));
        config.binary_media_types = vec!["image/png".into()];
        config.responses[0].content_handling = handling;
        config.request_parameters = pairs(&[
            (
                "integration.request.header.x-type",
                "method.request.header.x-type",
            ),
            (
                "integration.request.header.x-encoded",
                "method.request.header.x-encoded",
            ),
        ]);
        let mut get = request("GET", "/pets/7", "");
        get = with_headers(get, &[("accept", accept), ("x-type", payload)]);
        if encodes {
            get = with_headers(get, &[("x-encoded", "1")]);
        }
        let response = call(&config, get).await;
        let place = format!("{payload} {accept} {handling:?} {encodes}");
        match expected {
            Some(expected) => {
                assert_eq!(response.status(), 200, "{place}");
                assert_eq!(testkit::bytes(response).await, expected, "{place}");
            }
            None => assert_eq!(response.status(), 500, "{place}"),
        }
    }
}

#[tokio::test]
async fn a_compressed_request_is_read() {
    let body = r#"{"name": "Rex"}"#;
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder
        .write_all(body.as_bytes())
        .expect("a vector takes all");
    let compressed = encoder.finish().expect("a vector takes all");
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    for (template, expected) in [(Some("$input.path('$.name')"), "Rex"), (None, body)] {
        backend.clear();
        let mut config = http(&server.url("/"));
        config.binary_media_types = vec!["*/*".into()];
        if let Some(template) = template {
            config.request_templates = pairs(&[("application/json", template)]);
        }
        let post = with_headers(
            request("POST", "/pets/7", ""),
            &[("content-encoding", "gzip")],
        );
        let response = call(&config, post.map(|_| Body::from(compressed.clone()))).await;
        assert_eq!(response.status(), 200);
        assert_eq!(backend.only().text(), expected);
        assert_eq!(backend.only().header("content-encoding"), None);
    }
    let mut config = http(&server.url("/"));
    config.max_request_bytes = Some(body.len() as u64 - 1);
    let post = with_headers(
        request("POST", "/pets/7", ""),
        &[("content-encoding", "gzip")],
    );
    let response = call(&config, post.map(|_| Body::from(compressed))).await;
    assert_eq!(response.status(), 413);
}

#[tokio::test]
async fn an_answer_to_head_has_no_body_and_its_overrides() {
    let server = HyperServer::start(Recorder::new(|_| testkit::answer(200, "{}"))).await;
    let mut config = http(&server.url("/"));
    config.method = None;
    let template = "#set($context.responseOverride.status = 203)text";
    config.responses[0].templates = pairs(&[("application/json", template)]);
    let response = call(&config, request("HEAD", "/pets/7", "")).await;
    assert_eq!(response.status(), 203);
    assert_eq!(testkit::text(response).await, "");
}

/// An endpoint that announces ten bytes and sends three.
async fn short(closes: bool) -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                .await;
            if !closes {
                kept.push(stream);
            }
        }
    });
    address
}

#[tokio::test]
async fn an_answer_that_never_ends_is_no_answer() {
    for (closes, message) in [
        (true, "Network error communicating with endpoint"),
        (false, "Endpoint request timed out"),
    ] {
        let mut config = http(&format!("http://{}/", short(closes).await));
        config.timeout = Some(SHORT);
        let response = call(&config, request("GET", "/pets/7", "")).await;
        assert_eq!(response.status(), 504);
        assert_eq!(testkit::json(response).await, json!({ "message": message }));
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_500() {
    let server = HyperServer::start(Recorder::new(|_| testkit::answer(200, "12345"))).await;
    let mut config = http(&server.url("/"));
    config.max_response_bytes = Some(4);
    let response = call(&config, request("GET", "/pets/7", "")).await;
    assert_eq!(response.status(), 500);
}
