//! Our own verifier of signatures stands where the services are: another implementation than the one that signs.

use std::net::SocketAddr;

use axum::Router;
use portcullis::auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis::auth::iam::Principal;
use portcullis::auth::sigv4::{SigV4Layer, SigV4Rules, SigV4Verifier};
use portcullis::integrations::Credentials;
use portcullis::{ApiSpec, Gateway};
use serde_json::{Value, json};

use crate::{Running, document, operation};

/// A service that answers whoever signs for it.
async fn verifying(rules: SigV4Rules) -> SocketAddr {
    let gateway = Principal::from_arn("arn:aws:iam::111111111111:user/gateway").expect("an ARN");
    let key = Credential::new("AKIDEXAMPLE", "a secret", Caller::new(gateway));
    let signed = SigV4Layer::new(SigV4Verifier::new(rules), MemoryCredentials::new([key]));
    let app = Router::new()
        .fallback(async || r#"{"statusCode": 200, "body": "signed"}"#)
        .layer(signed);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn aws(uri: &str, more: &Value) -> Value {
    let mut integration = json!({
        "type": "aws",
        "httpMethod": "POST",
        "uri": format!("arn:aws:apigateway:us-east-1:{uri}"),
        "responses": {"default": {"statusCode": "200"}, "403": {"statusCode": "502"}}
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        integration[name] = value.clone();
    }
    json!({"/x/{key}": {"x-amazon-apigateway-any-method": operation(&integration)}})
}

async fn check(service: &str, rules: SigV4Rules, api: impl Fn(String) -> ApiSpec, paths: &Value) {
    let address = verifying(rules).await;
    for (secret, right) in [("a secret", true), ("another", false)] {
        let builder = Gateway::builder()
            .api(api(document(paths)))
            .region("us-east-1")
            .credentials(Credentials::new("AKIDEXAMPLE", secret))
            .upstream(
                format!("https://{service}.us-east-1.amazonaws.com"),
                format!("http://{address}"),
            );
        let running = Running::start(builder).await;
        for path in ["/x/plain", "/x/a%2Fb%20c+d~(e)", "/x/%C3%A4%25?q=1%202&q"] {
            let answer = running.send("POST", path, r#"{"a": 1}"#).await;
            assert_eq!(
                answer.status == 200,
                right,
                "{service} {path}: {}",
                answer.text()
            );
        }
    }
}

fn rest(document: String) -> ApiSpec {
    ApiSpec::rest(document)
        .id("a")
        .stage_named("s")
        .stage_optional(true)
}

fn rules(service: &str) -> SigV4Rules {
    SigV4Rules::new("us-east-1", service).expect("valid")
}

#[tokio::test]
async fn actions_in_json_and_in_the_query_are_signed_as_the_standard_says() {
    check(
        "dynamodb",
        rules("dynamodb"),
        rest,
        &aws("dynamodb:action/Query", &json!({})),
    )
    .await;
    let mapped = json!({"requestParameters": {
        "integration.request.querystring.Message": "method.request.path.key",
        "integration.request.querystring.Subject": "'a b/c+d'"
    }});
    let action = aws(
        "sns:action/Publish&TopicArn=arn:aws:sns:us-east-1:1:t",
        &mapped,
    );
    check("sns", rules("sns"), rest, &action).await;
}

#[tokio::test]
async fn paths_are_signed_as_the_service_reads_them() {
    let mapped = json!({
        "httpMethod": "ANY",
        "requestParameters": {"integration.request.path.key": "method.request.path.key"}
    });
    let objects = rules("s3").s3_paths();
    check("s3", objects, rest, &aws("s3:path/bucket/{key}", &mapped)).await;
    check(
        "execute-api",
        rules("execute-api"),
        rest,
        &aws("execute-api:path/v1/{key}", &mapped),
    )
    .await;
}

#[tokio::test]
async fn functions_and_actions_of_http_apis_are_signed() {
    let uri = "arn:aws:lambda:us-east-1:111111111111:function:pets:prod";
    let function = json!({
        "type": "aws_proxy", "httpMethod": "POST", "payloadFormatVersion": "2.0", "uri": uri
    });
    let paths = json!({"/x/{key}": {"post": operation(&function)}});
    let http = |document| ApiSpec::http(document).id("a");
    check("lambda", rules("lambda"), http, &paths).await;
    let configuration = json!({
        "type": "aws_proxy",
        "payloadFormatVersion": "1.0",
        "integrationSubtype": "AppConfig-GetConfiguration",
        "requestParameters": {
            "Application": "$request.path.key", "Environment": "a b/c", "Configuration": "~",
            "ClientId": "${request.path.key} & more"
        }
    });
    let paths = json!({"/x/{key}": {"post": operation(&configuration)}});
    check("appconfig", rules("appconfig"), http, &paths).await;
}
