//! What variables and formats print.

use http::{HeaderMap, HeaderValue, Request};
use portcullis_core::{ApiKind, RequestContext, Variable};
use portcullis_observe::{AccessFormat, Redaction};

use crate::support::{bare, clock, full, line_of};

/// The table of `data/variables.txt`.
fn variables() -> Vec<(&'static str, &'static str)> {
    let table = include_str!("data/variables.txt");
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("a name and a value"))
        .collect()
}

fn print(format: &str, (request, context): &(Request<()>, RequestContext)) -> String {
    let format = AccessFormat::parse(format).unwrap();
    line_of(format, request, context, &HeaderMap::new())
}

/// In brackets values stand as they are, but for quotes, backslashes and control characters.
fn printed(name: &str, of: &(Request<()>, RequestContext)) -> String {
    let line = print(&format!("[$context.{name}]"), of);
    let value = line
        .strip_prefix('[')
        .and_then(|line| line.strip_suffix(']'));
    value.expect("the brackets are there").replace("\\\"", "\"")
}

#[test]
fn every_variable_of_the_services_list_prints_what_is_known() {
    let full = full();
    for (name, expected) in variables() {
        // A whole object is no value of a log line.
        if name == "authorizer.claims" {
            continue;
        }
        let extended = full.1.extended_request_id();
        let expected = expected.replace("{extendedRequestId}", extended.as_str());
        assert_eq!(printed(name, &full), expected, "{name}");
    }
}

#[test]
fn every_variable_prints_a_dash_where_nothing_is_known() {
    let bare = bare();
    let known = [
        "extendedRequestId",
        "httpMethod",
        "path",
        "protocol",
        "requestId",
        "requestTime",
        "requestTimeEpoch",
    ];
    for (name, _) in variables() {
        let value = printed(name, &bare);
        assert_eq!(value == "-", !known.contains(&name), "{name}: {value}");
    }
}

#[test]
fn the_table_has_every_name_that_the_context_answers() {
    let table = variables();
    for name in Variable::names() {
        // Templates have it, access logs of the service do not.
        if name != "identity.accessKey" {
            assert!(table.iter().any(|(own, _)| *own == name), "{name}");
        }
    }
}

#[test]
fn the_formats_of_the_console_print_their_fields_in_order() {
    let full = full();
    let line = |format| line_of(format, &full.0, &full.1, &HeaderMap::new());
    let extended = full.1.extended_request_id();
    let extended = extended.as_str();
    let id = "11111111-2222-4333-8444-555555555555";
    assert_eq!(
        line(AccessFormat::clf(ApiKind::Rest)),
        format!(
            "192.0.2.17 AIDACALLER AIDAUSER [14/Nov/2023:22:13:20 +0000]\"GET /pets/{{id}} HTTP/1.1\" 429 512 {id} {extended}"
        )
    );
    assert_eq!(
        line(AccessFormat::clf(ApiKind::Http)),
        format!(
            "192.0.2.17 - - [14/Nov/2023:22:13:20 +0000] \"GET GET /pets/{{id}} HTTP/1.1\" 429 512 {id}"
        )
    );
    assert_eq!(
        line(AccessFormat::csv(ApiKind::Rest)),
        format!(
            "192.0.2.17,AIDACALLER,AIDAUSER,14/Nov/2023:22:13:20 +0000,GET,/pets/{{id}},HTTP/1.1,429,512,{id},{extended}"
        )
    );
    assert_eq!(
        line(AccessFormat::json(ApiKind::Http)),
        format!(
            r#"{{ "requestId":"{id}", "ip":"192.0.2.17", "requestTime":"14/Nov/2023:22:13:20 +0000", "httpMethod":"GET", "routeKey":"GET /pets/{{id}}", "status":"429", "protocol":"HTTP/1.1", "responseLength":"512" }}"#
        )
    );
    assert_eq!(
        line(AccessFormat::xml(ApiKind::Http)),
        format!(
            r#"<request id="{id}"> <ip>192.0.2.17</ip> <requestTime>14/Nov/2023:22:13:20 +0000</requestTime> <httpMethod>GET</httpMethod> <routeKey>GET /pets/{{id}}</routeKey> <status>429</status> <protocol>HTTP/1.1</protocol> <responseLength>512</responseLength> </request>"#
        )
    );
}

