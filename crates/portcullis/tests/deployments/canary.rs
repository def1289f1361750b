//! Canaries of stages: who gets them, what they see, and what operators do with them.

use std::sync::Mutex;
use std::time::Duration;

use http::{HeaderName, Request, Response, header};
use portcullis::canary::{
    Carry, Forced, Ramp, RampAction, RampState, SigningKey, Sticky, StickyCookie,
};
use portcullis::core::{Body, ManualClock, RequestContext};
use portcullis::definition::{CanarySettings, Stage};
use portcullis::{
    ApiSpec, CanaryRules, ConfigFormat, Gateway, GatewayBuilder, GatewayConfig, HandleErrorKind,
    Parity,
};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{document, mock, release, shop, text};

const USER: HeaderName = HeaderName::from_static("x-user");

#[expect(clippy::needless_pass_by_value, reason = "it reads better")]
fn stage(canary: Value) -> Stage {
    let described = json!({
        "stageName": "prod",
        "variables": { "a": "stage", "b": "stage" },
        "canarySettings": canary,
    });
    serde_json::from_value(described).expect("a stage")
}

/// What a request sees of its release.
fn facts(version: &str) -> String {
    let template = format!(
        "{version} $context.isCanaryRequest $stageVariables.a $stageVariables.b $stageVariables.c"
    );
    document(&json!({ "/release": { "get": mock(&template) } }))
}

/// The old version as production, the new one as the canary, with this share of the requests.
fn two(percent: f64) -> ApiSpec {
    let canary = json!({
        "percentTraffic": percent, "deploymentId": "next",
        "stageVariableOverrides": { "a": "canary", "c": "canary" },
    });
    shop(facts("old"))
        .deployment("next", facts("new"))
        .stage(stage(canary))
}

const OLD: &str = "old false stage stage ";
const NEW: &str = "new true canary stage canary";

fn build(api: ApiSpec) -> Gateway {
    Gateway::builder().api(api).build().expect("a gateway")
}

async fn send(gateway: &Gateway, headers: &[(HeaderName, &str)]) -> Response<Body> {
    let mut request = Request::get("/prod/release");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = gateway.clone().oneshot(request).await;
    response.expect("a gateway never fails")
}

async fn seen(gateway: &Gateway, headers: &[(HeaderName, &str)]) -> String {
    testkit::text(send(gateway, headers).await).await
}

#[tokio::test]
async fn the_canary_serves_its_deployment_with_its_variables_over_those_of_the_stage() {
    assert_eq!(text(&build(two(100.0)), "/prod/release").await, NEW);
    assert_eq!(text(&build(two(0.0)), "/prod/release").await, OLD);
    let none = shop(facts("old")).stage_named("prod");
    assert_eq!(text(&build(none), "/prod/release").await, "old    ");
}

#[tokio::test]
async fn without_a_deployment_of_its_own_the_canary_serves_that_of_the_stage() {
    let overrides = json!({ "percentTraffic": 100.0, "stageVariableOverrides": { "a": "canary" } });
    let gateway = build(shop(facts("old")).stage(stage(overrides)));
    assert_eq!(
        text(&gateway, "/prod/release").await,
        "old true canary stage "
    );
    let own = gateway.handle().canary("shop", "prod").expect("a canary");
    let stage = gateway.handle().stage("shop", "prod").expect("a stage");
    assert_eq!(own.deployment_id, stage.deployment_id);
}

#[tokio::test]
async fn each_request_is_drawn_for_itself() {
    let state = Mutex::new(0_u64);
    let rules = CanaryRules::new().chance(move || {
        let mut state = state.lock().expect("nobody panics");
        // Weyl's sequence: evenly spread.
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        *state
    });
    let gateway = build(two(7.5).canary("prod", rules));
    let mut canary = 0;
    for _ in 0..2_000 {
        canary += u32::from(text(&gateway, "/prod/release").await == NEW);
    }
    assert!((144..=156).contains(&canary), "{canary}");
}

#[tokio::test]
async fn the_resources_are_those_of_the_chosen_deployment() {
    let next = document(&json!({ "/only-new": { "get": mock("new") } }));
    let canary = json!({ "percentTraffic": 100, "deploymentId": "next" });
    let gateway = build(
        shop(facts("old"))
            .deployment("next", next)
            .stage(stage(canary)),
    );
    assert_eq!(text(&gateway, "/prod/only-new").await, "new");
    let handle = gateway.handle();
    handle
        .set_canary_weight("shop", "prod", 0.0)
        .expect("a share");
    assert_eq!(super::get(&gateway, "/prod/only-new").await.0, 403);
}

