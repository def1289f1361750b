//! Cognito user pools before REST APIs.

use super::*;

const ARN: &str = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEf123";
const POOL: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123";

fn scheme(changes: &Value) -> Value {
    let mut authorizer = json!({ "type": "cognito_user_pools", "providerARNs": [ARN] });
    for (name, value) in changes.as_object().expect("an object") {
        authorizer[name] = value.clone();
    }
    json!({
        "type": "apiKey", "name": "Authorization", "in": "header",
        "x-amazon-apigateway-authtype": "cognito_user_pools",
        "x-amazon-apigateway-authorizer": authorizer,
    })
}

fn api(changes: &Value, policy: Option<&Value>) -> ApiSpec {
    let paths = json!({
        "/pets": { "get": show(&json!([{ "tokens": [] }])) },
        "/write": { "get": show(&json!([{ "tokens": ["api/write"] }])) },
    });
    let mut document: Value =
        serde_json::from_str(&document(&scheme(changes), &paths)).expect("JSON");
    if let Some(policy) = policy {
        document["x-amazon-apigateway-policy"] = policy.clone();
    }
    ApiSpec::rest(document.to_string())
        .id("a1b2c3")
        .stage_named("prod")
}

async fn pool() -> MockIssuer {
    issuer(POOL).await
}

fn gateway(api: ApiSpec, pool: &MockIssuer) -> Gateway {
    let origin = "https://cognito-idp.eu-west-1.amazonaws.com";
    build(builder(api).upstream(origin, pool.url()))
}

fn id_token(other: &Value) -> String {
    let mut claims = json!({
        "iss": POOL, "sub": "me", "aud": "client", "token_use": "id", "exp": NOW + 3600, "iat": NOW, "auth_time": NOW,
        "email_verified": true, "cognito:groups": ["a", "b"], "custom:role": "admin",
    });
    for (name, value) in other.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    RSA.sign(&claims)
}

fn access_token(scope: &str) -> String {
    RSA.sign(&json!({
        "iss": POOL, "sub": "me", "client_id": "client", "token_use": "access", "exp": NOW + 3600, "iat": NOW, "scope": scope,
    }))
}

#[tokio::test]
async fn the_scopes_of_a_method_say_which_kind_of_token_belongs_there() {
    let pool = pool().await;
    let gateway = gateway(api(&json!({}), None), &pool);
    let (id, access) = (id_token(&json!({})), access_token("openid api/write"));
    for (uri, token, expected) in [
        ("/prod/pets", &*id, 200),
        ("/prod/pets", &access, 401),
        ("/prod/write", &access, 200),
        ("/prod/write", &id, 401),
        ("/prod/write", &access_token("openid"), 401),
        ("/prod/pets", "", 401),
    ] {
        assert_eq!(
            status(&gateway, uri, token).await,
            expected,
            "{uri} {token}"
        );
    }
    assert_eq!(
        status(&gateway, "/prod/pets", &format!("Bearer {id}")).await,
        200
    );
}

#[tokio::test]
async fn claims_reach_the_function_as_the_service_words_them() {
    let pool = pool().await;
    let gateway = gateway(api(&json!({}), None), &pool);
    let response = ask(&gateway, "/prod/pets", &id_token(&json!({}))).await;
    let expected = json!({ "claims": {
        "iss": POOL, "sub": "me", "aud": "client", "token_use": "id", "exp": "Fri Mar 01 00:59:30 UTC 2024",
        "iat": "Thu Feb 29 23:59:30 UTC 2024", "auth_time": NOW.to_string(), "email_verified": "true",
        "cognito:groups": "a,b", "custom:role": "admin",
    } });
    assert_eq!(testkit::json(response).await, expected);
}