#[test]
fn numbers_and_objects_stand_in_json_without_quotes() {
    let format = r#"{"status": $context.status, "ms": $context.integration.latency, "groups": $context.authorizer.claims.cognito:groups, "error": $context.error.messageString, "stage": $context.stage, "canary": $context.isCanaryRequest}"#;
    assert_eq!(
        print(format, &full()),
        r#"{"status": 429, "ms": 21, "groups": ["admins","staff"], "error": "Too Many Requests", "stage": "prod", "canary": true}"#
    );
    assert_eq!(
        print(format, &bare()),
        r#"{"status": null, "ms": null, "groups": null, "error": null, "stage": null, "canary": null}"#
    );
}

#[test]
fn headers_parameters_and_stage_variables_are_variables_too() {
    let (_, context) = full();
    let request = Request::get("/pets?page=2&empty&page=3")
        .header("x-tenant", "acme")
        .header("authorization", "Bearer secret")
        .body(())
        .unwrap();
    let mut response = HeaderMap::new();
    response.insert("etag", HeaderValue::from_static("\"abc\""));
    response.insert("set-cookie", HeaderValue::from_static("session=secret"));
    let format = AccessFormat::parse("[$request.header.X-Tenant|$request.header.authorization|$request.header.x-none|$request.querystring.page|$request.querystring.token|$response.header.etag|$response.header.set-cookie|$stageVariables.color|$stageVariables.none]").unwrap();
    assert_eq!(
        line_of(format, &request, &context, &response),
        r#"[acme|REDACTED|-|2|-|\"abc\"|REDACTED|green|-]"#
    );
}

#[test]
fn what_is_shown_is_for_the_operator_to_say() {
    let full = full();
    let redaction = Redaction::new().show("identity.apiKey").hide("x-tenant");
    let format = "$context.identity.apiKey $request.header.x-tenant";
    let format = AccessFormat::parse_with(format, &redaction).unwrap();
    let request = Request::get("/")
        .header("x-tenant", "acme")
        .body(())
        .unwrap();
    let line = line_of(format, &request, &full.1, &HeaderMap::new());
    assert_eq!(line, "0123456789abcdefghij REDACTED");
}

#[test]
fn an_http_api_has_one_id() {
    let (request, context) = bare();
    let mut stage = portcullis_core::ApiStage::default();
    stage.kind = ApiKind::Http;
    context.set_stage(stage);
    let line = print(
        "$context.requestId $context.extendedRequestId",
        &(request, context),
    );
    let (one, other) = line.split_once(' ').unwrap();
    assert_eq!(one, other);
}

#[test]
fn a_format_of_several_lines_is_written_as_one() {
    let format = "{\n  \"id\": \"$context.requestId\",\r\n  \"status\": $context.status\n}\n";
    assert_eq!(
        print(format, &full()),
        r#"{ "id": "11111111-2222-4333-8444-555555555555", "status": 429 }"#
    );
}

#[test]
fn a_format_that_says_nothing_is_an_error() {
    for format in ["", " \n"] {
        let error = AccessFormat::parse(format).unwrap_err();
        assert!(error.to_string().contains("must not be empty"), "{error}");
    }
}

#[test]
fn the_time_is_when_the_request_came() {
    let (request, _) = bare();
    let clock = clock();
    let context = RequestContext::new(&request, &clock);
    clock.advance(std::time::Duration::from_secs(90));
    let line = print("$context.requestTime", &(request, context));
    assert_eq!(line, "14/Nov/2023:22:13:20 +0000");
}
