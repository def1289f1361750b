//! Usage plans: rates and quotas of API keys.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use portcullis_core::{
    ApiKeyId, ApiStage, CallerKey, ManualClock, MatchedRoute, Rejection, RequestContext, Route,
};
use portcullis_throttle::{
    Buckets, Headers, Key, Limit, Quota, QuotaPeriod, Rule, ThrottleBuilder, ThrottleLayer,
    UsagePlan, UsagePlans,
};
use tower::{Layer, ServiceExt, service_fn};

type Answer = Response<Full<Bytes>>;

async fn hello(_request: Request<()>) -> Result<Answer, Infallible> {
    Ok(Response::new(Full::from("hello")))
}

fn limit(rate: f64, burst: u32) -> Limit {
    Limit::per_second(rate, burst).expect("a limit")
}

fn quota(limit: u64, period: QuotaPeriod) -> Quota {
    Quota::new(limit, period, 0).expect("a quota")
}

/// A request by the key with this id, let in by this plan, to a method of a stage.
fn request(key: &str, plan: &str, stage: &str, verb: &str) -> Request<()> {
    let request = Request::builder().method(verb).uri("/pets/7").body(());
    let mut request = request.expect("a request");
    let uri = request.uri().clone();
    let context = RequestContext::of(&mut request);
    context.set_api_key(CallerKey::new(ApiKeyId::new(key)).with_usage_plan(plan));
    let mut facts = ApiStage::default();
    (facts.api_id, facts.stage) = ("shop".to_owned(), stage.to_owned());
    context.set_stage(facts);
    context.set_route(MatchedRoute::new(Route::new("/pets/{id}"), &uri, 0));
    request
}

fn get(key: &str, plan: &str) -> Request<()> {
    request(key, plan, "prod", "GET")
}

async fn call(layer: &ThrottleLayer, request: Request<()>) -> Answer {
    let answer = layer.layer(service_fn(hello)).oneshot(request).await;
    answer.expect("it never fails")
}

async fn passing(layer: &ThrottleLayer, request: impl Fn() -> Request<()>) -> u32 {
    for passed in 0..1000 {
        if call(layer, request()).await.status() == 429 {
            return passed;
        }
    }
    panic!("nothing is refused");
}

fn with_clock(clock: &ManualClock, plans: &UsagePlans) -> ThrottleBuilder {
    let buckets = Buckets::with_clock(1000, clock.clone());
    ThrottleLayer::builder()
        .buckets(&buckets)
        .usage_plans(plans)
}

#[tokio::test]
async fn a_key_has_one_rate_for_all_stages_of_its_plan() {
    let clock = ManualClock::default();
    let plans = UsagePlans::new([UsagePlan::new("gold").limit(limit(1.0, 4))]);
    let layer = with_clock(&clock, &plans).build().expect("a layer");
    assert_eq!(
        call(&layer, request("a", "gold", "test", "GET"))
            .await
            .status(),
        200
    );
    assert_eq!(passing(&layer, || get("a", "gold")).await, 3);
    assert_eq!(passing(&layer, || get("b", "gold")).await, 4);
    assert_eq!(
        call(&layer, get("a", "silver")).await.status(),
        200,
        "no such plan, no limit"
    );
    assert_eq!(
        call(&layer, Request::new(())).await.status(),
        200,
        "no key, no plan"
    );
    clock.advance(Duration::from_secs(2));
    assert_eq!(passing(&layer, || get("a", "gold")).await, 2);
    assert_eq!(layer.stats().refused[0], ("usagePlan".to_owned(), 3));
}

#[tokio::test]
async fn a_methods_own_rate_takes_the_place_of_the_plans() {
    let clock = ManualClock::default();
    let plan = UsagePlan::new("gold").limit(limit(1.0, 4)).method_limit(
        "shop",
        "prod",
        "/pets/{id}",
        "PUT",
        limit(1.0, 2),
    );
    let plans = UsagePlans::new([plan]);
    let layer = with_clock(&clock, &plans).build().expect("a layer");
    assert_eq!(
        passing(&layer, || request("a", "gold", "prod", "PUT")).await,
        2
    );
    assert_eq!(passing(&layer, || get("a", "gold")).await, 4);
    let refused = call(&layer, request("a", "gold", "prod", "PUT")).await;
    let rejection = refused
        .extensions()
        .get::<Rejection>()
        .expect("it is there");
    assert_eq!(
        rejection.decision().expect("a reason").to_string(),
        "throttle: plan/gold (method=PUT /pets/{id}, rate=1, burst=2)"
    );
    clock.advance(Duration::from_secs(60));
    assert_eq!(
        passing(&layer, || request("a", "gold", "test", "PUT")).await,
        4,
        "another stage"
    );
}

