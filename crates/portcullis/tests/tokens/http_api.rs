//! JWT authorizers of HTTP APIs.

use super::*;

fn scheme(changes: &Value) -> Value {
    let mut authorizer = json!({
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": { "issuer": ISSUER, "audience": ["pets", "cats"] },
    });
    for (name, value) in changes.as_object().expect("an object") {
        authorizer[name] = value.clone();
    }
    json!({ "type": "oauth2", "flows": {}, "x-amazon-apigateway-authorizer": authorizer })
}

fn api(changes: &Value) -> ApiSpec {
    let paths = json!({
        "/open": { "get": show(&json!([])) },
        "/pets": { "get": show(&json!([{ "tokens": [] }])) },
        "/write": { "get": show(&json!([{ "tokens": ["pets:write", "pets:admin"] }])) },
        "/admin": { "get": show(&json!([{ "tokens": ["pets:admin"] }])) },
    });
    ApiSpec::http(document(&scheme(changes), &paths)).id("a1b2c3")
}

async fn gateway() -> (Gateway, MockIssuer) {
    let issuer = issuer(ISSUER).await;
    let builder = builder(api(&json!({})));
    let name = ISSUER.trim_end_matches('/');
    (build(builder.upstream(name, issuer.url())), issuer)
}

#[tokio::test]
async fn a_token_passes_and_its_claims_reach_the_function_as_text() {
    let (gateway, issuer) = gateway().await;
    let response = ask(&gateway, "/pets", &format!("Bearer {}", token(&json!({})))).await;
    assert_eq!(response.status(), StatusCode::OK);
    let expected = json!({ "jwt": {
        "claims": {
            "iss": ISSUER, "sub": "me", "aud": "pets", "exp": (NOW + 3600).to_string(), "iat": (NOW - 10).to_string(),
            "scope": "pets:read pets:write", "admin": "true", "groups": "[a b]",
        },
        "scopes": null,
    } });
    assert_eq!(testkit::json(response).await, expected);
    let response = ask(&gateway, "/write", &token(&json!({}))).await;
    let caller = testkit::json(response).await;
    assert_eq!(caller["jwt"]["scopes"], json!(["pets:read", "pets:write"]));
    assert_eq!(issuer.fetches().keys, 1, "all routes share the keys");
    assert_eq!(status(&gateway, "/open", "").await, 200);
}

