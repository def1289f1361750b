//! The events that functions get, and what their replies become.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{HeaderValue, Request, Response};
use portcullis_client::Client;
use portcullis_core::{ApiKind, Body, FunctionReply, Invocation, RequestContext};
use portcullis_integrations::{
    Backends, FunctionProxy, Functions, IntegrationConfig, IntegrationKind, PayloadFormat,
};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

use crate::support::{ECHO, in_gateway, post};

/// A registry with one function, `echo`, that keeps what it gets and returns `reply`.
fn keeping(reply: &Value) -> (Functions, Arc<Mutex<Vec<Invocation>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = Arc::clone(&kept);
    let reply = reply.to_string();
    let functions = Functions::builder().function("echo", move |call: Invocation| {
        keeper.lock().expect("nobody panics with it").push(call);
        let reply = reply.clone();
        async move { Ok(FunctionReply::success(reply)) }
    });
    (functions.build().expect("no URL"), kept)
}

fn event(kept: &Mutex<Vec<Invocation>>) -> Value {
    let calls = kept.lock().expect("nobody panics with it");
    let [call] = calls.as_slice() else {
        panic!("{} calls", calls.len());
    };
    assert_eq!(call.qualifier.as_deref(), Some("prod"));
    serde_json::from_slice(&call.payload).expect("JSON")
}

#[tokio::test]
async fn an_event_of_payload_1_is_as_recorded() {
    let (functions, kept) = keeping(&json!({"statusCode": 201, "body": "made"}));
    let proxy = FunctionProxy::new(functions, ECHO, ApiKind::Rest).expect("a function");
    let call = in_gateway(post(), ApiKind::Rest, 5);
    let context = call.extensions().get::<RequestContext>().cloned();
    let context = context.expect("it was put there");
    let response = proxy.oneshot(call).await.expect("infallible");
    assert_eq!(response.status(), 201);
    assert!(response.headers().contains_key("x-amzn-trace-id"));
    assert_eq!(testkit::text(response).await, "made");
    let trace = "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0";
    assert_eq!(
        event(&kept),
        json!({
            "resource": "/pets/{proxy+}",
            "path": "/pets/a%2Fb/",
            "httpMethod": "POST",
            "headers": {
                "Host": "abc.execute-api.us-east-1.amazonaws.com",
                "User-Agent": "tests",
                "X-Amzn-Trace-Id": trace,
                "content-type": "application/json",
                "cookie": "a=1; b=2",
                "x-a": "2",
            },
            "multiValueHeaders": {
                "Host": ["abc.execute-api.us-east-1.amazonaws.com"],
                "User-Agent": ["tests"],
                "X-Amzn-Trace-Id": [trace],
                "content-type": ["application/json"],
                "cookie": ["a=1; b=2"],
                "x-a": ["1", "2"],
            },
            "queryStringParameters": {"q": "b &", "e": ""},
            "multiValueQueryStringParameters": {"q": ["1", "b &"], "e": [""]},
            "pathParameters": {"proxy": "a%2Fb"},
            "stageVariables": {"alias": "prod"},
            "requestContext": {
                "resourceId": "r1",
                "resourcePath": "/pets/{proxy+}",
                "httpMethod": "POST",
                "extendedRequestId": context.extended_request_id().to_string(),
                "requestTime": "01/Jan/2025:00:00:00 +0000",
                "path": "/test/pets/a%2Fb/",
                "accountId": "111111111111",
                "protocol": "HTTP/1.1",
                "stage": "test",
                "domainPrefix": "abc",
                "requestTimeEpoch": 1_735_689_600_000_i64,
                "requestId": context.request_id().to_string(),
                "identity": {
                    "cognitoIdentityPoolId": null,
                    "accountId": null,
                    "cognitoIdentityId": null,
                    "caller": null,
                    "sourceIp": "192.0.2.9",
                    "principalOrgId": null,
                    "accessKey": null,
                    "cognitoAuthenticationType": null,
                    "cognitoAuthenticationProvider": null,
                    "userArn": null,
                    "userAgent": "tests",
                    "user": null,
                },
                "domainName": "abc.execute-api.us-east-1.amazonaws.com",
                "deploymentId": "d1",
                "apiId": "abc",
            },
            "body": "\"hi\"",
            "isBase64Encoded": false,
        })
    );
}

#[tokio::test]
async fn an_event_of_payload_1_has_its_members_in_the_recorded_order() {
    let (functions, kept) = keeping(&json!({}));
    let proxy = FunctionProxy::new(functions, ECHO, ApiKind::Rest).expect("a function");
    let call = in_gateway(post(), ApiKind::Rest, 5);
    proxy.oneshot(call).await.expect("infallible");
    let calls = kept.lock().expect("nobody panics with it");
    let text = String::from_utf8_lossy(&calls[0].payload).into_owned();
    let mut last = 0;
    for member in [
        "resource",
        "path",
        "httpMethod",
        "headers",
        "multiValueHeaders",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "requestContext",
        "resourceId",
        "resourcePath",
        "extendedRequestId",
        "requestTime",
        "accountId",
        "protocol",
        "stage",
        "domainPrefix",
        "requestTimeEpoch",
        "requestId",
        "identity",
        "domainName",
        "deploymentId",
        "apiId",
        "body",
        "isBase64Encoded",
    ] {
        let at = text[last..].find(&format!("\"{member}\":"));
        last += at.unwrap_or_else(|| panic!("{member} comes too early or not at all: {text}"));
    }
}

