//! API keys and usage plans through a whole gateway: by definition, builder and configuration file.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use portcullis::auth::api_key::{ApiKey, KeyHash, KeyLookup, KeyStoreError, MemoryKeys};
use portcullis::core::{Body, FunctionError, FunctionReply, Invocation, Rejection, RequestContext};
use portcullis::definition::UsagePlan;
use portcullis::{
    ApiSpec, ConfigError, ConfigFormat, Gateway, GatewayBuilder, GatewayConfig, Parity, Served,
};
use portcullis_testkit::cases;
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::ServiceExt;

const FIRST: &str = "0123456789abcdefghij";
const SECOND: &str = "klmnopqrstuvwxyz0123";

/// What the gateway knows of the key, as the answer.
fn method(security: &Value) -> Value {
    json!({
        "security": security,
        "responses": {},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": {
                "statusCode": "200",
                "responseTemplates": { "application/json": "$context.identity.apiKeyId $context.identity.apiKey" }
            } }
        }
    })
}

fn document() -> Value {
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": {
            "/keyed": { "get": method(&json!([{ "key": [] }])) },
            "/both": { "get": method(&json!([{ "key": [], "iam": [] }])) },
            "/open": { "get": method(&json!([])) },
        },
        "components": { "securitySchemes": {
            "key": { "type": "apiKey", "name": "x-api-key", "in": "header" },
            "iam": { "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4" }
        } }
    })
}

fn spec() -> ApiSpec {
    let api = ApiSpec::rest(document().to_string()).id("pets");
    api.stage_named("prod").stage_named("test")
}

fn keys() -> MemoryKeys {
    MemoryKeys::new([
        ApiKey::new("one", FIRST),
        ApiKey::new("homeless", SECOND),
        ApiKey::new("off", "zyxwvutsrqponmlkjihg").with_enabled(false),
    ])
}

fn plan(changes: &Value) -> UsagePlan {
    let mut plan = json!({
        "id": "gold",
        "apiStages": [{ "apiId": "pets", "stage": "prod" }],
        "keys": ["one", "off"],
    });
    for (name, value) in changes.as_object().expect("an object") {
        plan[name] = value.clone();
    }
    serde_json::from_value(plan).expect("a plan")
}

fn builder() -> GatewayBuilder {
    Gateway::builder()
        .api(spec())
        .api_keys(keys())
        .usage_plan(plan(&json!({})))
}

fn build(builder: GatewayBuilder) -> Gateway {
    builder.build().expect("a good gateway")
}

fn request(path: &str, key: &str) -> Request<Body> {
    let request = Request::get(path);
    let request = match key {
        "" => request,
        key => request.header("X-Api-Key", key),
    };
    request.body(Body::empty()).expect("a request")
}

async fn send(gateway: &Gateway, request: Request<Body>) -> Response<Body> {
    gateway.clone().oneshot(request).await.expect("never fails")
}

async fn get(gateway: &Gateway, path: &str, key: &str) -> (u16, String) {
    let response = send(gateway, request(path, key)).await;
    (response.status().as_u16(), testkit::text(response).await)
}

#[tokio::test]
async fn a_key_opens_the_stages_of_its_plan_and_only_methods_that_need_one_look_at_it() {
    let gateway = build(builder());
    let forbidden = (403, r#"{"message":"Forbidden"}"#.to_owned());
    for (path, key, expected) in [
        ("/prod/keyed", FIRST, (200, format!("one {FIRST}"))),
        ("/prod/keyed", "", forbidden.clone()),
        ("/prod/keyed", "0123456789abcdefghiJ", forbidden.clone()),
        ("/prod/keyed", "zyxwvutsrqponmlkjihg", forbidden.clone()),
        ("/prod/keyed", SECOND, forbidden.clone()),
        ("/test/keyed", FIRST, forbidden.clone()),
        ("/prod/open", FIRST, (200, " ".to_owned())),
        ("/prod/open", "wrong", (200, " ".to_owned())),
    ] {
        assert_eq!(get(&gateway, path, key).await, expected, "{path} {key}");
    }
    let refused = send(&gateway, request("/prod/keyed", "")).await;
    assert_eq!(refused.headers()["x-amzn-errortype"], "ForbiddenException");
}

#[tokio::test]
async fn who_the_caller_is_comes_before_the_key() {
    let response = send(&build(builder()), request("/prod/both", "")).await;
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "MissingAuthenticationTokenException"
    );
}