#[tokio::test]
async fn refusals_are_those_of_the_service() {
    let (gateway, _issuer) = gateway().await;
    let bad = |description: &str| {
        format!(r#"Bearer scope="" error="invalid_token" error_description="{description}""#)
    };
    for (token, uri, status, body, challenge) in [
        (String::new(), "/pets", 401, "Unauthorized", "Bearer".to_owned()),
        (
            "Bearer a.b".to_owned(),
            "/pets",
            401,
            "Unauthorized",
            bad("token contains an invalid number of segments"),
        ),
        (
            format!("bearer {}", token(&json!({}))),
            "/pets",
            401,
            "Unauthorized",
            bad("tokenstring should not contain 'bearer '"),
        ),
        (
            token(&json!({ "exp": NOW })),
            "/pets",
            401,
            "Unauthorized",
            bad("the token has expired"),
        ),
        (
            token(&json!({ "aud": "dogs", "client_id": "pets" })),
            "/pets",
            401,
            "Unauthorized",
            bad("the token does not have a valid audience"),
        ),
        (
            CURVE.sign(&claims(&json!({}))),
            "/pets",
            401,
            "Unauthorized",
            bad("signing method ES256 is invalid"),
        ),
        (
            token(&json!({})),
            "/admin",
            403,
            "Forbidden",
            r#"Bearer scope="pets:admin" error="insufficient_scope" error_description="the token has none of the scopes that are needed""#.to_owned(),
        ),
    ] {
        let response = ask(&gateway, uri, &token).await;
        assert_eq!(response.status().as_u16(), status, "{challenge}");
        let headers = response.headers().clone();
        assert_eq!(headers["www-authenticate"], *challenge);
        assert!(headers.contains_key("apigw-requestid"));
        assert!(!headers.contains_key("x-amzn-errortype"));
        let expected = format!(r#"{{"message":"{body}"}}"#);
        assert_eq!(testkit::text(response).await, expected);
    }
}

#[tokio::test]
async fn a_token_may_stand_in_the_query_or_in_another_header() {
    let server = issuer(ISSUER).await;
    let make = |source: &str| {
        let api = api(&json!({ "identitySource": source }));
        let name = ISSUER.trim_end_matches('/');
        build(builder(api).upstream(name, server.url()))
    };
    let good = token(&json!({}));
    let query = make("$request.querystring.token");
    assert_eq!(
        status(&query, &format!("/pets?token={good}"), "").await,
        200
    );
    assert_eq!(status(&query, "/pets", &good).await, 401);
    let header = make("$request.header.X-Token");
    let response = get(&header, "/pets", ("x-token", &good)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(status(&header, "/pets", &good).await, 401);
}

#[tokio::test]
async fn a_deployment_keeps_the_keys_and_changes_the_rules() {
    let (gateway, issuer) = gateway().await;
    let good = token(&json!({}));
    assert_eq!(status(&gateway, "/pets", &good).await, 200);
    let paths = json!({ "/pets": { "get": show(&json!([{ "tokens": ["pets:admin"] }])) } });
    let deployed = gateway.deploy("a1b2c3", document(&scheme(&json!({})), &paths));
    deployed.expect("a good document");
    assert_eq!(status(&gateway, "/pets", &good).await, 403);
    assert_eq!(issuer.fetches().keys, 1);
}

#[tokio::test]
async fn an_issuer_that_is_away_is_a_401_that_says_so() {
    let (gateway, issuer) = gateway().await;
    issuer.behave(portcullis_testkit::Conduct::Status(503));
    let response = ask(&gateway, "/pets", &token(&json!({}))).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let challenge = response.headers()["www-authenticate"]
        .to_str()
        .expect("text");
    assert!(challenge.contains("OIDC discovery endpoint communication error"));
}

#[test]
fn the_report_says_what_of_an_authorizer_counts() {
    let changes = json!({ "identityValidationExpression": "x" });
    let gateway = builder(api(&changes)).build().expect("a good definition");
    let authorizer = "/components/securitySchemes/tokens/x-amazon-apigateway-authorizer";
    for (pointer, served) in [
        (format!("{authorizer}/jwtConfiguration"), Served::Enforced),
        (format!("{authorizer}/type"), Served::Enforced),
        (
            format!("{authorizer}/identityValidationExpression"),
            Served::DocumentationOnly,
        ),
        (
            "/paths/~1pets/get/security/0/tokens".to_owned(),
            Served::Enforced,
        ),
    ] {
        assert_eq!(fate(&gateway, &pointer), served, "{pointer}");
    }
}

#[test]
fn what_cannot_work_is_an_error_at_its_place() {
    let authorizer = "/components/securitySchemes/tokens/x-amazon-apigateway-authorizer";
    for (changes, place) in [
        (
            json!({ "identitySource": "$request.body" }),
            "/identitySource",
        ),
        (
            json!({ "identitySource": "$request.header.A,$request.header.B" }),
            "/identitySource",
        ),
        (
            json!({ "jwtConfiguration": { "issuer": "http://id.example.com", "audience": ["a"] } }),
            "/jwtConfiguration/issuer",
        ),
        (
            json!({ "jwtConfiguration": { "issuer": ISSUER } }),
            "/jwtConfiguration/audience",
        ),
    ] {
        let error = builder(api(&changes)).build().expect_err("a fault");
        assert_eq!(places(&error), [format!("{authorizer}{place}")], "{error}");
    }
}
