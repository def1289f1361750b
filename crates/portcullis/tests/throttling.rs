//! Rates and quotas through a whole gateway: of usage plans, stages, routes and the account.

use std::time::Duration;

use http::{Request, Response};
use portcullis::auth::api_key::{ApiKey, MemoryKeys};
use portcullis::core::{Body, ManualClock, Mode, RequestContext};
use portcullis::definition::{Stage, UsagePlan};
use portcullis::throttle::{Headers, Limit};
use portcullis::{ApiSpec, ConfigFormat, Gateway, GatewayBuilder, GatewayConfig, Served};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::ServiceExt;

const ONE: &str = "0123456789abcdefghij";
const TWO: &str = "klmnopqrstuvwxyz0123";

fn mock(security: &Value) -> Value {
    json!({
        "security": security,
        "responses": {},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": { "statusCode": "200" } }
        }
    })
}

fn document() -> Value {
    let (keyed, open) = (json!([{ "key": [] }]), json!([]));
    json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": {
            "/": { "get": mock(&keyed) },
            "/keyed": { "get": mock(&keyed), "put": mock(&keyed) },
            "/open": { "get": mock(&open) },
            "/any/{id}": { "x-amazon-apigateway-any-method": mock(&open) },
        },
        "components": { "securitySchemes": {
            "key": { "type": "apiKey", "name": "x-api-key", "in": "header" },
        } }
    })
}

fn stage(settings: &Value) -> Stage {
    let mut stage = json!({ "stageName": "prod" });
    for (name, value) in settings.as_object().expect("an object") {
        stage[name] = value.clone();
    }
    serde_json::from_value(stage).expect("a stage")
}

fn rest(settings: &Value) -> ApiSpec {
    let api = ApiSpec::rest(document().to_string()).id("pets");
    api.stage(stage(settings)).stage_named("test")
}

fn plan(limits: &Value) -> UsagePlan {
    let mut plan = json!({
        "id": "gold",
        "apiStages": [{ "apiId": "pets", "stage": "prod" }, { "apiId": "pets", "stage": "test" }],
        "keys": ["one", "two"],
    });
    for (name, value) in limits.as_object().expect("an object") {
        plan[name] = value.clone();
    }
    serde_json::from_value(plan).expect("a plan")
}

fn with_plan(clock: &ManualClock, limits: &Value) -> GatewayBuilder {
    let keys = [ApiKey::new("one", ONE), ApiKey::new("two", TWO)];
    Gateway::builder()
        .clock(clock.clone())
        .api(rest(&json!({})))
        .api_keys(MemoryKeys::new(keys))
        .usage_plan(plan(limits))
}

fn build(builder: GatewayBuilder) -> Gateway {
    builder.build().expect("a good gateway")
}

async fn send(gateway: &Gateway, verb: &str, path: &str, key: &str) -> Response<Body> {
    let request = Request::builder().method(verb).uri(path);
    let request = match key {
        "" => request,
        key => request.header("x-api-key", key),
    };
    let request = request.body(Body::empty()).expect("a request");
    let answer = gateway.clone().oneshot(request).await;
    answer.expect("it never fails")
}

/// How many of the same request pass until one is refused; 50 at most.
async fn passing(gateway: &Gateway, verb: &str, path: &str, key: &str) -> u32 {
    for passed in 0..50 {
        match send(gateway, verb, path, key).await.status().as_u16() {
            200 => {}
            429 => return passed,
            other => panic!("{other} for {verb} {path}"),
        }
    }
    50
}

fn fate(gateway: &Gateway, pointer: &str) -> Option<Served> {
    let coverage = gateway.coverage();
    let field = coverage.iter().find(|field| field.pointer == pointer);
    field.map(|field| field.served)
}

#[tokio::test]
async fn a_plan_gives_each_key_one_rate_for_all_its_stages() {
    let clock = ManualClock::default();
    let limits = json!({ "throttle": { "rateLimit": 0.5, "burstLimit": 3 } });
    let gateway = build(with_plan(&clock, &limits));
    assert_eq!(
        send(&gateway, "GET", "/test/keyed", ONE).await.status(),
        200
    );
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", ONE).await, 2);
    let refused = send(&gateway, "GET", "/test/keyed", ONE).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(
        refused.headers()["x-amzn-errortype"],
        "TooManyRequestsException"
    );
    assert!(!refused.headers().contains_key("retry-after"));
    assert_eq!(
        testkit::text(refused).await,
        r#"{"message":"Too Many Requests"}"#
    );
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", TWO).await, 3);
    assert_eq!(
        passing(&gateway, "GET", "/prod/open", ONE).await,
        50,
        "no key is needed there"
    );
    assert_eq!(send(&gateway, "GET", "/prod/keyed", "").await.status(), 403);
    clock.advance(Duration::from_secs(2));
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", ONE).await, 1);
    assert_eq!(
        fate(&gateway, "usage plan gold:/throttle"),
        Some(Served::Enforced)
    );
}

