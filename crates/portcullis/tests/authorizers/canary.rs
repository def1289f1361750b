//! What an authorizer said of a caller of production is not said of a caller of the canary.

use http::HeaderName;
use portcullis::CanaryRules;
use portcullis::canary::Forced;

use super::*;

const RELEASE: HeaderName = HeaderName::from_static("x-release");

/// An API whose function `show` production's authorizer opens and the canary's does not. `canary` is the canary's deployment, if it has one of its own.
fn gateway(authorizer: &Value, canary: Option<&Value>, variables: &Value) -> (Gateway, Asked) {
    let paths = json!({ "/pets": { "get": show(true) } });
    let definition = |authorizer: &Value| document(authorizer, &paths).to_string();
    let mut settings = json!({ "percentTraffic": 0, "stageVariableOverrides": variables });
    let mut api = ApiSpec::rest(definition(authorizer)).id("a1b2c3");
    if let Some(canary) = canary {
        settings["deploymentId"] = "next".into();
        api = api.deployment("next", definition(canary));
    }
    let stage = json!({
        "stageName": "prod", "variables": { "auth": "lenient" }, "canarySettings": settings,
    });
    let asked = Asked::default();
    let says =
        |effect: &'static str| asked.function(move |_: &Value| Ok(policy(effect, &json!("*"))));
    let builder = builder(
        api.stage(serde_json::from_value(stage).expect("a stage"))
            .canary("prod", CanaryRules::new().forced(Forced::header(RELEASE))),
    )
    .function("lenient", says("Allow"))
    .function("severe", says("Deny"));
    (build(builder), asked)
}

async fn status_of(gateway: &Gateway, release: &str) -> u16 {
    let request = Request::get("/prod/pets")
        .header("authorization", "Bearer x")
        .header(RELEASE, release)
        .body(Body::empty())
        .expect("a request");
    let response = gateway.clone().oneshot(request).await;
    let response = response.expect("a gateway never fails");
    response.status().as_u16()
}

/// Each release is asked about once, and answers for itself.
async fn check(gateway: &Gateway, asked: &Asked) {
    for _ in 0..2 {
        assert_eq!(status_of(gateway, "production").await, 200);
        assert_eq!(status_of(gateway, "canary").await, 403);
    }
    assert_eq!(asked.count(), 2, "each answer is kept");
}

fn token(function: &str) -> Value {
    json!({ "type": "token", "authorizerUri": uri(function) })
}

#[tokio::test]
async fn another_definition_of_the_authorizer_is_asked_for_itself() {
    let (gateway, asked) = gateway(&token("lenient"), Some(&token("severe")), &json!({}));
    check(&gateway, &asked).await;
}

#[tokio::test]
async fn so_is_the_same_definition_with_other_variables_and_a_promotion_counts_at_once() {
    let variables = json!({ "auth": "severe" });
    let (gateway, asked) = gateway(&token("${stageVariables.auth}"), None, &variables);
    check(&gateway, &asked).await;
    let handle = gateway.handle();
    handle.promote_canary("a1b2c3", "prod").expect("a canary");
    assert_eq!(status_of(&gateway, "production").await, 403);
    handle.roll_back_canary("a1b2c3", "prod").expect("a canary");
    assert_eq!(status_of(&gateway, "production").await, 200);
}
