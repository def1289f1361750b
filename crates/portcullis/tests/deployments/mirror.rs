//! Production's requests go to the canary of a stage as well, and the answers are compared.

use std::time::Duration;

use http::{Request, header};
use portcullis::canary::{Comparison, MirrorLayer, MirrorReport, Ramp, RampAction};
use portcullis::core::{Body, FunctionReply, Invocation, ManualClock};
use portcullis::{
    AdminService, ApiSpec, CanaryRules, ConfigFormat, Gateway, GatewayBuilder, GatewayConfig,
};
use portcullis_testkit::request as testkit;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{document, shop};

/// Routes with a function behind them: any method, and one that only callers with a key reach.
fn definition(routes: &[&str]) -> String {
    let operation = json!({ "x-amazon-apigateway-integration": {
        "type": "aws_proxy", "httpMethod": "POST",
        "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:${stageVariables.function}/invocations"
    } });
    let mut paths = json!({});
    for route in routes {
        paths[format!("/{route}")] = json!({ "x-amazon-apigateway-any-method": operation });
    }
    document(&paths)
}

/// Tells what it was asked, and which version it is.
fn version(number: u32) -> impl portcullis::core::Function {
    move |call: Invocation| async move {
        let event: Value = serde_json::from_slice(&call.payload).expect("an event");
        let body = json!({
            "version": number,
            "path": event["path"],
            "mark": event["headers"]["x-mirror"],
            "body": event["body"],
            "id": event["requestContext"]["requestId"],
        });
        let reply = json!({
            "statusCode": 200,
            "headers": { "content-type": "application/json" },
            "body": body.to_string(),
        });
        Ok(FunctionReply::success(reply.to_string()))
    }
}

fn api(rules: CanaryRules, canary: &[&str]) -> ApiSpec {
    let stage = json!({
        "stageName": "prod",
        "variables": { "function": "old" },
        "canarySettings": {
            "percentTraffic": 0, "deploymentId": "next",
            "stageVariableOverrides": { "function": "new" },
        },
    });
    shop(definition(&["pets", "hats"]))
        .deployment("next", definition(canary))
        .stage(serde_json::from_value(stage).expect("a stage"))
        .canary("prod", rules)
}

fn builder(rules: CanaryRules, canary: &[&str]) -> GatewayBuilder {
    Gateway::builder()
        .api(api(rules, canary))
        .function("old", version(1))
        .function("new", version(2))
}

fn gateway(rules: CanaryRules) -> Gateway {
    let built = builder(rules, &["pets"]).build();
    built.expect("a gateway")
}

async fn ask(gateway: &Gateway, method: &str, path: &str, body: &'static str) -> (u16, String) {
    let request = Request::builder().method(method).uri(path);
    let request = request
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from(body));
    let response = gateway.clone().oneshot(request.expect("a request")).await;
    let response = response.expect("a gateway never fails");
    (response.status().as_u16(), testkit::text(response).await)
}

/// The report when this many pairs have been compared: copies go their way beside the requests.
async fn compared(gateway: &Gateway, pairs: u64) -> MirrorReport {
    for _ in 0..10_000 {
        let report = gateway.handle().canary_mirror("shop", "prod");
        let report = report.expect("a canary").expect("a mirror");
        if report.compared >= pairs {
            return report;
        }
        tokio::task::yield_now().await;
    }
    panic!("{pairs} are never compared");
}

#[tokio::test]
async fn answers_of_the_canary_are_compared_and_nobody_gets_them() {
    let comparison = Comparison::new().ignore_path("/mark").expect("a pointer");
    let mark = http::HeaderName::from_static("x-mirror");
    let mirror = MirrorLayer::builder().mark(mark).compare(comparison);
    let gateway = gateway(CanaryRules::new().mirror(mirror));
    let (status, body) = ask(&gateway, "GET", "/prod/pets?a=1", "").await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (status, &body["version"], &body["mark"]),
        (200, &1.into(), &Value::Null)
    );
    let report = compared(&gateway, 1).await;
    assert_eq!((report.mismatched, report.bodies), (1, 1));
    // The request's id is the same for both: what differs is the version alone.
    assert_eq!(
        report.samples[0].to_string(),
        "GET /prod/pets\n  body /version: 1 became 2"
    );

    // A route that the canary does not have.
    ask(&gateway, "GET", "/prod/hats", "").await;
    let report = compared(&gateway, 2).await;
    assert_eq!(report.status, 1);
    let sample = report.samples[1].to_string();
    assert!(sample.contains("status: 200 became 403"), "{sample}");

    // What changes something is not copied, and neither is what production refuses.
    ask(&gateway, "POST", "/prod/pets", "x").await;
    assert_eq!(ask(&gateway, "GET", "/prod/none", "").await.0, 403);
    ask(&gateway, "GET", "/prod/pets", "").await;
    assert_eq!(compared(&gateway, 3).await.mirrored, 3);
}

