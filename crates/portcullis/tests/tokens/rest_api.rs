//! JWT authorizers of REST APIs.

use super::*;

const SECOND: &str = "https://login.example.com";

fn scheme(changes: &Value) -> Value {
    let mut authorizer = json!({
        "type": "jwt",
        "identitySource": "method.request.header.Authorization",
        "jwtConfiguration": {
            "defaultAlgorithms": ["RS256", "ES256"],
            "issuers": [
                { "issuer": ISSUER, "audiences": ["pets"] },
                { "issuer": SECOND, "audiences": ["cats"], "additionalClaims": [
                    { "claimName": "tenant", "format": "SINGLE_STRING", "required": true, "expectedValues": ["acme"] },
                    { "claimName": "tier", "expectedValues": ["gold"] },
                ] },
            ],
        },
    });
    for (name, value) in changes.as_object().expect("an object") {
        authorizer[name] = value.clone();
    }
    json!({
        "type": "apiKey", "name": "Authorization", "in": "header",
        "x-amazon-apigateway-authtype": "jwt",
        "x-amazon-apigateway-authorizer": authorizer,
    })
}

fn api(changes: &Value) -> ApiSpec {
    let paths = json!({
        "/pets": { "get": show(&json!([{ "tokens": [] }])) },
        "/write": { "get": show(&json!([{ "tokens": ["pets:write"] }])) },
        "/admin": { "get": show(&json!([{ "tokens": ["pets:admin"] }])) },
    });
    ApiSpec::rest(document(&scheme(changes), &paths))
        .id("a1b2c3")
        .stage_named("prod")
}

#[tokio::test]
async fn tokens_of_several_issuers_pass_each_by_its_own_rules() {
    let (first, second) = (issuer(ISSUER).await, issuer(SECOND).await);
    let gateway = build(
        builder(api(&json!({})))
            .upstream(ISSUER.trim_end_matches('/'), first.url())
            .upstream(SECOND, second.url()),
    );
    let status = async |token: &str| status(&gateway, "/prod/pets", token).await;
    assert_eq!(status(&token(&json!({}))).await, 200);
    assert_eq!(status(&CURVE.sign(&claims(&json!({})))).await, 200);
    let acme = json!({ "iss": SECOND, "aud": "cats", "tenant": "acme" });
    let acme = |more: Value| {
        let mut claims = acme.clone();
        for (name, value) in more.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        token(&claims)
    };
    assert_eq!(status(&acme(json!({}))).await, 200);
    assert_eq!(status(&acme(json!({ "tier": "gold" }))).await, 200);
    assert_eq!(status(&acme(json!({ "tier": "tin" }))).await, 401);
    assert_eq!(status(&acme(json!({ "tenant": "other" }))).await, 401);
    assert_eq!(status(&acme(json!({ "aud": "pets" }))).await, 401);
    assert_eq!(
        status(&acme(json!({ "iss": "https://id.example.com" }))).await,
        401
    );
}

#[tokio::test]
async fn refusals_are_gateway_responses() {
    let server = issuer(ISSUER).await;
    let builder = builder(api(&json!({}))).upstream(ISSUER.trim_end_matches('/'), server.url());
    let gateway = build(builder);
    let good = token(&json!({}));
    for (uri, token, status, kind, body) in [
        (
            "/prod/pets",
            "",
            401,
            "UnauthorizedException",
            r#"{"message":"Unauthorized"}"#,
        ),
        (
            "/prod/admin",
            &good,
            403,
            "AccessDeniedException",
            r#"{"Message":"User is not authorized to access this resource"}"#,
        ),
    ] {
        let response = ask(&gateway, uri, token).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["x-amzn-errortype"], kind);
        assert_eq!(testkit::text(response).await, body);
    }
    let response = ask(&gateway, "/prod/write", &good).await;
    let caller = testkit::json(response).await;
    assert_eq!(caller["claims"]["groups"], "a,b");
    assert_eq!(caller.get("scopes"), None);
}

#[test]
fn what_cannot_work_is_an_error_at_its_place() {
    let configuration = |issuer: Value| json!({ "jwtConfiguration": { "defaultAlgorithms": ["RS256"], "issuers": [issuer] } });
    for (changes, place) in [
        (
            json!({ "jwtConfiguration": { "issuers": [{ "issuer": ISSUER, "audiences": ["a"] }] } }),
            "/defaultAlgorithms",
        ),
        (
            json!({ "jwtConfiguration": { "defaultAlgorithms": ["HS256"], "issuers": [{ "issuer": ISSUER, "audiences": ["a"] }] } }),
            "/defaultAlgorithms",
        ),
        (
            configuration(json!({ "issuer": ISSUER })),
            "/issuers/0/audiences",
        ),
        (
            configuration(json!({ "issuer": "https://x?a", "audiences": ["a"] })),
            "/issuers/0/issuer",
        ),
        (
            configuration(
                json!({ "issuer": ISSUER, "audiences": ["a"], "additionalClaims": [{ "claimName": "aud" }] }),
            ),
            "/issuers/0/additionalClaims/0/claimName",
        ),
    ] {
        let error = builder(api(&changes)).build().expect_err("a fault");
        let configuration =
            "/components/securitySchemes/tokens/x-amazon-apigateway-authorizer/jwtConfiguration";
        assert_eq!(
            places(&error),
            [format!("{configuration}{place}")],
            "{error}"
        );
    }
}
