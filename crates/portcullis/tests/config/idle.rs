//! Settings that change nothing though they were meant to are told by name.

use portcullis::{ApiSpec, Gateway};
use serde_json::{Value, json};

fn document() -> String {
    let integration =
        json!({ "type": "http_proxy", "httpMethod": "GET", "uri": "https://api.example.com/x" });
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": { "/pets": { "get": {
            "responses": { "200": { "description": "200 response" } },
            "x-amazon-apigateway-integration": integration,
        } } }
    })
    .to_string()
}

#[track_caller]
fn check(api: ApiSpec, stage: &Value, domain: &Value, expected: &[&str]) {
    let stage = serde_json::from_value(stage.clone()).expect("a stage");
    let mut builder = Gateway::builder().api(api.id("a").stage(stage));
    if !domain.is_null() {
        builder = builder.domain(serde_json::from_value(domain.clone()).expect("a domain"));
    }
    let coverage = builder.build().expect("it is no fault").coverage();
    assert_eq!(coverage.warnings().collect::<Vec<_>>(), expected);
}

#[test]
fn settings_of_methods_that_are_not_there_and_caches_without_a_cluster_are_told() {
    check(
        ApiSpec::rest(document()),
        &json!({ "stageName": "v1", "methodSettings": {
            "*/*": { "throttlingRateLimit": 5, "cachingEnabled": false, "cacheTtlInSeconds": 300 },
            "pets/GET": { "cachingEnabled": true },
            "cats/GET": { "throttlingRateLimit": 1, "throttlingBurstLimit": 1 },
        } }),
        &Value::Null,
        &[
            "a stage v1:/methodSettings/cats~1GET: the API has no such method; a key is `{path}/{VERB}`, and `*` stands for any",
            "a stage v1:/methodSettings/pets~1GET/cachingEnabled: the stage has no cache: set its `cacheClusterEnabled`",
        ],
    );
}

#[test]
fn what_stages_of_http_apis_do_not_have_is_told() {
    check(
        ApiSpec::http(document()),
        &json!({
            "stageName": "v1",
            "cacheClusterEnabled": true,
            "methodSettings": { "*/*": { "loggingLevel": "INFO" } },
            "routeSettings": {
                "GET /pets": { "loggingLevel": "INFO", "throttlingRateLimit": 5 },
                "GET /cats": { "throttlingRateLimit": 5 },
            },
        }),
        &Value::Null,
        &[
            "a stage v1:/cacheClusterEnabled: stages of HTTP APIs have no such cache: `cache` of the API is one by RFC 9111",
            "a stage v1:/methodSettings/*~1*: these are for REST APIs; an HTTP API has `routeSettings`",
            "a stage v1:/routeSettings/GET ~1cats: the API has no such route; a key is that of the route: `GET /pets`",
            "a stage v1:/routeSettings/GET ~1pets/loggingLevel: HTTP APIs have no execution logs; `accessLogSettings` of the stage are theirs",
        ],
    );
}

#[test]
fn rules_and_mappings_that_the_mode_leaves_aside_are_told() {
    let rule =
        json!({ "priority": 1, "actions": [{ "invokeApi": { "apiId": "a", "stage": "v1" } }] });
    let domain = |mode: &str| {
        json!({
            "domainName": "api.example.com", "routingMode": mode, "routingRules": [rule],
            "apiMappings": [{ "apiId": "a", "stage": "v1" }],
        })
    };
    let stage = json!({ "stageName": "v1" });
    for (mode, expected) in [
        (
            "API_MAPPING_ONLY",
            &[
                "domain api.example.com:/routingRules: nobody looks at them: set `routingMode` to `ROUTING_RULE_ONLY` or `ROUTING_RULE_THEN_API_MAPPING`",
            ][..],
        ),
        (
            "ROUTING_RULE_ONLY",
            &[
                "domain api.example.com:/routingMode: `ROUTING_RULE_ONLY` leaves the domain's mappings aside: for both, set it to `ROUTING_RULE_THEN_API_MAPPING`",
            ],
        ),
        ("ROUTING_RULE_THEN_API_MAPPING", &[]),
    ] {
        check(ApiSpec::rest(document()), &stage, &domain(mode), expected);
    }
}
