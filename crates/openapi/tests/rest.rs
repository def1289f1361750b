//! What becomes of documents that are imported as REST APIs.

use portcullis_definition::{
    ApiKeySource, AuthorizationType, AuthorizerType, ContentHandling, EndpointType,
    IntegrationType, Method, PassthroughBehavior, RestApi,
};
use portcullis_openapi::{ImportOptions, Imported, import, parse};
use serde_json::{Value, json};

fn options() -> ImportOptions {
    ImportOptions::default()
        .api_id("abc")
        .account_id("123456789012")
        .region("eu-west-1")
}

#[track_caller]
fn imported(document: &Value) -> Imported {
    parse(&document.to_string())
        .and_then(|document| import(&document, &options()))
        .unwrap_or_else(|errors| panic!("{errors}"))
}

#[track_caller]
fn rest(document: &Value) -> RestApi {
    imported(document)
        .api
        .as_rest()
        .expect("a REST API")
        .clone()
}

fn method<'a>(api: &'a RestApi, verb: &str, path: &str) -> &'a Method {
    let resource = api
        .resource(path)
        .unwrap_or_else(|| panic!("no resource {path}"));
    &resource.resource_methods[verb]
}

fn mock() -> Value {
    json!({"type": "mock", "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
        "responses": {"default": {"statusCode": 200}}})
}

/// A document with one operation, `GET /a`, and other members at its root.
fn with_get(operation: Value, root: Value) -> Value {
    let mut document = json!({"openapi": "3.0.1", "info": {"title": "t", "version": "1"}});
    let mut get = json!({"x-amazon-apigateway-integration": mock()});
    for (into, from) in [(&mut get, operation), (&mut document, root)] {
        for (name, value) in from.as_object().unwrap() {
            into[name] = value.clone();
        }
    }
    document["paths"] = json!({"/a": {"get": get}});
    document
}

/// The faults of a document as pointers and messages.
fn faults(document: &Value) -> Vec<(String, String)> {
    let errors = parse(&document.to_string())
        .and_then(|document| import(&document, &options()))
        .expect_err("the document is wrong");
    let faults = errors.faults().iter();
    faults
        .map(|fault| (fault.pointer.to_string(), fault.message.clone()))
        .collect()
}

#[track_caller]
fn check_fault(document: &Value, pointer: &str, message: &str) {
    let faults = faults(document);
    assert!(
        faults
            .iter()
            .any(|(at, text)| at == pointer && text.contains(message)),
        "no fault at {pointer} with `{message}` in {faults:#?}"
    );
}

#[test]
fn the_root_extensions_end_in_the_api() {
    let api = rest(&with_get(
        json!({}),
        json!({
            "servers": [{"url": "https://x.test", "x-amazon-apigateway-endpoint-configuration":
                {"disableExecuteApiEndpoint": true, "vpcEndpointIds": ["vpce-1"]}}],
            "x-amazon-apigateway-api-key-source": "AUTHORIZER",
            "x-amazon-apigateway-binary-media-types": ["image/png"],
            "x-amazon-apigateway-minimum-compression-size": 1024,
            "x-amazon-apigateway-policy": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
                 "Resource": "execute-api:/*"}]},
            "x-amazon-apigateway-gateway-responses": {
                "THROTTLED": {"statusCode": 420,
                    "responseParameters": {"gatewayresponse.header.X": "'y'"},
                    "responseTemplates": {"text/plain": "slow down"}}},
            "x-amazon-apigateway-request-validators": {
                "all": {"validateRequestBody": true, "validateRequestParameters": true}},
            "x-amazon-apigateway-request-validator": "all",
            "x-amazon-apigateway-documentation": {"version": "1", "documentationParts": [
                {"location": {"type": "API"}, "properties": {"description": "d"}}]},
        }),
    ));
    assert_eq!(api.api_key_source, ApiKeySource::Authorizer);
    assert_eq!(api.binary_media_types, ["image/png"]);
    assert_eq!(api.minimum_compression_size, Some(1024));
    assert!(api.disable_execute_api_endpoint);
    assert_eq!(
        api.endpoint_configuration.endpoint_type(),
        EndpointType::Edge
    );
    assert_eq!(api.endpoint_configuration.vpc_endpoint_ids, ["vpce-1"]);
    assert_eq!(
        api.policy.as_ref().unwrap().as_value()["Statement"][0]["Resource"],
        "arn:aws:execute-api:eu-west-1:123456789012:abc/*"
    );
    assert_eq!(api.gateway_responses[0].status_code.as_deref(), Some("420"));
    assert_eq!(
        api.gateway_responses[0].response_templates["text/plain"],
        "slow down"
    );
    assert_eq!(
        method(&api, "GET", "/a").request_validator_id.as_ref(),
        Some(&api.request_validators[0].id)
    );
    assert_eq!(
        api.documentation_parts[0].properties.as_deref(),
        Some(r#"{"description":"d"}"#)
    );
}

