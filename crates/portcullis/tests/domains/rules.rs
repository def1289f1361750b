//! Routing rules, and which of rules and mappings count.

use super::*;

fn rule(priority: u32, conditions: &Value, stage: &str, strip: bool) -> Value {
    json!({
        "routingRuleId": format!("rule{priority}"), "priority": priority, "conditions": conditions,
        "actions": [{ "invokeApi": { "apiId": "shop", "stage": stage, "stripBasePath": strip } }]
    })
}

fn gateway(mode: Option<&str>) -> Gateway {
    let header =
        json!([{ "matchHeaders": { "anyOf": [{ "header": "X-Version", "valueGlob": "v2*" }] } }]);
    let path = json!([{ "matchBasePaths": { "anyOf": ["beta"] } }]);
    let mut described = json!({
        "domainName": "api.example.com",
        "apiMappings": [{ "apiMappingKey": "old", "apiId": "shop", "stage": "v1" }],
        "routingRules": [rule(20, &path, "v2", true), rule(10, &header, "v2", false)],
    });
    if let Some(mode) = mode {
        described["routingMode"] = mode.into();
    }
    let template = "$context.stage $context.resourcePath $input.params('proxy')";
    let api = ApiSpec::rest(document(template))
        .id("shop")
        .stage_named("v1")
        .stage_named("v2");
    build(Gateway::builder().api(api).domain(domain(described)))
}

/// What the API answers with a rule's id and a base path behind it; or that it is refused.
async fn check(gateway: &Gateway, path: &str, version: Option<&str>, expected: Option<&str>) {
    let line = version.map(|version| ("x-version", version));
    let request = request("api.example.com", path, line.as_slice());
    let (request, context) = from("192.0.2.1", request);
    let response = send(gateway, request).await;
    let status = response.status().as_u16();
    let mut text = testkit::text(response).await;
    for name in ["routingRuleIdMatched", "basePathMatched"] {
        let noted = context.get(&format!("customDomain.{name}"));
        text.push(' ');
        text.push_str(noted.as_ref().and_then(Value::as_str).unwrap_or("-"));
    }
    let expected = match expected {
        Some(expected) => (200, expected),
        None => (403, "{\"message\":\"Forbidden\"} - -"),
    };
    assert_eq!((status, &*text), expected, "{path}");
}

#[tokio::test]
async fn rules_go_before_mappings_where_the_mode_says_so() {
    let both = gateway(Some("ROUTING_RULE_THEN_API_MAPPING"));
    check(
        &both,
        "/hats",
        Some("v2.1"),
        Some("v2 /{proxy+} hats rule10 -"),
    )
    .await;
    check(
        &both,
        "/beta/hats",
        None,
        Some("v2 /{proxy+} hats rule20 -"),
    )
    .await;
    check(&both, "/beta", None, Some("v2 /  rule20 -")).await;
    check(&both, "/old/hats", None, Some("v1 /{proxy+} hats - old")).await;
    check(&both, "/hats", None, None).await;

    let rules = gateway(Some("ROUTING_RULE_ONLY"));
    check(
        &rules,
        "/hats",
        Some("v2"),
        Some("v2 /{proxy+} hats rule10 -"),
    )
    .await;
    check(&rules, "/old/hats", None, None).await;

    // Which is what it is by default.
    for mode in [
        None,
        Some("API_MAPPING_ONLY"),
        Some("BASE_PATH_MAPPING_ONLY"),
    ] {
        let mappings = gateway(mode);
        check(&mappings, "/hats", Some("v2"), None).await;
        check(
            &mappings,
            "/old/hats",
            Some("v2"),
            Some("v1 /{proxy+} hats - old"),
        )
        .await;
    }
}

#[test]
fn the_report_says_what_the_mode_leaves_out() {
    let fate = |mode, member: &str| {
        let coverage = gateway(mode).coverage();
        let pointer = format!("domain api.example.com:/{member}");
        let field = coverage.iter().find(|field| field.pointer == pointer);
        field.expect("it is reported").served
    };
    use portcullis::Served::{DocumentationOnly, Enforced};
    assert_eq!(fate(None, "routingRules"), DocumentationOnly);
    assert_eq!(fate(Some("ROUTING_RULE_ONLY"), "routingRules"), Enforced);
    assert_eq!(
        fate(Some("ROUTING_RULE_ONLY"), "apiMappings"),
        DocumentationOnly
    );
    assert_eq!(
        fate(Some("ROUTING_RULE_THEN_BASE_PATH_MAPPING"), "apiMappings"),
        Enforced
    );
}

#[tokio::test]
async fn a_closed_default_endpoint_leaves_the_domain_as_the_one_way_in() {
    let mut document: Value = serde_json::from_str(&document("$context.stage")).expect("JSON");
    document["x-amazon-apigateway-endpoint-configuration"] =
        json!({ "disableExecuteApiEndpoint": true });
    let api = ApiSpec::rest(document.to_string())
        .id("shop")
        .stage_named("v1");
    let described = json!({ "domainName": "*.example.com", "apiMappings": [{ "apiId": "shop", "stage": "v1" }] });
    let gateway = build(Gateway::builder().api(api).domain(domain(described)));
    const FORBIDDEN: &str = r#"{"message":"Forbidden"}"#;
    for (host, path, expected) in [
        ("api.example.com", "/x", (200, "v1")),
        (
            "shop.execute-api.us-east-1.amazonaws.com",
            "/v1/x",
            (403, FORBIDDEN),
        ),
        (
            "shop.execute-api.us-east-1.amazonaws.com",
            "/none/x",
            (403, FORBIDDEN),
        ),
        ("localhost", "/v1/x", (403, FORBIDDEN)),
        ("a.b.example.com", "/x", (403, FORBIDDEN)),
    ] {
        let (status, text) = ask(&gateway, host, path, &[]).await;
        assert_eq!((status, &*text), expected, "{host}{path}");
    }
}
