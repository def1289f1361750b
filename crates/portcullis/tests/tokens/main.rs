//! Tokens through a whole gateway: JWT authorizers of both kinds of API, and Cognito user pools.

mod config;
mod http_api;
mod rest_api;
mod user_pool;

use std::sync::LazyLock;

use http::{Request, Response, StatusCode};
use portcullis::core::{
    Body, FunctionError, FunctionReply, Invocation, ManualClock, RequestContext,
};
use portcullis::{ApiSpec, Gateway, GatewayBuilder, GatewayError, Served};
use portcullis_testkit::{MockIssuer, Signer, request as testkit};
use serde_json::{Value, json};
use tower::ServiceExt;

const ISSUER: &str = "https://id.example.com/";
/// 2024-02-29T23:59:30Z
const NOW: u64 = 1_709_251_170;

/// RSA keys take a moment to make.
static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::generate("RS256", "rsa"));
static CURVE: LazyLock<Signer> = LazyLock::new(|| Signer::generate("ES256", "curve"));

/// Good claims, changed by those of `other`; null takes one out.
fn claims(other: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": "me", "aud": "pets", "exp": NOW + 3600, "iat": NOW - 10,
        "scope": "pets:read pets:write", "admin": true, "groups": ["a", "b"],
    });
    for (name, value) in other.as_object().expect("an object") {
        match value {
            Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn token(other: &Value) -> String {
    RSA.sign(&claims(other))
}

async fn issuer(name: &str) -> MockIssuer {
    MockIssuer::start(name, &[&*RSA, &*CURVE]).await
}

/// An operation whose function answers with what its event says of the caller.
fn show(security: &Value) -> Value {
    json!({
        "security": security,
        "responses": { "200": { "description": "200 response" } },
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy", "httpMethod": "POST", "payloadFormatVersion": "2.0",
            "uri": "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:show/invocations",
        },
    })
}

async fn show_caller(call: Invocation) -> Result<FunctionReply, FunctionError> {
    let event: Value = serde_json::from_slice(&call.payload).expect("an event");
    let body = event["requestContext"]["authorizer"].to_string();
    let reply = json!({ "statusCode": 200, "body": body });
    Ok(FunctionReply::success(reply.to_string()))
}

fn document(scheme: &Value, paths: &Value) -> String {
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": paths,
        "components": { "securitySchemes": { "tokens": scheme } },
    })
    .to_string()
}

fn builder(api: ApiSpec) -> GatewayBuilder {
    Gateway::builder()
        .region("eu-west-1")
        .account_id("123456789012")
        .clock(ManualClock::at_unix(NOW))
        .function("show", show_caller)
        .api(api)
}

fn build(builder: GatewayBuilder) -> Gateway {
    let gateway = builder.build().expect("a good definition");
    let coverage = gateway.coverage();
    assert_eq!(coverage.not_served().count(), 0, "{coverage}");
    gateway
}

/// A GET, with this header if its value is not empty.
async fn get(gateway: &Gateway, uri: &str, header: (&str, &str)) -> Response<Body> {
    let mut request = Request::get(uri);
    if !header.1.is_empty() {
        request = request.header(header.0, header.1);
    }
    let request = request.body(Body::empty()).expect("a request");
    gateway.clone().oneshot(request).await.expect("never fails")
}

async fn ask(gateway: &Gateway, uri: &str, token: &str) -> Response<Body> {
    get(gateway, uri, ("authorization", token)).await
}

async fn status(gateway: &Gateway, uri: &str, token: &str) -> u16 {
    ask(gateway, uri, token).await.status().as_u16()
}

fn places(error: &GatewayError) -> Vec<&str> {
    let faults = error.faults().iter();
    faults.map(|fault| fault.place.as_str()).collect()
}

fn fate(gateway: &Gateway, pointer: &str) -> Served {
    let coverage = gateway.coverage();
    let field = coverage.iter().find(|field| field.pointer == pointer);
    field
        .unwrap_or_else(|| panic!("{pointer} is missing"))
        .served
}
