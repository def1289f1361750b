//! What functions are given.

use std::sync::{Arc, Mutex};

use http::Request;
use portcullis_auth::custom::{CustomAuthorizerLayer, EventFormat, FunctionAuthorizer};
use portcullis_core::{
    ApiStage, ClientCertificate, Connection, FunctionReply, Invocation, MatchedRoute,
    RequestContext, Route,
};
use serde_json::{Value, json};

use crate::support::{ARN, access, send};

/// The event of a request to `/pets/{id}` in a stage.
async fn event(format: EventFormat, sources: &[&str]) -> Value {
    let seen = Arc::new(Mutex::new(None));
    let function = {
        let seen = Arc::clone(&seen);
        move |call: Invocation| {
            let event: Value = serde_json::from_slice(&call.payload).expect("JSON");
            *seen.lock().expect("nobody panics") = Some((call.name.to_string(), event));
            async { Ok(FunctionReply::success("{}")) }
        }
    };
    let layer = CustomAuthorizerLayer::from(FunctionAuthorizer::new("auth", function, format))
        .identity_sources(sources)
        .expect("sources")
        .access(access());
    let mut request = Request::get("/prod/pets/a%20b?q=1&q=2+3&r=")
        .header("host", "a1b2c3.execute-api.eu-west-1.amazonaws.com")
        .header("authorization", "Bearer x.y.z")
        .header("x-api-key", "key")
        .header("x-two", "a")
        .header("x-two", "b")
        .header("cookie", "c=1; d=2")
        .header("user-agent", "curl")
        .body(())
        .expect("a request");
    let mut stage = ApiStage::default();
    stage.account_id = "123456789012".to_owned();
    stage.api_id = "a1b2c3".to_owned();
    stage.stage = "prod".to_owned();
    stage.kind = format.api();
    stage.variables.insert("v".to_owned(), "w".to_owned());
    let mut route = Route::new("/pets/{id}");
    route.resource_id = Some("r1".to_owned());
    route.route_key = Some("GET /pets/{id}".to_owned());
    let route = MatchedRoute::new(route, request.uri(), "/prod".len());
    let context = RequestContext::of(&mut request);
    context.set_stage(stage);
    context.set_route(route);
    context.set_connection(Connection::new(
        "203.0.113.7:5000".parse().expect("an address"),
    ));
    let mut certificate = ClientCertificate::default();
    certificate.subject_dn = "CN=me".to_owned();
    certificate.not_after = "May 28 12:30:02 2029 GMT".to_owned();
    context.set_client_certificate(certificate);
    assert_eq!(send(&layer, request).await.status(), 500);
    let (name, event) = seen
        .lock()
        .expect("nobody panics")
        .take()
        .expect("an event");
    assert_eq!(name, "auth");
    event
}

#[tokio::test]
async fn a_token_authorizer_gets_the_token_as_it_came() {
    let event = event(EventFormat::Token, &["method.request.header.Authorization"]).await;
    let expected = json!({
        "type": "TOKEN",
        "authorizationToken": "Bearer x.y.z",
        "methodArn": format!("{ARN}/prod/GET/pets/a%20b"),
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn a_request_authorizer_gets_the_request() {
    let mut event = event(
        EventFormat::Request,
        &["method.request.header.X-Two", "stageVariables.v"],
    )
    .await;
    let request_id = event["requestContext"]["requestId"].take();
    assert!(request_id.is_string());
    let expected = json!({
        "type": "REQUEST",
        "methodArn": format!("{ARN}/prod/GET/pets/a%20b"),
        "resource": "/pets/{id}",
        "path": "/pets/a%20b",
        "httpMethod": "GET",
        "headers": {
            "Host": "a1b2c3.execute-api.eu-west-1.amazonaws.com", "Authorization": "Bearer x.y.z", "x-api-key": "key",
            "x-two": "b", "cookie": "c=1; d=2", "User-Agent": "curl",
        },
        "multiValueHeaders": {
            "Host": ["a1b2c3.execute-api.eu-west-1.amazonaws.com"], "Authorization": ["Bearer x.y.z"], "x-api-key": ["key"],
            "x-two": ["a", "b"], "cookie": ["c=1; d=2"], "User-Agent": ["curl"],
        },
        "queryStringParameters": { "q": "2 3", "r": "" },
        "multiValueQueryStringParameters": { "q": ["1", "2 3"], "r": [""] },
        "pathParameters": { "id": "a%20b" },
        "stageVariables": { "v": "w" },
        "requestContext": {
            "path": "/prod/pets/a%20b", "accountId": "123456789012", "resourceId": "r1", "stage": "prod", "requestId": null,
            "identity": {
                "apiKey": "key", "sourceIp": "203.0.113.7",
                "clientCert": {
                    "clientCertPem": "", "subjectDN": "CN=me", "issuerDN": "", "serialNumber": "",
                    "validity": { "notBefore": "", "notAfter": "May 28 12:30:02 2029 GMT" },
                },
            },
            "resourcePath": "/pets/{id}", "httpMethod": "GET", "apiId": "a1b2c3",
        },
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn payload_1_has_the_identity_joined_by_commas() {
    let sources = ["$request.header.X-Two", "$context.stage"];
    let event = event(EventFormat::HttpV1, &sources).await;
    assert_eq!(event["version"], "1.0");
    assert_eq!(event["type"], "REQUEST");
    assert_eq!(event["identitySource"], "a,b,prod");
    assert_eq!(event["authorizationToken"], "a,b,prod");
    assert_eq!(event["methodArn"], format!("{ARN}/prod/GET/pets/a%20b"));
}

#[tokio::test]
async fn payload_2_has_it_as_a_list() {
    let sources = ["$request.querystring.q", "$request.header.X-Two"];
    let format = EventFormat::HttpV2 {
        simple_responses: true,
    };
    let mut event = event(format, &sources).await;
    for member in ["requestId", "time", "timeEpoch"] {
        assert!(
            !event["requestContext"][member].take().is_null(),
            "{member}"
        );
    }
    let expected = json!({
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": format!("{ARN}/prod/GET/pets/a%20b"),
        "identitySource": ["1,2 3", "a,b"],
        "routeKey": "GET /pets/{id}",
        "rawPath": "/prod/pets/a%20b",
        "rawQueryString": "q=1&q=2+3&r=",
        "cookies": ["c=1", "d=2"],
        "headers": {
            "host": "a1b2c3.execute-api.eu-west-1.amazonaws.com", "authorization": "Bearer x.y.z", "x-api-key": "key",
            "x-two": "a,b", "user-agent": "curl",
        },
        "queryStringParameters": { "q": "1,2 3", "r": "" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1b2c3",
            "authentication": { "clientCert": {
                "clientCertPem": "", "subjectDN": "CN=me", "issuerDN": "", "serialNumber": "",
                "validity": { "notBefore": "", "notAfter": "May 28 12:30:02 2029 GMT" },
            } },
            "domainName": "a1b2c3.execute-api.eu-west-1.amazonaws.com", "domainPrefix": "a1b2c3",
            "http": {
                "method": "GET", "path": "/prod/pets/a%20b", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "curl",
            },
            "requestId": null, "routeKey": "GET /pets/{id}", "stage": "prod", "time": null, "timeEpoch": null,
        },
        "pathParameters": { "id": "a b" },
        "stageVariables": { "v": "w" },
    });
    assert_eq!(event, expected);
}
