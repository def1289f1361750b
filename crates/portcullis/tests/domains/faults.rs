//! What is wrong with domains, stages and edges is said when the gateway is built, by name.

use portcullis::{ConfigFormat, GatewayConfig};

use super::*;

#[track_caller]
fn check(described: Value, expected: &[&str]) {
    let builder = Gateway::builder().api(shop()).domain(domain(described));
    let error = builder.build().expect_err("it is wrong").to_string();
    assert_eq!(error.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn overlapping_mappings_and_missing_stages_are_errors_that_name_them() {
    check(
        json!({ "domainName": "api.example.com",
            "basePathMappings": [{ "basePath": "v1", "restApiId": "shop", "stage": "v1" }],
            "apiMappings": [{ "apiMappingKey": "v1", "apiId": "shop", "stage": "v2" }, { "apiId": "shop", "stage": "v9" }] }),
        &[
            "domain api.example.com, mapping v1: the base path is mapped already; map each base path once",
            "domain api.example.com, mapping (none): the API `shop` has no stage `v9`; name one of its stages: `v1`, `v2`",
        ],
    );
}

#[test]
fn rules_that_cannot_be_followed_are_errors_that_name_them() {
    let to = |stage: &str| json!([{ "invokeApi": { "apiId": "shop", "stage": stage } }]);
    check(
        json!({ "domainName": "api.example.com", "routingMode": "ROUTING_RULE_ONLY", "routingRules": [
            { "priority": 1, "actions": to("v9"), "routingRuleId": "r1" },
            { "priority": 1, "actions": to("v2") },
            { "actions": to("v2") },
            { "priority": 4, "actions": [] },
            { "priority": 5, "actions": to("v1"), "conditions": [{ "matchHeaders": { "anyOf": [{ "header": "x" }] } }] },
            { "priority": 6, "actions": to("v1"), "conditions": [{ "matchHeaders": { "anyOf": [{ "header": "x", "valueGlob": "a*b" }] } }] },
        ] }),
        &[
            "domain api.example.com:/routingRules/2/priority: is missing; rules are tried by priority",
            "domain api.example.com:/routingRules/3/actions: a rule has one action: `invokeApi`",
            "domain api.example.com:/routingRules/4/conditions: a header of a condition needs `header` and `valueGlob`",
            "domain api.example.com, rule r1: the API `shop` has no stage `v9`; name one of its stages: `v1`, `v2`",
            "domain api.example.com, rule of priority 1: the rule `r1` has the priority 1; give each rule its own priority",
            "domain api.example.com, rule of priority 6: header `x`: `a*b` has a `*` inside; a `*` may stand at the start and at the end",
        ],
    );
}

#[test]
fn variables_and_deprecations_of_no_stage_are_errors_that_name_them() {
    let stage = json!({ "stageName": "v3", "variables": { "back end": "x", "table": "a b" } });
    let deprecation =
        portcullis::stages::Deprecation::builder().since(std::time::SystemTime::UNIX_EPOCH);
    let api = shop()
        .stage(serde_json::from_value(stage).expect("a stage"))
        .deprecation("v9", deprecation.build().expect("it is fine"));
    let error = Gateway::builder()
        .api(api)
        .build()
        .expect_err("it is wrong")
        .to_string();
    assert!(
        error.contains("shop stage v3:/variables/back end: "),
        "{error}"
    );
    assert!(
        error.contains("shop stage v3:/variables/table: "),
        "{error}"
    );
    assert!(
        error.contains("shop deprecations: there is no stage `v9`; there are: v1, v2, v3"),
        "{error}"
    );
}

#[track_caller]
fn check_file(text: &str, expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.json"), document("x")).expect("written");
    let text = format!(
        "apis: [{{ id: shop, definition: shop.json, stages: [{{ stageName: v1 }}] }}]\n{text}"
    );
    let error = match GatewayConfig::parse(&text, ConfigFormat::Yaml) {
        Ok(mut config) => {
            config.folder = folder.path().to_owned();
            config.gateway().expect_err("it is wrong").to_string()
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(error, expected);
}

#[test]
fn an_edge_that_nobody_believes_is_an_error() {
    check_file(
        "edge: cloudfront",
        "/edge: needs `trustedProxies`, the addresses of the network: nobody else is believed",
    );
    check_file(
        "edge: { viewerCountry: x }",
        "/edge/viewerCountry: no such field; did you mean `viewerCountryHeader`?",
    );
    check_file(
        "edge: { viewerAddressHeader: 'a b' }",
        "/edge/viewerAddressHeader: `a b` is no name of a header",
    );
}

#[test]
fn client_certificates_that_nobody_can_show_are_an_error() {
    check_file(
        "domainNames: [{ domainName: a.test, mutualTlsAuthentication: { truststoreUri: clients.pem } }]",
        "/domainNames/0/mutualTlsAuthentication: needs `tls`, so that the listener asks clients for certificates, or `clientCertificateHeader`, in which `trustedProxies` pass them on",
    );
}
