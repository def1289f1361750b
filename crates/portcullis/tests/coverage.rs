//! The coverage report: what becomes of each field of a definition.

use portcullis::auth::credentials::MemoryCredentials;
use portcullis::integrations::Credentials;
use portcullis::{ApiSpec, Coverage, Gateway, Served};
use serde_json::{Value, json};

fn mock() -> Value {
    json!({
        "type": "mock",
        "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
        "responses": { "default": { "statusCode": "200" } }
    })
}

/// A document with something of everything that is served or documentation.
fn document() -> Value {
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1", "description": "text", "contact": { "name": "me" } },
        "servers": [{
            "url": "https://a.execute-api.us-east-1.amazonaws.com/{basePath}",
            "variables": { "basePath": { "default": "prod" } },
            "x-amazon-apigateway-endpoint-configuration": { "disableExecuteApiEndpoint": false }
        }],
        "tags": [{ "name": "x" }],
        "paths": { "/pets/{id}": {
            "summary": "text",
            "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
            "get": {
                "operationId": "getPet",
                "responses": { "200": { "description": "200 response" } },
                "security": [],
                "x-amazon-apigateway-integration": mock(),
                "x-of-others": { "a": [1, 2] }
            }
        } },
        "components": { "schemas": { "Pet": { "type": "object", "properties": { "a/b~c": { "type": "string" } } } } },
        "x-amazon-apigateway-gateway-responses": { "DEFAULT_4XX": { "statusCode": "499" } },
        "x-of-others": true
    })
}

#[track_caller]
fn rest(document: &Value) -> Gateway {
    let api = ApiSpec::rest(document.to_string())
        .id("a")
        .stage_named("prod");
    Gateway::builder()
        .api(api)
        .build()
        .expect("a good definition")
}

fn http(document: &Value) -> Gateway {
    let api = ApiSpec::http(document.to_string()).id("a");
    Gateway::builder()
        .api(api)
        .build()
        .expect("a good definition")
}

/// The fate and the note of the one line at this pointer.
#[track_caller]
fn fate<'c>(coverage: &'c Coverage, pointer: &str) -> (Served, &'c str) {
    let mut lines = coverage.iter().filter(|field| field.pointer == pointer);
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("{pointer} is not named"));
    assert!(lines.next().is_none(), "{pointer} is named twice");
    (line.served, &line.note)
}

fn leaves(node: &Value, pointer: &str, found: &mut Vec<String>) {
    match node {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(member, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{pointer}/{index}"), found);
            }
        }
        _ => found.push(pointer.to_owned()),
    }
}

#[test]
fn every_field_is_under_exactly_one_line() {
    let document = document();
    let gateway = rest(&document);
    let coverage = gateway.coverage();
    let mut found = Vec::new();
    leaves(&document, "", &mut found);
    for leaf in found {
        let lines = coverage.iter().filter(|field| {
            leaf == field.pointer || leaf.starts_with(&format!("{}/", field.pointer))
        });
        assert_eq!(lines.count(), 1, "{leaf}");
    }
    assert_eq!(coverage.not_served().count(), 0, "{coverage}");
}

#[test]
fn a_field_that_is_not_known_is_not_served_and_under_the_strict_switch_an_error() {
    let mut document = document();
    document["x-amazon-apigateway-wonder"] = json!(true);
    document["paths"]["/pets/{id}"]["get"]["x-amazon-apigateway-integration"]["tpye"] = json!("x");
    let gateway = rest(&document);
    let coverage = gateway.coverage();
    let wonder = "/x-amazon-apigateway-wonder";
    let misspelt = "/paths/~1pets~1{id}/get/x-amazon-apigateway-integration/tpye";
    for pointer in [wonder, misspelt] {
        let expected = (Served::NotServed, "no such field is known");
        assert_eq!(fate(&coverage, pointer), expected);
    }
    let error = Gateway::builder()
        .api(ApiSpec::rest(document.to_string()).id("a"))
        .strict(true)
        .build()
        .expect_err("strict");
    let places: Vec<_> = error
        .faults()
        .iter()
        .map(|fault| fault.place.as_str())
        .collect();
    assert_eq!(places, [misspelt, wonder]);
    let message = &*error.faults()[1].message;
    assert_eq!(
        message,
        "no such field is known; the strict switch takes no such field"
    );
}

