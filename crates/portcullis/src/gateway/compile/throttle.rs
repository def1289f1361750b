//! The limits of methods: of the caller's plan, of the stage, of the account.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::{Shared, observe};
use crate::core::{ApiKind, BoxAsk, Guard, Head, Mode, RequestContext, Verdict};
use crate::definition::{self, MethodSetting, QuotaPeriod, Stage, ThrottleSettings};
use crate::gateway::api::ApiSpec;
use crate::gateway::coverage::{Coverage, Served};
use crate::gateway::error::GatewayFault;
use crate::gateway::limits::LimitState;
use crate::gateway::observe::ObserveSettings;
use crate::gateway::plan::ApiPlan;
use crate::throttle::{ConfigError, Headers, Key, Limit, Quota, Rule, ThrottleLayer, UsagePlan};

/// What the service takes for the half of a limit that is not said.
const DEFAULT_RATE: f64 = 10_000.0;
const DEFAULT_BURST: i64 = 5000;

/// What the methods of all APIs share.
pub(super) struct Throttles {
    pub(super) state: LimitState,
    pub(super) account: Option<Limit>,
    pub(super) headers: Headers,
    pub(super) mode: Mode,
    #[cfg(feature = "redis")]
    pub(super) shared: Option<crate::throttle::SharedBuckets>,
    /// Whether there is any usage plan that limits something.
    pub(super) has_plans: bool,
}

/// The limits of one method, by the stage that serves a request.
pub(super) struct Levels {
    stages: Vec<StageLevel>,
    /// For stages without a limit of their own for it.
    otherwise: Option<ThrottleLayer>,
    mode: Mode,
}

struct StageLevel {
    stage: Box<str>,
    /// Absent: any.
    verb: Option<Box<str>>,
    /// Absent: nothing limits it.
    layer: Option<ThrottleLayer>,
}

impl Guard for Levels {
    type Ask = BoxAsk;

    const NAME: &'static str = "throttle";

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        let stage = head.context().and_then(RequestContext::stage);
        let own = stage.and_then(|stage| {
            self.stages.iter().find(|own| {
                *own.stage == *stage.stage
                    && own
                        .verb
                        .as_deref()
                        .is_none_or(|verb| verb == head.method().as_str())
            })
        });
        let layer = match own {
            Some(own) => own.layer.as_ref(),
            None => self.otherwise.as_ref(),
        };
        match layer {
            Some(layer) => layer.check(head),
            None => Verdict::Pass,
        }
    }

    fn mode(&self) -> Mode {
        self.mode
    }
}

/// A method or route, as its limits see it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The verb; `ANY` of a REST API, and whatever the key begins with of an HTTP API.
    pub(super) verb: &'a str,
    pub(super) path: &'a str,
    /// Whether usage plans count.
    pub(super) needs_key: bool,
}

/// The limits of a method, if anything limits it. Settings that are no limits were told with the stage.
pub(super) fn levels(spec: &ApiSpec, place: Place<'_>, shared: &Shared) -> Option<Levels> {
    let throttles = &shared.throttles;
    let layer = |own: Option<(&Stage, &str, Limit)>| {
        let mut builder = ThrottleLayer::builder()
            .buckets(&throttles.state.buckets)
            .headers(throttles.headers)
            .api_kind(spec.kind);
        #[cfg(feature = "redis")]
        if let Some(shared) = &throttles.shared {
            builder = builder.shared(shared.clone());
        }
        if place.needs_key && throttles.has_plans {
            builder = builder.usage_plans(&throttles.state.plans);
        }
        if let Some((stage, verb, limit)) = own {
            let (id, stage) = (&spec.id, &stage.stage_name);
            let name = format!("stage/{id}/{stage}/{verb} {}", place.path);
            builder = builder.rule(Rule::new(name, Key::shared(), limit));
        }
        if let Some(account) = throttles.account {
            builder = builder.rule(Rule::new("account", Key::shared(), account));
        }
        // Two rules of different names are always a layer.
        builder.build().ok()
    };
    let mut stages = Vec::new();
    let anywhere = (place.needs_key && throttles.has_plans) || throttles.account.is_some();
    for stage in &spec.stages {
        for verb in verbs(spec.kind, stage, place) {
            let own_verb = verb != place.verb;
            let layer = match stage_limit(spec.kind, stage, place.path, verb) {
                Some(Ok(limit)) => layer(Some((stage, verb, limit))),
                // That a verb has no limit must not leave it to what others have.
                _ if own_verb && anywhere => layer(None),
                _ if own_verb => None,
                _ => continue,
            };
            stages.push(StageLevel {
                stage: stage.stage_name.as_str().into(),
                verb: own_verb.then(|| verb.into()),
                layer,
            });
        }
    }
    if stages.is_empty() && !anywhere {
        return None;
    }
    Some(Levels {
        stages,
        otherwise: anywhere.then(|| layer(None)).flatten(),
        mode: throttles.mode,
    })
}

