//! The integrations of HTTP APIs that name an action by `integrationSubtype`.

use http::{HeaderValue, Request};
use portcullis_client::Client;
use portcullis_core::{ApiKind, Body, Detail, RequestContext};
use portcullis_integrations::{
    Backends, Compiled, Conduct, ConfigError, Credentials, Functions, IntegrationConfig,
    IntegrationKind, PayloadFormat,
};
use portcullis_testkit::{HyperServer, Recorder, request as testkit, signed, wire};
use serde_json::{Value, json};

use crate::support::{aws, call, compile};

fn own() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret")
}

fn config(subtype: &str, parameters: &[(&str, &str)]) -> IntegrationConfig {
    let mut config = IntegrationConfig::new(IntegrationKind::AwsProxy, ApiKind::Http);
    config.subtype = Some(subtype.into());
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    config.request_parameters = parameters.iter().map(owned).collect();
    config.payload_format = Some(PayloadFormat::V1);
    config
}

fn fault(config: &IntegrationConfig) -> ConfigError {
    let client = Client::builder().build().expect("valid");
    let backends = Backends::new(client, Functions::default());
    config.compile(&backends).expect_err("it is wrong")
}

fn post(body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/pets/7?group=g").header("x-size", "7");
    request.body(body.into()).expect("valid")
}

/// One call and what the service gets of it.
struct Case {
    subtype: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    host: &'static str,
    target: Option<&'static str>,
    uri: &'static str,
    body: Sent,
}