#[tokio::test]
async fn the_source_of_the_definition_decides_where_the_key_is_looked_for() {
    let mut document = document();
    document["x-amazon-apigateway-api-key-source"] = "AUTHORIZER".into();
    let api = ApiSpec::rest(document.to_string()).id("pets");
    let gateway = Gateway::builder().api(api.stage_named("prod"));
    let gateway = build(
        gateway
            .api_keys(keys())
            .usage_plan(plan(&json!({})))
            .strict(false),
    );
    assert_eq!(get(&gateway, "/prod/keyed", FIRST).await.0, 403);
    let mut named = request("/prod/keyed", "");
    RequestContext::of(&mut named).set_usage_key(FIRST);
    let response = send(&gateway, named).await;
    assert_eq!(testkit::text(response).await, format!("one {FIRST}"));
    let pointer = "/x-amazon-apigateway-api-key-source";
    assert_eq!(fate(&gateway, pointer), Some(Served::Enforced));
}

#[tokio::test]
async fn a_custom_authorizer_names_the_key_and_its_kept_answer_does_too() {
    let mut document = document();
    document["x-amazon-apigateway-api-key-source"] = "AUTHORIZER".into();
    document["paths"]["/named"] = json!({ "get": method(&json!([{ "auth": [], "key": [] }])) });
    document["components"]["securitySchemes"]["auth"] = json!({
        "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": {
            "type": "token",
            "authorizerUri": "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:auth/invocations",
        },
    });
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let auth = move |call: Invocation| {
        counted.fetch_add(1, Ordering::SeqCst);
        let event: Value = serde_json::from_slice(&call.payload).expect("an event");
        let reply = json!({
            "principalId": "me",
            "policyDocument": { "Version": "2012-10-17", "Statement": [
                { "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*" }
            ] },
            "usageIdentifierKey": event["authorizationToken"],
        });
        async move { Ok::<_, FunctionError>(FunctionReply::success(reply.to_string())) }
    };
    let api = ApiSpec::rest(document.to_string()).id("pets");
    let gateway = Gateway::builder().api(api.stage_named("prod"));
    let gateway = gateway.function("auth", auth).api_keys(keys());
    let gateway = build(gateway.usage_plan(plan(&json!({}))));
    for (token, expected) in [(FIRST, 200), (FIRST, 200), (SECOND, 403), ("unknown", 403)] {
        let mut named = request("/prod/named", FIRST);
        let token = token.parse().expect("a header value");
        named.headers_mut().insert("authorization", token);
        assert_eq!(send(&gateway, named).await.status(), expected);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn the_refusal_is_restyled_by_its_type() {
    let mut document = document();
    document["x-amazon-apigateway-gateway-responses"] =
        json!({ "INVALID_API_KEY": { "statusCode": 401 } });
    let api = ApiSpec::rest(document.to_string()).id("pets");
    let gateway = Gateway::builder().api(api.stage_named("prod"));
    let gateway = build(gateway.api_keys(keys()).usage_plan(plan(&json!({}))));
    assert_eq!(get(&gateway, "/prod/keyed", "").await.0, 401);
}

#[tokio::test]
async fn a_key_changes_while_the_gateway_runs() {
    let keys = keys();
    let gateway = build(builder().api_keys(keys.clone()));
    assert!(keys.rotate("one", "a-value-that-is-brand-new"));
    assert_eq!(get(&gateway, "/prod/keyed", FIRST).await.0, 200);
    assert!(keys.retire_previous("one"));
    assert_eq!(get(&gateway, "/prod/keyed", FIRST).await.0, 403);
    let new = "a-value-that-is-brand-new";
    assert_eq!(get(&gateway, "/prod/keyed", new).await.0, 200);
}

#[tokio::test]
async fn a_store_that_is_away_refuses_unless_the_api_does_as_the_service_does() {
    let away =
        |_: &KeyHash| KeyLookup::later(async { Err(KeyStoreError::new("connection refused")) });
    let gateway = build(builder().api_keys(away));
    let response = send(&gateway, request("/prod/keyed", FIRST)).await;
    assert_eq!(response.status(), 500);
    let rejection = response.extensions().get::<Rejection>();
    let decision = rejection.and_then(Rejection::decision);
    assert_eq!(
        decision.map(portcullis::core::Decision::rule),
        Some("api-key/store-away")
    );
    let gateway = Gateway::builder().api(spec().parity(Parity::Strict));
    let gateway = build(gateway.api_keys(away).usage_plan(plan(&json!({}))));
    assert_eq!(get(&gateway, "/prod/keyed", FIRST).await.0, 200);
}

fn fate(gateway: &Gateway, pointer: &str) -> Option<Served> {
    let coverage = gateway.coverage();
    let field = coverage.iter().find(|field| field.pointer == pointer);
    field.map(|field| field.served)
}

#[tokio::test]
async fn without_keys_or_a_plan_methods_that_need_one_stay_shut_and_the_report_says_so() {
    let scheme = "/components/securitySchemes/key";
    let bare = || Gateway::builder().api(spec());
    for (builder, note) in [
        (bare(), "no API keys are configured"),
        (
            bare().usage_plan(plan(&json!({}))),
            "no API keys are configured",
        ),
        (
            bare().api_keys(keys()),
            "no usage plan has a stage of this API",
        ),
    ] {
        let error = builder.clone().strict(true).build().expect_err("shut");
        assert!(error.to_string().contains(note), "{error}");
        let gateway = build(builder);
        assert_eq!(get(&gateway, "/prod/keyed", FIRST).await.0, 403);
        assert_eq!(get(&gateway, "/prod/open", "").await.0, 200);
        assert_eq!(fate(&gateway, scheme), Some(Served::NotServed), "{note}");
    }
    let gateway = build(builder());
    let name = format!("{scheme}/name");
    assert_eq!(fate(&gateway, &name), Some(Served::Enforced));
}

#[test]
fn the_members_of_a_plan_are_reported_one_by_one() {
    let plan = plan(&json!({
        "name": "Gold",
        "throttle": { "rateLimit": 1.0, "burstLimit": 1 },
        "quota": { "limit": 1, "period": "DAY" },
        "apiStages": [
            { "apiId": "pets", "stage": "prod", "throttle": { "/keyed/GET": { "rateLimit": 1.0 } } },
            { "apiId": "pets", "stage": "gone" },
            { "apiId": "gone", "stage": "prod" },
        ],
    }));
    let gateway = build(
        Gateway::builder()
            .api(spec())
            .api_keys(keys())
            .usage_plan(plan),
    );
    for (member, served) in [
        ("id", Served::Enforced),
        ("keys", Served::Enforced),
        ("apiStages", Served::Enforced),
        ("name", Served::DocumentationOnly),
        ("throttle", Served::Enforced),
        ("quota", Served::Enforced),
        ("apiStages/0/throttle/~1keyed~1GET", Served::Enforced),
        ("apiStages/1", Served::DocumentationOnly),
        ("apiStages/2", Served::DocumentationOnly),
    ] {
        let pointer = format!("usage plan gold:/{member}");
        assert_eq!(fate(&gateway, &pointer), Some(served), "{pointer}");
    }
}

#[test]
fn what_is_wrong_with_plans_is_said_all_at_once() {
    let error = builder()
        .usage_plan(plan(&json!({ "id": "silver", "keys": ["one"] })))
        .usage_plan(plan(
            &json!({ "id": "silver", "keys": [], "apiStages": [{ "apiId": "pets" }] }),
        ))
        .usage_plan(plan(&json!({ "id": "", "apiStages": [] })))
        .build()
        .expect_err("four faults");
    let text = error.to_string();
    for expected in [
        "usage plan silver:/apiStages/0: opens `pets` `prod` for the key `one`, which the plan `gold` does, too",
        "usage plan silver:/id: is that of another plan, too",
        "usage plan silver:/apiStages/0: needs both `apiId` and `stage`",
        "usage plan :/id: is missing",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(error.faults().len(), 4, "{text}");
}

const CONFIG: &str = "
apis:
  - id: pets
    definition: api.json
    stages: [{ stageName: prod }]
apiKeys:
  - { id: one, value: '${ONE}', enabled: true, previousValue: 'sha256:HASH' }
apiKeyFile: keys.csv
usagePlans:
  - { id: gold, apiStages: [{ apiId: pets, stage: prod }], keys: [one, two] }
";

fn read(text: &str, folder: &tempfile::TempDir) -> Result<GatewayConfig, ConfigError> {
    let hash = KeyHash::of(SECOND).to_string();
    let text = text.replace("sha256:HASH", &hash);
    let variables = |name: &str| (name == "ONE").then(|| FIRST.to_owned());
    let mut config = GatewayConfig::parse_with(&text, ConfigFormat::Yaml, variables)?;
    config.folder = folder.path().to_owned();
    Ok(config)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("written");
    };
    write("api.json", &document().to_string());
    write(
        "keys.csv",
        "name,key,id,usagePlanIds\n\
         two,222222222222abcdefgh,two,\n\
         three,333333333333abcdefgh,three,gold\n",
    );
    folder
}

#[tokio::test]
async fn a_file_says_which_keys_open_which_stages() {
    let folder = folder();
    let config = read(CONFIG, &folder).expect("a good configuration");
    assert!(!format!("{config:?}").contains(FIRST));
    let gateway = build(config.gateway().expect("good settings"));
    for (key, expected) in [
        (FIRST, 200),
        (SECOND, 200),
        ("222222222222abcdefgh", 200),
        ("333333333333abcdefgh", 200),
        ("444444444444abcdefgh", 403),
    ] {
        assert_eq!(get(&gateway, "/prod/keyed", key).await.0, expected, "{key}");
    }

    // A reload reads the file again.
    fs::write(
        folder.path().join("keys.csv"),
        "name,key,id\ntwo,444444444444abcdefgh,two\n",
    )
    .expect("written");
    gateway
        .reload(config.gateway().expect("good settings"))
        .expect("good");
    assert_eq!(
        get(&gateway, "/prod/keyed", "444444444444abcdefgh").await.0,
        200
    );
    assert_eq!(
        get(&gateway, "/prod/keyed", "222222222222abcdefgh").await.0,
        403
    );
}

#[test]
fn what_is_wrong_with_keys_has_its_place_in_the_file_and_shows_no_value() {
    let folder = folder();
    for (change, expected) in [
        (("id: one, ", ""), "/apiKeys/0/id: is missing"),
        (("value: '${ONE}', ", ""), "/apiKeys/0/value: is missing"),
        (
            ("${ONE}", "${ONE} ${ONE}"),
            "/apiKeys/0/value: must be visible ASCII",
        ),
        (
            ("sha256:HASH", "ü"),
            "/apiKeys/0/previousValue: must be visible ASCII",
        ),
        (
            ("sha256:HASH", "${ONE}"),
            "/apiKeys/0: the key `one` has a value of /apiKeys/0, too",
        ),
        (
            ("${ONE}", "222222222222abcdefgh"),
            "/apiKeyFile: the key `two` has a value of /apiKeys/0, too",
        ),
        (
            ("id: one", "id: two"),
            "/apiKeyFile: `two` is the id of /apiKeys/0, too",
        ),
        (
            ("[one, two]", "[one, nobody]"),
            "/usagePlans/0/keys/1: there is no key with the id `nobody`",
        ),
        (("keys.csv", "none.csv"), "/apiKeyFile: "),
    ] {
        let text = CONFIG.replace(change.0, change.1);
        assert_ne!(text, CONFIG);
        let error = read(&text, &folder)
            .and_then(|config| config.gateway())
            .expect_err(expected)
            .to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains(FIRST), "{error}");
        assert!(!error.contains("222222222222"), "{error}");
    }
}

/// The cases about keys among the units of mapping; they are not part of the repository.
#[tokio::test]
async fn keys_are_judged_as_in_the_cases() {
    let Some(folder) = cases::dir() else { return };
    let group: Value = cases::load_json(folder.join("recorded/mapping-units.json"));
    let all = group["cases"].as_array().expect("a list");
    let own = all.iter().filter(|case| case["kind"] == "api-key");
    let mut count = 0;
    for case in own {
        count += 1;
        let (given, id) = (&case["given"], &case["id"]);
        let mut document = document();
        document["x-amazon-apigateway-api-key-source"] = given["apiKeySource"].clone();
        let store = MemoryKeys::new(given["key"].as_object().map(|key| {
            let enabled = key["enabled"].as_bool().expect("a flag");
            ApiKey::new("one", FIRST).with_enabled(enabled)
        }));
        let api = ApiSpec::rest(document.to_string()).id("pets");
        let gateway = Gateway::builder().api(api.stage_named("prod"));
        let gateway = build(gateway.api_keys(store).usage_plan(plan(&json!({}))));
        let header = given["header"].as_bool().unwrap_or_default();
        let mut request = request("/prod/keyed", if header { FIRST } else { "" });
        if given["fromAuthorizer"].as_bool().unwrap_or_default() {
            RequestContext::of(&mut request).set_usage_key(FIRST);
        }
        let response = send(&gateway, request).await;
        let expect = &case["expect"];
        if expect["allowed"] == true {
            assert_eq!(response.status(), 200, "{id}");
        } else {
            assert_eq!(response.status().as_u16(), expect["status"], "{id}");
            let rejection = response.extensions().get::<Rejection>();
            let kind = rejection.and_then(|rejection| rejection.kind().response_type());
            assert_eq!(kind, expect["gatewayResponse"].as_str(), "{id}");
            assert_eq!(testkit::json(response).await, expect["body"], "{id}");
        }
    }
    assert!(count >= 4, "{count}");
}