/// The verbs for which a stage may have limits at this place: those that its settings name, where the method takes any, and last the method's own.
fn verbs<'a>(kind: ApiKind, stage: &'a Stage, place: Place<'a>) -> Vec<&'a str> {
    let mut verbs = BTreeSet::new();
    if kind == ApiKind::Rest && place.verb == "ANY" {
        for key in stage.method_settings.keys() {
            match split(key) {
                Some((path, verb)) if path == place.path && verb != "*" && verb != "ANY" => {
                    // Where the verb stands in the key, to have it for as long as the stage.
                    verbs.insert(&key[key.len() - verb.len()..]);
                }
                _ => {}
            }
        }
    }
    verbs.into_iter().chain([place.verb]).collect()
}

/// The verbs for which a stage of a REST API may have settings at this place.
pub(super) fn own_verbs<'a>(stage: &'a Stage, place: Place<'a>) -> Vec<&'a str> {
    verbs(ApiKind::Rest, stage, place)
}

/// The settings of a stage that hold for a method, the nearest first, and whether they are for this verb by name.
pub(super) fn nearest_settings<'a>(
    stage: &'a Stage,
    path: &'a str,
    verb: &'a str,
) -> impl Iterator<Item = (bool, &'a MethodSetting)> {
    let wanted = [(path, verb), (path, "*"), ("*", "*")];
    wanted.into_iter().filter_map(|wanted| {
        let own = stage
            .method_settings
            .iter()
            .find(|(key, _)| split(key).is_some_and(|(path, verb)| (&*path, &*verb) == wanted));
        own.map(|(_, own)| (wanted.1 != "*", own))
    })
}

/// The path and the verb of a key of method settings: `/pets/GET`, or `~1pets/GET` as patches write it. The root is `//GET`.
pub(super) fn split(key: &str) -> Option<(String, String)> {
    let (path, verb) = key.rsplit_once('/')?;
    let path = path.replace("~1", "/").replace("~0", "~");
    let path = if path.starts_with('/') || path == "*" {
        path
    } else {
        format!("/{path}")
    };
    Some((path, verb.to_owned()))
}

/// What a stage says of the rate of a method; nothing if it says nothing, or that there is no limit.
fn stage_limit(
    kind: ApiKind,
    stage: &Stage,
    path: &str,
    verb: &str,
) -> Option<Result<Limit, ConfigError>> {
    let (mut rate, mut burst) = (None, None);
    match kind {
        ApiKind::Rest => {
            // The nearest setting that has the field counts.
            for (_, own) in nearest_settings(stage, path, verb) {
                rate = rate.or(own.throttling_rate_limit);
                burst = burst.or(own.throttling_burst_limit);
            }
        }
        ApiKind::Http => {
            let key = if verb.is_empty() {
                path.to_owned()
            } else {
                format!("{verb} {path}")
            };
            let own = stage.route_settings.get(&key);
            for own in own.into_iter().chain(&stage.default_route_settings) {
                rate = rate.or(own.throttling_rate_limit);
                burst = burst.or(own.throttling_burst_limit);
            }
        }
    }
    limit(rate, burst)
}

