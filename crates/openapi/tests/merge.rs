//! Putting documents onto APIs that are there already.

use portcullis_definition::{Api, ApiKeySource, ApiKind, EndpointType};
use portcullis_openapi::{ImportOptions, Imported, import, merge, overwrite, parse};
use serde_json::{Value, json};

#[track_caller]
fn imported(document: &Value, options: &ImportOptions) -> Imported {
    parse(&document.to_string())
        .and_then(|document| import(&document, options))
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn rest_document(paths: Value, mut root: Value) -> Value {
    root["openapi"] = json!("3.0.1");
    root["info"] = json!({"title": "t"});
    root["paths"] = paths;
    root
}

fn operation(id: &str) -> Value {
    json!({"operationId": id, "x-amazon-apigateway-integration": {"type": "mock"}})
}

fn function_scheme(uri: &str) -> Value {
    json!({"securitySchemes": {"a": {"type": "apiKey", "name": "A", "in": "header",
        "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": uri}}}})
}

/// An API as an export of another tool would have it: with ids of its own.
fn existing() -> Api {
    let options = ImportOptions::default()
        .api_id("old")
        .endpoint_type(EndpointType::Regional);
    let document = rest_document(
        json!({"/a": {"get": operation("oldGet"), "post": operation("oldPost")},
            "/a/{id}": {"get": operation("oldId")}}),
        json!({"components": function_scheme("arn:old"), "security": [{"a": []}],
            "x-amazon-apigateway-binary-media-types": ["image/png"],
            "x-amazon-apigateway-api-key-source": "AUTHORIZER",
            "x-amazon-apigateway-gateway-responses": {"THROTTLED": {"statusCode": 420}}}),
    );
    let api = imported(&document, &options).api;
    let Api::Rest(mut api) = api else {
        panic!("a REST API")
    };
    for resource in &mut api.resources {
        resource.id = format!("own-{}", resource.path);
    }
    api.authorizers[0].id = "own-authorizer".to_owned();
    for method in api
        .resources
        .iter_mut()
        .flat_map(|resource| resource.resource_methods.values_mut())
    {
        method.authorizer_id = Some("own-authorizer".to_owned());
    }
    Api::Rest(api)
}

fn update() -> Imported {
    let document = rest_document(
        json!({"/a": {"get": operation("newGet")}, "/a/b": {"get": operation("newB")}}),
        json!({"components": function_scheme("arn:new"), "security": [{"a": []}],
            "x-amazon-apigateway-binary-media-types": ["image/gif", "image/png"]}),
    );
    imported(&document, &ImportOptions::default().api_id("new"))
}

#[test]
fn merge_replaces_methods_and_leaves_the_rest() {
    let merged = merge(existing(), update()).unwrap();
    let api = merged.as_rest().unwrap();
    assert_eq!(api.id, "old");
    let name = |path: &str, verb: &str| {
        api.resource(path).unwrap().resource_methods[verb]
            .operation_name
            .clone()
            .unwrap()
    };
    assert_eq!(name("/a", "GET"), "newGet");
    assert_eq!(name("/a", "POST"), "oldPost");
    assert_eq!(name("/a/{id}", "GET"), "oldId");
    assert_eq!(name("/a/b", "GET"), "newB");
    assert_eq!(api.binary_media_types, ["image/png", "image/gif"]);
    assert_eq!(api.api_key_source, ApiKeySource::Authorizer);
    assert_eq!(
        api.endpoint_configuration.endpoint_type(),
        EndpointType::Regional
    );
    assert_eq!(api.gateway_responses.len(), 1);
}

#[test]
fn ids_that_are_there_stay_and_new_methods_refer_to_them() {
    for api in [
        merge(existing(), update()).unwrap(),
        overwrite(existing(), update()).unwrap(),
    ] {
        let api = api.as_rest().unwrap();
        let a = api.resource("/a").unwrap();
        assert_eq!(a.id, "own-/a");
        assert_eq!(api.root_resource_id.as_deref(), Some("own-/"));
        assert_eq!(
            api.resource("/a/b").unwrap().parent_id.as_deref(),
            Some("own-/a")
        );
        assert_eq!(api.authorizers.len(), 1);
        assert_eq!(
            api.authorizers[0].authorizer_uri.as_deref(),
            Some("arn:new")
        );
        let get = &a.resource_methods["GET"];
        assert_eq!(get.authorizer_id.as_deref(), Some("own-authorizer"));
        let namespace = get
            .method_integration
            .as_ref()
            .unwrap()
            .cache_namespace
            .as_deref();
        assert_eq!(namespace, Some("own-/a"));
    }
}

#[test]
fn overwrite_keeps_the_endpoint_configuration_only() {
    let overwritten = overwrite(existing(), update()).unwrap();
    let api = overwritten.as_rest().unwrap();
    assert_eq!(api.id, "old");
    assert_eq!(
        api.endpoint_configuration.endpoint_type(),
        EndpointType::Regional
    );
    assert_eq!(api.binary_media_types, ["image/gif", "image/png"]);
    assert_eq!(api.api_key_source, ApiKeySource::Header);
    assert!(api.gateway_responses.is_empty());
    assert!(api.resource("/a/{id}").is_none());
    assert!(
        !api.resource("/a")
            .unwrap()
            .resource_methods
            .contains_key("POST")
    );
}

#[test]
fn merge_refuses_a_second_variable_at_one_place() {
    let document = rest_document(json!({"/a/{name}": {"get": operation("x")}}), json!({}));
    let errors = merge(existing(), imported(&document, &ImportOptions::default())).unwrap_err();
    assert_eq!(errors.faults()[0].pointer.as_str(), "/paths/~1a~1{name}");
    assert!(errors.faults()[0].message.contains("A sibling ({id})"));
}

fn http_document(path: &str, uri: &str) -> Value {
    json!({"openapi": "3.0.1", "info": {"title": "t"},
        "paths": {path: {"get": {"x-amazon-apigateway-integration":
            {"$ref": "#/components/x-amazon-apigateway-integrations/shared"}}}},
        "components": {"x-amazon-apigateway-integrations":
            {"shared": {"type": "http_proxy", "httpMethod": "ANY", "uri": uri}}}})
}

#[test]
fn routes_that_stay_keep_their_integrations() {
    let options = ImportOptions::default().kind(ApiKind::Http).api_id("h");
    let old = imported(&http_document("/a", "http://old.test"), &options).api;
    let new = imported(&http_document("/b", "http://new.test"), &options);
    let merged = merge(old, new).unwrap();
    let api = merged.as_http().unwrap();
    let uri = |key: &str| {
        let route = api
            .routes
            .iter()
            .find(|route| route.route_key == key)
            .unwrap();
        let integration = api.integration(route.integration_id().unwrap()).unwrap();
        integration.integration_uri.clone().unwrap()
    };
    assert_eq!(uri("GET /a"), "http://old.test");
    assert_eq!(uri("GET /b"), "http://new.test");
}

#[test]
fn the_other_kind_of_api_is_refused() {
    let options = ImportOptions::default().kind(ApiKind::Http);
    let new = imported(&http_document("/b", "http://new.test"), &options);
    assert!(overwrite(existing(), new.clone()).is_err());
    assert!(merge(existing(), new).is_err());
}
