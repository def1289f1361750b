//! Parameter mapping of HTTP APIs, over sockets.

use http::{HeaderValue, Response};
use portcullis_core::{ApiKind, FunctionReply, Invocation};
use portcullis_integrations::{
    Backends, Functions, IntegrationConfig, IntegrationKind, PayloadFormat,
};
use portcullis_testkit::{HyperServer, Recorder, request as testkit};
use serde_json::Value;
use tower::ServiceExt;

use crate::support::{client, compile, config, in_gateway, pairs, request};

fn proxy(uri: &str, parameters: &[(&str, &str)]) -> IntegrationConfig {
    let mut config = config(IntegrationKind::HttpProxy, ApiKind::Http, uri);
    config.request_parameters = pairs(parameters);
    config
}

#[tokio::test]
async fn an_endpoint_gets_the_changed_request() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let config = proxy(
        &server.url("/base/{id}"),
        &[
            ("append:header.x-a", "$request.body.order.id"),
            (
                "overwrite:header.x-stage",
                "${context.stage}-${stageVariables.env}",
            ),
            ("remove:header.x-secret", "''"),
            ("append:header.x-none", "$request.header.none"),
            ("overwrite:querystring.q", "$request.querystring.q"),
            ("remove:querystring.drop", "''"),
            ("overwrite:header.Host", "internal.example.com"),
        ],
    );
    let body = r#"{"order": {"id": 7}}"#;
    let mut post = request("POST", "/pets/5?q=1&drop=1&q=2&keep=%20", body);
    for (name, value) in [("x-a", "1"), ("x-secret", "s"), ("x-stage", "forged")] {
        let value = HeaderValue::from_static(value);
        post.headers_mut().insert(name, value);
    }
    let post = in_gateway(post, ApiKind::Http, "/pets/{id}");
    let response = compile(&config).oneshot(post).await.expect("infallible");
    assert_eq!(response.status(), 200);
    let got = backend.only();
    assert_eq!(got.uri, "/base/5?keep=%20&q=1%2C2");
    let all: Vec<_> = got.headers.get_all("x-a").iter().collect();
    assert_eq!(all, ["1", "7"]);
    assert_eq!(got.header("x-stage"), Some("test-beta"));
    assert_eq!(got.header("x-secret"), None);
    assert_eq!(got.header("x-none"), None);
    assert_eq!(got.header("host"), Some("internal.example.com"));
    let forwarded = got.header("forwarded").expect("it is told");
    assert!(forwarded.contains("host=abc.example.com"), "{forwarded}");
    assert_eq!(got.text(), body);
}

#[tokio::test]
async fn another_path_is_called() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    for (value, expected) in [
        ("$request.path", "/pets/a%20b?q=1"),
        ("/v2/${request.path.id}/x", "/v2/a%20b/x?q=1"),
        ("/v2/${request.header.x-a}", "/v2/1%3F2?q=1"),
        ("v2", "/v2?q=1"),
    ] {
        backend.clear();
        let config = proxy(&server.url("/base"), &[("overwrite:path", value)]);
        let mut get = request("GET", "/pets/a%20b?q=1", "");
        let header = HeaderValue::from_static("1?2");
        get.headers_mut().insert("x-a", header);
        let get = in_gateway(get, ApiKind::Http, "/pets/{id}");
        let response = compile(&config).oneshot(get).await.expect("infallible");
        assert_eq!(response.status(), 200, "{value}");
        assert_eq!(backend.only().uri, expected, "{value}");
    }
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_refused() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let config = proxy(
        &server.url("/"),
        &[("overwrite:path", "/v2/${request.header.x-a}")],
    );
    for header in ["../admin", "..", "a/../../b"] {
        let mut get = request("GET", "/pets/1", "");
        let value = HeaderValue::from_str(header).expect("a value");
        get.headers_mut().insert("x-a", value);
        let get = in_gateway(get, ApiKind::Http, "/pets/{id}");
        let response = compile(&config).oneshot(get).await.expect("infallible");
        assert_eq!(response.status(), 400, "{header}");
    }
    assert_eq!(backend.count(), 0);
}

#[tokio::test]
async fn a_value_that_cannot_stand_in_a_header_is_refused() {
    let backend = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(backend.clone()).await;
    let config = proxy(
        &server.url("/"),
        &[("append:header.x-a", "$request.querystring.q")],
    );
    let get = request("GET", "/?q=a%0d%0ax:1", "");
    let get = in_gateway(get, ApiKind::Http, "/");
    let response = compile(&config).oneshot(get).await.expect("infallible");
    assert_eq!(response.status(), 400);
    assert_eq!(backend.count(), 0);
}