/// A limit as the service writes it: 0 lets nothing pass, -1 everything.
fn limit(rate: Option<f64>, burst: Option<i64>) -> Option<Result<Limit, ConfigError>> {
    if rate.is_none() && burst.is_none() {
        return None;
    }
    let rate = rate.unwrap_or(DEFAULT_RATE);
    let burst = burst.unwrap_or(DEFAULT_BURST);
    if rate == -1.0 {
        return None;
    }
    if rate == 0.0 || burst == 0 {
        return Some(Ok(Limit::nothing()));
    }
    let burst = match burst {
        // Without a bound; so many that none can be met.
        -1 => u32::try_from((rate.max(1.0) as u64).saturating_mul(60)).unwrap_or(u32::MAX),
        ..=-2 => {
            let fix = "give 1 or more, 0 to let nothing pass, or -1 for no bound";
            return Some(Err(ConfigError::new("burst", burst, "is no burst", fix)));
        }
        burst => u32::try_from(burst).unwrap_or(u32::MAX),
    };
    Some(Limit::per_second(rate, burst))
}

/// The member that is wrong about a limit, where its members are called `rate` and `burst`.
pub(in crate::gateway) fn member(
    error: &ConfigError,
    rate: &'static str,
    burst: &'static str,
) -> &'static str {
    if error.field() == "burst" {
        burst
    } else {
        rate
    }
}

/// The limit of an account.
pub(in crate::gateway) fn account(
    rate: Option<f64>,
    burst: Option<u64>,
) -> Result<Option<Limit>, ConfigError> {
    let burst = burst.map(|burst| i64::try_from(burst).unwrap_or(i64::MAX));
    limit(rate, burst).transpose()
}

/// The faults of a stage's limits and log levels.
pub(super) fn check_stage(spec: &ApiSpec, stage: &Stage, faults: &mut Vec<GatewayFault>) {
    let mut note = |place: String, found: Option<Result<Limit, ConfigError>>| {
        if let Some(Err(error)) = found {
            let member = member(&error, "throttlingRateLimit", "throttlingBurstLimit");
            let place = format!("stage {}:/{place}/{member}", stage.stage_name);
            faults.push(GatewayFault::new(
                &spec.id,
                place,
                format!("{}; {}", error.problem(), error.fix()),
            ));
        }
    };
    for (key, own) in &stage.method_settings {
        let found = limit(own.throttling_rate_limit, own.throttling_burst_limit);
        note(format!("methodSettings/{}", escape(key)), found);
    }
    for (key, own) in &stage.route_settings {
        let found = limit(own.throttling_rate_limit, own.throttling_burst_limit);
        note(format!("routeSettings/{}", escape(key)), found);
    }
    if let Some(own) = &stage.default_route_settings {
        let found = limit(own.throttling_rate_limit, own.throttling_burst_limit);
        note("defaultRouteSettings".to_owned(), found);
    }
    for (key, own) in &stage.method_settings {
        if let Some(level) = &own.logging_level
            && !["OFF", "ERROR", "INFO"].contains(&&**level)
        {
            let place = format!(
                "stage {}:/methodSettings/{}/loggingLevel",
                stage.stage_name,
                escape(key)
            );
            let message = format!("must be `OFF`, `ERROR` or `INFO`, not `{level}`");
            faults.push(GatewayFault::new(&spec.id, place, message));
        }
    }
}

/// What becomes of each setting of a stage's methods and routes.
pub(super) fn survey(
    spec: &ApiSpec,
    stage: &Stage,
    plan: Option<&ApiPlan>,
    observe: &ObserveSettings,
    coverage: &mut Coverage,
) {
    let begin = format!("stage {}:", stage.stage_name);
    let mut tell = |place: String, settings: Value, known: bool| {
        for (member, value) in settings.as_object().into_iter().flatten() {
            let (served, note) = member_fate(member, value, known, stage.cache_cluster_enabled)
                .unwrap_or_else(|| observe::method_fate(member, spec.kind, observe));
            let own = format!("{begin}{place}/{member}");
            if known && let Some(why) = idle(member, value, (spec.kind, stage)) {
                coverage.warn(&spec.id, &own, why);
            }
            coverage.push(&spec.id, own, served, note);
        }
        if !known {
            coverage.warn(
                &spec.id,
                format_args!("{begin}{place}"),
                why_unknown(&place, spec.kind),
            );
        }
    };
    for (key, own) in &stage.method_settings {
        let known = spec.kind == ApiKind::Rest
            && plan
                .is_none_or(|plan| split(key).is_some_and(|(path, verb)| has(plan, &path, &verb)));
        tell(format!("/methodSettings/{}", escape(key)), json(own), known);
    }
    for (key, own) in &stage.route_settings {
        let (verb, path) = key.split_once(' ').unwrap_or(("", key));
        let known = spec.kind == ApiKind::Http && plan.is_none_or(|plan| has(plan, path, verb));
        tell(format!("/routeSettings/{}", escape(key)), json(own), known);
    }
    if let Some(own) = &stage.default_route_settings {
        let known = spec.kind == ApiKind::Http;
        tell("/defaultRouteSettings".to_owned(), json(own), known);
    }
}