#[tokio::test]
async fn a_plan_has_rates_of_single_methods() {
    let clock = ManualClock::default();
    let gateway = build(with_plan(
        &clock,
        &json!({
            "throttle": { "rateLimit": 1.0, "burstLimit": 4 },
            "apiStages": [{ "apiId": "pets", "stage": "prod", "throttle": {
                "/keyed/PUT": { "rateLimit": 1.0, "burstLimit": 2 },
                "//GET": { "rateLimit": 0, "burstLimit": 0 },
                "/gone/GET": { "rateLimit": 1.0, "burstLimit": 2 },
            } }],
        }),
    ));
    assert_eq!(passing(&gateway, "PUT", "/prod/keyed", ONE).await, 2);
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", ONE).await, 4);
    assert_eq!(
        passing(&gateway, "GET", "/prod/", ONE).await,
        0,
        "0 lets nothing pass"
    );
    let at = |key: &str| {
        fate(
            &gateway,
            &format!("usage plan gold:/apiStages/0/throttle/{key}"),
        )
    };
    assert_eq!(at("~1keyed~1PUT"), Some(Served::Enforced));
    assert_eq!(at("~1~1GET"), Some(Served::Enforced));
    assert_eq!(at("~1gone~1GET"), Some(Served::DocumentationOnly));
}

#[tokio::test]
async fn a_quota_is_refused_in_the_services_words_and_styled_by_its_own_gateway_response() {
    let clock = ManualClock::default();
    let limits = json!({ "quota": { "limit": 2, "period": "DAY" } });
    let builder = with_plan(&clock, &limits);
    let gateway = build(builder);
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", ONE).await, 2);
    let refused = send(&gateway, "GET", "/prod/keyed", ONE).await;
    assert_eq!(
        refused.headers()["x-amzn-errortype"],
        "LimitExceededException"
    );
    assert_eq!(
        testkit::text(refused).await,
        r#"{"message":"Limit Exceeded"}"#
    );

    let mut styled = document();
    styled["x-amazon-apigateway-gateway-responses"] = json!({
        "THROTTLED": { "statusCode": "503" },
        "QUOTA_EXCEEDED": { "statusCode": "402" },
    });
    gateway
        .deploy("pets", styled.to_string())
        .expect("a good document");
    let refused = send(&gateway, "GET", "/prod/keyed", ONE).await;
    assert_eq!(
        refused.status(),
        402,
        "the quota is still used, and has a style of its own"
    );
    clock.advance(Duration::from_secs(86_400));
    assert_eq!(
        send(&gateway, "GET", "/prod/keyed", ONE).await.status(),
        200
    );
}

#[tokio::test]
async fn what_was_used_survives_deployments_and_reloads_and_can_be_read_and_extended() {
    let clock = ManualClock::default();
    let limits = |burst: u32, quota: u32| {
        json!({
            "throttle": { "rateLimit": 1.0, "burstLimit": burst },
            "quota": { "limit": quota, "period": "MONTH" },
        })
    };
    let gateway = build(with_plan(&clock, &limits(4, 20)));
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", ONE).await, 4);
    gateway
        .deploy("pets", document().to_string())
        .expect("a good document");
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", ONE).await, 0);
    gateway
        .reload(with_plan(&clock, &limits(6, 8)))
        .expect("a good gateway");
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", ONE).await, 2);
    let usage = || {
        gateway
            .usage_plans()
            .usage("gold", "one")
            .expect("it has a quota")
    };
    assert_eq!((usage().used, usage().remaining), (6, 2));
    gateway.usage_plans().set_remaining("gold", "one", 1);
    clock.advance(Duration::from_secs(10));
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", ONE).await, 1);
    assert_eq!(usage().remaining, 0);
}