#[tokio::test]
async fn a_key_in_several_plans_has_at_each_stage_the_one_that_opens_it() {
    let plans = UsagePlans::new([
        UsagePlan::new("z-prod")
            .limit(limit(0.001, 1))
            .stage("shop", "prod")
            .key("k"),
        UsagePlan::new("b-anywhere").limit(limit(0.001, 3)).key("k"),
        UsagePlan::new("a-test")
            .limit(limit(0.001, 2))
            .stage("shop", "test")
            .key("k"),
        UsagePlan::new("a-other")
            .limit(limit(0.001, 4))
            .stage("other", "prod")
            .key("k"),
    ]);
    let layer = with_clock(&ManualClock::default(), &plans);
    let layer = layer.build().expect("a layer");
    let unnamed = |stage: &'static str| {
        move || {
            let mut request = Request::new(());
            let context = RequestContext::of(&mut request);
            context.set_api_key(CallerKey::new(ApiKeyId::new("k")));
            let mut facts = ApiStage::default();
            (facts.api_id, facts.stage) = ("shop".to_owned(), stage.to_owned());
            context.set_stage(facts);
            request
        }
    };
    assert_eq!(passing(&layer, unnamed("prod")).await, 1);
    assert_eq!(passing(&layer, unnamed("test")).await, 2);
    assert_eq!(passing(&layer, unnamed("beta")).await, 3);
    plans.remove("b-anywhere");
    let answer = call(&layer, unnamed("beta")()).await;
    assert_eq!(answer.status(), 200, "no plan has anything to say");
}