#[tokio::test]
async fn an_event_of_payload_2_leaves_out_what_is_not_there() {
    let (functions, kept) = keeping(&json!({"made": true}));
    let proxy = FunctionProxy::new(functions, ECHO, ApiKind::Http).expect("a function");
    let proxy = proxy.with_payload_format(PayloadFormat::V2);
    let call = in_gateway(post(), ApiKind::Http, 5);
    let context = call.extensions().get::<RequestContext>().cloned();
    let context = context.expect("it was put there");
    let response = proxy.clone().oneshot(call).await.expect("infallible");
    assert_eq!(testkit::json(response).await, json!({"made": true}));
    let event_2 = event(&kept);
    assert_eq!(
        event_2,
        json!({
            "version": "2.0",
            "routeKey": "POST /pets/{proxy+}",
            "rawPath": "/test/pets/a%2Fb/",
            "rawQueryString": "q=1&q=b+%26&e",
            "cookies": ["a=1", "b=2"],
            "headers": {
                "host": "abc.execute-api.us-east-1.amazonaws.com",
                "user-agent": "tests",
                "content-type": "application/json",
                "x-a": "1,2",
                "x-amzn-trace-id": "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0",
            },
            "queryStringParameters": {"q": "1,b &", "e": ""},
            "requestContext": {
                "accountId": "111111111111",
                "apiId": "abc",
                "domainName": "abc.execute-api.us-east-1.amazonaws.com",
                "domainPrefix": "abc",
                "http": {
                    "method": "POST",
                    "path": "/test/pets/a%2Fb/",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.9",
                    "userAgent": "tests",
                },
                "requestId": context.extended_request_id().to_string(),
                "routeKey": "POST /pets/{proxy+}",
                "stage": "test",
                "time": "01/Jan/2025:00:00:00 +0000",
                "timeEpoch": 1_735_689_600_000_i64,
            },
            "body": "\"hi\"",
            "pathParameters": {"proxy": "a/b"},
            "isBase64Encoded": false,
            "stageVariables": {"alias": "prod"},
        })
    );
}

#[tokio::test]
async fn what_is_absent_is_null_in_payload_1() {
    let functions = Functions::builder()
        .function("echo", |call: Invocation| async move {
            let event = String::from_utf8_lossy(&call.payload).into_owned();
            Ok(FunctionReply::success(json!({ "body": event }).to_string()))
        })
        .build()
        .expect("no URL");
    let proxy = FunctionProxy::new(functions, "echo", ApiKind::Rest).expect("a function");
    let get = Request::get("/").body(Body::empty()).expect("valid");
    let response = proxy.oneshot(get).await.expect("infallible");
    let event = testkit::json(response).await;
    for member in [
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ] {
        assert_eq!(event.get(member), Some(&Value::Null), "{member}");
    }
}

#[tokio::test]
async fn bytes_are_base64_both_ways() {
    let (functions, kept) = keeping(&json!({"body": "AAE=", "isBase64Encoded": true}));
    let mut config = IntegrationConfig::new(IntegrationKind::AwsProxy, ApiKind::Rest);
    config.uri = Some(ECHO.into());
    config.method = Some("POST".into());
    config.binary_media_types = vec!["image/*".into()];
    let backends = Backends::new(Client::builder().build().expect("valid"), functions);
    let compiled = config.compile(&backends).expect("valid");
    let mut call = post();
    let png = HeaderValue::from_static("image/png");
    call.headers_mut().insert("content-type", png.clone());
    call.headers_mut().insert("accept", png);
    *call.body_mut() = Body::from(vec![0xff, 0xfe]);
    let call = in_gateway(call, ApiKind::Rest, 5);
    let response = compiled
        .integration
        .oneshot(call)
        .await
        .expect("infallible");
    assert_eq!(testkit::bytes(response.into_body()).await, [0_u8, 1][..]);
    let event = event(&kept);
    assert_eq!(event["body"], "//4=");
    assert_eq!(event["isBase64Encoded"], true);
}

#[tokio::test]
async fn a_compressed_body_is_read_by_a_rest_api() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder
        .write_all(b"\"hi\"")
        .expect("a vector takes all of it");
    let gzip = encoder.finish().expect("a vector takes all of it");
    for (coding, body, expected) in [
        ("gzip", gzip, "\"hi\""),
        ("br", b"\"hi\"".to_vec(), "\"hi\""),
    ] {
        let (functions, kept) = keeping(&json!({"statusCode": 200}));
        let proxy = FunctionProxy::new(functions, ECHO, ApiKind::Rest).expect("a function");
        let mut call = post();
        let coding = HeaderValue::from_static(coding);
        call.headers_mut().insert("content-encoding", coding);
        *call.body_mut() = Body::from(body);
        let response = proxy.oneshot(in_gateway(call, ApiKind::Rest, 5)).await;
        assert_eq!(response.expect("infallible").status(), 200);
        assert_eq!(event(&kept)["body"], expected);
    }
}

#[tokio::test]
async fn a_service_gets_the_request_itself() {
    let service = service_fn(|request: Request<Body>| async move {
        let (path, host) = (request.uri().to_string(), request.headers()["host"].clone());
        let body = testkit::bytes(request.into_body()).await;
        let mut response = Response::new(Body::from(format!("{path} {}", body.len())));
        response.headers_mut().insert("x-host", host);
        Ok::<_, Infallible>(response)
    });
    let functions = Functions::builder().service("echo", service);
    let functions = functions.build().expect("no URL");
    let proxy = FunctionProxy::new(functions, ECHO, ApiKind::Rest).expect("a function");
    let call = in_gateway(post(), ApiKind::Rest, 5);
    let response = proxy.oneshot(call).await.expect("infallible");
    assert_eq!(
        response.headers()["x-host"],
        "abc.execute-api.us-east-1.amazonaws.com"
    );
    let text = testkit::text(response).await;
    assert_eq!(text, "/pets/a%2Fb/?q=1&q=b+%26&e 4", "without the stage");
}
