//! Execution logs, by what the settings of methods ask for.

use http::Request;
use http_body_util::BodyExt;
use portcullis::core::Body;
use portcullis::observe::ExecutionLog;
use portcullis::{ApiSpec, Served};
use serde_json::json;
use tower::ServiceExt;

use crate::support::{builder, get, rest, sink};

#[tokio::test]
async fn methods_log_what_their_level_asks_for() {
    let (sink, written) = sink();
    let stages = json!([{ "stageName": "prod", "methodSettings": {
        "*/*": { "loggingLevel": "ERROR" },
        "/pets/GET": { "loggingLevel": "INFO", "dataTraceEnabled": true },
        "/pets/{id}/GET": { "loggingLevel": "OFF" }
    } }]);
    let gateway = builder()
        .api(rest(stages))
        .execution_log(ExecutionLog::new(sink.clone()))
        .build()
        .unwrap();
    let request = Request::get("/prod/pets?page=2&token=hidden")
        .header("host", "localhost")
        .header("authorization", "Bearer hidden")
        .header("x-forged", "a\tb")
        .body(Body::from("{\"a\": 1}\n"))
        .unwrap();
    let response = gateway.clone().oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    let lines = written.lines(&sink);
    let text = lines.join("\n");
    assert!(!text.contains("hidden"), "{text}");
    let (id, _) = lines[0].split_once(' ').unwrap();
    let steps: Vec<_> = lines
        .iter()
        .map(|line| line.strip_prefix(id).expect(line).trim_start())
        .collect();
    assert!(
        steps[0].starts_with("Starting execution for request: "),
        "{text}"
    );
    assert_eq!(
        &steps[1..5],
        [
            "HTTP Method: GET, Resource Path: /pets",
            "Method request path: {}",
            "Method request query string: {page=2, token=REDACTED}",
            "Method request headers: {host=localhost, authorization=REDACTED, x-forged=a\\tb}",
        ]
    );
    assert_eq!(
        steps[5],
        "Method request body before transformations: {\"a\": 1}\\n"
    );
    assert!(
        steps.contains(&"Method response body after transformations: [\"cat\"]"),
        "{text}"
    );
    // Nothing is sent for a mock.
    assert!(!text.contains("Received response"), "{text}");
    assert_eq!(
        &steps[steps.len() - 2..],
        [
            "Successfully completed execution",
            "Method completed with status: 200"
        ]
    );

    // A method that is off says nothing, and one of errors nothing of what went well.
    let before = lines.len();
    get(&gateway, "/prod/pets/7").await;
    assert_eq!(written.lines(&sink).len(), before);
    get(&gateway, "/prod/keyed").await;
    let lines = written.lines(&sink);
    assert_eq!(lines.len(), before + 2);
    assert!(
        lines[before].contains("Execution failed due to 403 Forbidden"),
        "{}",
        lines[before]
    );
    assert!(lines[before + 1].ends_with("Method completed with status: 403"));
    let coverage = gateway.coverage();
    let mut settings = coverage
        .iter()
        .filter(|field| field.pointer.contains("/methodSettings/"));
    assert!(settings.all(|field| field.served == Served::Enforced));
}

#[test]
fn execution_logs_without_a_place_are_reported() {
    let stages =
        json!([{ "stageName": "prod", "methodSettings": { "*/*": { "loggingLevel": "INFO" } } }]);
    let gateway = builder().api(rest(stages)).build().unwrap();
    let coverage = gateway.coverage();
    let field = coverage
        .not_served()
        .find(|field| field.pointer.ends_with("/loggingLevel"))
        .expect("the setting is in the report");
    assert!(field.note.contains("`executionLogs`"), "{}", field.note);
}

#[test]
fn a_level_that_there_is_not_is_a_fault_that_names_the_setting() {
    let stages =
        json!([{ "stageName": "prod", "methodSettings": { "*/*": { "loggingLevel": "DEBUG" } } }]);
    let error = builder().api(rest(stages)).build().unwrap_err().to_string();
    assert!(
        error.contains("stage prod:/methodSettings/*~1*/loggingLevel: must be `OFF`, `ERROR` or `INFO`, not `DEBUG`"),
        "{error}"
    );
}