#[tokio::test]
async fn the_context_names_the_release_and_its_deployment() {
    for (percent, release, deployment) in
        [(100.0, "canary canary", "next"), (0.0, "production", "")]
    {
        let gateway = build(two(percent));
        let mut request = Request::get("/prod/release")
            .body(Body::empty())
            .expect("a request");
        let context = RequestContext::of(&mut request).clone();
        gateway
            .oneshot(request)
            .await
            .expect("a gateway never fails");
        assert_eq!(context.release().to_string(), release);
        let own = context
            .stage()
            .and_then(|stage| stage.deployment_id.clone());
        assert!(
            own.as_deref()
                .is_some_and(|own| own == deployment || deployment.is_empty())
        );
    }
}

#[tokio::test]
async fn promotion_merges_and_leaves_the_canary_which_gets_what_is_deployed_next() {
    let gateway = build(two(10.0));
    let handle = gateway.handle();
    let before = handle.stage("shop", "prod").expect("a stage");
    let promoted = handle.promote_canary("shop", "prod").expect("a canary");
    assert_eq!(promoted.deployment_id, "next");
    assert_eq!(
        text(&gateway, "/prod/release").await,
        "new false canary stage canary"
    );
    let canary = handle.canary("shop", "prod").expect("it stays");
    assert_eq!(
        (canary.percent_traffic, &*canary.deployment_id),
        (0.0, "next")
    );
    assert_eq!(canary.stage_variable_overrides["c"], "canary");

    let third = handle
        .deploy("shop", facts("third"))
        .expect("a good definition");
    assert_eq!(third.stages, ["prod/canary"]);
    assert_eq!(
        text(&gateway, "/prod/release").await,
        "new false canary stage canary"
    );
    let refused = handle.delete_deployment("shop", &third.id).unwrap_err();
    assert_eq!(refused.kind(), HandleErrorKind::Conflict);
    assert!(refused.to_string().contains("prod/canary"), "{refused}");

    handle.disable_canary("shop", "prod").expect("a canary");
    assert_eq!(
        text(&gateway, "/prod/release").await,
        "new  canary stage canary"
    );
    let gone = handle.canary("shop", "prod").unwrap_err();
    assert_eq!(
        gone.to_string(),
        "shop stage prod:/canarySettings: the stage has no canary; give it one first"
    );
    assert_eq!(
        handle.promote_canary("shop", "prod").unwrap_err().kind(),
        HandleErrorKind::NotFound
    );
    handle
        .deploy("shop", facts("fourth"))
        .expect("a good definition");
    assert_eq!(
        text(&gateway, "/prod/release").await,
        "fourth  canary stage canary"
    );
    assert_ne!(before.deployment_id, "next");
}

#[tokio::test]
async fn a_rollback_takes_the_share_and_the_promotion_back() {
    let gateway = build(two(100.0));
    let handle = gateway.handle();
    handle.roll_back_canary("shop", "prod").expect("a canary");
    assert_eq!(text(&gateway, "/prod/release").await, OLD);
    handle
        .set_canary_weight("shop", "prod", 100.0)
        .expect("a share");
    assert_eq!(text(&gateway, "/prod/release").await, NEW);
    handle.promote_canary("shop", "prod").expect("a canary");
    assert_eq!(
        text(&gateway, "/prod/release").await,
        "new false canary stage canary"
    );
    handle.roll_back_canary("shop", "prod").expect("a canary");
    assert_eq!(text(&gateway, "/prod/release").await, OLD);
    assert_eq!(
        handle
            .canary("shop", "prod")
            .expect("it stays")
            .deployment_id,
        "next"
    );
}