#[test]
fn each_field_of_an_integration_ends_in_the_method() {
    let api = rest(&with_get(
        json!({"x-amazon-apigateway-integration": {
            "type": "AWS", "httpMethod": "post", "credentials": "arn:aws:iam::*:user/*",
            "uri": "arn:${AWS::Partition}:apigateway:${AWS::Region}:sqs:path/${AWS::AccountId}/q",
            "passthroughBehavior": "When_No_Templates", "contentHandling": "convert_to_text",
            "timeoutInMillis": "5000", "cacheNamespace": "n", "cacheKeyParameters": ["method.request.querystring.a"],
            "requestParameters": {"integration.request.header.A": "'b'"},
            "requestTemplates": {"application/json": "t"},
            "responses": {
                "5\\d{2}": {"statusCode": "500", "contentHandling": "CONVERT_TO_BINARY"},
                "default": {"statusCode": 200, "responseParameters": {"method.response.header.X": "integration.response.header.Y"},
                    "responseTemplates": {"application/json": "r"}}},
            "tlsConfig": {"insecureSkipVerification": true},
            "responseTransferMode": "STREAM", "integrationTarget": "arn:lb"}}),
        json!({}),
    ));
    let integration = method(&api, "GET", "/a")
        .method_integration
        .as_ref()
        .unwrap();
    assert_eq!(integration.r#type, IntegrationType::Aws);
    assert_eq!(integration.http_method.as_deref(), Some("POST"));
    assert_eq!(
        integration.uri.as_deref(),
        Some("arn:aws:apigateway:eu-west-1:sqs:path/123456789012/q")
    );
    assert_eq!(
        integration.passthrough_behavior,
        PassthroughBehavior::WhenNoTemplates
    );
    assert_eq!(
        integration.content_handling,
        Some(ContentHandling::ConvertToText)
    );
    assert_eq!(integration.timeout_in_millis, Some(5000));
    assert_eq!(integration.cache_namespace.as_deref(), Some("n"));
    assert_eq!(integration.cache_key_parameters.len(), 1);
    assert_eq!(
        integration.request_parameters["integration.request.header.A"],
        "'b'"
    );
    assert!(
        integration
            .tls_config
            .as_ref()
            .unwrap()
            .insecure_skip_verification
    );
    assert_eq!(
        integration.source.as_ref().unwrap().as_str(),
        "/paths/~1a/get/x-amazon-apigateway-integration"
    );
    let patterns: Vec<_> = integration
        .integration_responses
        .values()
        .map(|response| {
            (
                response.status_code.as_str(),
                response.selection_pattern.as_deref(),
            )
        })
        .collect();
    assert_eq!(patterns, [("500", Some(r"5\d{2}")), ("200", None)]);
}

/// The schemes of the security tests.
fn schemes() -> Value {
    let function = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/invocations";
    json!({"securitySchemes": {
        "key": {"type": "apiKey", "name": "X-API-Key", "in": "header"},
        "token": {"type": "apiKey", "name": "Auth", "in": "header",
            "x-amazon-apigateway-authtype": "custom",
            "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": function, "identitySource": ""}},
        "request": {"type": "apiKey", "name": "Unused", "in": "header",
            "x-amazon-apigateway-authorizer": {"type": "request", "authorizerUri": function,
                "identitySource": "method.request.header.A, context.stage", "authorizerResultTtlInSeconds": 0}},
        "pool": {"type": "apiKey", "name": "Authorization", "in": "header",
            "x-amazon-apigateway-authtype": "cognito_user_pools",
            "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": ["arn:pool"]}},
        "sigv4": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
        "oauth": {"type": "oauth2", "flows": {}},
    }})
}

