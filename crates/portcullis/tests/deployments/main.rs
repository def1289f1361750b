//! Deployments, stages and what operators do with them, by the public API and over real sockets.

mod admin;
mod canary;
mod handle;
mod mirror;
mod ramp;
mod soak;
mod state;

use http::{Request, StatusCode};
use portcullis::core::Body;
use portcullis::{ApiSpec, Gateway};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::ServiceExt;

/// An operation with a mock behind it that answers by this template.
fn mock(template: &str) -> Value {
    json!({
        "responses": { "200": { "description": "200 response" } },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": template }
            } }
        }
    })
}

fn document(paths: &Value) -> String {
    json!({ "openapi": "3.0.1", "info": { "title": "shop", "version": "1" }, "paths": paths })
        .to_string()
}

/// A definition whose one route tells the release.
fn release(number: u32) -> String {
    document(&json!({ "/release": { "get": mock(&number.to_string()) } }))
}

/// An HTTP API, behind whose one route a function of this name stands.
fn http_release(function: &str) -> String {
    document(
        &json!({ "/release": { "get": { "x-amazon-apigateway-integration": {
        "type": "aws_proxy", "payloadFormatVersion": "2.0", "httpMethod": "POST",
        "uri": format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:{function}/invocations")
    } } } }),
    )
}

fn shop(document: String) -> ApiSpec {
    ApiSpec::rest(document).id("shop")
}

fn build(api: ApiSpec) -> Gateway {
    Gateway::builder().api(api).build().expect("a gateway")
}

async fn get(gateway: &Gateway, uri: &str) -> (StatusCode, String) {
    let request = Request::get(uri).body(Body::empty()).expect("a request");
    let response = gateway.clone().oneshot(request).await;
    let response = response.expect("a gateway never fails");
    (response.status(), testkit::text(response).await)
}

async fn text(gateway: &Gateway, uri: &str) -> String {
    let (status, text) = get(gateway, uri).await;
    assert_eq!(status, 200, "{text}");
    text
}
