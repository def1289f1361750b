//! What becomes of documents that are imported as HTTP APIs.

use portcullis_definition::{ApiKind, AuthorizationType, AuthorizerType, HttpApi, IntegrationType};
use portcullis_openapi::{BasePath, ImportOptions, Imported, WarningLevel, import, parse};
use serde_json::{Value, json};

fn options() -> ImportOptions {
    ImportOptions::default().kind(ApiKind::Http).api_id("abc")
}

#[track_caller]
fn imported(document: &Value) -> Imported {
    parse(&document.to_string())
        .and_then(|document| import(&document, &options()))
        .unwrap_or_else(|errors| panic!("{errors}"))
}

#[track_caller]
fn http(document: &Value) -> HttpApi {
    imported(document)
        .api
        .as_http()
        .expect("an HTTP API")
        .clone()
}

fn proxy() -> Value {
    json!({"type": "http_proxy", "httpMethod": "ANY", "uri": "http://pets.test/{proxy}", "payloadFormatVersion": "1.0"})
}

fn with_get(operation: Value, root: Value) -> Value {
    let mut document = json!({"openapi": "3.0.1", "info": {"title": "t"}});
    let mut get = json!({"x-amazon-apigateway-integration": proxy()});
    for (into, from) in [(&mut get, operation), (&mut document, root)] {
        for (name, value) in from.as_object().unwrap() {
            into[name] = value.clone();
        }
    }
    document["paths"] = json!({"/a": {"get": get}});
    document
}

#[track_caller]
fn check_fault(document: &Value, pointer: &str, message: &str) {
    let errors = parse(&document.to_string())
        .and_then(|document| import(&document, &options()))
        .expect_err("the document is wrong");
    let found = errors
        .faults()
        .iter()
        .any(|fault| fault.pointer.as_str() == pointer && fault.message.contains(message));
    assert!(found, "no fault at {pointer} with `{message}` in\n{errors}");
}

#[test]
fn operations_become_routes() {
    let document = json!({"openapi": "3.0.1", "info": {"title": "t"}, "paths": {
        "/pets/{id}": {"get": {"operationId": "one", "x-amazon-apigateway-integration": proxy()}},
        // Two variables at one place are no matter here.
        "/pets/{name}/toys": {"get": {"x-amazon-apigateway-integration": proxy()}},
        "/{proxy+}": {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": proxy()}},
        "/$default": {"x-amazon-apigateway-any-method":
            {"isDefaultRoute": true, "x-amazon-apigateway-integration": proxy()}},
        "/": {"post": {"x-amazon-apigateway-integration": proxy()}}}});
    let api = http(&document);
    let mut keys: Vec<_> = api
        .routes
        .iter()
        .map(|route| route.route_key.as_str())
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "$default",
            "ANY /{proxy+}",
            "GET /pets/{id}",
            "GET /pets/{name}/toys",
            "POST /"
        ]
    );
    for route in &api.routes {
        let integration = api.integration(route.integration_id().unwrap()).unwrap();
        assert_eq!(integration.integration_type, IntegrationType::HttpProxy);
        assert_eq!(integration.timeout_in_millis, Some(30_000));
    }

    let prefixed = import(
        &parse(
            &document
                .to_string()
                .replacen('{', r#"{"servers": [{"url": "/v1"}],"#, 1),
        )
        .unwrap(),
        &options().basepath(BasePath::Prepend),
    )
    .unwrap();
    let api = prefixed.api.as_http().unwrap();
    assert!(
        api.routes
            .iter()
            .any(|route| route.route_key == "GET /v1/pets/{id}")
    );
    assert!(api.routes.iter().any(|route| route.route_key == "$default"));
}