#[tokio::test]
async fn clients_stay_where_they_are_by_a_cookie_that_only_we_can_make() {
    let key = || SigningKey::new("thirty-two bytes, made by chance").expect("a key");
    let cookie = StickyCookie::new("release").signed(key());
    let rules = CanaryRules::new().sticky(Sticky::own_cookie(cookie));
    let gateway = build(two(50.0).canary("prod", rules));
    let mut jars = Vec::new();
    for _ in 0..64 {
        let response = send(&gateway, &[]).await;
        let line = response.headers()[header::SET_COOKIE]
            .to_str()
            .expect("text")
            .to_owned();
        let pair = line.split(';').next().unwrap_or_default().to_owned();
        jars.push((pair, testkit::text(response).await));
    }
    assert!(jars.iter().any(|(_, own)| own == NEW) && jars.iter().any(|(_, own)| own == OLD));
    // A deployment moves nobody.
    gateway
        .deploy("shop", facts("new"))
        .expect("a good definition");
    for (pair, before) in &jars {
        let response = send(&gateway, &[(header::COOKIE, pair)]).await;
        assert!(!response.headers().contains_key(header::SET_COOKIE));
        assert_eq!(&testkit::text(response).await, before);
    }
    let forged = send(&gateway, &[(header::COOKIE, "release=0123456789abcdef")]).await;
    assert!(forged.headers().contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn raising_the_share_moves_the_added_share_alone() {
    let rules = CanaryRules::new().sticky(Sticky::header(USER));
    let gateway = build(two(10.0).canary("prod", rules));
    let handle = gateway.handle();
    let of = async |gateway: &Gateway| {
        let mut seen_by = Vec::new();
        for user in 0..400 {
            seen_by.push(seen(gateway, &[(USER, &user.to_string())]).await == NEW);
        }
        seen_by
    };
    let before = of(&gateway).await;
    handle
        .set_canary_weight("shop", "prod", 25.0)
        .expect("a share");
    let after = of(&gateway).await;
    let count = |seen: &[bool]| seen.iter().filter(|own| **own).count();
    assert!(count(&before) > 0 && count(&after) > count(&before));
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| *after || !*before)
    );
}

#[tokio::test]
async fn testers_choose_and_integrations_are_told() {
    let echo = document(
        &json!({ "/release": { "get": { "x-amazon-apigateway-integration": {
        "type": "aws_proxy", "httpMethod": "POST",
        "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:echo/invocations"
    } } } }),
    );
    let forced = Forced::header(HeaderName::from_static("x-release"));
    let carry = Carry::header(HeaderName::from_static("x-served-by"));
    let rules = CanaryRules::new().forced(forced).carry(carry);
    let canary = stage(json!({ "percentTraffic": 0 }));
    let gateway = Gateway::builder()
        .api(shop(echo).stage(canary).canary("prod", rules))
        .handler("echo", async |event: Value| {
            let body = event["headers"]["x-served-by"].clone();
            Ok::<_, std::convert::Infallible>(json!({ "statusCode": 200, "body": body }))
        })
        .build()
        .expect("a gateway");
    let (release, served_by) = (
        HeaderName::from_static("x-release"),
        HeaderName::from_static("x-served-by"),
    );
    assert_eq!(seen(&gateway, &[]).await, "production");
    assert_eq!(
        seen(&gateway, &[(release.clone(), "canary")]).await,
        "canary"
    );
    assert_eq!(
        seen(&gateway, &[(release, "production")]).await,
        "production"
    );
    assert_eq!(seen(&gateway, &[(served_by, "canary")]).await, "production");
}

/// A stage whose responses are cached, before a function that numbers its answers; what production answered, then the canary twice, then production again.
async fn cached_answers(settings: Value, change: impl FnOnce(ApiSpec) -> ApiSpec) -> [String; 4] {
    let mut stage = stage(settings);
    stage.cache_cluster_enabled = true;
    let cached = json!({ "cachingEnabled": true, "cacheTtlInSeconds": 300 });
    let cached = serde_json::from_value(cached).expect("settings");
    stage.method_settings.insert("*/*".to_owned(), cached);
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let gateway = Gateway::builder()
        .api(change(shop(counted()).stage(stage)))
        .handler("count", move |_event: Value| {
            let count = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            let reply = json!({ "statusCode": 200, "body": count.to_string() });
            std::future::ready(Ok::<_, std::convert::Infallible>(reply))
        })
        .build()
        .expect("a gateway");
    let get = async || text(&gateway, "/prod/release").await;
    let handle = gateway.handle();
    let weigh = |weight: f64| {
        handle
            .set_canary_weight("shop", "prod", weight)
            .expect("a share")
    };
    let production = get().await;
    weigh(100.0);
    let (canary, again) = (get().await, get().await);
    weigh(0.0);
    [production, canary, again, get().await]
}

