//! Access logs of stages, and of the whole gateway.

use http::Request;
use http_body_util::BodyExt;
use portcullis::core::Body;
use portcullis::observe::{AccessFormat, AccessLog};
use portcullis::{Gateway, Served};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{builder, get, http, rest, sink};

const ARN: &str = "arn:aws:logs:us-east-1:000000000000:log-group:pets";

fn stages(format: &str) -> Value {
    json!([
        { "stageName": "prod", "accessLogSettings": { "destinationArn": ARN, "format": format } },
        { "stageName": "quiet" }
    ])
}

/// What the coverage report says of the log.
fn fate(gateway: &Gateway) -> (Served, String) {
    let coverage = gateway.coverage();
    let field = coverage
        .iter()
        .find(|field| field.pointer == "stage prod:/accessLogSettings")
        .expect("the setting is in the report");
    (field.served, field.note.to_string())
}

#[tokio::test]
async fn a_stage_logs_in_its_own_format_to_where_its_arn_leads() {
    let (sink, written) = sink();
    let format = r#"{"id": "$context.requestId", "stage": "$context.stage", "path": "$context.resourcePath", "status": $context.status, "type": "$context.error.responseType", "bytes": $context.responseLength, "agent": "$context.identity.userAgent", "etag": "$request.header.host"}"#;
    let gateway = builder()
        .api(rest(stages(format)))
        // As CloudWatch's own page writes it.
        .log_destination(format!("{ARN}:*"), sink.clone())
        .build()
        .unwrap();
    assert_eq!(fate(&gateway).0, Served::Enforced);
    for path in [
        "/prod/pets",
        "/quiet/pets",
        "/prod/pets/7",
        "/prod/keyed",
        "/prod/none",
    ] {
        get(&gateway, path)
            .await
            .into_body()
            .collect()
            .await
            .unwrap();
    }
    let lines: Vec<Value> = written
        .lines(&sink)
        .iter()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let shown: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["path"].as_str().unwrap(),
                line["status"].as_u64().unwrap(),
                line["type"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("/pets", 200, "-"),
            ("/pets/{id}", 200, "-"),
            ("/keyed", 403, "INVALID_API_KEY"),
            ("-", 403, "MISSING_AUTHENTICATION_TOKEN"),
        ]
    );
    assert_eq!(lines[0]["stage"], "prod");
    assert_eq!(lines[0]["bytes"], 7);
    assert_eq!(lines[0]["agent"], "tests \"1\"");
    assert_eq!(lines[0]["etag"], "localhost");
}

#[tokio::test]
async fn an_http_api_logs_its_routes() {
    let (sink, written) = sink();
    let format =
        "$context.requestId $context.routeKey $context.integration.status $context.dataProcessed";
    let gateway = builder()
        .api(http(stages(format)))
        .other_log_destinations(sink.clone())
        .build()
        .unwrap();
    get(&gateway, "/prod/pets").await;
    let lines = written.lines(&sink);
    let (_, line) = lines[0].split_once(' ').unwrap();
    assert_eq!(line, "GET /pets 200 3");
}

#[tokio::test]
async fn a_log_without_a_place_is_reported() {
    let gateway = builder()
        .api(rest(stages("$context.requestId")))
        .build()
        .unwrap();
    let (served, note) = fate(&gateway);
    assert_eq!(served, Served::NotServed);
    assert!(note.contains("`accessLogs`"), "{note}");
}

#[test]
fn a_format_that_is_wrong_is_a_fault_that_names_the_stage() {
    for (format, problem) in [
        ("$context.requestID", "did you mean `$context.requestId`?"),
        ("", "must not be empty"),
    ] {
        let error = builder()
            .api(rest(stages(format)))
            .build()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("stage prod:/accessLogSettings/format"),
            "{error}"
        );
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test]
async fn a_log_of_the_gateway_has_every_request() {
    let (sink, written) = sink();
    let format =
        AccessFormat::parse("$context.httpMethod $context.path $context.stage $context.status")
            .unwrap();
    let gateway = builder()
        .api(rest(stages("$context.requestId")))
        .access_log(AccessLog::new(format, sink.clone()))
        .build()
        .unwrap();
    for path in ["/prod/pets", "/nowhere/pets"] {
        get(&gateway, path).await;
    }
    let head = Request::head("/prod/pets").header("host", "localhost");
    gateway
        .clone()
        .oneshot(head.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        written.lines(&sink),
        [
            "GET /prod/pets prod 200",
            "GET /nowhere/pets - 403",
            "HEAD /prod/pets prod 403"
        ]
    );
}

#[tokio::test]
async fn a_request_whose_client_goes_away_has_a_line() {
    let (sink, written) = sink();
    let format = AccessFormat::parse("$context.path $context.status").unwrap();
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "slow", "version": "1" },
        "paths": { "/slow": { "get": { "responses": {}, "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:slow/invocations"
        } } } }
    });
    let gateway = Gateway::builder()
        .export(document.to_string())
        .handler("slow", async |_: Value| {
            std::future::pending::<()>().await;
            Ok::<_, &str>(json!({}))
        })
        .access_log(AccessLog::new(format, sink.clone()))
        .build()
        .unwrap();
    let request = Request::get("/slow").body(Body::empty()).unwrap();
    let call = gateway.oneshot(request);
    let gone = tokio::time::timeout(std::time::Duration::ZERO, call).await;
    assert!(gone.is_err());
    assert_eq!(written.lines(&sink), ["/slow -"]);
}