#[track_caller]
fn check_access(
    operation: Value,
    root_security: Value,
    kind: AuthorizationType,
    authorizer: Option<&str>,
    scopes: &[&str],
    api_key: bool,
) {
    let mut root = json!({"components": schemes()});
    if !root_security.is_null() {
        root["security"] = root_security;
    }
    let api = rest(&with_get(operation, root));
    let get = method(&api, "GET", "/a");
    assert_eq!(get.authorization_type, kind);
    let name = get
        .authorizer_id
        .as_ref()
        .map(|id| api.authorizer(id).unwrap().name.as_str());
    assert_eq!(name, authorizer);
    assert_eq!(get.authorization_scopes, scopes);
    assert_eq!(get.api_key_required, api_key);
}

#[test]
fn security_says_who_may_call() {
    use AuthorizationType::{AwsIam, CognitoUserPools, Custom, None as Nobody};
    let none = || json!({});
    check_access(none(), Value::Null, Nobody, None, &[], false);
    check_access(none(), json!([{"key": []}]), Nobody, None, &[], true);
    check_access(
        none(),
        json!([{"token": []}]),
        Custom,
        Some("token"),
        &[],
        false,
    );
    check_access(
        none(),
        json!([{"pool": ["a/read", "a/write"]}]),
        CognitoUserPools,
        Some("pool"),
        &["a/read", "a/write"],
        false,
    );
    // Both, under one requirement or under two.
    check_access(
        none(),
        json!([{"token": [], "key": []}]),
        Custom,
        Some("token"),
        &[],
        true,
    );
    check_access(
        none(),
        json!([{"token": []}, {"key": []}]),
        Custom,
        Some("token"),
        &[],
        true,
    );
    check_access(none(), json!([{"sigv4": []}]), AwsIam, None, &[], false);
    check_access(none(), json!([{"oauth": []}]), Nobody, None, &[], false);
    // The operation's own word goes first; an empty list turns security off.
    let own = json!({"security": [{"request": []}]});
    check_access(
        own,
        json!([{"token": []}]),
        Custom,
        Some("request"),
        &[],
        false,
    );
    check_access(
        json!({"security": []}),
        json!([{"token": []}]),
        Nobody,
        None,
        &[],
        false,
    );
    let iam = json!({"x-amazon-apigateway-auth": {"type": "aws_iam"}});
    check_access(
        iam,
        json!([{"token": []}, {"key": []}]),
        AwsIam,
        None,
        &[],
        true,
    );
    let open = json!({"x-amazon-apigateway-auth": {"type": "NONE"}});
    check_access(open, json!([{"token": []}]), Nobody, None, &[], false);
}