#[tokio::test]
async fn a_deployment_of_production_keeps_what_has_come_of_it() {
    let gateway = gateway(CanaryRules::new().mirror(MirrorLayer::builder()));
    ask(&gateway, "GET", "/prod/pets", "").await;
    compared(&gateway, 1).await;
    let handle = gateway.handle();
    handle
        .set_stage_variables("shop", "prod", [("x", "1")])
        .expect("a variable");
    ask(&gateway, "GET", "/prod/pets", "").await;
    assert_eq!(compared(&gateway, 2).await.mirrored, 2);

    let request = Request::get("/apis/shop/stages/prod/canary").body(Body::empty());
    let admin = AdminService::new(handle.clone());
    let answer = admin.oneshot(request.expect("a request")).await;
    let answer: Value =
        serde_json::from_str(&testkit::text(answer.expect("it never fails")).await).expect("JSON");
    let mirror = &answer["mirror"];
    assert_eq!(
        (&mirror["compared"], &mirror["mismatchRate"]),
        (&2.into(), &100.0.into())
    );
    assert_eq!(
        mirror["samples"][0],
        "GET /prod/pets\n  body /version: 1 became 2"
    );

    // Another canary is another matter.
    handle
        .deploy("shop", definition(&["pets", "more"]))
        .expect("a good definition");
    let report = handle.canary_mirror("shop", "prod");
    assert_eq!(report.expect("a canary").expect("a mirror").mirrored, 0);
    handle.disable_canary("shop", "prod").expect("a canary");
    handle
        .canary_mirror("shop", "prod")
        .expect_err("there is no canary");
}

#[tokio::test]
async fn bodies_are_copied_for_methods_that_are_named_and_a_share_of_nothing_copies_nothing() {
    let mirror = MirrorLayer::builder().method(http::Method::POST);
    let gateway = gateway(CanaryRules::new().mirror(mirror));
    let (_, body) = ask(&gateway, "POST", "/prod/pets", "a cat").await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["body"], "a cat");
    let report = compared(&gateway, 1).await;
    // The bodies are the same, so that the canary got the cat, too.
    assert_eq!(
        report.samples[0].to_string(),
        "POST /prod/pets\n  body /version: 1 became 2"
    );

    let gateway = self::gateway(CanaryRules::new().mirror(MirrorLayer::builder().share(0.0)));
    ask(&gateway, "GET", "/prod/pets", "").await;
    assert_eq!(compared(&gateway, 0).await.mirrored, 0);
}

#[tokio::test]
async fn of_what_a_cache_answers_no_copy_is_made() {
    let stage = json!({
        "stageName": "prod",
        "variables": { "function": "old" },
        "cacheClusterEnabled": true,
        "methodSettings": { "*/*": { "cachingEnabled": true } },
        "canarySettings": { "percentTraffic": 0, "stageVariableOverrides": { "function": "new" } },
    });
    let mut definition: Value = serde_json::from_str(&definition(&["pets"])).expect("JSON");
    let path = &mut definition["paths"]["/pets"];
    *path = json!({ "get": path["x-amazon-apigateway-any-method"] });
    let api = shop(definition.to_string())
        .stage(serde_json::from_value(stage).expect("a stage"))
        .canary("prod", CanaryRules::new().mirror(MirrorLayer::builder()));
    let gateway = Gateway::builder()
        .api(api)
        .function("old", version(1))
        .function("new", version(2))
        .build()
        .expect("a gateway");
    let (_, first) = ask(&gateway, "GET", "/prod/pets", "").await;
    let report = compared(&gateway, 1).await;
    assert_eq!(
        report.samples[0].to_string(),
        "GET /prod/pets\n  body /version: 1 became 2"
    );
    let (_, second) = ask(&gateway, "GET", "/prod/pets", "").await;
    assert_eq!(first, second, "the cache has it");
    assert_eq!(compared(&gateway, 1).await.mirrored, 1);
}

