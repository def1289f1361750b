//! What is given and nothing names, and names that are nearly right, are told.

use portcullis::{ConfigFormat, Coverage, GatewayConfig};
use serde_json::json;

fn coverage(text: &str) -> std::sync::Arc<Coverage> {
    let integration = |uri: &str| {
        json!({ "get": {
            "responses": { "200": { "description": "200 response" } },
            "x-amazon-apigateway-integration": { "type": "aws_proxy", "httpMethod": "POST", "uri": uri }
        } })
    };
    let function = |name: &str| {
        format!(
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:{name}/invocations"
        )
    };
    let proxy = json!({ "get": {
        "responses": { "200": { "description": "200 response" } },
        "x-amazon-apigateway-integration": { "type": "http_proxy", "httpMethod": "GET", "uri": "https://api.example.com/x" }
    } });
    let paths = json!({
        "/pets": integration(&function("get-pets")),
        "/orders": integration(&function("orders-${stageVariables.env}")),
        "/x": proxy,
    });
    let document =
        json!({ "openapi": "3.0.1", "info": { "title": "t", "version": "1" }, "paths": paths });
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("api.json"), document.to_string()).expect("written");
    let text = format!(
        "apis: [{{ id: a, definition: api.json, stages: [{{ stageName: v1, variables: {{ env: live }} }}] }}]\n{text}"
    );
    let mut config = GatewayConfig::parse(&text, ConfigFormat::Yaml).expect("good");
    config.folder = folder.path().to_owned();
    let gateway = config
        .gateway()
        .expect("good settings")
        .build()
        .expect("good");
    gateway.coverage()
}

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let coverage = coverage(text);
    let told = coverage
        .iter()
        .filter(|field| field.api.is_empty() && !field.note.is_empty());
    let told: Vec<_> = told
        .map(|field| (field.pointer.as_str(), &*field.note))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn what_nothing_names_is_reported() {
    check(
        "
functions:
  get-pets: { mock: {} }
  get-pet: { mock: {}, versions: { '1': { mock: {} } } }
  get-cats: { mock: {} }
  orders-live: { mock: {} }
  orders-test: { mock: {} }
upstreams:
  https://API.example.com: http://127.0.0.1:9
  https://apis.example.com: http://127.0.0.1:9
  https://dynamodb.us-east-1.amazonaws.com: http://127.0.0.1:9
vpcLinks: { abc123: http://127.0.0.1:9 }
issuers: { https://id.example.com: http://127.0.0.1:9 }
",
        &[
            (
                "configuration:/functions/get-cats",
                "no configured definition names it",
            ),
            (
                "configuration:/functions/orders-test",
                "no configured definition names it",
            ),
            (
                "configuration:/vpcLinks/abc123",
                "no configured definition names it",
            ),
            (
                "configuration:/issuers/https:~1~1id.example.com",
                "no configured definition names it",
            ),
            (
                "configuration:/upstreams/https:~1~1apis.example.com",
                "no configured definition names it",
            ),
        ],
    );
}

#[test]
fn a_plan_for_what_is_not_there_says_what_is() {
    check(
        "usagePlans: [{ id: gold, apiStages: [{ apiId: b, stage: v1 }, { apiId: a, stage: v2 }, { apiId: a, stage: v1 }] }]",
        &[
            (
                "usage plan gold:/apiStages/0",
                "there is no API `b` here; there are: a",
            ),
            (
                "usage plan gold:/apiStages/1",
                "the API `a` has no stage `v2` here; there are: v1",
            ),
        ],
    );
}

#[test]
fn a_field_of_the_services_objects_that_is_nearly_one_is_told_with_the_one_that_was_meant() {
    check(
        "usagePlans: [{ id: gold, apiStages: [{ apiId: a, stage: v1, throtle: {} }], qota: {}, colour: red }]",
        &[
            (
                "configuration:/usagePlans/0/apiStages/0/throtle",
                "no such field is known; did you mean `throttle`?",
            ),
            (
                "configuration:/usagePlans/0/colour",
                "no such field is known",
            ),
            (
                "configuration:/usagePlans/0/qota",
                "no such field is known; did you mean `quota`?",
            ),
        ],
    );
}

#[test]
fn a_value_of_another_kind_is_told_in_the_words_of_the_file() {
    let error = GatewayConfig::parse(
        "apis: []\nusagePlans: [{ id: gold, throttle: { rateLimit: fast } }]\ndomainNames: [{ domainName: a.test, routingMode: RULES }]",
        ConfigFormat::Yaml,
    );
    assert_eq!(
        error.expect_err("it is wrong").to_string(),
        "/usagePlans/0/throttle/rateLimit: must be a number, not \"fast\"\n\
         /domainNames/0/routingMode: `RULES` is none of [API_MAPPING_ONLY, ROUTING_RULE_ONLY, ROUTING_RULE_THEN_API_MAPPING]"
    );
}