#[test]
fn authorizers_read_the_identity_where_the_scheme_says() {
    let api = rest(&with_get(json!({}), json!({"components": schemes()})));
    let of = |name: &str| {
        api.authorizers
            .iter()
            .find(|item| item.name == name)
            .unwrap()
    };
    assert_eq!(
        of("token").identity_source.as_deref(),
        Some("method.request.header.Auth")
    );
    assert_eq!(of("token").authorizer_result_ttl_in_seconds, Some(300));
    assert_eq!(of("token").auth_type.as_deref(), Some("custom"));
    assert_eq!(
        of("request").identity_source.as_deref(),
        Some("method.request.header.A, context.stage")
    );
    assert_eq!(of("request").authorizer_result_ttl_in_seconds, Some(0));
    assert_eq!(of("pool").r#type, AuthorizerType::CognitoUserPools);
    assert_eq!(of("pool").provider_arns, ["arn:pool"]);
}

#[test]
fn security_that_cannot_be_kept_is_a_fault() {
    let check = |operation: Value, pointer: &str, message: &str| {
        check_fault(
            &with_get(operation, json!({"components": schemes()})),
            pointer,
            message,
        );
    };
    check(
        json!({"security": [{"nobody": []}]}),
        "/paths/~1a/get/security/0/nobody",
        "not defined",
    );
    check(
        json!({"security": [{"token": []}, {"pool": []}]}),
        "/paths/~1a/get/security",
        "at most one authorization",
    );
    check(
        json!({"security": [{"token": []}], "x-amazon-apigateway-auth": {"type": "NONE"}}),
        "/paths/~1a/get/x-amazon-apigateway-auth/type",
        "both an authorizer and an authorization type",
    );
    check(
        json!({"x-amazon-apigateway-auth": {"type": "CUSTOM"}}),
        "/paths/~1a/get/x-amazon-apigateway-auth/type",
        "none of [NONE, AWS_IAM]",
    );
}

#[test]
fn references_to_parameters_responses_and_paths_are_followed() {
    let api = rest(&json!({
        "openapi": "3.1.0", "info": {"title": "t"},
        "paths": {"/a/{id}": {"$ref": "#/components/pathItems/item"}},
        "components": {
            "pathItems": {"item": {
                "parameters": [{"$ref": "#/components/parameters/Page"}],
                "get": {
                    "parameters": [
                        {"name": "page", "in": "query", "required": true},
                        {"name": "X-A", "in": "header"},
                        {"name": "c", "in": "cookie"}],
                    "responses": {"404": {"$ref": "#/components/responses/NotFound"}, "default": {}, "2XX": {}},
                    "x-amazon-apigateway-integration": mock()}}},
            "parameters": {"Page": {"name": "page", "in": "query"}},
            "responses": {"NotFound": {"description": "", "headers": {"Retry-After": {}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}}},
            "schemas": {"Fault": {"type": "object"}}},
    }));
    let get = method(&api, "GET", "/a/{id}");
    let expected = json!({"method.request.querystring.page": true,
        "method.request.header.X-A": false, "method.request.path.id": true});
    assert_eq!(
        serde_json::to_value(&get.request_parameters).unwrap(),
        expected
    );
    let response = &get.method_responses["404"];
    assert_eq!(response.response_models["application/json"], "Fault");
    assert!(
        response
            .response_parameters
            .contains_key("method.response.header.Retry-After")
    );
    assert_eq!(get.method_responses.len(), 1);
}

#[test]
fn swagger_bodies_take_their_media_types_from_consumes_and_produces() {
    let api = rest(&json!({
        "swagger": 2.0, "info": {"title": "t"}, "consumes": ["application/xml"],
        "definitions": {"Pet": {"type": "object"}},
        "paths": {"/a": {"post": {
            "produces": ["text/json"],
            "parameters": [{"in": "body", "name": "Pet", "schema": {"$ref": "#/definitions/Pet"}}],
            "responses": {"200": {"schema": {"type": "array", "items": {"$ref": "#/definitions/Pet"}}},
                "201": {"schema": {"type": "string"}}},
            "x-amazon-apigateway-integration": mock()}}},
    }));
    let post = method(&api, "POST", "/a");
    assert_eq!(post.request_models["application/xml"], "Pet");
    let list = &post.method_responses["200"].response_models["text/json"];
    let schema: Value =
        serde_json::from_str(api.model(list).unwrap().schema.as_ref().unwrap()).unwrap();
    let pet = "https://apigateway.amazonaws.com/restapis/abc/models/Pet";
    assert_eq!(schema, json!({"type": "array", "items": {"$ref": pet}}));
    assert!(post.method_responses["201"].response_models.is_empty());
}

#[test]
fn a_reference_into_a_schema_is_written_out() {
    let api = rest(&with_get(
        json!({}),
        json!({"components": {"schemas": {
            "A": {"properties": {"x": {"type": "string"}}},
            "B": {"properties": {"y": {"$ref": "#/components/schemas/A/properties/x"}}}}}}),
    ));
    let schema = api.model("B").unwrap().schema.as_ref().unwrap();
    assert_eq!(schema, r#"{"properties":{"y":{"type":"string"}}}"#);
}

#[test]
fn any_stands_beside_single_verbs_and_paths_have_their_parents() {
    let api = rest(
        &json!({"openapi": "3.0.1", "info": {"title": "t"}, "paths": {
        "/a/b/{p+}/": {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": mock()},
            "get": {"x-amazon-apigateway-integration": mock()}},
        "/": {"get": {"x-amazon-apigateway-integration": mock()}}}}),
    );
    let paths: Vec<_> = api
        .resources
        .iter()
        .map(|resource| resource.path.as_str())
        .collect();
    assert_eq!(paths, ["/", "/a", "/a/b", "/a/b/{p+}"]);
    let verbs: Vec<_> = api.resources[3].resource_methods.keys().collect();
    assert_eq!(
        verbs,
        ["GET", "ANY"].map(String::from).iter().collect::<Vec<_>>()
    );
    assert!(method(&api, "ANY", "/a/b/{p+}").request_parameters["method.request.path.p"]);
}

#[test]
fn a_wrong_document_gets_all_its_faults_at_once() {
    let document = json!({"openapi": "3.0.1", "info": {"title": "t"}, "paths": {
        "a": {},
        "/{a}/x": {"get": {"x-amazon-apigateway-integration": {"type": "teapot"}}},
        "/{b}": {"get": {"x-amazon-apigateway-integration": mock()}},
        "/c d": {"get": {"x-amazon-apigateway-integration": {"type": "kettle"}}}, "/{p+}/d": {},
        "/e": {"get": {"x-amazon-apigateway-integration": {"type": "http", "timeoutInMillis": 49,
            "requestParameters": {"wrong": "method.request.header.x"}}}},
        "/f": {"get": {"x-amazon-apigateway-integration": {"type": "mock",
            "responses": {"default": {"statusCode": "2XX"}}}}},
        "/g": {"get": {"x-amazon-apigateway-integration": {"type": "http", "httpMethod": "GET",
            "uri": {"Fn::Sub": "http://${x}"}}}}},
        "x-amazon-apigateway-minimum-compression-size": -1,
        "x-amazon-apigateway-gateway-responses": {"WRONG": {}, "THROTTLED": {"responseTemplates": {"a/b": null}}},
        "components": {"schemas": {"a-b": {}}},
    });
    for (pointer, message) in [
        (
            "/x-amazon-apigateway-minimum-compression-size",
            "must be between 0 and 10485760",
        ),
        (
            "/x-amazon-apigateway-gateway-responses/WRONG",
            "Value 'WRONG' at 'responseType'",
        ),
        (
            "/x-amazon-apigateway-gateway-responses/THROTTLED/responseTemplates/a~1b",
            "Invalid null or empty value in responseTemplates",
        ),
        (
            "/components/schemas/a-b",
            "Model name must be alphanumeric: a-b",
        ),
        ("/paths/a", "does not begin with a slash"),
        (
            "/paths/~1{a}~1x/get/x-amazon-apigateway-integration/type",
            "`teapot` is none of",
        ),
        (
            "/paths/~1{b}",
            "A sibling ({a}) of this resource already has a variable path part",
        ),
        ("/paths/~1c d", "path part only allow"),
        (
            "/paths/~1c d/get/x-amazon-apigateway-integration/type",
            "`kettle` is none of",
        ),
        ("/paths/~1{p+}~1d", "greedy path variable: {p+}"),
        (
            "/paths/~1e/get/x-amazon-apigateway-integration",
            "HttpMethod must be non-empty",
        ),
        (
            "/paths/~1e/get/x-amazon-apigateway-integration/uri",
            "Invalid HTTP endpoint",
        ),
        (
            "/paths/~1e/get/x-amazon-apigateway-integration/timeoutInMillis",
            "between 50 ms and 29000 ms",
        ),
        (
            "/paths/~1e/get/x-amazon-apigateway-integration/requestParameters/wrong",
            "Invalid mapping expression parameter specified: wrong",
        ),
        (
            "/paths/~1f/get/x-amazon-apigateway-integration/responses/default/statusCode",
            "`2XX` is no status code",
        ),
        (
            "/paths/~1g/get/x-amazon-apigateway-integration/uri",
            "expected text, found an object",
        ),
    ] {
        check_fault(&document, pointer, message);
    }
}

#[test]
fn faults_are_written_one_on_each_line() {
    let document = parse(r#"{"openapi": "3.0.1", "paths": {"a": {}, "b": {}}}"#).unwrap();
    let text = import(&document, &options()).unwrap_err().to_string();
    assert_eq!(
        text,
        "/paths/a: the path `a` does not begin with a slash [path/slash]: write `/a`\n\
         /paths/b: the path `b` does not begin with a slash [path/slash]: write `/b`"
    );
}

#[test]
fn the_arn_of_a_function_alone_is_told_to_be_for_http_apis() {
    let document = parse(
        r#"{"openapi": "3.0.1", "info": {"title": "t"}, "paths": {"/a": {"get": {"x-amazon-apigateway-integration":
            {"type": "aws_proxy", "httpMethod": "POST", "uri": "arn:aws:lambda:eu-west-1:111111111111:function:f"}}}}}"#,
    );
    let error = import(&document.unwrap(), &options()).unwrap_err();
    let fault = &error.faults()[0];
    assert!(fault.message.starts_with("Invalid ARN"), "{error}");
    assert!(fault.fix.contains(
        "lambda:path/2015-03-31/functions/ARN/invocations; the ARN alone is for HTTP APIs"
    ));
}