#[test]
fn routes_share_an_integration_that_they_refer_to() {
    let reference = json!({"$ref": "#/components/x-amazon-apigateway-integrations/pets"});
    let api = http(&json!({"openapi": "3.0.1", "info": {"title": "t"},
        "components": {"x-amazon-apigateway-integrations": {"pets": {
            "type": "AWS_PROXY", "payloadFormatVersion": 2.0, "httpMethod": "POST",
            "uri": "arn:aws:lambda:us-east-1:1:function:f", "credentials": "arn:role",
            "connectionType": "INTERNET", "description": "d", "timeoutInMillis": 1000,
            "requestParameters": {"append:header.a": "$request.path"},
            "responseParameters": {"500": {"overwrite:statuscode": "403"}},
            "tlsConfig": {"serverNameToVerify": "n"}}}},
        "paths": {"/a": {"get": {"x-amazon-apigateway-integration": reference}},
            "/b": {"get": {"x-amazon-apigateway-integration": reference}}}}));
    assert_eq!(api.integrations.len(), 1);
    assert_eq!(api.routes[0].target, api.routes[1].target);
    let integration = &api.integrations[0];
    assert_eq!(integration.payload_format_version.as_deref(), Some("2.0"));
    assert_eq!(
        integration.response_parameters["500"]["overwrite:statuscode"],
        "403"
    );
    assert_eq!(
        integration.request_parameters["append:header.a"],
        "$request.path"
    );
    assert_eq!(
        integration.source.as_ref().unwrap().as_str(),
        "/components/x-amazon-apigateway-integrations/pets"
    );
}

#[test]
fn a_subtype_has_parameters_of_its_own() {
    let api = http(&with_get(
        json!({"x-amazon-apigateway-integration": {"type": "aws_proxy", "payloadFormatVersion": "1.0",
            "integrationSubtype": "SQS-SendMessage", "credentials": "arn:role",
            "requestParameters": {"QueueUrl": "u", "MessageBody": "$request.body"}}}),
        json!({}),
    ));
    let integration = &api.integrations[0];
    assert_eq!(
        integration.integration_subtype.as_deref(),
        Some("SQS-SendMessage")
    );
    assert_eq!(integration.request_parameters["QueueUrl"], "u");
}

#[test]
fn jwt_and_request_authorizers_protect_routes() {
    let api = http(&with_get(
        json!({"security": [{"jwt": ["read"]}]}),
        json!({"components": {"securitySchemes": {
            "jwt": {"type": "oauth2", "x-amazon-apigateway-authorizer": {"type": "jwt",
                "identitySource": "$request.header.Authorization",
                "jwtConfiguration": {"issuer": "https://issuer.test", "audience": ["a"]}}},
            "oidc": {"type": "openIdConnect",
                "openIdConnectUrl": "https://oidc.test/.well-known/openid-configuration",
                "x-amazon-apigateway-authorizer": {"type": "jwt", "jwtConfiguration": {"audience": ["b"]}}},
            "request": {"type": "apiKey", "name": "Unused", "in": "header",
                "x-amazon-apigateway-authorizer": {"type": "request", "authorizerUri": "arn:f",
                    "authorizerPayloadFormatVersion": "2.0", "enableSimpleResponses": true,
                    "identitySource": "$request.header.A, $request.querystring.b",
                    "authorizerResultTtlInSeconds": 60}}}}}),
    ));
    let of = |name: &str| {
        api.authorizers
            .iter()
            .find(|item| item.name == name)
            .unwrap()
    };
    assert_eq!(api.routes[0].authorization_type, AuthorizationType::Jwt);
    assert_eq!(
        api.routes[0].authorizer_id.as_ref(),
        Some(&of("jwt").authorizer_id)
    );
    assert_eq!(api.routes[0].authorization_scopes, ["read"]);
    let oidc = of("oidc").jwt_configuration.as_ref().unwrap();
    assert_eq!(oidc.issuer.as_deref(), Some("https://oidc.test"));
    assert_eq!(
        of("oidc").identity_source,
        ["$request.header.Authorization"]
    );
    assert_eq!(of("request").authorizer_type, AuthorizerType::Request);
    assert_eq!(
        of("request").identity_source,
        ["$request.header.A", "$request.querystring.b"]
    );
    assert!(of("request").enable_simple_responses);
}