#[tokio::test]
async fn a_response_is_changed_by_its_status() {
    let backend = Recorder::new(|got| {
        let status = got.uri.path().trim_start_matches('/').parse();
        let answer = Response::builder()
            .status(status.unwrap_or(200))
            .header("x-secret", "s");
        let body = http_body_util::Full::new(bytes::Bytes::from(r#"{"error": {"code": "E7"}}"#));
        answer.body(body).expect("an answer")
    });
    let server = HyperServer::start(backend).await;
    let mut config = proxy(&server.url("/{proxy}"), &[]);
    config.response_parameters = vec![
        (
            "500".to_owned(),
            pairs(&[
                ("overwrite:statuscode", "403"),
                ("append:header.x-id", "$context.stage"),
                ("append:header.x-code", "$response.body.error.code"),
                ("remove:header.x-secret", "''"),
            ]),
        ),
        (
            "404".to_owned(),
            pairs(&[("overwrite:header.x-secret", "none")]),
        ),
    ];
    for (path, status, secret, code) in [
        ("/500", 403, None, Some("E7")),
        ("/404", 404, Some("none"), None),
        ("/200", 200, Some("s"), None),
    ] {
        let get = in_gateway(request("GET", path, ""), ApiKind::Http, "/{proxy+}");
        let response = compile(&config).oneshot(get).await.expect("infallible");
        assert_eq!(response.status(), status);
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().expect("text").to_owned())
        };
        assert_eq!(header("x-secret").as_deref(), secret, "{path}");
        assert_eq!(header("x-code").as_deref(), code, "{path}");
        assert_eq!(header("x-id").is_some(), status == 403);
        assert_eq!(
            testkit::text(response).await,
            r#"{"error": {"code": "E7"}}"#
        );
    }
}

#[tokio::test]
async fn a_function_gets_the_changed_request_and_its_response_is_changed() {
    let functions = Functions::builder().function("echo", |call: Invocation| async move {
        let event: Value = serde_json::from_slice(&call.payload).expect("JSON");
        let seen = serde_json::json!({
            "user": event["headers"]["x-user"],
            "q": event["queryStringParameters"],
        });
        let reply = serde_json::json!({"statusCode": 201, "body": seen.to_string()});
        Ok(FunctionReply::success(reply.to_string()))
    });
    let functions = functions.build().expect("no URL");
    let mut config = config(IntegrationKind::AwsProxy, ApiKind::Http, "echo");
    config.payload_format = Some(PayloadFormat::V2);
    config.request_parameters = pairs(&[
        ("overwrite:header.x-user", "$context.authorizer.principalId"),
        ("append:querystring.stage", "$context.stage"),
    ]);
    config.response_parameters =
        vec![("201".to_owned(), pairs(&[("append:header.x-made", "yes")]))];
    let compiled = config.compile(&Backends::new(client(), functions));
    let integration = compiled.expect("a valid configuration").integration;
    assert_eq!(integration.kind(), Some(IntegrationKind::AwsProxy));
    let mut get = request("GET", "/pets/1?a=1", "");
    get.headers_mut()
        .insert("x-user", HeaderValue::from_static("forged"));
    let get = in_gateway(get, ApiKind::Http, "/pets/{id}");
    let response = integration.oneshot(get).await.expect("infallible");
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-made"], "yes");
    let seen = testkit::json(response).await;
    assert_eq!(
        seen,
        serde_json::json!({"user": null, "q": {"a": "1", "stage": "test"}})
    );
}

#[test]
fn a_mapping_that_cannot_be_names_its_field() {
    let backends = Backends::new(client(), Functions::default());
    for (parameters, responses, field) in [
        (
            &[("append:header.Authorization", "x")][..],
            &[][..],
            "/requestParameters/append:header.Authorization",
        ),
        (
            &[("append:header.x", "$request.nothing")],
            &[],
            "/requestParameters/append:header.x",
        ),
        (
            &[],
            &[("overwrite:statuscode", "x")],
            "/responseParameters/200/overwrite:statuscode",
        ),
    ] {
        let mut config = proxy("http://127.0.0.1:1/", parameters);
        config.response_parameters = vec![("200".to_owned(), pairs(responses))];
        let error = config.compile(&backends).expect_err(field);
        assert_eq!(error.field(), field, "{error}");
    }
}
