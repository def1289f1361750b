//! `TOKEN` and `REQUEST` authorizers.

use super::*;

fn token() -> Value {
    json!({ "type": "token", "authorizerUri": uri("auth") })
}

fn api(authorizer: &Value) -> ApiSpec {
    let paths = json!({ "/pets": { "get": show(true) }, "/cats": { "get": show(true) }, "/open": { "get": show(false) } });
    spec(&document(authorizer, &paths))
}

fn spec(document: &Value) -> ApiSpec {
    ApiSpec::rest(document.to_string())
        .id("a1b2c3")
        .stage_named("prod")
        .stage_named("test")
}

/// Allows what it is asked about, and nothing else.
fn narrow(event: &Value) -> Result<Value, &'static str> {
    match event["authorizationToken"].as_str() {
        Some("deny") => Ok(policy("Deny", &json!("*"))),
        Some("unauthorized") => Err("Unauthorized"),
        Some("boom") => Err("boom"),
        Some("key") => Ok(with(
            policy("Allow", &json!("*")),
            &json!({ "usageIdentifierKey": "k1" }),
        )),
        _ => Ok(policy("Allow", &event["methodArn"])),
    }
}

#[tokio::test]
async fn the_function_is_asked_and_what_it_says_reaches_the_backend_as_text() {
    let asked = Asked::default();
    let gateway = build(builder(api(&token())).function("auth", asked.function(narrow)));
    let response = ask(&gateway, "/prod/pets", "Bearer x").await;
    assert_eq!(response.status(), StatusCode::OK);
    let expected = json!({ "principalId": "me", "tier": "gold", "n": "1", "b": "true", "integrationLatency": 0 });
    assert_eq!(testkit::json(response).await, expected);
    let arn = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/pets";
    let event = json!({ "type": "TOKEN", "authorizationToken": "Bearer x", "methodArn": arn });
    assert_eq!(asked.last(), event);
    assert_eq!(status(&gateway, "/prod/open", "").await, 200);
    assert_eq!(asked.count(), 1);
}

#[tokio::test]
async fn refusals_are_gateway_responses_that_read_the_context() {
    let asked = Asked::default();
    let mut document = document(&token(), &json!({ "/pets": { "get": show(true) } }));
    document["x-amazon-apigateway-gateway-responses"] = json!({ "ACCESS_DENIED": {
        "responseTemplates": { "application/json": "$context.authorizer.tier $context.authorizer.principalId" }
    } });
    let gateway = build(builder(spec(&document)).function("auth", asked.function(narrow)));
    for (token, status, kind, body) in [
        (
            "",
            401,
            "UnauthorizedException",
            r#"{"message":"Unauthorized"}"#,
        ),
        (
            "unauthorized",
            401,
            "UnauthorizedException",
            r#"{"message":"Unauthorized"}"#,
        ),
        ("deny", 403, "AccessDeniedException", "gold me"),
        (
            "boom",
            500,
            "AuthorizerConfigurationException",
            r#"{"message":null}"#,
        ),
    ] {
        let response = ask(&gateway, "/prod/pets", token).await;
        assert_eq!(response.status().as_u16(), status, "{token}");
        assert_eq!(response.headers()["x-amzn-errortype"], kind);
        assert_eq!(testkit::text(response).await, body);
    }
}

#[tokio::test]
async fn answers_are_kept_by_stage_and_flushed_by_stage_and_survive_a_deployment() {
    let asked = Asked::default();
    let all = |_: &Value| Ok(policy("Allow", &json!("*")));
    let gateway = build(builder(api(&token())).function("auth", asked.function(all)));
    for uri in ["/prod/pets", "/prod/cats", "/test/pets", "/test/cats"] {
        assert_eq!(status(&gateway, uri, "x").await, 200);
    }
    assert_eq!(asked.count(), 2);
    let again = document(&token(), &json!({ "/pets": { "get": show(true) } })).to_string();
    gateway.deploy("a1b2c3", again).expect("a good document");
    assert_eq!(status(&gateway, "/prod/pets", "x").await, 200);
    assert_eq!(asked.count(), 2);
    gateway
        .flush_authorizers_cache("a1b2c3", "prod")
        .expect("a stage");
    assert_eq!(status(&gateway, "/test/pets", "x").await, 200);
    assert_eq!(asked.count(), 2);
    assert_eq!(status(&gateway, "/prod/pets", "x").await, 200);
    assert_eq!(asked.count(), 3);
    let error = gateway
        .flush_authorizers_cache("a1b2c3", "none")
        .expect_err("no stage");
    assert!(error.to_string().contains("no stage `none`"), "{error}");
    assert!(gateway.flush_authorizers_cache("x", "prod").is_err());
}

#[tokio::test]
async fn a_narrow_policy_refuses_nobody_at_random_unless_parity_is_asked_for() {
    let asked = Asked::default();
    let make = |parity| {
        let api = api(&token()).parity(parity);
        build(builder(api).function("auth", asked.function(narrow)))
    };
    let safe = make(Parity::Safe);
    assert_eq!(status(&safe, "/prod/pets", "x").await, 200);
    assert_eq!(status(&safe, "/prod/cats", "x").await, 200);
    let strict = make(Parity::Strict);
    assert_eq!(status(&strict, "/prod/pets", "x").await, 200);
    assert_eq!(status(&strict, "/prod/cats", "x").await, 403);
}