enum Sent {
    Json(Value),
    Form(&'static str),
    Nothing,
}

fn cases() -> Vec<Case> {
    vec![
        Case {
            subtype: "EventBridge-PutEvents",
            parameters: &[
                (
                    "Detail",
                    r#"{"id": "${request.path.key}", "pet": ${request.body.pet}}"#,
                ),
                ("DetailType", "pet.$request"),
                ("Source", "${stageVariables.role}.shop"),
                ("Time", "2015-08-30T12:36:00Z"),
                ("Resources", "$request.body.arns"),
                ("EventBusName", "pets"),
                ("Region", "eu-west-1"),
            ],
            host: "events/eu-west-1",
            target: Some("AWSEvents.PutEvents"),
            uri: "/",
            body: Sent::Json(json!({"Entries": [{
                "Detail": r#"{"id": "7", "pet": "Rex"}"#,
                "DetailType": "pet.$request",
                "Source": "pets.shop",
                "Time": 1_440_938_160,
                "EventBusName": "pets",
                "Resources": ["a", "b"],
            }]})),
        },
        Case {
            subtype: "SQS-SendMessage",
            parameters: &[
                ("QueueUrl", "https://sqs.us-east-1.amazonaws.com/1/pets"),
                ("MessageBody", "$request.body"),
                ("DelaySeconds", "$request.header.x-size"),
                ("MessageGroupId", "$request.querystring.group"),
                (
                    "MessageAttributes",
                    r#"{"Pet": {"DataType": "String", "StringValue": "a ${request.body.pet}"}}"#,
                ),
            ],
            host: "sqs/us-east-1",
            target: None,
            uri: "/",
            body: Sent::Form(
                "Action=SendMessage&Version=2012-11-05&QueueUrl=https%3A%2F%2Fsqs.us-east-1.amazonaws.com%2F1%2Fpets&MessageBody=%7B%22pet%22%3A%22Rex%22%2C%22arns%22%3A%5B%22a%22%2C%22b%22%5D%7D&DelaySeconds=7&MessageAttribute.1.Name=Pet&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=a+Rex&MessageGroupId=g",
            ),
        },
        Case {
            subtype: "SQS-ReceiveMessage",
            parameters: &[
                ("QueueUrl", "q"),
                ("AttributeNames", "SenderId,SentTimestamp"),
                ("MaxNumberOfMessages", "5"),
            ],
            host: "sqs/us-east-1",
            target: None,
            uri: "/",
            body: Sent::Form(
                "Action=ReceiveMessage&Version=2012-11-05&QueueUrl=q&AttributeName.1=SenderId&AttributeName.2=SentTimestamp&MaxNumberOfMessages=5",
            ),
        },
        Case {
            subtype: "SQS-DeleteMessage",
            parameters: &[("QueueUrl", "q"), ("ReceiptHandle", "$request.path.key")],
            host: "sqs/us-east-1",
            target: None,
            uri: "/",
            body: Sent::Form("Action=DeleteMessage&Version=2012-11-05&ReceiptHandle=7&QueueUrl=q"),
        },
        Case {
            subtype: "SQS-PurgeQueue",
            parameters: &[("QueueUrl", "q")],
            host: "sqs/us-east-1",
            target: None,
            uri: "/",
            body: Sent::Form("Action=PurgeQueue&Version=2012-11-05&QueueUrl=q"),
        },
        Case {
            subtype: "AppConfig-GetConfiguration",
            parameters: &[
                ("Application", "shop"),
                ("Environment", "a/b ${stageVariables.role}"),
                ("Configuration", "flags"),
                ("ClientId", "$context.apiId"),
                ("ClientConfigurationVersion", "3"),
            ],
            host: "appconfig/us-east-1",
            target: None,
            uri: "/applications/shop/environments/a%2Fb%20pets/configurations/flags?client_id=abc&client_configuration_version=3",
            body: Sent::Nothing,
        },
        Case {
            subtype: "Kinesis-PutRecord",
            parameters: &[
                ("StreamName", "pets"),
                ("Data", "J0hlbGxvJw=="),
                ("PartitionKey", "$request.body.pet"),
            ],
            host: "kinesis/us-east-1",
            target: Some("Kinesis_20131202.PutRecord"),
            uri: "/",
            body: Sent::Json(
                json!({"StreamName": "pets", "Data": "J0hlbGxvJw==", "PartitionKey": "Rex"}),
            ),
        },
        Case {
            subtype: "StepFunctions-StartExecution",
            parameters: &[("StateMachineArn", "arn:1"), ("Input", "$request.body")],
            host: "states/us-east-1",
            target: Some("AWSStepFunctions.StartExecution"),
            uri: "/",
            body: Sent::Json(
                json!({"stateMachineArn": "arn:1", "input": r#"{"pet":"Rex","arns":["a","b"]}"#}),
            ),
        },
        Case {
            subtype: "StepFunctions-StartSyncExecution",
            parameters: &[("StateMachineArn", "arn:1"), ("TraceHeader", "Root=1")],
            host: "states/us-east-1",
            target: Some("AWSStepFunctions.StartSyncExecution"),
            uri: "/",
            body: Sent::Json(json!({"stateMachineArn": "arn:1", "traceHeader": "Root=1"})),
        },
        Case {
            subtype: "StepFunctions-StopExecution",
            parameters: &[("ExecutionArn", "arn:2"), ("Cause", "why"), ("Error", "E")],
            host: "states/us-east-1",
            target: Some("AWSStepFunctions.StopExecution"),
            uri: "/",
            body: Sent::Json(json!({"executionArn": "arn:2", "cause": "why", "error": "E"})),
        },
    ]
}

#[tokio::test]
async fn each_subtype_calls_its_action_with_the_mapped_values() {
    for case in cases() {
        let service = Recorder::new(|_| {
            let mut response = testkit::answer(200, r#"{"done":true}"#);
            let id = HeaderValue::from_static("r-1");
            response.headers_mut().insert("x-amzn-requestid", id);
            response
        });
        let server = HyperServer::start(service.clone()).await;
        let config = config(case.subtype, case.parameters);
        let compiled = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
        assert!(compiled.unsupported.is_empty());
        let body = r#"{"pet":"Rex","arns":["a","b"]}"#;
        let response = call(&compiled, post(body)).await;
        assert_eq!(response.status(), 200, "{}", case.subtype);
        assert_eq!(response.headers()["x-amzn-requestid"], "r-1");
        assert_eq!(testkit::text(response).await, r#"{"done":true}"#);

        let got = service.only();
        assert_eq!(got.uri, case.uri, "{}", case.subtype);
        assert_eq!(got.header("x-amz-target"), case.target, "{}", case.subtype);
        assert!(got.header("x-amzn-trace-id").is_some());
        match case.body {
            Sent::Json(expected) => {
                assert_eq!(got.method, "POST");
                let content_type = got.header("content-type").expect("it has one");
                assert!(content_type.starts_with("application/x-amz-json-1."));
                let sent: Value = serde_json::from_str(&got.text()).expect("JSON");
                assert_eq!(sent, expected, "{}", case.subtype);
            }
            Sent::Form(expected) => {
                assert_eq!(got.method, "POST");
                let content_type = got.header("content-type");
                assert_eq!(content_type, Some("application/x-www-form-urlencoded"));
                assert_eq!(got.text(), expected);
            }
            Sent::Nothing => assert_eq!((got.method.as_str(), &*got.text()), ("GET", "")),
        }
        let signed = signed(&got, "secret");
        assert_eq!(format!("{}/{}", signed.service, signed.region), case.host);
    }
}

async fn status_and_text(compiled: &Compiled, request: Request<Body>) -> (u16, String) {
    let response = call(compiled, request).await;
    let status = response.status().as_u16();
    (status, testkit::text(response).await)
}

#[tokio::test]
async fn a_value_that_is_not_there_is_400_and_nobody_is_called() {
    let service = Recorder::new(|_| testkit::answer(200, "{}"));
    let server = HyperServer::start(service.clone()).await;
    let kinesis = |name: &str| {
        let config = config(
            "Kinesis-PutRecord",
            &[
                ("Data", "J0hlbGxvJw=="),
                ("PartitionKey", "p1"),
                ("StreamName", "$request.body.streamName"),
                (name, "$request.body.optional"),
            ],
        );
        compile(&config, aws(&server.url(""), own()).build().expect("valid"))
    };
    // As recorded: an optional parameter that is mapped must have a value, too.
    for (body, property) in [
        (r#"{"optional": "1"}"#, "StreamName"),
        (r#"{"streamName": "", "optional": "1"}"#, "StreamName"),
        (r#"{"streamName": "s"}"#, "ExplicitHashKey"),
        (r#"{"streamName": "s", "optional": ""}"#, "ExplicitHashKey"),
        ("", "StreamName"),
        ("no JSON", "StreamName"),
    ] {
        let (status, text) = status_and_text(&kinesis("ExplicitHashKey"), post(body)).await;
        assert_eq!(status, 400, "{body}");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let message = answer["message"].as_str().expect("a message");
        let expected = format!("Unable to resolve property {property} from source $request.body.");
        assert!(message.starts_with(&expected), "{message}");
    }
    assert_eq!(service.count(), 0);
    let whole = r#"{"streamName": "s", "optional": "1"}"#;
    let (status, _) = status_and_text(&kinesis("ExplicitHashKey"), post(whole)).await;
    assert_eq!((status, service.count()), (200, 1));
}

#[tokio::test]
async fn a_client_names_no_host_and_no_wrong_number() {
    let service = Recorder::new(|_| testkit::answer(200, "{}"));
    let server = HyperServer::start(service.clone()).await;
    for (name, value) in [
        ("Region", "evil.example.com/"),
        ("Region", "US-EAST-1"),
        ("MaxNumberOfMessages", "many"),
    ] {
        let config = config(
            "SQS-ReceiveMessage",
            &[("QueueUrl", "q"), (name, "$request.body")],
        );
        let compiled = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
        let (status, text) = status_and_text(&compiled, post(value)).await;
        assert_eq!(status, 400, "{value}");
        assert!(text.contains(name), "{text}");
    }
    let dots = config(
        "AppConfig-GetConfiguration",
        &[
            ("Application", "$request.body"),
            ("Environment", "e"),
            ("Configuration", "c"),
            ("ClientId", "1"),
        ],
    );
    let compiled = compile(&dots, aws(&server.url(""), own()).build().expect("valid"));
    assert_eq!(status_and_text(&compiled, post("..")).await.0, 400);
    assert_eq!(service.count(), 0);
}

#[tokio::test]
async fn a_service_that_refuses_is_500_and_the_log_says_why() {
    let service = Recorder::new(|_| testkit::answer(400, r#"{"__type":"NoSuchStream"}"#));
    let server = HyperServer::start(service.clone()).await;
    let config = config("SQS-PurgeQueue", &[("QueueUrl", "q")]);
    let compiled = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
    let mut request = post("");
    let context = RequestContext::of(&mut request).clone();
    let (status, text) = status_and_text(&compiled, request).await;
    assert_eq!(status, 500);
    assert_eq!(text, r#"{"message":"Internal Server Error"}"#);
    let noted = context
        .noted(Detail::IntegrationError)
        .expect("it is noted");
    assert!(noted.contains("NoSuchStream"), "{noted}");
}

#[tokio::test]
async fn a_service_that_is_away_or_silent_is_503() {
    let mut config = config("SQS-PurgeQueue", &[("QueueUrl", "q")]);
    config.timeout = Some(std::time::Duration::from_millis(50));
    let silent = tower::service_fn(|_: Request<hyper::body::Incoming>| {
        std::future::pending::<Result<http::Response<Body>, std::io::Error>>()
    });
    let server = HyperServer::start(silent).await;
    for origin in ["http://127.0.0.1:1".to_owned(), server.url("")] {
        let compiled = compile(&config, aws(&origin, own()).build().expect("valid"));
        let (status, text) = status_and_text(&compiled, post("")).await;
        assert_eq!(status, 503, "{origin}");
        assert_eq!(text, r#"{"message":"Service Unavailable"}"#);
    }
}

#[tokio::test]
async fn a_body_over_the_cap_is_413_and_an_answer_over_it_is_500() {
    let service = Recorder::new(|_| testkit::answer(200, "12345678"));
    let server = HyperServer::start(service.clone()).await;
    let mut config = config(
        "SQS-SendMessage",
        &[("QueueUrl", "q"), ("MessageBody", "$request.body")],
    );
    config.max_request_bytes = Some(4);
    config.max_response_bytes = Some(4);
    let compiled = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
    assert_eq!(status_and_text(&compiled, post("12345")).await.0, 413);
    assert_eq!(service.count(), 0);
    assert_eq!(status_and_text(&compiled, post("1234")).await.0, 500);
}

#[tokio::test]
async fn responses_are_mapped_by_their_status() {
    let service = Recorder::new(|_| testkit::answer(200, r#"{"id": 7}"#));
    let server = HyperServer::start(service.clone()).await;
    let mut config = config("SQS-PurgeQueue", &[("QueueUrl", "q")]);
    let mapping = [
        ("overwrite:statuscode", "202"),
        ("append:header.x-id", "$response.body.id"),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    config.response_parameters = vec![("200".into(), mapping.map(owned).into())];
    let compiled = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
    let response = call(&compiled, post("")).await;
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["x-id"], "7");
    assert_eq!(service.count(), 1);
}

#[tokio::test]
async fn the_caller_signs_only_if_its_credentials_are_known() {
    let service = Recorder::new(|_| testkit::answer(200, "{}"));
    let server = HyperServer::start(service.clone()).await;
    let mut config = config("SQS-PurgeQueue", &[("QueueUrl", "q")]);
    config.credentials = Some("arn:aws:iam::*:user/*".into());
    let unknown = compile(&config, aws(&server.url(""), own()).build().expect("valid"));
    assert_eq!(unknown.unsupported[0].field, "/credentials");
    assert_eq!(status_and_text(&unknown, post("")).await.0, 500);
    assert_eq!(service.count(), 0);
    let known = aws(&server.url(""), own())
        .callers(|_| async { Ok(Some(Credentials::new("AKTOM", "theirs"))) });
    let compiled = compile(&config, known.build().expect("valid"));
    assert_eq!(status_and_text(&compiled, post("")).await.0, 200);
    assert_eq!(signed(&service.only(), "theirs").access_key_id, "AKTOM");
}

#[tokio::test]
async fn it_serves_alone_over_hyper_and_under_an_axum_router() {
    let service = Recorder::new(|_| testkit::answer(200, "<sent/>"));
    let services = HyperServer::start(service.clone()).await;
    let config = config(
        "SQS-SendMessage",
        &[("QueueUrl", "q"), ("MessageBody", "$request.body")],
    );
    let aws = aws(&services.url(""), own()).build().expect("valid");
    let send = compile(&config, aws).integration;
    let router = axum::Router::new().route_service("/orders", send.clone());
    for server in [
        HyperServer::start(send).await,
        HyperServer::start(router).await,
    ] {
        service.clear();
        let request =
            "POST /orders HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nconnection: close\r\n\r\nRex";
        let answer = wire::send(server.addr(), request).await;
        assert_eq!((answer.status, &*answer.text()), (200, "<sent/>"));
        let got = service.only();
        assert!(got.text().ends_with("&MessageBody=Rex"), "{}", got.text());
        assert_eq!(signed(&got, "secret").service, "sqs");
    }
}

#[test]
fn what_cannot_be_called_is_told_at_build_time() {
    let queue = ("QueueUrl", "q");
    for (subtype, parameters, field, part) in [
        (
            "SQS-SendMesage",
            &[queue][..],
            "/integrationSubtype",
            "SQS-SendMessage",
        ),
        (
            "SQS-SendMessage",
            &[queue],
            "/requestParameters",
            "`MessageBody`",
        ),
        (
            "SQS-PurgeQueue",
            &[queue, ("MessageBody", "x")],
            "/requestParameters/MessageBody",
            "takes QueueUrl and Region",
        ),
        (
            "SQS-PurgeQueue",
            &[("QueueUrl", "")],
            "/requestParameters/QueueUrl",
            "is empty",
        ),
        (
            "SQS-PurgeQueue",
            &[("QueueUrl", "$request.nothing")],
            "/requestParameters/QueueUrl",
            "not the name of a value",
        ),
        (
            "SQS-PurgeQueue",
            &[queue, ("Region", "x/y")],
            "/requestParameters/Region",
            "no region",
        ),
        (
            "SQS-ReceiveMessage",
            &[queue, ("WaitTimeSeconds", "long")],
            "/requestParameters/WaitTimeSeconds",
            "not a whole number",
        ),
    ] {
        let error = fault(&config(subtype, parameters));
        assert_eq!(error.field(), field);
        assert!(error.problem().contains(part), "{error}");
    }
    let mut other = config("SQS-PurgeQueue", &[queue]);
    other.payload_format = Some(PayloadFormat::V2);
    assert_eq!(fault(&other).field(), "/payloadFormatVersion");
    other.payload_format = None;
    other.kind = IntegrationKind::HttpProxy;
    assert_eq!(fault(&other).field(), "/integrationSubtype");
}

#[test]
fn without_credentials_it_is_refused_and_reported() {
    let client = Client::builder().build().expect("valid");
    let backends = Backends::new(client, Functions::default());
    let compiled = config("SQS-PurgeQueue", &[("QueueUrl", "q")]).compile(&backends);
    let unsupported = compiled.expect("valid").unsupported;
    assert_eq!(unsupported[0].field, "/integrationSubtype");
    assert_eq!(unsupported[0].conduct, Conduct::RefuseAll);
}