#[test]
fn a_stage_variable_that_an_address_needs_is_missed_in_each_stage_without_it() {
    let proxy = |uri: &str| {
        json!({ "responses": {}, "x-amazon-apigateway-integration": {
            "type": "http_proxy", "httpMethod": "GET", "uri": uri
        } })
    };
    let mut document = document();
    document["paths"] = json!({
        "/a": { "get": proxy("http://${stageVariables.host}/${stageVariables.host}") },
        "/b": { "get": proxy("http://${stageVariables.host}/${stageVariables.path}") },
    });
    let stage = |variables: Value| {
        serde_json::from_value(json!({ "stageName": variables["name"], "variables": variables }))
            .expect("a stage")
    };
    let api = ApiSpec::rest(document.to_string())
        .id("a")
        .stage(stage(
            json!({ "name": "all", "host": "a.test", "path": "b" }),
        ))
        .stage(stage(json!({ "name": "some", "path": "b" })));
    let gateway = Gateway::builder()
        .api(api)
        .build()
        .expect("unset is no fault");
    let lines: Vec<_> = gateway
        .coverage()
        .not_served()
        .map(ToString::to_string)
        .collect();
    let missed = "a stage some:/variables/host: the variable is not set; requests to GET /a and 1 more are answered 500";
    assert_eq!(lines, [missed]);
}

#[test]
fn what_the_import_leaves_out_is_said_where_it_stands() {
    let mut document = document();
    let get = &mut document["paths"]["/pets/{id}"]["get"];
    get["responses"]["default"] = json!({ "description": "else" });
    get["x-amazon-apigateway-integration"]["timeoutInMillis"] = json!(60_000);
    document["paths"]["/pets/{id}"]["trace"] = json!({ "responses": {} });
    let gateway = rest(&document);
    let coverage = gateway.coverage();
    let pet = "/paths/~1pets~1{id}";
    for (pointer, served, note) in [
        (
            format!("{pet}/get/responses/default"),
            Served::Enforced,
            "is left out",
        ),
        (format!("{pet}/get/responses/200"), Served::Enforced, ""),
        (
            format!("{pet}/get/x-amazon-apigateway-integration/timeoutInMillis"),
            Served::Enforced,
            "between 50 ms and 29000 ms",
        ),
        (
            format!("{pet}/trace"),
            Served::DocumentationOnly,
            "no method TRACE",
        ),
    ] {
        let (found, text) = fate(&coverage, &pointer);
        assert_eq!(found, served, "{pointer}");
        assert!(text.contains(note), "{pointer}: {text}");
    }
}

#[tokio::test]
async fn a_scheme_that_nothing_enforces_is_not_said_to_refuse_anybody() {
    use tower::ServiceExt;

    let mut document = document();
    document["components"]["securitySchemes"] = json!({
        "web": { "type": "oauth2", "flows": {} },
        "key": { "type": "apiKey", "name": "x-api-key", "in": "header" }
    });
    document["security"] = json!([{ "web": [] }]);
    let paths = &mut document["paths"];
    paths["/open"] =
        json!({ "get": { "responses": { "200": {} }, "x-amazon-apigateway-integration": mock() } });
    paths["/shut"] = json!({ "get": {
        "security": [{ "web": [], "key": [] }], "responses": {}, "x-amazon-apigateway-integration": mock()
    } });
    let gateway = rest(&document);
    let coverage = gateway.coverage();
    for (pointer, served) in [
        ("/security/0/web", Served::DocumentationOnly),
        ("/components/securitySchemes/web", Served::DocumentationOnly),
        (
            "/paths/~1shut/get/security/0/web",
            Served::DocumentationOnly,
        ),
    ] {
        let (found, note) = fate(&coverage, pointer);
        assert_eq!(found, served, "{pointer}");
        assert!(note.contains("no authorizer"), "{pointer}: {note}");
    }
    let refused = gateway.clone();
    for (path, status) in [("/prod/open", 200), ("/prod/shut", 499)] {
        let request = http::Request::get(path).body(portcullis::core::Body::empty());
        let answer = refused.clone().oneshot(request.expect("a request")).await;
        assert_eq!(answer.expect("never fails").status(), status, "{path}");
    }
}