/// An endpoint that answers with what it knows.
async fn endpoint() -> std::net::SocketAddr {
    let answer = async || ([("set-cookie", "hidden"), ("x-rate", "7")], "[\"dog\"]\n");
    let app = axum::Router::new().fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// The lines about a request, without its id.
async fn traced(paths: serde_json::Value, request: Request<Body>) -> Vec<String> {
    let (sink, written) = sink();
    let document = json!({
        "openapi": "3.0.1", "info": { "title": "pets", "version": "1" }, "paths": paths
    });
    let stage = json!({ "stageName": "prod", "methodSettings": {
        "*/*": { "loggingLevel": "INFO", "dataTraceEnabled": true }
    } });
    let api = ApiSpec::rest(document.to_string()).id("pets");
    let gateway = builder()
        .api(api.stage(serde_json::from_value(stage).unwrap()))
        .execution_log(ExecutionLog::new(sink.clone()))
        .build()
        .unwrap();
    let response = gateway.oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    let lines = written.lines(&sink);
    let without_id = |line: &String| line.split_once(") ").unwrap().1.to_owned();
    lines.iter().map(without_id).collect()
}

/// The lines from that of the endpoint's address on, as far as they are told apart by what begins them.
fn beginnings(lines: &[String]) -> Vec<&str> {
    let call = lines
        .iter()
        .skip_while(|line| !line.starts_with("Endpoint request URI"));
    call.map(|line| line.split(": ").next().unwrap_or(line))
        .collect()
}

#[tokio::test]
async fn what_an_endpoint_is_sent_and_what_it_answers_is_told_without_secrets() {
    let endpoint = endpoint().await;
    let paths = json!({ "/pets": { "post": { "x-amazon-apigateway-integration": {
        "type": "http", "httpMethod": "POST", "uri": format!("http://{endpoint}/dogs"),
        "requestParameters": {
            "integration.request.querystring.token": "'hidden'",
            "integration.request.querystring.page": "'2'",
            "integration.request.header.authorization": "'hidden'",
        },
        "requestTemplates": { "application/json": "{\"asked\": $input.json('$.a')}" },
        "responses": { "default": {
            "statusCode": "200", "responseTemplates": { "application/json": "mapped" }
        } }
    } } } });
    let request = Request::post("/prod/pets")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Body::from("{\"a\": 1}"))
        .unwrap();
    let lines = traced(paths, request).await;
    let text = lines.join("\n");
    assert!(!text.contains("hidden"), "{text}");
    assert_eq!(
        beginnings(&lines),
        [
            "Endpoint request URI",
            "Endpoint request headers",
            "Endpoint request body after transformations",
            &*format!("Sending request to http://{endpoint}/dogs?page=2&token=REDACTED"),
            "Received response. Status",
            "Endpoint response headers",
            "Endpoint response body before transformations",
            "Method response body after transformations",
            "Method response headers",
            "Successfully completed execution",
            "Method completed with status",
        ],
        "{text}"
    );
    for line in [
        &*format!("Endpoint request URI: http://{endpoint}/dogs?page=2&token=REDACTED"),
        "Endpoint request body after transformations: {\"asked\": 1}",
        "Endpoint response body before transformations: [\"dog\"]\\n",
        "Method response body after transformations: mapped",
    ] {
        assert!(lines.iter().any(|own| own == line), "{line} in {text}");
    }
    let headers = |begin: &str| lines.iter().find(|line| line.starts_with(begin)).unwrap();
    assert!(headers("Endpoint request headers: {").contains("authorization=REDACTED"));
    assert!(headers("Endpoint response headers: {").contains("set-cookie=REDACTED, x-rate=7"));
}

#[tokio::test]
async fn what_passes_as_it_is_is_told_as_well() {
    let endpoint = endpoint().await;
    let paths = json!({ "/pets": { "post": { "x-amazon-apigateway-integration": {
        "type": "http_proxy", "httpMethod": "POST", "uri": format!("http://{endpoint}/dogs")
    } } } });
    let long = "x".repeat(5_000);
    let request = Request::post("/prod/pets")
        .header("host", "localhost")
        .body(Body::from(long))
        .unwrap();
    let lines = traced(paths, request).await;
    let find = |begin: &str| lines.iter().find(|line| line.starts_with(begin)).unwrap();
    let sent = find("Endpoint request body after transformations: ");
    assert!(sent.ends_with("xxx [TRUNCATED]"), "{sent}");
    assert_eq!(sent.len(), 1_024);
    let answered = find("Endpoint response body before transformations: ");
    assert!(answered.ends_with("[\"dog\"]\\n"), "{answered}");
}

#[tokio::test]
async fn of_a_function_the_event_and_the_reply_are_told() {
    let paths = json!({ "/pets": { "get": { "x-amazon-apigateway-integration": {
        "type": "aws_proxy", "httpMethod": "POST",
        "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:pets/invocations"
    } } } });
    let request = Request::get("/prod/pets").header("host", "localhost");
    let lines = traced(paths, request.body(Body::empty()).unwrap()).await;
    let text = lines.join("\n");
    let find = |begin: &str| lines.iter().find(|line| line.starts_with(begin)).unwrap();
    assert!(lines.contains(&"Endpoint request URI: https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:pets/invocations".to_owned()), "{text}");
    assert!(
        find("Endpoint request body after transformations: {").contains("\"httpMethod\":\"GET\"")
    );
    assert!(
        find("Endpoint response body before transformations: {").contains("\"body\":\"cat\""),
        "{text}"
    );
}