#[test]
fn what_is_not_known_is_named_and_what_means_nothing_is_warned_of() {
    let imported = imported(&with_get(
        json!({"x-amazon-apigateway-colour": 1, "x-amazon-apigateway-integration":
            {"type": "mock", "sound": "loud", "timeoutInMillis": 30000,
             "responses": {"default": {"statusCode": "200"}, "4..": {"statusCode": "200"}}}}),
        json!({"x-amazon-apigateway-shape": {}, "x-other": 1}),
    ));
    let unknown: Vec<_> = imported
        .unknown
        .iter()
        .map(|pointer| pointer.as_str())
        .collect();
    assert_eq!(
        unknown,
        [
            "/x-amazon-apigateway-shape",
            "/paths/~1a/get/x-amazon-apigateway-colour",
            "/paths/~1a/get/x-amazon-apigateway-integration/sound",
        ]
    );
    let warnings: Vec<_> = imported
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(warnings[0], "Timeout should be between 50 ms and 29000 ms");
    assert!(warnings[1].contains("one integration response for each status code"));
}

#[test]
fn warnings_fail_an_import_that_is_to_fail_on_them() {
    let document = with_get(
        json!({"x-amazon-apigateway-integration": {"type": "mock", "timeoutInMillis": 30000}}),
        json!({}),
    );
    let document = parse(&document.to_string()).unwrap();
    assert!(import(&document, &options()).is_ok());
    let errors = import(&document, &options().fail_on_warnings(true)).unwrap_err();
    assert_eq!(
        errors.faults()[0].message,
        "Timeout should be between 50 ms and 29000 ms"
    );
}

#[test]
fn documentation_can_be_left_out() {
    let document = with_get(
        json!({}),
        json!({"x-amazon-apigateway-documentation":
        {"documentationParts": [{"location": {"type": "API"}, "properties": "{}"}]}}),
    );
    let document = parse(&document.to_string()).unwrap();
    let parts = |options: &ImportOptions| {
        import(&document, options)
            .unwrap()
            .api
            .as_rest()
            .unwrap()
            .documentation_parts
            .len()
    };
    assert_eq!(parts(&options()), 1);
    assert_eq!(parts(&options().ignore_documentation(true)), 0);
}

#[test]
fn ids_are_the_same_on_the_next_import() {
    let document = with_get(json!({}), json!({"components": schemes()}));
    assert_eq!(rest(&document), rest(&document));
}