#[tokio::test]
async fn an_expression_and_a_ttl_of_zero_count() {
    let asked = Asked::default();
    let authorizer = with(
        token(),
        &json!({ "identityValidationExpression": "^Bearer .+", "authorizerResultTtlInSeconds": 0, "identitySource": "method.request.header.X-Token" }),
    );
    let gateway = build(builder(api(&authorizer)).function("auth", asked.function(narrow)));
    assert_eq!(status(&gateway, "/prod/pets", "Bearer x").await, 401);
    let send = async |token: &str| {
        let request = Request::get("/prod/pets")
            .header("x-token", token)
            .body(Body::empty());
        let response = gateway.clone().oneshot(request.expect("a request")).await;
        response.expect("never fails").status().as_u16()
    };
    assert_eq!(send("x").await, 401);
    assert_eq!(asked.count(), 0);
    assert_eq!(send("Bearer x").await, 200);
    assert_eq!(send("Bearer x").await, 200);
    assert_eq!(asked.count(), 2);
}

#[tokio::test]
async fn a_request_authorizer_sees_the_request_and_needs_all_its_sources() {
    let asked = Asked::default();
    let authorizer = json!({
        "type": "request", "authorizerUri": uri("auth"),
        "identitySource": "method.request.header.Authorization, method.request.querystring.who",
    });
    let all = |_: &Value| Ok(policy("Allow", &json!("*")));
    let gateway = build(builder(api(&authorizer)).function("auth", asked.function(all)));
    assert_eq!(status(&gateway, "/prod/pets", "x").await, 401);
    assert_eq!(status(&gateway, "/prod/pets?who=", "x").await, 401);
    assert_eq!(status(&gateway, "/prod/pets?who=me", "x").await, 200);
    let event = asked.last();
    assert_eq!(event["type"], "REQUEST");
    assert_eq!(event["resource"], "/pets");
    assert_eq!(event["queryStringParameters"], json!({ "who": "me" }));
    assert_eq!(event["requestContext"]["stage"], "prod");
    assert_eq!(status(&gateway, "/prod/cats?who=me", "x").await, 200);
    assert_eq!(asked.count(), 1);
    assert_eq!(status(&gateway, "/prod/pets?who=you", "x").await, 200);
    assert_eq!(asked.count(), 2);
}

#[tokio::test]
async fn a_stage_variable_chooses_the_function() {
    let (one, two) = (Asked::default(), Asked::default());
    let authorizer = with(
        token(),
        &json!({ "authorizerUri": uri("auth:${stageVariables.alias}") }),
    );
    let stage = |name: &str, alias: &str| {
        serde_json::from_value(json!({ "stageName": name, "variables": { "alias": alias } }))
            .expect("a stage")
    };
    let document = document(&authorizer, &json!({ "/pets": { "get": show(true) } }));
    let api = ApiSpec::rest(document.to_string())
        .id("a1b2c3")
        .stage(stage("prod", "1"))
        .stage(stage("test", "2"));
    let gateway = build(
        builder(api)
            .function("auth:1", one.function(narrow))
            .function("auth:2", two.function(narrow)),
    );
    assert_eq!(status(&gateway, "/prod/pets", "x").await, 200);
    assert_eq!((one.count(), two.count()), (1, 0));
    assert_eq!(status(&gateway, "/test/pets", "x").await, 200);
    assert_eq!((one.count(), two.count()), (1, 1));
}

#[test]
fn what_cannot_work_is_an_error_at_its_place() {
    for (authorizer, place) in [
        (
            with(token(), &json!({ "authorizerUri": "https://x" })),
            "/authorizerUri",
        ),
        (
            with(token(), &json!({ "identityValidationExpression": "(" })),
            "/identityValidationExpression",
        ),
        (
            with(
                token(),
                &json!({ "identitySource": "method.request.path.id" }),
            ),
            "/identitySource",
        ),
        (
            with(
                token(),
                &json!({ "identitySource": "method.request.header.A,method.request.header.B" }),
            ),
            "/identitySource",
        ),
    ] {
        check_fault(builder(api(&authorizer)), place);
    }
}

#[tokio::test]
async fn a_function_that_is_not_attached_is_reported_and_answers_500() {
    let gateway = builder(api(&token())).build().expect("a good definition");
    let coverage = gateway.coverage();
    let missing: Vec<_> = coverage
        .not_served()
        .map(|field| field.pointer.as_str())
        .collect();
    let authorizer = "/components/securitySchemes/auth/x-amazon-apigateway-authorizer";
    assert_eq!(missing, [format!("{authorizer}/authorizerUri")]);
    assert_eq!(status(&gateway, "/prod/pets", "x").await, 500);
}

#[test]
fn the_report_says_what_of_an_authorizer_counts() {
    let asked = Asked::default();
    let request = json!({ "type": "request", "authorizerUri": uri("auth"), "authorizerResultTtlInSeconds": 60,
        "identityValidationExpression": "x", "authorizerCredentials": "arn:aws:iam::123456789012:role/r" });
    let mut document = document(&request, &json!({ "/pets": { "get": show(true) } }));
    document["components"]["securitySchemes"]["auth"]["name"] = json!("Unused");
    let gateway = build(builder(spec(&document)).function("auth", asked.function(narrow)));
    let coverage = gateway.coverage();
    let authorizer = "/components/securitySchemes/auth/x-amazon-apigateway-authorizer";
    for (field, served) in [
        ("type", Served::Enforced),
        ("authorizerUri", Served::Enforced),
        ("authorizerResultTtlInSeconds", Served::DocumentationOnly),
        ("identityValidationExpression", Served::DocumentationOnly),
        ("authorizerCredentials", Served::DocumentationOnly),
    ] {
        let pointer = format!("{authorizer}/{field}");
        let found = coverage.iter().find(|own| own.pointer == pointer);
        assert_eq!(found.expect("it is there").served, served, "{field}");
    }
}
