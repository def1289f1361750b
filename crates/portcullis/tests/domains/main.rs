//! Custom domains, routing rules, versions and endpoint types through a whole gateway.

use http::{HeaderName, Request, Response};
use portcullis::core::{Body, Connection, RequestContext, SystemClock};
use portcullis::definition::DomainName;
use portcullis::{ApiSpec, Gateway, GatewayBuilder};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::ServiceExt;

mod endpoints;
mod faults;
mod rules;
#[cfg(feature = "serve")]
mod sockets;
mod versions;

/// A document whose every path answers with what `template` renders.
fn document(template: &str) -> String {
    let method = json!({
        "responses": { "200": { "description": "200 response" } },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": template }
            } }
        }
    });
    let paths = json!({ "/": { "get": method }, "/{proxy+}": { "get": method } });
    json!({ "openapi": "3.0.1", "info": { "title": "t", "version": "1" }, "paths": paths })
        .to_string()
}

/// An API with the stages `v1` and `v2` that answers with its id and its stage.
fn shop() -> ApiSpec {
    ApiSpec::rest(document("$context.apiId $context.stage"))
        .id("shop")
        .stage_named("v1")
        .stage_named("v2")
}

fn domain(value: Value) -> DomainName {
    serde_json::from_value(value).expect("a domain")
}

fn build(builder: GatewayBuilder) -> Gateway {
    builder.build().expect("a good definition")
}

fn request(host: &str, path: &str, lines: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = Request::get(path).header("host", host);
    for (name, value) in lines {
        request = request.header(HeaderName::from_static(name), *value);
    }
    request.body(Body::empty()).expect("a request")
}

/// The same, from this peer.
fn from(peer: &str, mut request: Request<Body>) -> (Request<Body>, RequestContext) {
    let peer = format!("{peer}:50000").parse().expect("an address");
    let context = RequestContext::new(&request, &SystemClock::new());
    context.set_connection(Connection::new(peer));
    request.extensions_mut().insert(context.clone());
    (request, context)
}

async fn send(gateway: &Gateway, request: Request<Body>) -> Response<Body> {
    match gateway.clone().oneshot(request).await {
        Ok(response) => response,
    }
}

async fn ask(
    gateway: &Gateway,
    host: &str,
    path: &str,
    lines: &[(&'static str, &str)],
) -> (u16, String) {
    let response = send(gateway, request(host, path, lines)).await;
    (response.status().as_u16(), testkit::text(response).await)
}