#[test]
fn an_http_api_has_no_use_for_what_only_rest_apis_have() {
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": { "/pets": { "get": {
            "security": [{ "key": [] }],
            "x-amazon-apigateway-request-validator": "all",
            "x-amazon-apigateway-integration": {
                "type": "http_proxy", "httpMethod": "GET", "uri": "http://localhost/", "payloadFormatVersion": "1.0"
            }
        } } },
        "components": { "securitySchemes": { "key": { "type": "apiKey", "name": "x-api-key", "in": "header" } } },
        "x-amazon-apigateway-policy": { "Version": "2012-10-17", "Statement": [] },
        "x-amazon-apigateway-gateway-responses": { "DEFAULT_4XX": {} },
        "x-amazon-apigateway-minimum-compression-size": 0
    });
    let gateway = http(&document);
    let coverage = gateway.coverage();
    assert_eq!(coverage.not_served().count(), 0, "{coverage}");
    for pointer in [
        "/x-amazon-apigateway-policy",
        "/x-amazon-apigateway-gateway-responses",
        "/x-amazon-apigateway-minimum-compression-size",
        "/components/securitySchemes/key",
        "/paths/~1pets/get/security/0/key",
        "/paths/~1pets/get/x-amazon-apigateway-request-validator",
    ] {
        let (served, note) = fate(&coverage, pointer);
        assert_eq!(served, Served::DocumentationOnly, "{pointer}");
        assert!(!note.is_empty(), "{pointer}");
    }
}

#[test]
fn stages_and_domains_are_reported_member_by_member() {
    let stage = json!({
        "stageName": "prod", "variables": { "a": "b" }, "description": "d", "createdDate": 1,
        "tracingEnabled": true, "canarySettings": { "percentTraffic": 1.0 }
    });
    let domain = json!({
        "domainName": "api.example.com", "certificateArn": "arn", "routingMode": "API_MAPPING_ONLY",
        "securityPolicy": "TLS_1_2", "endpointAccessMode": "STRICT", "basePathMappings": [{ "restApiId": "a", "stage": "prod" }]
    });
    let api = ApiSpec::rest(document().to_string()).id("a");
    let gateway = Gateway::builder()
        .api(api.stage(serde_json::from_value(stage).expect("a stage")))
        .domain(serde_json::from_value(domain).expect("a domain"))
        .build()
        .expect("good");
    let coverage = gateway.coverage();
    for (pointer, served) in [
        ("stage prod:/stageName", Served::Enforced),
        ("stage prod:/variables", Served::Enforced),
        ("stage prod:/description", Served::DocumentationOnly),
        ("stage prod:/createdDate", Served::DocumentationOnly),
        ("stage prod:/tracingEnabled", Served::NotServed),
        ("stage prod:/canarySettings", Served::Enforced),
        ("domain api.example.com:/domainName", Served::Enforced),
        ("domain api.example.com:/basePathMappings", Served::Enforced),
        ("domain api.example.com:/routingMode", Served::Enforced),
        (
            "domain api.example.com:/certificateArn",
            Served::DocumentationOnly,
        ),
        ("domain api.example.com:/securityPolicy", Served::Enforced),
        (
            "domain api.example.com:/endpointAccessMode",
            Served::Enforced,
        ),
    ] {
        assert_eq!(fate(&coverage, pointer).0, served, "{pointer}");
    }
}

#[test]
fn who_signs_the_calls_of_an_integration_is_told_as_it_is() {
    const ROLE: &str = "arn:aws:iam::111111111111:role/pets";
    const CALLER: &str = "arn:aws:iam::*:user/*";
    let pointer = "/paths/~1pets/get/x-amazon-apigateway-integration/credentials";
    for (credentials, assume, keys, expected) in [
        (ROLE, false, false, Served::DocumentationOnly),
        (ROLE, true, false, Served::Enforced),
        (CALLER, false, false, Served::NotServed),
        (CALLER, false, true, Served::Enforced),
    ] {
        let document = json!({
            "openapi": "3.0.1",
            "info": { "title": "t", "version": "1" },
            "paths": { "/pets": { "get": {
                "responses": { "200": {} },
                "x-amazon-apigateway-integration": {
                    "type": "aws",
                    "httpMethod": "POST",
                    "uri": "arn:aws:apigateway:us-east-1:dynamodb:action/Scan",
                    "credentials": credentials,
                    "responses": { "default": { "statusCode": "200" } }
                }
            } } }
        });
        let mut builder = Gateway::builder()
            .export(document.to_string())
            .credentials(Credentials::new("AKIDEXAMPLE", "secret"))
            .assume_roles(assume);
        if keys {
            builder = builder.access_keys(MemoryCredentials::default());
        }
        let gateway = builder.build().expect("valid");
        let coverage = gateway.coverage();
        let integration = pointer.trim_end_matches("/credentials");
        let line = coverage
            .iter()
            .find(|field| field.pointer == pointer)
            .or_else(|| coverage.iter().find(|field| field.pointer == integration));
        // What is enforced may be part of a line that stands for more.
        let served = line.map_or(Served::Enforced, |line| line.served);
        assert_eq!(served, expected, "{credentials} {assume} {keys}");
    }
}
