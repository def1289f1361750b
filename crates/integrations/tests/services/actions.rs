//! Actions and paths.

use http::HeaderValue;
use portcullis_client::Client;
use portcullis_integrations::{Backends, Conduct, Credentials, IntegrationConfig, ResponseConfig};
use portcullis_testkit::{HyperServer, Recorder, request as testkit, signed};

use crate::support::{aws, call, compile, config, request};

fn own() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret")
}

fn with_parameters(
    mut config: IntegrationConfig,
    parameters: &[(&str, &str)],
) -> IntegrationConfig {
    let owned = |(target, source): &(&str, &str)| ((*target).to_owned(), (*source).to_owned());
    config.request_parameters = parameters.iter().map(owned).collect();
    config
}

#[tokio::test]
async fn an_action_in_json_is_named_in_a_header() {
    let service = Recorder::new(|_| testkit::answer(200, r#"{"Count":1}"#));
    let server = HyperServer::start(service.clone()).await;
    let mut config = config("us-east-1:dynamodb:action/Query");
    config.request_templates = vec![(
        "application/json".into(),
        r#"{"TableName": "pets", "Id": "$input.params('key')"}"#.into(),
    )];
    let compiled = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
    let response = call(&compiled, request("POST", "/pets/7", "{}")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(testkit::text(response).await, r#"{"Count":1}"#);
    let got = service.only();
    assert_eq!((got.method.as_str(), got.uri.path()), ("POST", "/"));
    assert_eq!(got.header("x-amz-target"), Some("DynamoDB_20120810.Query"));
    assert_eq!(
        got.header("content-type"),
        Some("application/x-amz-json-1.0")
    );
    assert_eq!(got.header("accept"), Some("application/json"));
    assert_eq!(got.header("user-agent"), Some("AmazonAPIGateway_abc"));
    assert_eq!(got.header("x-amzn-apigateway-api-id"), Some("abc"));
    assert!(got.header("x-amzn-trace-id").is_some());
    assert_eq!(got.header("x-forwarded-for"), None);
    assert_eq!(got.text(), r#"{"TableName": "pets", "Id": "7"}"#);
    let signed = signed(&got, "secret");
    assert_eq!(signed.access_key_id, "AKIDEXAMPLE");
    assert_eq!(
        (&*signed.service, &*signed.region),
        ("dynamodb", "us-east-1")
    );
}

#[tokio::test]
async fn an_action_of_the_query_protocol_is_a_parameter() {
    let service = Recorder::new(|_| testkit::answer(200, "<ok/>"));
    let server = HyperServer::start(service.clone()).await;
    let config = with_parameters(
        config("eu-west-1:sns:action/Publish&Subject=pets"),
        &[(
            "integration.request.querystring.Message",
            "method.request.path.key",
        )],
    );
    let compiled = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
    call(&compiled, request("POST", "/pets/a%20b", "")).await;
    let got = service.only();
    assert_eq!(
        got.uri,
        "/?Action=Publish&Version=2010-03-31&Subject=pets&Message=a%20b"
    );
    let signed = signed(&got, "secret");
    assert_eq!((&*signed.service, &*signed.region), ("sns", "eu-west-1"));
}

#[tokio::test]
async fn an_object_is_a_path_that_is_signed_as_it_is_sent() {
    let service = Recorder::new(|_| {
        let mut response = testkit::answer(404, "<Error/>");
        let etag = HeaderValue::from_static("\"1\"");
        response.headers_mut().insert("etag", etag);
        response
    });
    let server = HyperServer::start(service.clone()).await;
    let mut config = with_parameters(
        config("us-east-1:s3:path/bucket/{key}"),
        &[
            ("integration.request.path.key", "method.request.path.key"),
            ("integration.request.header.Content-Type", "'text/plain'"),
            ("integration.request.querystring.versionId", "'7'"),
        ],
    );
    config.method = Some("ANY".into());
    let mut found = ResponseConfig::new("404");
    found.pattern = Some("4\\d\\d".into());
    found.parameters = vec![(
        "method.response.header.ETag".into(),
        "integration.response.header.ETag".into(),
    )];
    config.responses.push(found);
    let compiled = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
    let response = call(&compiled, request("PUT", "/pets/a%2Fb%20c+d~", "body")).await;
    assert_eq!(response.status(), 404, "chosen by the service's status");
    assert_eq!(response.headers()["etag"], "\"1\"");
    let got = service.only();
    assert_eq!(got.method, "PUT");
    assert_eq!(got.uri, "/bucket/a%2Fb%20c%2Bd~?versionId=7");
    assert_eq!(got.header("content-type"), Some("text/plain"));
    assert!(got.header("x-amz-content-sha256").is_some());
    assert_eq!(signed(&got, "secret").service, "s3");
}

#[tokio::test]
async fn a_client_cannot_step_out_of_the_bucket() {
    let service = Recorder::new(|_| testkit::answer(200, ""));
    let server = HyperServer::start(service.clone()).await;
    let config = with_parameters(
        config("us-east-1:s3:path/bucket/{key}"),
        &[("integration.request.path.key", "method.request.path.key")],
    );
    let compiled = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
    for key in ["..%2Fother", "%2e%2e"] {
        let response = call(&compiled, request("GET", &format!("/pets/{key}"), "")).await;
        assert_eq!(response.status(), 400, "{key}");
    }
    assert_eq!(service.count(), 0);
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_a_failure_of_the_integration() {
    let mut config = config("us-east-1:dynamodb:action/Query");
    config.timeout = Some(std::time::Duration::from_millis(50));
    let away = compile(
        &config,
        aws("http://127.0.0.1:1", own()).build().expect("valid"),
    );
    let response = call(&away, request("POST", "/pets/7", "{}")).await;
    assert_eq!(response.status(), 500, "nobody listens");
    let silent = tower::service_fn(|_: http::Request<hyper::body::Incoming>| {
        std::future::pending::<Result<http::Response<portcullis_core::Body>, std::io::Error>>()
    });
    let server = HyperServer::start(silent).await;
    let compiled = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
    let response = call(&compiled, request("POST", "/pets/7", "{}")).await;
    assert_eq!(response.status(), 504);
}

#[test]
fn services_without_credentials_are_told_at_build_time() {
    let client = Client::builder().build().expect("valid");
    let backends = Backends::new(client, Default::default());
    let compiled = config("us-east-1:dynamodb:action/Query").compile(&backends);
    let unsupported = compiled.expect("valid").unsupported;
    assert_eq!(unsupported[0].field, "/uri");
    assert_eq!(unsupported[0].conduct, Conduct::RefuseAll);
    assert!(unsupported[0].what.contains("no credentials"));
    for wrong in [
        "us-east-1:dynamodb:Query",
        "us-east-1:dynamodb",
        ":dynamodb:action/Query",
    ] {
        let error = config(wrong).compile(&backends).expect_err(wrong);
        assert_eq!(error.field(), "/uri");
    }
}