/// Why settings are for nothing.
fn why_unknown(place: &str, kind: ApiKind) -> &'static str {
    let for_rest = place.starts_with("/methodSettings");
    match kind {
        ApiKind::Rest if for_rest => {
            "the API has no such method; a key is `{path}/{VERB}`, and `*` stands for any"
        }
        ApiKind::Rest => "these are for HTTP APIs; a REST API has `methodSettings`",
        ApiKind::Http if for_rest => "these are for REST APIs; an HTTP API has `routeSettings`",
        ApiKind::Http => "the API has no such route; a key is that of the route: `GET /pets`",
    }
}

/// Why a setting that is switched on is for nothing, if it is.
fn idle(member: &str, value: &Value, (kind, stage): (ApiKind, &Stage)) -> Option<&'static str> {
    match (member, kind) {
        ("cachingEnabled", ApiKind::Rest) if value == true && !stage.cache_cluster_enabled => {
            Some("the stage has no cache: set its `cacheClusterEnabled`")
        }
        ("loggingLevel", ApiKind::Http) if value != "OFF" => {
            Some("HTTP APIs have no execution logs; `accessLogSettings` of the stage are theirs")
        }
        ("dataTraceEnabled", ApiKind::Http) if value == true => {
            Some("HTTP APIs have no execution logs; `accessLogSettings` of the stage are theirs")
        }
        _ => None,
    }
}

/// What is plain data can be written.
fn json(settings: &impl serde::Serialize) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What becomes of a setting, unless it is one on metrics or logs that is switched on.
fn member_fate(
    member: &str,
    value: &Value,
    known: bool,
    caches: bool,
) -> Option<(Served, &'static str)> {
    let off = value == false || value == "OFF";
    Some(match member {
        _ if !known => (Served::DocumentationOnly, "the API has no such method"),
        "cachingEnabled"
        | "cacheDataEncrypted"
        | "metricsEnabled"
        | "dataTraceEnabled"
        | "detailedMetricsEnabled"
        | "loggingLevel"
            if off =>
        {
            (Served::Enforced, "")
        }
        "cachingEnabled"
        | "cacheTtlInSeconds"
        | "cacheDataEncrypted"
        | "requireAuthorizationForCacheControl"
        | "unauthorizedCacheControlHeaderStrategy"
            if !caches =>
        {
            let note = "the stage has no cache (`cacheClusterEnabled`)";
            (Served::DocumentationOnly, note)
        }
        "throttlingRateLimit"
        | "throttlingBurstLimit"
        | "cachingEnabled"
        | "cacheTtlInSeconds"
        | "cacheDataEncrypted"
        | "requireAuthorizationForCacheControl"
        | "unauthorizedCacheControlHeaderStrategy" => (Served::Enforced, ""),
        _ => return None,
    })
}

/// Whether an API has a method, or `*` for any.
fn has(plan: &ApiPlan, path: &str, verb: &str) -> bool {
    (path == "*" && verb == "*")
        || plan.routes.iter().any(|method| {
            method.route.template == path
                && (verb == "*" || method.method == verb || method.method == "ANY")
        })
}

