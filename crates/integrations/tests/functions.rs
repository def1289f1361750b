//! Functions: their events, their replies, and the ways to reach them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use portcullis_client::Client;
use portcullis_core::{
    ApiKind, ApiStage, Body, Clock, FunctionError, FunctionErrorKind, FunctionReply, Invocation,
    ManualClock, MatchedRoute, RequestContext, Route,
};
use portcullis_integrations::{
    Backends, FunctionProxy, Functions, IntegrationConfig, IntegrationKind, PayloadFormat,
    ResponseConfig,
};
use portcullis_testkit::{HyperServer, Recorder, request as testkit};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

const ECHO: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:echo:${stageVariables.alias}/invocations";

/// The request as a gateway hands it in, received at the start of 2025.
fn in_gateway(mut request: Request<Body>, api: ApiKind, path_at: usize) -> Request<Body> {
    let uri = request.uri().clone();
    let clock: &dyn Clock = &ManualClock::default();
    let context = RequestContext::new(&request, clock);
    let mut stage = ApiStage::default();
    stage.kind = api;
    stage.account_id = "111111111111".into();
    stage.api_id = "abc".into();
    stage.stage = "test".into();
    stage.deployment_id = Some("d1".into());
    stage.variables = [("alias".to_owned(), "prod".to_owned())].into();
    context.set_stage(stage);
    let mut route = Route::new("/pets/{proxy+}");
    route.resource_id = Some("r1".into());
    route.route_key = Some("POST /pets/{proxy+}".into());
    context.set_route(MatchedRoute::new(route, &uri, path_at));
    context.set_client("192.0.2.9".parse().expect("an address"));
    request.extensions_mut().insert(context);
    request
}

fn post() -> Request<Body> {
    Request::post("/test/pets/a%2Fb/?q=1&q=b+%26&e")
        .header("host", "abc.execute-api.us-east-1.amazonaws.com")
        .header("user-agent", "tests")
        .header("x-a", "1")
        .header("x-a", "2")
        .header("cookie", "a=1; b=2")
        .header("content-length", "4")
        .header("content-type", "application/json")
        .header(
            "x-amzn-trace-id",
            "Root=1-66b3c0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0",
        )
        .body(Body::from("\"hi\""))
        .expect("a valid request")
}

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

