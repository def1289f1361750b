//! Who looks at the requests to a stage, by what its settings say.

use super::objects::{ENFORCED, Fate, not_served};
use super::{Shared, throttle};
use crate::core::ApiKind;
use crate::definition::{MethodSetting, Stage};
use crate::gateway::api::ApiSpec;
use crate::gateway::coverage::Served;
use crate::gateway::error::GatewayFault;
use crate::gateway::observe::{MethodObservers, ObserveSettings, StageObservers};
use crate::gateway::plan::{ApiPlan, MethodPlan};
use crate::observe::{AccessFormat, AccessLog, ExecutionLevel};

pub(super) fn stage(
    spec: &ApiSpec,
    stage: &Stage,
    plan: &ApiPlan,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
) -> StageObservers {
    let settings = &shared.observe;
    let mut observers = StageObservers {
        log: log(spec, stage, settings, faults),
        ..StageObservers::default()
    };
    if settings.metrics.is_none() && settings.emf.is_none() && settings.execution.is_none() {
        return observers;
    }
    let bind = |detailed| {
        let metrics = settings.metrics.as_ref();
        metrics.map(|metrics| metrics.method(detailed))
    };
    let mut methods: Vec<_> = plan.routes.iter().collect();
    methods.sort_by_key(|method| method.index);
    let methods = methods.into_iter().map(|method| {
        let detailed = is_detailed(spec.kind, stage, method);
        let (level, traced) = execution(spec.kind, stage, method);
        MethodObservers {
            metrics: bind(detailed),
            detailed,
            level,
            traced,
        }
    });
    observers.methods = methods.collect();
    observers.unmatched = bind(false);
    observers
}

/// The access log of a stage that has settings for it, and a place where it goes.
fn log(
    spec: &ApiSpec,
    stage: &Stage,
    settings: &ObserveSettings,
    faults: &mut Vec<GatewayFault>,
) -> Option<AccessLog> {
    let own = stage.access_log_settings.as_ref()?;
    let format = match AccessFormat::parse(own.format.as_deref().unwrap_or_default()) {
        Ok(format) => format,
        Err(error) => {
            let place = format!("stage {}:/accessLogSettings/format", stage.stage_name);
            let all = error.each();
            faults.extend(all.map(|error| GatewayFault::new(&spec.id, &*place, error)));
            return None;
        }
    };
    let arn = own.destination_arn.as_deref();
    let log = AccessLog::new(format, settings.destination(arn)?.clone());
    Some(match settings.canary_destination(arn) {
        Some(canary) => log.canary_sink(canary.clone()),
        None => log,
    })
}

/// Whether a method has metrics of its own.
fn is_detailed(kind: ApiKind, stage: &Stage, method: &MethodPlan) -> bool {
    let path = method.route.template.as_str();
    let verb = method.method.as_str();
    match kind {
        ApiKind::Rest => setting(stage, path, verb, |own| own.metrics_enabled),
        ApiKind::Http => {
            let key = method.route.route_key.as_deref().unwrap_or_default();
            let own = stage.route_settings.get(key);
            own.into_iter()
                .chain(&stage.default_route_settings)
                .find_map(|own| own.detailed_metrics_enabled)
        }
    }
    .unwrap_or(false)
}

/// What the execution log of a method says, and whether requests and responses are in it. HTTP APIs have none.
fn execution(kind: ApiKind, stage: &Stage, method: &MethodPlan) -> (Option<ExecutionLevel>, bool) {
    if kind == ApiKind::Http {
        return (None, false);
    }
    let path = method.route.template.as_str();
    let verb = method.method.as_str();
    let level = setting(stage, path, verb, |own| own.logging_level.as_deref());
    let level = match level {
        Some("INFO") => Some(ExecutionLevel::Info),
        Some("ERROR") => Some(ExecutionLevel::Error),
        _ => None,
    };
    let traced = setting(stage, path, verb, |own| own.data_trace_enabled);
    (level, traced.unwrap_or(false))
}

/// What a stage says of a method of a REST API: the nearest setting that has the field counts.
fn setting<'a, T>(
    stage: &'a Stage,
    path: &str,
    verb: &str,
    read: impl Fn(&'a MethodSetting) -> Option<T>,
) -> Option<T> {
    [(path, verb), (path, "*"), ("*", "*")]
        .iter()
        .find_map(|wanted| {
            let own = stage.method_settings.iter().find(|(key, _)| {
                throttle::split(key).is_some_and(|(path, verb)| (&*path, &*verb) == *wanted)
            });
            own.and_then(|(_, own)| read(own))
        })
}

/// What becomes of a stage's access log.
pub(super) fn log_fate(stage: &Stage, settings: &ObserveSettings) -> Fate {
    let own = stage.access_log_settings.as_ref();
    let arn = own.and_then(|own| own.destination_arn.as_deref());
    if settings.destination(arn).is_some() {
        ENFORCED
    } else {
        not_served("there is no place for the log: say where logs go, with `accessLogs`")
    }
}

/// What becomes of a setting on metrics or execution logs that is switched on.
pub(super) fn method_fate(member: &str, kind: ApiKind, settings: &ObserveSettings) -> Fate {
    match member {
        "metricsEnabled" | "detailedMetricsEnabled" => {
            if settings.metrics.is_some() || settings.emf.is_some() {
                ENFORCED
            } else {
                not_served("there are no metrics: switch them on, with `metrics` or `emf`")
            }
        }
        _ if kind == ApiKind::Http => (
            Served::DocumentationOnly,
            "HTTP APIs have no execution logs",
        ),
        _ if settings.execution.is_some() => ENFORCED,
        _ => not_served(
            "there is no place for execution logs: say where they go, with `executionLogs`",
        ),
    }
}