#[test]
fn cors_tags_and_the_endpoint_end_in_the_api() {
    let api = http(&with_get(
        json!({}),
        json!({
            "tags": [{"name": "team", "x-amazon-apigateway-tag-value": "pets"}, {"name": "plain"}],
            "servers": [{"url": "/", "x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": true}}],
            "x-amazon-apigateway-importexport-version": "1.0",
            "x-amazon-apigateway-cors": {"allowOrigins": ["https://a.test", "https://*"], "allowCredentials": true,
                "allowMethods": ["GET", "*"], "allowHeaders": ["x-a"], "exposeHeaders": ["x-b"], "maxAge": 3600}}),
    ));
    let cors = api.cors_configuration.unwrap();
    assert_eq!(cors.allow_origins, ["https://a.test", "https://*"]);
    assert_eq!(cors.max_age, Some(3600));
    assert_eq!(api.tags["team"], "pets");
    assert_eq!(api.tags["plain"], "");
    assert!(api.disable_execute_api_endpoint);
}

#[test]
fn a_cors_configuration_that_the_service_refuses_is_a_fault() {
    let check = |cors: Value, pointer: &str, message: &str| {
        let document = with_get(json!({}), json!({"x-amazon-apigateway-cors": cors}));
        check_fault(
            &document,
            &format!("/x-amazon-apigateway-cors{pointer}"),
            message,
        );
    };
    check(
        json!({"allowOrigins": ["*"], "allowCredentials": true}),
        "",
        "credentials",
    );
    check(
        json!({"allowOrigins": ["https://*.a.test"]}),
        "/allowOrigins/0",
        "no origin",
    );
    check(
        json!({"allowOrigins": ["https:/"]}),
        "/allowOrigins/0",
        "no origin",
    );
    check(
        json!({"allowMethods": ["FETCH"]}),
        "/allowMethods/0",
        "no verb",
    );
    check(json!({"maxAge": 86401}), "/maxAge", "between -1 and 86400");
}

#[test]
fn what_an_http_api_has_not_is_warned_of() {
    let imported = imported(&with_get(
        json!({"requestBody": {"content": {}}, "security": [{"key": []}],
            "x-amazon-apigateway-request-validator": "all",
            "x-amazon-apigateway-integration": {"type": "aws", "uri": "x"}}),
        json!({"components": {"schemas": {}, "securitySchemes":
                {"key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}},
            "x-amazon-apigateway-binary-media-types": []}),
    ));
    let of = |level: WarningLevel| {
        imported
            .warnings
            .iter()
            .filter(|warning| warning.level == level)
            .count()
    };
    assert_eq!(of(WarningLevel::Info), 2, "{:?}", imported.warnings);
    assert_eq!(of(WarningLevel::Warning), 4, "{:?}", imported.warnings);
    let api = imported.api.as_http().unwrap();
    assert_eq!(api.routes[0].target, None);
    assert_eq!(api.import_info.len(), 2);
    assert_eq!(api.warnings.len(), 4);
}

#[test]
fn wrong_documents_are_refused() {
    let swagger = json!({"swagger": "2.0", "info": {"title": "t"}, "paths": {}});
    check_fault(&swagger, "", "Invalid OpenAPI input.");
    let at = |member: &str| format!("/paths/~1a/get/x-amazon-apigateway-integration{member}");
    let check = |integration: Value, pointer: &str, message: &str| {
        let document = with_get(
            json!({"x-amazon-apigateway-integration": integration}),
            json!({}),
        );
        check_fault(&document, &at(pointer), message);
    };
    check(json!({"type": "http_proxy"}), "", "a URI or a subtype");
    check(
        json!({"type": "http_proxy", "uri": "pets"}),
        "/uri",
        "Invalid HTTP endpoint",
    );
    check(
        json!({"type": "http_proxy", "uri": "x", "connectionType": "VPC_LINK"}),
        "",
        "has an id",
    );
    check(
        json!({"type": "http_proxy", "uri": "http://x.test", "payloadFormatVersion": "3.0"}),
        "/payloadFormatVersion",
        "no payload format version",
    );
    check(
        json!({"type": "http_proxy", "uri": "http://x.test", "requestParameters": {"header.a": "b"}}),
        "/requestParameters/header.a",
        "Invalid mapping expression",
    );
    check(
        json!({"$ref": "#/components/x"}),
        "/$ref",
        "stands for nothing",
    );
    check_fault(
        &with_get(
            json!({}),
            json!({"x-amazon-apigateway-importexport-version": "2.0"}),
        ),
        "/x-amazon-apigateway-importexport-version",
        "unknown",
    );
}