/// The limits of a usage plan; its faults are told.
pub(super) fn plan(plan: &definition::UsagePlan, faults: &mut Vec<GatewayFault>) -> UsagePlan {
    let mut compiled = UsagePlan::new(plan.id.as_str());
    let mut fault = |member: &str, error: &dyn std::fmt::Display| {
        let place = format!("usage plan {}:{member}", plan.id);
        faults.push(GatewayFault::new("", place, error));
    };
    let of_limit = |place: &str, error: &ConfigError| {
        let member = member(error, "rateLimit", "burstLimit");
        (
            format!("{place}/{member}"),
            format!("{}; {}", error.problem(), error.fix()),
        )
    };
    match plan.throttle.as_ref().and_then(throttle) {
        Some(Ok(limit)) => compiled = compiled.limit(limit),
        Some(Err(error)) => {
            let (place, problem) = of_limit("/throttle", &error);
            fault(&place, &problem);
        }
        None => {}
    }
    if let Some(quota) = &plan.quota
        && let Some(most) = quota.limit
    {
        let period = match quota.period.unwrap_or_default() {
            QuotaPeriod::Week => crate::throttle::QuotaPeriod::Week,
            QuotaPeriod::Month => crate::throttle::QuotaPeriod::Month,
            _ => crate::throttle::QuotaPeriod::Day,
        };
        match Quota::new(most, period, quota.offset.unwrap_or_default()) {
            Ok(quota) => compiled = compiled.quota(quota),
            // The offset is all that can be wrong.
            Err(error) => fault(
                "/quota/offset",
                &format!("{}; {}", error.problem(), error.fix()),
            ),
        }
    }
    for (index, opens) in plan.api_stages.iter().enumerate() {
        let (Some(api), Some(stage)) = (&opens.api_id, &opens.stage) else {
            continue;
        };
        for (key, settings) in &opens.throttle {
            let place = || format!("/apiStages/{index}/throttle/{}", escape(key));
            let Some((path, verb)) = split(key) else {
                fault(&place(), &"is no `/resource/VERB`");
                continue;
            };
            match throttle(settings) {
                Some(Ok(limit)) => {
                    compiled = compiled.method_limit(api, stage, &path, &verb, limit);
                }
                Some(Err(error)) => {
                    let (place, problem) = of_limit(&place(), &error);
                    fault(&place, &problem);
                }
                None => {}
            }
        }
    }
    compiled
}

fn throttle(settings: &ThrottleSettings) -> Option<Result<Limit, ConfigError>> {
    limit(settings.rate_limit, settings.burst_limit.map(i64::from))
}

/// What becomes of the rates that usage plans have for single methods.
pub(super) fn survey_plans(
    plans: &[definition::UsagePlan],
    apis: &[(String, Arc<ApiPlan>)],
    coverage: &mut Coverage,
) {
    for plan in plans {
        for (index, opens) in plan.api_stages.iter().enumerate() {
            let api = apis
                .iter()
                .find(|(id, _)| Some(id) == opens.api_id.as_ref());
            for key in opens.throttle.keys() {
                let place = format!(
                    "usage plan {}:/apiStages/{index}/throttle/{}",
                    plan.id,
                    escape(key)
                );
                let known = api.is_some_and(|(_, api)| {
                    split(key).is_some_and(|(path, verb)| has(api, &path, &verb))
                });
                let (served, note) = if known {
                    (Served::Enforced, "")
                } else {
                    (Served::DocumentationOnly, "there is no such method here")
                };
                coverage.push("", place, served, note);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{limit, split};

    #[test]
    fn keys_of_settings_are_split_at_their_last_slash() {
        for (key, path, verb) in [
            ("*/*", "*", "*"),
            ("/pets/{id}/GET", "/pets/{id}", "GET"),
            ("~1pets~1{id}/GET", "/pets/{id}", "GET"),
            ("pets/GET", "/pets", "GET"),
            ("//GET", "/", "GET"),
            ("~1/GET", "/", "GET"),
            ("/pets/*", "/pets", "*"),
        ] {
            assert_eq!(
                split(key),
                Some((path.to_owned(), verb.to_owned())),
                "{key}"
            );
        }
        assert_eq!(split("GET"), None);
    }

    #[test]
    fn a_limit_of_minus_one_is_none_and_one_of_zero_lets_nothing_pass() {
        assert!(limit(None, None).is_none());
        assert!(limit(Some(-1.0), Some(-1)).is_none());
        let burst = |rate, burst| limit(rate, burst).map(|own| own.map(|own| own.burst()).ok());
        assert_eq!(burst(Some(0.0), Some(10)), Some(Some(0)));
        assert_eq!(burst(Some(5.0), Some(0)), Some(Some(0)));
        assert_eq!(burst(Some(5.0), None), Some(Some(5000)));
        assert_eq!(burst(Some(5.0), Some(-1)), Some(Some(300)));
        assert_eq!(burst(Some(5.0), Some(-2)), Some(None));
        assert_eq!(burst(Some(f64::NAN), None), Some(None));
    }
}