#[tokio::test]
async fn a_function_elsewhere_is_called_by_the_invoke_api() {
    let backend = Recorder::new(|got| {
        let (status, error, body) = match got.uri.path() {
            "/2015-03-31/functions/ok/invocations" => (200, None, r#"{"statusCode":204}"#),
            "/2015-03-31/functions/bad/invocations" => (200, Some("Unhandled"), "{}"),
            "/2015-03-31/functions/busy/invocations" => (429, None, "{}"),
            _ => (404, None, "{}"),
        };
        let mut response = testkit::answer(status, body);
        if let Some(error) = error {
            let error = HeaderValue::from_static(error);
            response.headers_mut().insert("x-amz-function-error", error);
        }
        response
    });
    let server = HyperServer::start(backend.clone()).await;
    let client = Client::builder().build().expect("valid");
    for (name, rest, http) in [
        ("ok", 204, 204),
        ("bad", 502, 500),
        ("busy", 500, 500),
        ("none", 500, 500),
    ] {
        let functions = Functions::builder()
            .url(name, server.url("/"))
            .client(client.clone())
            .build()
            .expect("a URL");
        for (api, expected) in [(ApiKind::Rest, rest), (ApiKind::Http, http)] {
            let uri = format!("arn:aws:lambda:us-east-1:1:function:{name}:prod");
            let proxy = FunctionProxy::new(functions.clone(), &uri, api).expect("a function");
            let call = in_gateway(post(), api, 5);
            let response = proxy.oneshot(call).await.expect("infallible");
            assert_eq!(response.status(), expected, "{name} {api:?}");
        }
    }
    let got = &backend.requests()[0];
    assert_eq!(got.method, "POST");
    assert_eq!(got.uri.query(), Some("Qualifier=prod"));
    assert_eq!(got.header("x-amz-invocation-type"), Some("RequestResponse"));
    assert!(got.text().starts_with(r#"{"resource":"#));
}

#[tokio::test]
async fn a_function_that_fails_is_502_or_500() {
    let cases: [(Result<FunctionReply, FunctionErrorKind>, u16, u16); 5] = [
        (
            Ok(FunctionReply::failure(r#"{"errorMessage":"x"}"#)),
            502,
            500,
        ),
        (Ok(FunctionReply::success("not JSON")), 502, 500),
        (
            Ok(FunctionReply::success(r#"{"statusCode":"x"}"#)),
            502,
            500,
        ),
        (Err(FunctionErrorKind::Timeout), 504, 503),
        (Err(FunctionErrorKind::Unreachable), 502, 500),
    ];
    for (outcome, rest, http) in cases {
        let shown = format!("{outcome:?}");
        let functions = Functions::builder().function("echo", move |_: Invocation| {
            let outcome = outcome.clone().map_err(FunctionError::new);
            async { outcome }
        });
        let functions = functions.build().expect("no URL");
        for (api, expected) in [(ApiKind::Rest, rest), (ApiKind::Http, http)] {
            let proxy = FunctionProxy::new(functions.clone(), "echo", api).expect("a function");
            let response = proxy.oneshot(post()).await.expect("infallible");
            assert_eq!(response.status(), expected, "{shown} {api:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_never_returns_is_timed_out() {
    let functions = Functions::builder()
        .function("echo", |_: Invocation| std::future::pending())
        .build()
        .expect("no URL");
    let proxy = FunctionProxy::new(functions, "echo", ApiKind::Rest).expect("a function");
    let started = tokio::time::Instant::now();
    let response = proxy.oneshot(post()).await.expect("infallible");
    assert_eq!(response.status(), 504);
    assert_eq!(
        started.elapsed().as_millis() / 100,
        290,
        "29 s is the default"
    );
}

fn action(change: impl FnOnce(&mut IntegrationConfig)) -> IntegrationConfig {
    let mut config = IntegrationConfig::new(IntegrationKind::Aws, ApiKind::Rest);
    config.uri = Some("arn:aws:lambda:us-east-1:1:function:echo".into());
    config.responses = vec![ResponseConfig::new("200")];
    change(&mut config);
    config
}

fn backends(functions: Functions) -> Backends {
    Backends::new(Client::builder().build().expect("valid"), functions)
}

#[tokio::test]
async fn a_custom_integration_gives_the_body_and_gets_one() {
    let functions = Functions::builder()
        .function("echo", |call: Invocation| async {
            Ok(FunctionReply::success(call.payload))
        })
        .build()
        .expect("no URL");
    let compiled = action(|_| {}).compile(&backends(functions)).expect("valid");
    for (body, status, expected) in [
        ("", 200, "{}"),
        ("\"HelloWorld\"", 200, "\"HelloWorld\""),
        ("{\"a\":1}", 200, "{\"a\":1}"),
        ("not JSON", 400, "{\"message\":\"Bad Request\"}"),
    ] {
        let call = Request::post("/").body(Body::from(body)).expect("valid");
        let response = compiled.integration.clone().oneshot(call).await;
        let response = response.expect("infallible");
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(testkit::text(response).await, expected);
    }
}

#[tokio::test]
async fn an_error_message_selects_the_response() {
    let functions = Functions::builder()
        .function("echo", |call: Invocation| async move {
            Ok(match &*call.payload {
                b"200" => FunctionReply::success("\"Pass\""),
                b"400" => {
                    FunctionReply::failure(r#"{"errorMessage":"Error: four hundred, it is"}"#)
                }
                _ => FunctionReply::failure(r#"{"errorMessage":"Error: else"}"#),
            })
        })
        .build()
        .expect("no URL");
    let config = action(|config| {
        for (pattern, status) in [(".*four hundred.*", "405"), (".+", "502"), ("200", "504")] {
            let mut response = ResponseConfig::new(status);
            response.pattern = Some(pattern.into());
            config.responses.push(response);
        }
    });
    let compiled = config.compile(&backends(functions)).expect("valid");
    for (body, expected) in [("200", 200), ("400", 405), ("500", 502)] {
        let call = Request::post("/").body(Body::from(body)).expect("valid");
        let response = compiled.integration.clone().oneshot(call).await;
        assert_eq!(response.expect("infallible").status(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_call_is_not_waited_for() {
    let (done, mut finished) = tokio::sync::mpsc::unbounded_channel();
    let functions = Functions::builder()
        .function("echo", move |call: Invocation| {
            let done = done.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(60)).await;
                let _ = done.send(call.asynchronous);
                Ok(FunctionReply::success("\"late\""))
            }
        })
        .build()
        .expect("no URL");
    let config = action(|config| {
        let name = "integration.request.header.X-Amz-Invocation-Type";
        config.request_parameters = vec![(name.into(), "'Event'".into())];
    });
    let compiled = config.compile(&backends(functions)).expect("valid");
    let call = Request::post("/").body(Body::empty()).expect("valid");
    let response = compiled
        .integration
        .oneshot(call)
        .await
        .expect("infallible");
    assert_eq!(response.status(), 200);
    assert_eq!(testkit::text(response).await, "");
    assert!(finished.try_recv().is_err());
    assert_eq!(finished.recv().await, Some(true), "but it runs to its end");
}

#[test]
fn a_url_that_is_none_is_an_error_that_names_the_function() {
    let client = Client::builder().build().expect("valid");
    let builder = Functions::builder().url("pets", "127.0.0.1:9001");
    let error = builder.client(client).build().expect_err("no scheme");
    assert_eq!(error.field(), "/functions/pets/url");
    let builder = Functions::builder().url("pets", "http://127.0.0.1:9001");
    assert!(builder.build().is_err(), "there is no client");
}