#[tokio::test]
async fn a_stage_limits_its_methods_each_for_itself() {
    let clock = ManualClock::default();
    let settings = json!({ "methodSettings": {
        "*/*": { "throttlingRateLimit": 1.0, "throttlingBurstLimit": 3, "cachingEnabled": false },
        "~1open/GET": { "throttlingBurstLimit": 5, "cacheTtlInSeconds": 60 },
        "/any/{id}/PUT": { "throttlingRateLimit": 1.0, "throttlingBurstLimit": 1 },
        "any/{id}/DELETE": { "throttlingRateLimit": -1, "throttlingBurstLimit": -1 },
        "/gone/GET": { "throttlingRateLimit": 1.0 },
    } });
    let builder = Gateway::builder().clock(clock.clone()).api(rest(&settings));
    let gateway = build(builder);
    assert_eq!(passing(&gateway, "GET", "/prod/open", "").await, 5);
    assert_eq!(
        passing(&gateway, "GET", "/test/open", "").await,
        50,
        "another stage has no limit"
    );
    assert_eq!(passing(&gateway, "PUT", "/prod/any/1", "").await, 1);
    assert_eq!(
        passing(&gateway, "PUT", "/prod/any/2", "").await,
        0,
        "it is one method"
    );
    assert_eq!(passing(&gateway, "POST", "/prod/any/1", "").await, 3);
    clock.advance(Duration::from_secs(2));
    assert_eq!(
        passing(&gateway, "GET", "/prod/open", "").await,
        2,
        "by the rate of */*"
    );
    let at = |key: &str| fate(&gateway, &format!("stage prod:/methodSettings/{key}"));
    assert_eq!(at("*~1*/throttlingRateLimit"), Some(Served::Enforced));
    assert_eq!(
        at("*~1*/cachingEnabled"),
        Some(Served::Enforced),
        "it is off, and nothing is cached"
    );
    assert_eq!(
        at("~01open~1GET/throttlingBurstLimit"),
        Some(Served::Enforced)
    );
    assert_eq!(
        at("~01open~1GET/cacheTtlInSeconds"),
        Some(Served::DocumentationOnly),
        "the stage has no cache"
    );
    assert_eq!(
        at("~1gone~1GET/throttlingRateLimit"),
        Some(Served::DocumentationOnly)
    );
}

#[tokio::test]
async fn no_limit_of_a_verb_stands_in_for_another_of_the_same_method() {
    let clock = ManualClock::default();
    let settings = json!({ "methodSettings": {
        "/any/{id}/DELETE": { "throttlingRateLimit": -1, "throttlingBurstLimit": -1 },
        "*/*": { "throttlingRateLimit": 1.0, "throttlingBurstLimit": 3 },
    } });
    let gateway = build(Gateway::builder().clock(clock).api(rest(&settings)));
    assert_eq!(
        passing(&gateway, "DELETE", "/prod/any/1", "").await,
        50,
        "-1 is no limit"
    );
    assert_eq!(passing(&gateway, "GET", "/prod/any/1", "").await, 3);
}

#[tokio::test]
async fn an_http_api_limits_routes_in_its_own_words() {
    let clock = ManualClock::default();
    let route = json!({
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy", "payloadFormatVersion": "2.0",
            "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:pets/invocations",
        },
        "responses": {},
    });
    let document = json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "paths": { "/pets": { "get": route, "put": route }, "/dogs": { "get": route } },
    });
    let stage: Stage = serde_json::from_value(json!({
        "stageName": "$default",
        "defaultRouteSettings": { "throttlingRateLimit": 1.0, "throttlingBurstLimit": 4 },
        "routeSettings": {
            "GET /pets": { "throttlingRateLimit": 0.5, "throttlingBurstLimit": 2 },
            "GET /cats": { "throttlingRateLimit": 0.5 },
        },
    }))
    .expect("a stage");
    let api = ApiSpec::http(document.to_string()).id("h").stage(stage);
    let builder = Gateway::builder().clock(clock).api(api);
    let gateway = build(builder.function_mock("pets", json!("hello")));
    assert_eq!(passing(&gateway, "GET", "/pets", "").await, 2);
    assert_eq!(passing(&gateway, "PUT", "/pets", "").await, 4);
    assert_eq!(passing(&gateway, "GET", "/dogs", "").await, 4);
    let refused = send(&gateway, "GET", "/pets", "").await;
    assert_eq!(refused.status(), 429);
    assert!(!refused.headers().contains_key("x-amzn-errortype"));
    assert_eq!(
        testkit::text(refused).await,
        r#"{"message":"Too Many Requests"}"#
    );
    let at = |pointer: &str| fate(&gateway, &format!("stage $default:/{pointer}"));
    assert_eq!(
        at("defaultRouteSettings/throttlingRateLimit"),
        Some(Served::Enforced)
    );
    assert_eq!(
        at("routeSettings/GET ~1pets/throttlingBurstLimit"),
        Some(Served::Enforced)
    );
    let gone = at("routeSettings/GET ~1cats/throttlingRateLimit");
    assert_eq!(gone, Some(Served::DocumentationOnly));
}