fn counted() -> String {
    document(
        &json!({ "/release": { "get": { "x-amazon-apigateway-integration": {
        "type": "aws_proxy", "httpMethod": "POST",
        "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:count/invocations"
    } } } }),
    )
}

#[tokio::test]
async fn the_canary_passes_the_cache_by_unless_it_uses_that_of_the_stage() {
    let settings = json!({ "percentTraffic": 0, "useStageCache": false });
    let answers = cached_answers(settings, |api| api).await;
    assert_eq!(answers, ["1", "2", "3", "1"]);
}

#[tokio::test]
async fn a_canary_of_the_same_deployment_shares_the_cache_of_the_stage() {
    let settings = json!({ "percentTraffic": 0, "useStageCache": true });
    let answers = cached_answers(settings, |api| api).await;
    assert_eq!(answers, ["1", "1", "1", "1"]);
}

#[tokio::test]
async fn a_canary_of_another_deployment_has_its_own_part_of_the_cache_of_the_stage() {
    let settings = json!({ "percentTraffic": 0, "useStageCache": true, "deploymentId": "next" });
    let next = document(&json!({ "/more": {}, "/release": {} }));
    let mut next: Value = serde_json::from_str(&next).expect("JSON");
    let own: Value = serde_json::from_str(&counted()).expect("JSON");
    next["paths"]["/release"] = own["paths"]["/release"].clone();
    let answers = cached_answers(settings, |api| api.deployment("next", next.to_string())).await;
    assert_eq!(answers, ["1", "2", "2", "1"]);
}

#[tokio::test]
async fn a_canary_with_variables_of_its_own_shares_only_under_strict_parity() {
    let settings = || {
        json!({
            "percentTraffic": 0, "useStageCache": true, "stageVariableOverrides": { "a": "canary" },
        })
    };
    let answers = cached_answers(settings(), |api| api).await;
    assert_eq!(answers, ["1", "2", "2", "1"]);
    let answers = cached_answers(settings(), |api| api.parity(Parity::Strict)).await;
    assert_eq!(answers, ["1", "1", "1", "1"]);
}

/// A version that answers with this status.
fn answers(status: u16) -> String {
    document(&json!({ "/release": { "get": {
        "responses": { "200": { "description": "ok" }, "500": { "description": "not ok" } },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": { "statusCode": status.to_string() } }
        }
    } } }))
}

fn ramped(clock: &ManualClock, canary: u16) -> GatewayBuilder {
    let minute = Duration::from_secs(60);
    let ramp = Ramp::new([(20.0, minute), (50.0, minute), (100.0, minute)]);
    let rules = CanaryRules::new()
        .sticky(Sticky::header(USER))
        .ramp(ramp.window(minute).min_requests(20));
    let settings = json!({ "percentTraffic": 0, "deploymentId": "next" });
    let api = shop(answers(200))
        .deployment("next", answers(canary))
        .stage(stage(settings));
    Gateway::builder()
        .api(api.canary("prod", rules))
        .clock(clock.clone())
}

async fn serve(gateway: &Gateway, clock: &ManualClock, requests: u32) {
    for user in 0..requests {
        send(gateway, &[(USER, &user.to_string())]).await;
        clock.advance(Duration::from_millis(500));
    }
}

#[tokio::test]
async fn a_canary_rises_by_itself_and_a_deployment_of_production_does_not_disturb_it() {
    let clock = ManualClock::default();
    let gateway = ramped(&clock, 200).build().expect("a gateway");
    let handle = gateway.handle();
    let weight = || {
        handle
            .canary("shop", "prod")
            .expect("a canary")
            .percent_traffic
    };
    assert_eq!(weight(), 20.0);
    serve(&gateway, &clock, 150).await;
    assert_eq!(weight(), 50.0);
    handle
        .set_stage_variables("shop", "prod", [("x", "1")])
        .expect("a variable");
    assert_eq!(weight(), 50.0);
    // The same configuration, read again.
    serve(&gateway, &clock, 150).await;
    assert_eq!(weight(), 100.0);
    let ramp = handle
        .canary_ramp("shop", "prod")
        .expect("a canary")
        .expect("a ramp");
    assert_eq!(ramp.state, RampState::Finished);
}