#[tokio::test]
async fn a_used_up_quota_is_refused_in_the_services_words() {
    // A Wednesday at midnight.
    let clock = ManualClock::default();
    let plan = UsagePlan::new("free").quota(quota(3, QuotaPeriod::Day));
    let plans = UsagePlans::with_clock([plan], clock.clone());
    let headers = Headers::new().retry_after(true).rate_limit(true);
    let layer = with_clock(&clock, &plans)
        .headers(headers)
        .build()
        .expect("a layer");
    clock.advance(Duration::from_secs(3600));
    let first = call(&layer, get("a", "free")).await;
    assert_eq!(first.headers()["ratelimit"], r#""quota/free";r=2;t=82800"#);
    assert_eq!(
        first.headers()["ratelimit-policy"],
        r#""quota/free";q=3;w=86400"#
    );
    assert_eq!(passing(&layer, || get("a", "free")).await, 2);
    let refused = call(&layer, get("a", "free")).await;
    assert_eq!(
        refused.headers()["x-amzn-errortype"],
        "LimitExceededException"
    );
    assert_eq!(refused.headers()["retry-after"], "82800");
    let body = refused
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    assert_eq!(body, r#"{"message":"Limit Exceeded"}"#);
    assert_eq!(passing(&layer, || get("b", "free")).await, 3);
    clock.advance(Duration::from_secs(82_800));
    assert_eq!(passing(&layer, || get("a", "free")).await, 3);
    assert_eq!(
        layer.stats().refused,
        [("usagePlan".to_owned(), 0), ("quota".to_owned(), 4)]
    );
}

#[tokio::test]
async fn what_a_rule_or_the_quota_refuses_leaves_the_plan_as_it_is_told() {
    let clock = ManualClock::default();
    let plan = UsagePlan::new("p")
        .limit(limit(0.5, 4))
        .quota(quota(3, QuotaPeriod::Day));
    let plans = UsagePlans::with_clock([plan], clock.clone());
    let layer = with_clock(&clock, &plans)
        .rule(Rule::new("all", Key::shared(), limit(0.25, 1)))
        .headers(Headers::new().rate_limit(true))
        .build()
        .expect("a layer");
    let told = async || {
        let answer = call(&layer, get("a", "p")).await;
        let left = answer.headers()["ratelimit"].to_str().map(str::to_owned);
        (answer.status().as_u16(), left.expect("it is text"))
    };
    let left = r#""plan/p";r=3;t=2, "quota/p";r=2;t=86400, "all";r=0;t=4"#;
    assert_eq!(told().await, (200, left.to_owned()));
    assert_eq!(told().await, (429, left.to_owned()), "by the rule");
    plans.set_remaining("p", "a", 0);
    let left = r#""plan/p";r=3;t=2, "quota/p";r=0;t=86400"#;
    assert_eq!(told().await, (429, left.to_owned()), "by the quota");
}

#[tokio::test]
async fn what_is_used_of_quotas_is_summed_by_plan_for_the_current_period() {
    let clock = ManualClock::default();
    let plans = UsagePlans::with_clock(
        [
            UsagePlan::new("a").quota(quota(2, QuotaPeriod::Day)),
            UsagePlan::new("b").quota(quota(9, QuotaPeriod::Month)),
            UsagePlan::new("without a quota").limit(limit(1.0, 1)),
        ],
        clock.clone(),
    );
    let layer = with_clock(&clock, &plans).build().expect("a layer");
    let sums = || {
        let all = plans.quota_use().into_iter();
        all.map(|own| (own.plan.to_string(), own.used, own.keys, own.exhausted))
            .collect::<Vec<_>>()
    };
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let none = [(a.clone(), 0, 0, 0), (b.clone(), 0, 0, 0)];
    assert_eq!(sums(), none);
    for key in ["one", "one", "one", "other"] {
        call(&layer, get(key, "a")).await;
    }
    call(&layer, get("one", "b")).await;
    assert_eq!(sums(), [(a.clone(), 3, 2, 1), (b.clone(), 1, 1, 0)]);
    clock.advance(Duration::from_secs(86_400));
    assert_eq!(sums(), [(a, 0, 0, 0), (b, 1, 1, 0)], "a new day");
}

#[tokio::test]
async fn only_requests_that_pass_count_against_a_quota() {
    let clock = ManualClock::default();
    let plan = UsagePlan::new("p")
        .limit(limit(1.0, 2))
        .quota(quota(10, QuotaPeriod::Month));
    let plans = UsagePlans::with_clock([plan], clock.clone());
    let layer = with_clock(&clock, &plans)
        .rule(Rule::new("stage", Key::shared(), limit(1.0, 3)))
        .build()
        .expect("a layer");
    assert_eq!(passing(&layer, || get("a", "p")).await, 2);
    assert_eq!(
        passing(&layer, || get("b", "p")).await,
        1,
        "the stage has had three"
    );
    let used = |key| plans.usage("p", key).expect("it has a quota").used;
    assert_eq!((used("a"), used("b")), (2, 1));
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        call(&layer, get("b", "p")).await.status(),
        200,
        "its token was given back"
    );
}

#[test]
fn what_is_used_can_be_read_and_changed_for_the_period() {
    let clock = ManualClock::default();
    let plans = UsagePlans::with_clock(
        [
            UsagePlan::new("p").quota(quota(10, QuotaPeriod::Week)),
            UsagePlan::new("free"),
        ],
        clock.clone(),
    );
    let since = plans.usage("p", "k").expect("it has a quota").since;
    // The Sunday before Wednesday, the first of January 2025.
    let sunday = UNIX_EPOCH + Duration::from_secs(1_735_430_400);
    assert_eq!(since, sunday);
    assert!(plans.set_remaining("p", "k", 25));
    let usage = plans.usage("p", "k").expect("it has a quota");
    assert_eq!((usage.used, usage.remaining), (0, 25));
    assert!(plans.set_remaining("p", "k", 1));
    plans.set(UsagePlan::new("p").quota(quota(12, QuotaPeriod::Week)));
    assert_eq!(
        plans.usage("p", "k").expect("it has a quota").remaining,
        3,
        "two more"
    );
    clock.advance(Duration::from_secs(7 * 86_400));
    let usage = plans.usage("p", "k").expect("it has a quota");
    assert_eq!(
        (usage.remaining, usage.until),
        (12, sunday + Duration::from_secs(14 * 86_400))
    );
    assert_eq!(plans.usage("free", "k"), None);
    assert!(!plans.set_remaining("free", "k", 1) && !plans.set_remaining("none", "k", 1));
}

#[tokio::test]
async fn usage_is_listed_day_by_day() {
    let clock = ManualClock::default();
    let week = UsagePlan::new("p").quota(quota(10, QuotaPeriod::Week));
    let plans = UsagePlans::with_clock([week], clock.clone());
    let layer = with_clock(&clock, &plans).build().expect("a layer");
    let days = || {
        let days = plans.days("p", "k").expect("a quota");
        let days = days.iter().map(|day| (day.used, day.remaining));
        days.collect::<Vec<_>>()
    };
    let day = Duration::from_secs(86_400);
    assert_eq!(days(), [(0, 10)]);
    // The clock begins on a Wednesday.
    for count in [3, 2, 0, 4, 1] {
        for _ in 0..count {
            assert_eq!(call(&layer, get("k", "p")).await.status(), 200);
        }
        clock.advance(day);
    }
    // On Sunday a new week began.
    assert_eq!(days(), [(3, 7), (2, 5), (4, 1), (1, 9), (0, 9)]);
    let since = plans.days("p", "k").expect("a quota")[0].since;
    let since = since.duration_since(UNIX_EPOCH).expect("after it");
    assert_eq!(since.as_secs() % 86_400, 0);
    clock.advance(day * 88);
    let remembered = [(4, 1), (1, 9), (0, 10)];
    assert_eq!(days(), remembered, "90 days");
    assert_eq!(plans.days("none", "k"), None);
}

#[tokio::test]
async fn plans_change_while_requests_run() {
    let clock = ManualClock::default();
    let plans = UsagePlans::new([UsagePlan::new("p").limit(limit(1.0, 5))]);
    let layer = with_clock(&clock, &plans).build().expect("a layer");
    assert_eq!(passing(&layer, || get("a", "p")).await, 5);
    plans.set(UsagePlan::new("p").limit(limit(1.0, 8)));
    assert_eq!(passing(&layer, || get("a", "p")).await, 3);
    plans.remove("p");
    assert_eq!(call(&layer, get("a", "p")).await.status(), 200);
    plans.replace([UsagePlan::new("q").limit(limit(1.0, 1)).key("a")]);
    let without_plan = || {
        let mut request = Request::new(());
        RequestContext::of(&mut request).set_api_key(CallerKey::new(ApiKeyId::new("a")));
        request
    };
    assert_eq!(
        passing(&layer, without_plan).await,
        1,
        "the plan knows the key"
    );
}

#[tokio::test]
async fn used_quotas_outlive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("quotas.json");
    let clock = ManualClock::default();
    let open = || {
        let plan = UsagePlan::new("p").quota(quota(10, QuotaPeriod::Day));
        let plans = UsagePlans::with_clock([plan], clock.clone());
        plans.persist(&path).expect("it can be read")
    };
    let plans = open();
    let layer = with_clock(&clock, &plans).build().expect("a layer");
    for _ in 0..4 {
        assert_eq!(call(&layer, get("a", "p")).await.status(), 200);
    }
    plans.set_remaining("p", "b", 50);
    drop((plans, layer));
    let plans = open();
    let usage = |key| plans.usage("p", key).expect("it has a quota");
    assert_eq!((usage("a").used, usage("a").remaining), (4, 6));
    assert_eq!(usage("b").remaining, 50);
    clock.advance(Duration::from_secs(86_400));
    assert_eq!(usage("a").used, 0);
}

#[test]
fn a_file_that_is_something_else_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("quotas.json");
    for text in ["{}", "[1]", r#"{"version": 2, "quotas": []}"#, ""] {
        std::fs::write(&path, text).expect("it can be written");
        assert!(UsagePlans::new([]).persist(&path).is_err(), "{text}");
        let kept = std::fs::read_to_string(&path).expect("it is there");
        assert_eq!(kept, text, "it is left as it is");
    }
    let nowhere = folder.path().join("missing").join("quotas.json");
    assert!(UsagePlans::new([]).persist(nowhere).is_err());
}

#[test]
fn times_before_the_epoch_are_times() {
    let clock = Before(ManualClock::default());
    let plan = UsagePlan::new("p").quota(quota(1, QuotaPeriod::Month));
    let usage = UsagePlans::with_clock([plan], clock)
        .usage("p", "k")
        .expect("it has a quota");
    assert!(usage.since < usage.until && usage.until <= UNIX_EPOCH);
}

#[derive(Debug)]
struct Before(ManualClock);

impl portcullis_core::Clock for Before {
    fn now(&self) -> std::time::Instant {
        self.0.now()
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH - Duration::from_secs(90)
    }
}