#[tokio::test]
async fn a_ramp_goes_back_when_too_many_answers_differ() {
    let clock = ManualClock::default();
    let minute = Duration::from_secs(60);
    let ramp = Ramp::new([(50.0, minute), (60.0, minute)]).window(minute);
    let rules = CanaryRules::new()
        .mirror(MirrorLayer::builder())
        .ramp(ramp.min_requests(10))
        .max_mismatches_above(5.0);
    let gateway = builder(rules, &["pets", "hats"])
        .clock(clock.clone())
        .build();
    let gateway = gateway.expect("a gateway");
    let ramp = || {
        let ramp = gateway.handle().canary_ramp("shop", "prod");
        ramp.expect("a canary").expect("a ramp")
    };
    let mut last = RampAction::Start;
    for _ in 0..400 {
        ask(&gateway, "GET", "/prod/pets", "").await;
        tokio::task::yield_now().await;
        clock.advance(Duration::from_millis(100));
        last = ramp().decisions.last().expect("it began").action;
        if last != RampAction::Start {
            break;
        }
    }
    assert_eq!(last, RampAction::RollBackForMismatches(5.0));
    let handle = gateway.handle();
    let canary = handle.canary("shop", "prod").expect("a canary");
    assert_eq!(canary.percent_traffic, 0.0);
    let decision = canary.decisions.last().expect("it decided");
    assert!(decision.contains("100.00 % of"), "{decision}");
}

#[test]
fn a_guard_rail_without_a_mirror_is_an_error() {
    let ramp = Ramp::new([(50.0, Duration::ZERO)]);
    let rules = CanaryRules::new().ramp(ramp).max_mismatches_above(1.0);
    let error = builder(rules, &["pets"]).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "shop stage prod:/canary/ramp/maxMismatchesAbove: needs a ramp that it guards, and `mirror`, by which answers are compared"
    );
    let rules = CanaryRules::new().mirror(MirrorLayer::builder().share(101.0));
    let error = builder(rules, &["pets"]).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "shop stage prod:/canary/mirror/share: 101 is no share; give 0 to 100"
    );
}

const CONFIG: &str = r#"
apis:
  - id: shop
    definition: old.json
    deployments: { next: { definition: new.json } }
    stages:
      - stageName: prod
        variables: { function: old }
        canarySettings: { percentTraffic: 0, deploymentId: next, stageVariableOverrides: { function: new } }
    canaries:
      prod:
        mirror:
          percent: 100
          methods: [POST]
          maxBodyBytes: 1024
          concurrency: 2
          queue: 10
          timeoutSeconds: 5
          samples: 1
          markHeader: x-mirror
          compare:
            ignoreHeaders: [x-served-by]
            ignorePaths: [/mark]
            tolerance: 1
            redact: [iban]
        ramp:
          steps: [{ percent: 0.01, seconds: 600 }]
          maxMismatchesAbove: 1
"#;

#[tokio::test]
async fn a_configuration_says_what_is_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["old.json", "new.json"] {
        std::fs::write(folder.path().join(file), definition(&["pets"])).expect("a file");
    }
    let mut config = GatewayConfig::parse(CONFIG, ConfigFormat::Yaml).expect("it is right");
    config.folder = folder.path().to_owned();
    let builder = config.gateway().expect("its files are there");
    let gateway = builder
        .function("old", version(1))
        .function("new", version(2))
        .build()
        .expect("a gateway");
    ask(&gateway, "POST", "/prod/pets", "x").await;
    // Versions 1 and 2 are no further apart than the tolerance.
    assert_eq!(compared(&gateway, 1).await.mismatched, 0);

    for (from, to, expected) in [
        (
            "ignorePaths: [/mark]",
            "ignorePaths: [mark]",
            "/apis/0/canaries/prod/mirror/compare/ignorePaths/0: `mark` is no JSON pointer; begin it with `/`",
        ),
        (
            "tolerance: 1",
            "tolerance: -1",
            "/apis/0/canaries/prod/mirror/compare/tolerance: -1 is no distance of numbers; give 0 or more",
        ),
        (
            "methods: [POST]",
            "methods: ['P OST']",
            "/apis/0/canaries/prod/mirror/methods/0: \"P OST\" must be a method",
        ),
        (
            "samples: 1",
            "sample: 1",
            "/apis/0/canaries/prod/mirror/sample: no such field; did you mean `samples`?",
        ),
    ] {
        let text = CONFIG.replacen(from, to, 1);
        let error = GatewayConfig::parse(&text, ConfigFormat::Yaml).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