#[tokio::test]
async fn a_canary_that_fails_goes_back_with_its_numbers() {
    let clock = ManualClock::default();
    let gateway = ramped(&clock, 500).build().expect("a gateway");
    let handle = gateway.handle();
    serve(&gateway, &clock, 200).await;
    let canary = handle.canary("shop", "prod").expect("a canary");
    assert_eq!(canary.percent_traffic, 0.0);
    assert_eq!(
        canary.ramp.as_deref(),
        Some("canary at 0 %, step 1 of 3, rolled back")
    );
    let last = canary.decisions.last().expect("it decided");
    assert!(
        last.contains("100.00 % errors") && last.contains("0.00 % errors"),
        "{last}"
    );
    let ramp = handle
        .canary_ramp("shop", "prod")
        .expect("a canary")
        .expect("a ramp");
    let actions: Vec<_> = ramp.decisions.iter().map(|own| own.action).collect();
    assert_eq!(
        actions,
        [RampAction::Start, RampAction::RollBackForErrors(1.0)]
    );
    // A new deployment of the canary has another chance.
    handle
        .deploy("shop", answers(200))
        .expect("a good definition");
    assert_eq!(
        handle
            .canary("shop", "prod")
            .expect("a canary")
            .percent_traffic,
        20.0
    );
    // A share that is set by hand stops it.
    handle
        .set_canary_weight("shop", "prod", 33.0)
        .expect("a share");
    serve(&gateway, &clock, 400).await;
    assert_eq!(
        handle
            .canary("shop", "prod")
            .expect("a canary")
            .percent_traffic,
        33.0
    );
}

#[tokio::test]
async fn what_an_operator_set_outlives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.state");
    let start = |percent| {
        Gateway::builder()
            .api(two(percent))
            .state_file(&file)
            .build()
            .expect("a gateway")
    };
    let gateway = start(0.0);
    gateway
        .handle()
        .set_canary_weight("shop", "prod", 100.0)
        .expect("a share");
    drop(gateway);
    let gateway = start(0.0);
    assert_eq!(text(&gateway, "/prod/release").await, NEW);
    gateway
        .handle()
        .promote_canary("shop", "prod")
        .expect("a canary");
    gateway
        .handle()
        .disable_canary("shop", "prod")
        .expect("a canary");
    drop(gateway);
    let gateway = start(0.0);
    assert_eq!(
        text(&gateway, "/prod/release").await,
        "new  canary stage canary"
    );
    drop(gateway);
    // The source says something else.
    let gateway = start(1.0);
    assert_eq!(
        gateway
            .handle()
            .canary("shop", "prod")
            .expect("a canary")
            .percent_traffic,
        1.0
    );
}

#[test]
fn what_cannot_be_a_canary_is_an_error_that_names_it() {
    let faults = |api: ApiSpec| Gateway::builder().api(api).build().unwrap_err().to_string();
    let error = faults(two(100.5));
    assert!(
        error.contains("stage prod:/canarySettings/percentTraffic: 100.5"),
        "{error}"
    );
    let unknown = json!({ "deploymentId": "nowhere" });
    let error = faults(
        shop(facts("old"))
            .deployment("next", facts("new"))
            .stage(stage(unknown)),
    );
    assert_eq!(
        error,
        "shop stage prod:/canarySettings/deploymentId: `nowhere` is not among the deployments"
    );
    let error = faults(two(1.0).canary("test", CanaryRules::new()));
    assert_eq!(
        error,
        "shop canary test: there is no such stage; there are: prod"
    );
    let error = faults(two(1.0).canary("prod", CanaryRules::new().sticky(Sticky::principal())));
    assert!(
        error.starts_with("shop stage prod:/canary/sticky: who the caller is"),
        "{error}"
    );
    let ramp = Ramp::new([(10.0, Duration::ZERO), (5.0, Duration::ZERO)]);
    let error = faults(two(1.0).canary("prod", CanaryRules::new().ramp(ramp)));
    assert_eq!(
        error,
        "shop stage prod:/canary/ramp/steps/1/percent: 5 is no more than before; give rising shares"
    );

    let gateway = build(two(1.0));
    let handle = gateway.handle();
    let error = handle.set_canary_weight("shop", "prod", -1.0).unwrap_err();
    assert_eq!(error.kind(), HandleErrorKind::Invalid);
    assert!(
        error
            .to_string()
            .starts_with("shop stage prod:/canarySettings/percentTraffic: -1"),
        "{error}"
    );
    let mut settings = CanarySettings::default();
    settings.deployment_id = Some("nowhere".to_owned());
    let error = handle.set_canary("shop", "prod", settings).unwrap_err();
    assert_eq!(error.kind(), HandleErrorKind::NotFound);
    assert_eq!(
        handle
            .canary("shop", "prod")
            .expect("a canary")
            .percent_traffic,
        1.0
    );
}