#[tokio::test]
async fn an_expired_token_is_named_and_a_pool_that_is_away_is_a_500() {
    let pool = pool().await;
    let away = gateway(api(&json!({}), None), &pool);
    pool.behave(portcullis_testkit::Conduct::Status(500));
    let response = ask(&away, "/prod/pets", &id_token(&json!({}))).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(testkit::text(response).await, r#"{"message":null}"#);

    pool.behave(portcullis_testkit::Conduct::Good);
    let gateway = gateway(api(&json!({}), None), &pool);
    let response = ask(
        &gateway,
        "/prod/pets",
        &id_token(&json!({ "exp": NOW - 1 })),
    )
    .await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let body = r#"{"message":"The incoming token has expired"}"#;
    assert_eq!(testkit::text(response).await, body);
}

#[tokio::test]
async fn an_expression_is_about_the_audience_which_access_tokens_do_not_have() {
    let pool = pool().await;
    let changes = json!({ "identityValidationExpression": "cli.*" });
    let gateway = gateway(api(&changes, None), &pool);
    assert_eq!(
        status(&gateway, "/prod/pets", &id_token(&json!({}))).await,
        200
    );
    let other = id_token(&json!({ "aud": "my-client" }));
    assert_eq!(status(&gateway, "/prod/pets", &other).await, 401);
    assert_eq!(
        status(&gateway, "/prod/write", &access_token("api/write")).await,
        401
    );
}

#[tokio::test]
async fn the_resource_policy_is_asked_on_its_own_behind_the_token() {
    let pool = pool().await;
    let policy = |statement: Value| {
        let mut statement = statement;
        statement["Principal"] = json!("*");
        json!({ "Version": "2012-10-17", "Statement": [statement] })
    };
    let allow = json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/GET/pets" });
    let silent = json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/POST/*" });
    let deny = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
    let good = id_token(&json!({}));
    for (statement, token, expected) in [
        (&allow, &*good, 200),
        (&allow, "", 401),
        (&silent, &good, 403),
        (&silent, "", 401),
        (&deny, &good, 403),
    ] {
        let gateway = gateway(api(&json!({}), Some(&policy(statement.clone()))), &pool);
        assert_eq!(
            status(&gateway, "/prod/pets", token).await,
            expected,
            "{statement} {token}"
        );
    }
}

#[test]
fn what_is_no_pool_is_an_error_at_its_place() {
    let error = builder(api(
        &json!({ "providerARNs": ["arn:aws:iam::1:user/me"] }),
        None,
    ))
    .build()
    .expect_err("a fault");
    let place = "/components/securitySchemes/tokens/x-amazon-apigateway-authorizer/providerARNs";
    assert_eq!(places(&error), [place]);
}

#[tokio::test]
async fn templates_read_claims() {
    let pool = pool().await;
    let mut mock = show(&json!([{ "tokens": [] }]));
    mock["x-amazon-apigateway-integration"] = json!({
        "type": "mock",
        "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
        "responses": { "default": { "statusCode": "200", "responseTemplates": {
            "application/json": "$context.authorizer.claims.sub $context.authorizer.claims['custom:role']"
        } } }
    });
    let document = document(&scheme(&json!({})), &json!({ "/pets": { "get": mock } }));
    let api = ApiSpec::rest(document).id("a1b2c3").stage_named("prod");
    let gateway = gateway(api, &pool);
    let response = ask(&gateway, "/prod/pets", &id_token(&json!({}))).await;
    assert_eq!(testkit::text(response).await, "me admin");
}

#[tokio::test]
async fn the_context_of_an_outer_layer_learns_who_called() {
    let pool = pool().await;
    let gateway = gateway(api(&json!({}), None), &pool);
    let mut request = Request::get("/prod/pets")
        .header("authorization", id_token(&json!({})))
        .body(Body::empty())
        .expect("a request");
    let context = RequestContext::of(&mut request).clone();
    gateway.oneshot(request).await.expect("never fails");
    let claims = context.claims().expect("claims");
    assert_eq!(claims.get("exp"), Some(&json!(NOW + 3600)));
}

#[tokio::test]
async fn a_stage_variable_says_which_pool_a_stage_believes() {
    let pool = pool().await;
    let arn = ARN.replace("eu-west-1_AbCdEf123", "${stageVariables.pool}");
    let api = api(&json!({ "providerARNs": [arn] }), None)
        .stage_named("unset")
        .stage_named("other");
    let gateway = gateway(api, &pool);
    let handle = gateway.handle();
    let set = |stage: &str, pool: &str| {
        let set = handle.set_stage_variables("a1b2c3", stage, [("pool", pool)]);
        set.expect("a good value");
    };
    set("prod", "eu-west-1_AbCdEf123");
    set("other", "eu-west-1_Zzzzzzzzz");
    let (id, access) = (id_token(&json!({})), access_token("openid api/write"));
    for (uri, token, expected) in [
        ("/prod/pets", &id, 200),
        ("/prod/write", &access, 200),
        ("/prod/write", &id, 401),
        ("/other/pets", &id, 401),
        ("/unset/pets", &id, 500),
    ] {
        assert_eq!(status(&gateway, uri, token).await, expected, "{uri}");
    }
    set("other", "eu-west-1_AbCdEf123");
    assert_eq!(status(&gateway, "/other/pets", &id).await, 200);
}
