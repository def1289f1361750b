//! Opaque tokens, and what integrations are told of callers, by a configuration file.

use axum::Router;
use axum::routing::post;
use http::{Request, StatusCode};
use portcullis::core::Body;
use portcullis::{ConfigFormat, Gateway, GatewayConfig};
use portcullis_testkit::request::text;
use serde_json::json;
use tower::ServiceExt;

/// An endpoint that knows one token.
async fn endpoint() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = async |headers: http::HeaderMap, body: String| {
        // gateway:secret
        let known =
            headers["authorization"] == "Basic Z2F0ZXdheTpzZWNyZXQ=" && body.contains("token=good");
        let answer = match known {
            true => json!({ "active": true, "sub": "ada", "scope": "pets:read", "aud": "pets" }),
            false => json!({ "active": false }),
        };
        ([("content-type", "application/json")], answer.to_string())
    };
    let app = Router::new().route("/introspect", post(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/introspect")
}

fn gateway(text: &str) -> Result<Gateway, String> {
    let method = json!({
        "responses": { "200": { "description": "200 response" } },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": "$input.params('x-user-id')|$input.params('x_user-id')" }
            } }
        }
    });
    let paths = json!({ "/pets": { "get": method, "post": method }, "/open": { "get": method } });
    let document =
        json!({ "openapi": "3.0.1", "info": { "title": "t", "version": "1" }, "paths": paths });
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("api.json"), document.to_string()).expect("written");
    let mut config = GatewayConfig::parse_with(text, ConfigFormat::Yaml, |_| None)
        .map_err(|error| error.to_string())?;
    config.folder = folder.path().to_owned();
    let builder = config.gateway().map_err(|error| error.to_string())?;
    builder.build().map_err(|error| error.to_string())
}

async fn ask(gateway: &Gateway, request: http::request::Builder) -> (StatusCode, String) {
    let request = request
        .header("x-user-id", "mallory")
        .header("x_user-id", "mallory");
    let request = request.body(Body::empty()).expect("a request");
    match gateway.clone().oneshot(request).await {
        Ok(response) => (response.status(), text(response).await),
    }
}

#[tokio::test]
async fn routes_ask_for_opaque_tokens_and_integrations_are_told_of_the_caller() {
    let address = endpoint().await;
    let gateway = gateway(&format!(
        "
apis:
  - id: pets
    definition: api.json
    stages: [{{ stageName: v1 }}]
    introspection:
      address: {address}
      clientId: gateway
      clientSecret: secret
      audiences: [pets]
      routes: {{ GET /pets: [pets:read], POST /pets: [pets:write] }}
    callerHeaders: {{ x-user-id: authorizer.claims.sub }}
"
    ))
    .expect("good");
    let with = |request: http::request::Builder| request.header("authorization", "Bearer good");
    let get = || Request::get("/v1/pets");
    assert_eq!(
        ask(&gateway, with(get())).await,
        (StatusCode::OK, "ada|".to_owned())
    );
    assert_eq!(ask(&gateway, get()).await.0, StatusCode::UNAUTHORIZED);
    let bad = get().header("authorization", "Bearer bad");
    assert_eq!(ask(&gateway, bad).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        ask(&gateway, with(Request::post("/v1/pets"))).await.0,
        StatusCode::FORBIDDEN
    );
    // Nobody vouches for a caller there, so nothing is said.
    assert_eq!(
        ask(&gateway, Request::get("/v1/open")).await,
        (StatusCode::OK, "|".to_owned())
    );
}

#[track_caller]
fn check(api: &str, expected: &str) {
    let text = format!("apis: [{{ id: a, definition: api.json, {api} }}]");
    assert_eq!(gateway(&text).expect_err("it is wrong"), expected);
}

#[test]
fn what_is_wrong_is_named_by_its_pointer() {
    check(
        "introspection: { address: 'http://id.example.com/x', routes: { GET /pets: [] } }",
        "/apis/0/introspection/address: `http://id.example.com/x` is not encrypted, and whoever is in between could choose the keys; give an https address",
    );
    check(
        "introspection: { address: 'https://id.example.com/x', clientId: x }",
        "/apis/0/introspection: `clientId` and `clientSecret` need each other\n\
         /apis/0/introspection/routes: is missing; name the routes that ask for a token, each with its scopes: `GET /pets: [pets:read]`",
    );
    check(
        "introspection: { address: 'https://id.example.com/x', routes: { GET /pet: [] } }",
        "a guards: there is no route `GET /pet`; there are: GET /open, GET /pets, POST /pets",
    );
    check(
        "callerHeaders: { 'a b': authorizer.tier, x-tier: authorize.tier }",
        "/apis/0/callerHeaders/a b: `a b` is no name of a header; name one such as `x-user-id`\n\
         /apis/0/callerHeaders/x-tier: `authorize.tier` is nothing in the context; name one such as `authorizer.principalId`",
    );
}
