//! Execution logs, by what the settings of methods ask for.

use http::Request;
use http_body_util::BodyExt;
use portcullis::Served;
use portcullis::core::Body;
use portcullis::observe::ExecutionLog;
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
