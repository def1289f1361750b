//! `REQUEST` authorizers of HTTP APIs.

use super::*;

fn simple() -> Value {
    json!({
        "type": "request", "authorizerUri": uri("auth"), "authorizerPayloadFormatVersion": "2.0",
        "enableSimpleResponses": true, "identitySource": "$request.header.Authorization",
    })
}

fn api(authorizer: &Value) -> ApiSpec {
    let paths = json!({ "/pets": { "get": show(true) }, "/cats": { "get": show(true) } });
    ApiSpec::http(document(authorizer, &paths).to_string()).id("a1b2c3")
}

fn good(event: &Value) -> Result<Value, &'static str> {
    let good = event["identitySource"][0] == "good";
    Ok(json!({ "isAuthorized": good, "context": { "n": 1, "list": ["a"], "map": { "b": null } } }))
}

#[tokio::test]
async fn a_simple_response_is_enough_and_its_context_keeps_its_types() {
    let asked = Asked::default();
    let gateway = build(builder(api(&simple())).function("auth", asked.function(good)));
    let response = ask(&gateway, "/pets", "good").await;
    assert_eq!(response.status(), StatusCode::OK);
    let expected = json!({ "lambda": { "n": 1, "list": ["a"], "map": { "b": null } } });
    assert_eq!(testkit::json(response).await, expected);
    let event = asked.last();
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["routeKey"], "GET /pets");
    let arn = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/$default/GET/pets";
    assert_eq!(event["routeArn"], arn);
    assert_eq!(status(&gateway, "/cats", "good").await, 200);
    assert_eq!(asked.count(), 1, "all routes share an answer");
}

#[tokio::test]
async fn with_the_route_among_its_sources_each_route_has_an_answer_of_its_own() {
    let asked = Asked::default();
    let sources = json!(["$request.header.Authorization", "$context.routeKey"]);
    let authorizer = with(simple(), &json!({ "identitySource": sources }));
    let gateway = build(builder(api(&authorizer)).function("auth", asked.function(good)));
    for uri in ["/pets", "/cats", "/pets", "/cats"] {
        assert_eq!(status(&gateway, uri, "good").await, 200);
    }
    assert_eq!(asked.count(), 2);
}

#[tokio::test]
async fn refusals_say_forbidden_unauthorized_or_what_went_wrong_inside() {
    let asked = Asked::default();
    let policies = with(
        simple(),
        &json!({ "authorizerPayloadFormatVersion": "1.0", "enableSimpleResponses": null }),
    );
    let one = |event: &Value| match event["authorizationToken"].as_str() {
        Some("unauthorized") => Err("Unauthorized"),
        Some("boom") => Err("boom"),
        Some("good") => Ok(policy("Allow", &event["methodArn"])),
        _ => Ok(policy("Deny", &json!("*"))),
    };
    let gateway = build(builder(api(&policies)).function("auth", asked.function(one)));
    for (token, status, message) in [
        ("", 401, "Unauthorized"),
        ("unauthorized", 401, "Unauthorized"),
        ("bad", 403, "Forbidden"),
        ("boom", 500, "Internal Server Error"),
    ] {
        let response = ask(&gateway, "/pets", token).await;
        assert_eq!(response.status().as_u16(), status, "{token}");
        assert!(!response.headers().contains_key("x-amzn-errortype"));
        let body = format!(r#"{{"message":"{message}"}}"#);
        assert_eq!(testkit::text(response).await, body);
    }
    let response = ask(&gateway, "/pets", "good").await;
    let caller = testkit::json(response).await;
    assert_eq!(
        caller["lambda"],
        json!({ "tier": "gold", "n": "1", "b": "true" })
    );
}

#[test]
fn what_cannot_work_is_an_error_at_its_place() {
    for (changes, place) in [
        (
            json!({ "authorizerPayloadFormatVersion": null }),
            "/authorizerPayloadFormatVersion",
        ),
        (
            json!({ "authorizerPayloadFormatVersion": "3.0" }),
            "/authorizerPayloadFormatVersion",
        ),
        (
            json!({ "authorizerPayloadFormatVersion": "1.0" }),
            "/enableSimpleResponses",
        ),
        (
            json!({ "authorizerUri": "arn:aws:s3:::x" }),
            "/authorizerUri",
        ),
        (
            json!({ "identitySource": "$request.path.id" }),
            "/identitySource",
        ),
    ] {
        check_fault(builder(api(&with(simple(), &changes))), place);
    }
}