const CONFIG: &str = r#"
apis:
  - id: shop
    definition: old.json
    deployments: { next: { definition: new.json } }
    stages:
      - stageName: prod
        canarySettings: { percentTraffic: 10, deploymentId: next }
    canaries:
      prod:
        sticky: [{ header: x-user }, { ownCookie: { name: release, signingKey: "${KEY}", maxAge: 3600, secure: false } }]
        forced: { cookie: tester, signingKey: "${KEY}" }
        carry: { header: x-served-by }
        salt: autumn
        ramp:
          steps: [{ percent: 5, seconds: 600 }, { percent: 100 }]
          windowSeconds: 60
          minRequests: 50
          maxErrorRateAbove: 0.5
          maxP99Times: 2
"#;

#[tokio::test]
async fn a_configuration_says_all_of_it_and_reading_it_again_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, version) in [("old.json", 1), ("new.json", 2)] {
        std::fs::write(folder.path().join(file), release(version)).expect("it can be written");
    }
    let file = folder.path().join("gateway.yaml");
    let read = |text: &str| {
        std::fs::write(&file, text).expect("it can be written");
        let key = |_: &str| Some("thirty-two bytes, made by chance".to_owned());
        GatewayConfig::load_with(&file, key)
            .expect("a good configuration")
            .gateway()
            .expect("its files are there")
    };
    let gateway = read(CONFIG).build().expect("a gateway");
    let handle = gateway.handle();
    let canary = || handle.canary("shop", "prod").expect("a canary");
    assert_eq!(
        (canary().percent_traffic, canary().ramp.as_deref()),
        (5.0, Some("canary at 5 %, step 1 of 2"))
    );
    let started = canary().decisions;
    let response = send(&gateway, &[]).await;
    let cookie = response.headers()[header::SET_COOKIE]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(
        cookie.contains("Max-Age=3600") && !cookie.contains("Secure"),
        "{cookie}"
    );

    gateway.reload(read(CONFIG)).expect("a good configuration");
    assert_eq!(canary().decisions, started);
    gateway
        .reload(read(&CONFIG.replace("percent: 5", "percent: 7")))
        .expect("a good configuration");
    assert_eq!(canary().percent_traffic, 7.0);
    handle
        .set_canary_weight("shop", "prod", 50.0)
        .expect("a share");
    gateway.reload(read(CONFIG)).expect("a good configuration");
    assert_eq!((canary().percent_traffic, canary().ramp), (50.0, None));
}

#[test]
fn a_configuration_that_is_wrong_is_told_with_its_place() {
    let wrong = [
        (
            "{ header: x-user }",
            "{ headr: x-user }",
            "/apis/0/canaries/prod/sticky/0/headr: no such field; did you mean `header`?",
        ),
        (
            "{ header: x-user }",
            "{ header: \"x user\" }",
            "/apis/0/canaries/prod/sticky/0/header: `x user` is no name of a header",
        ),
        (
            "{ header: x-user }",
            "{ }",
            "/apis/0/canaries/prod/sticky/0: must have one of `cookie`, `ownCookie`, `header` and `clientAddress`; several of them are a list",
        ),
        (
            "{ cookie: tester, ",
            "{ cookie: tester, header: x, ",
            "/apis/0/canaries/prod/forced: must have one of `header` and `cookie`",
        ),
        (
            "{ percent: 100 }",
            "{ seconds: 1 }",
            "/apis/0/canaries/prod/ramp/steps/1/percent: is missing",
        ),
        (
            "signingKey: \"${KEY}\" }",
            "signingKey: short }",
            "/apis/0/canaries/prod/forced/signingKey: has 5 bytes, which can be guessed; give at least 16 by chance",
        ),
    ];
    for (from, to, expected) in wrong {
        let text = CONFIG
            .replacen(from, to, 1)
            .replace("${KEY}", "thirty-two bytes, made by chance");
        let error = GatewayConfig::parse(&text, ConfigFormat::Yaml).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