#[tokio::test]
async fn the_account_limits_all_apis_and_what_it_refuses_costs_a_key_nothing() {
    let clock = ManualClock::default();
    let limits = json!({
        "throttle": { "rateLimit": 1.0, "burstLimit": 10 },
        "quota": { "limit": 10, "period": "WEEK", "offset": 1 },
    });
    let builder = with_plan(&clock, &limits)
        .account_limit(Limit::per_second(1.0, 4).expect("a limit"))
        .limit_headers(Headers::new().retry_after(true).rate_limit(true));
    let gateway = build(builder);
    assert_eq!(send(&gateway, "GET", "/test/open", "").await.status(), 200);
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", ONE).await, 3);
    let refused = send(&gateway, "GET", "/prod/keyed", ONE).await;
    assert_eq!(refused.headers()["retry-after"], "1");
    let left = refused.headers()["ratelimit"].to_str().expect("text");
    assert!(left.contains(r#""account";r=0;t=4"#), "{left}");
    assert_eq!(
        gateway
            .usage_plans()
            .usage("gold", "one")
            .expect("a quota")
            .used,
        3
    );
    clock.advance(Duration::from_secs(4));
    let passed = send(&gateway, "GET", "/prod/keyed", ONE).await;
    let left = &passed.headers()["ratelimit"];
    assert_eq!(
        left,
        r#""plan/gold";r=9;t=1, "quota/gold";r=6;t=431996, "account";r=3;t=1"#
    );
}

#[tokio::test]
async fn a_configuration_has_all_of_it_and_used_quotas_outlive_the_gateway() {
    let folder = std::env::temp_dir().join(format!("portcullis-throttling-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("pets.json"), document().to_string()).expect("a file");
    let yaml = format!(
        "
apis: [{{ id: pets, kind: rest, definition: pets.json, stages: [{{ stageName: prod }}] }}]
apiKeys: [{{ id: one, value: {ONE}, enabled: true }}]
usagePlans:
  - {{ id: gold, keys: [one], apiStages: [{{ apiId: pets, stage: prod }}], quota: {{ limit: 5, period: MONTH }} }}
account: {{ throttle: {{ rateLimit: 100, burstLimit: 3 }} }}
limitHeaders: {{ retryAfter: true }}
quotaFile: used.json
"
    );
    let gateway = || {
        let mut config = GatewayConfig::parse(&yaml, ConfigFormat::Yaml).expect("a configuration");
        config.folder.clone_from(&folder);
        assert!(config.not_served().is_empty());
        build(
            config
                .gateway()
                .expect("a gateway")
                .clock(ManualClock::default()),
        )
    };
    let first = gateway();
    assert_eq!(passing(&first, "GET", "/prod/keyed", ONE).await, 3);
    let refused = send(&first, "GET", "/prod/open", "").await;
    assert_eq!(refused.headers()["retry-after"], "1");
    drop(first);
    let second = gateway();
    assert_eq!(
        second
            .usage_plans()
            .usage("gold", "one")
            .expect("a quota")
            .remaining,
        2
    );
    drop(second);
    std::fs::remove_dir_all(&folder).expect("it is there");
}

#[test]
fn what_is_no_limit_is_said_with_its_field() {
    let clock = ManualClock::default();
    let settings = json!({ "methodSettings": {
        "*/*": { "throttlingRateLimit": -2.0 },
        "/open/GET": { "throttlingBurstLimit": -5 },
    } });
    let error = with_plan(
        &clock,
        &json!({
            "throttle": { "rateLimit": 1e300, "burstLimit": 1 },
            "quota": { "limit": 1, "period": "DAY", "offset": 3 },
        }),
    )
    .api(rest(&settings).id("other"))
    .build()
    .expect_err("it is wrong");
    let text = error.to_string();
    for expected in [
        "usage plan gold:/throttle/rateLimit: `1000000",
        "usage plan gold:/quota/offset: `3` is no day of the period",
        "stage prod:/methodSettings/*~1*/throttlingRateLimit: `-2` is not a rate",
        "stage prod:/methodSettings/~1open~1GET/throttlingBurstLimit: `-5` is no burst; give 1 or more",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let config = "apis: []\naccount: {throttle: {rateLimit: -5}}";
    let config = GatewayConfig::parse(config, ConfigFormat::Yaml).expect("a configuration");
    let error = config.gateway().expect_err("it is wrong").to_string();
    assert!(
        error.starts_with("/account/throttle/rateLimit: `-5` is not a rate"),
        "{error}"
    );
}

#[test]
fn a_file_of_used_quotas_needs_its_folder_when_the_gateway_is_built() {
    let folder = std::env::temp_dir().join(format!("portcullis-no-folder-{}", std::process::id()));
    let error = Gateway::builder()
        .quota_file(folder.join("used.json"))
        .build()
        .expect_err("there is no such folder");
    let expected = format!(
        "quotaFile: there is no folder `{}`; make it first",
        folder.display()
    );
    assert!(error.to_string().contains(&expected), "{error}");
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn two_gateways_share_the_rates_of_plans_and_stages() {
    use portcullis::redis::Redis;
    use portcullis::throttle::{SharedBuckets, WhenAway};

    let server = portcullis_testkit::RedisServer::start();
    let gateway = || {
        let redis = Redis::builder(server.url()).deadline(Duration::from_secs(20));
        let redis = redis.build().expect("an address");
        let shared = SharedBuckets::new(redis, WhenAway::Closed).expect("a conduct");
        let shared = shared.deadline(Duration::from_secs(20));
        let limits = json!({ "throttle": { "rateLimit": 0.001, "burstLimit": 5 } });
        let settings = json!({ "methodSettings": {
            "/open/GET": { "throttlingRateLimit": 0.001, "throttlingBurstLimit": 3 },
        } });
        let keys = [ApiKey::new("one", ONE), ApiKey::new("two", TWO)];
        let builder = Gateway::builder()
            .api(rest(&settings))
            .api_keys(MemoryKeys::new(keys))
            .usage_plan(plan(&limits));
        build(builder.shared_limits(shared))
    };
    let (one, other) = (gateway(), gateway());
    assert_eq!(send(&one, "GET", "/prod/keyed", ONE).await.status(), 200);
    assert_eq!(passing(&other, "GET", "/prod/keyed", ONE).await, 4);
    assert_eq!(passing(&one, "GET", "/prod/keyed", ONE).await, 0);
    assert_eq!(passing(&one, "GET", "/prod/keyed", TWO).await, 5);
    assert_eq!(passing(&one, "GET", "/prod/open", "").await, 3);
    let refused = send(&other, "GET", "/prod/open", "").await;
    assert_eq!(
        testkit::text(refused).await,
        r#"{"message":"Too Many Requests"}"#
    );
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn gateways_of_one_configuration_share_rates_and_quotas_exactly() {
    let server = portcullis_testkit::RedisServer::start();
    let folder = std::env::temp_dir().join(format!("portcullis-shared-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("pets.json"), document().to_string()).expect("a file");
    let yaml = format!(
        "
apis: [{{ id: pets, kind: rest, definition: pets.json, stages: [{{ stageName: prod }}] }}]
apiKeys: [{{ id: one, value: {ONE}, enabled: true }}]
usagePlans:
  - {{ id: gold, keys: [one], apiStages: [{{ apiId: pets, stage: prod }}], quota: {{ limit: 7, period: MONTH }} }}
account: {{ throttle: {{ rateLimit: 0.001, burstLimit: 20 }} }}
redis: {{ url: \"{}\", prefix: \"shop:\" }}
sharedLimits: {{ deadlineInMillis: 20000, whenAway: closed }}
",
        server.url()
    );
    let gateway = || {
        let mut config = GatewayConfig::parse(&yaml, ConfigFormat::Yaml).expect("a configuration");
        config.folder.clone_from(&folder);
        assert!(config.not_served().is_empty());
        build(config.gateway().expect("a gateway"))
    };
    let (one, other) = (gateway(), gateway());
    assert_eq!(send(&one, "GET", "/prod/keyed", ONE).await.status(), 200);
    assert_eq!(passing(&other, "GET", "/prod/keyed", ONE).await, 6);
    let refused = send(&one, "GET", "/prod/keyed", ONE).await;
    assert_eq!(
        testkit::text(refused).await,
        r#"{"message":"Limit Exceeded"}"#
    );
    let usage = one.usage("gold", "one").await.expect("it answers");
    assert_eq!(usage.expect("a quota").used, 7);
    let granted = one.set_remaining("gold", "one", 2).await;
    assert_eq!(granted.expect("it answers").expect("a quota").remaining, 2);
    assert_eq!(passing(&other, "GET", "/prod/keyed", ONE).await, 2);
    assert_eq!(passing(&one, "GET", "/prod/open", "").await, 20 - 9);
    assert_eq!(passing(&other, "GET", "/prod/open", "").await, 0);
    let shared = one.shared_limits().expect("they are shared");
    assert!(!shared.is_away());
    assert!(shared.asked() > 0);
    std::fs::remove_dir_all(&folder).expect("it is there");
}

#[tokio::test]
async fn limits_can_be_tried_before_they_refuse_anybody() {
    let clock = ManualClock::default();
    let limits = json!({
        "throttle": { "rateLimit": 1, "burstLimit": 2 },
        "quota": { "limit": 3, "period": "DAY" },
    });
    let gateway = build(with_plan(&clock, &limits).limit_mode(Mode::Observe));
    assert_eq!(passing(&gateway, "GET", "/prod/keyed", ONE).await, 50);
    let mut request = Request::get("/prod/keyed")
        .header("x-api-key", ONE)
        .body(Body::empty())
        .expect("a request");
    let context = RequestContext::of(&mut request).clone();
    let answer = gateway.clone().oneshot(request).await;
    assert_eq!(answer.expect("it never fails").status(), 200);
    let observed = context.observed();
    let rules: Vec<_> = observed
        .iter()
        .filter_map(|refusal| Some(refusal.decision()?.rule().to_owned()))
        .collect();
    assert_eq!(rules, ["plan/gold"]);
    let usage = gateway.usage_plans().usage("gold", "one");
    assert_eq!(usage.expect("a quota").used, 2, "what would have passed");
}

#[test]
fn what_is_no_shared_limit_is_said_with_its_field() {
    let fault = |yaml: &str| {
        let config = format!("apis: []\n{yaml}");
        match GatewayConfig::parse(&config, ConfigFormat::Yaml) {
            Ok(config) => config.gateway().expect_err("it is wrong").to_string(),
            Err(error) => error.to_string(),
        }
    };
    for (yaml, expected) in [
        ("sharedLimits: {}", "/sharedLimits: needs `redis`"),
        ("redis: {}", "/redis/url: is missing"),
        ("redis: {url: []}", "/redis/url: must name one address"),
        (
            "redis: {url: redis://a}\nsharedLimits: {whenAway: open, share: 0.5}",
            "/sharedLimits/share: is for `whenAway: local` only",
        ),
        (
            "redis: {url: redis://a}\nsharedLimits: {whenAway: opne}",
            "/sharedLimits/whenAway: ",
        ),
        ("limitMode: disabled", "/limitMode: "),
    ] {
        let text = fault(yaml);
        assert!(text.starts_with(expected), "{expected}\n{text}");
    }
    let with_redis: &[(&str, &str)] = if cfg!(feature = "redis") {
        &[
            (
                "redis: {url: \"rediss://x:secret@a\"}",
                "/redis/url: the address of the store asks for TLS",
            ),
            (
                "redis: {url: [redis://a, redis://b]}",
                "/redis/url: has several addresses",
            ),
            (
                "redis: {url: redis://a}\nsharedLimits: {share: 2}",
                "/sharedLimits/share: whenAway.share: `2` is no share",
            ),
            (
                "redis: {url: redis://a}\nsharedLimits: {lease: 1}",
                "/sharedLimits/lease: lease: `1` is no lease",
            ),
            (
                "redis: {url: redis://a}\nsharedLimits: {deadlineInMillis: 0}",
                "/sharedLimits/deadlineInMillis: must be 1 at least",
            ),
        ]
    } else {
        &[(
            "redis: {url: redis://a}",
            "/redis: needs the feature `redis`",
        )]
    };
    for (yaml, expected) in with_redis {
        let text = fault(yaml);
        assert!(text.starts_with(expected), "{expected}\n{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}
