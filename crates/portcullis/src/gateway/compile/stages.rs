//! The stages of an API.

use std::collections::BTreeMap;

use serde_json::Value;

use super::objects::{self, DOCUMENTATION, ENFORCED, not_served};
use super::{Shared, cache, kind_of, observe, throttle};
use crate::core::{ApiKind, ApiStage};
use crate::definition::Stage;
use crate::gateway::api::ApiSpec;
use crate::gateway::coverage::{Coverage, Served};
use crate::gateway::error::GatewayFault;
use crate::gateway::plan::ApiPlan;
use crate::gateway::traces::StageTraces;

/// What requests to the stage can read about it.
pub(super) fn facts(
    spec: &ApiSpec,
    stage: &Stage,
    endpoint_type: &str,
    api_name: &str,
    shared: &Shared,
) -> ApiStage {
    let mut facts = ApiStage::default();
    facts.kind = spec.kind;
    facts.account_id.clone_from(&shared.account_id);
    facts.api_id.clone_from(&spec.id);
    facts.api_name = Some(api_name.to_owned());
    facts.stage.clone_from(&stage.stage_name);
    facts.deployment_id.clone_from(&stage.deployment_id);
    facts.endpoint_type = Some(endpoint_type.to_owned());
    facts.variables = stage.variables.clone().into_iter().collect();
    facts
}

/// The most bytes that the ARN of a REST API's method may have, with the path that was asked for.
const MAX_METHOD_ARN: usize = 1600;

/// What the ARN of a method leaves for the method and the path.
pub(super) fn longest_target(spec: &ApiSpec, stage: &Stage, shared: &Shared) -> usize {
    let (region, account, api) = (&shared.region, &shared.account_id, &spec.id);
    let arn = format!(
        "arn:aws:execute-api:{region}:{account}:{api}/{}/",
        stage.stage_name
    );
    match spec.kind {
        ApiKind::Rest => MAX_METHOD_ARN.saturating_sub(arn.len()),
        ApiKind::Http => usize::MAX,
    }
}

/// How requests to the stage are traced, if anybody follows traces.
pub(super) fn traces(stage: &Stage, facts: &ApiStage, shared: &Shared) -> Option<StageTraces> {
    let begins = stage.tracing_enabled || shared.trace_every_stage;
    let traces = shared.traces.as_ref()?;
    Some(StageTraces::new(traces, facts, &shared.region, begins))
}

/// The faults of the stage's settings.
pub(super) fn check(
    spec: &ApiSpec,
    stage: &Stage,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
) {
    for fault in stage.faults(kind_of(spec.kind)) {
        let place = format!("stage {}:{}", stage.stage_name, fault.pointer);
        faults.push(GatewayFault::new(&spec.id, place, fault.message));
    }
    throttle::check_stage(spec, stage, faults);
    cache::check_stage(spec, stage, shared, faults);
}

/// The deployments that the stage names in its source and are not there.
pub(super) fn check_deployments(spec: &ApiSpec, stage: &Stage, faults: &mut Vec<GatewayFault>) {
    let deployments = &spec.deployments;
    let canary = stage.canary_settings.as_ref();
    let canary = canary.and_then(|canary| canary.deployment_id.as_ref());
    for (deployment, field) in [
        (stage.deployment_id.as_ref(), "/deploymentId"),
        (canary, "/canarySettings/deploymentId"),
    ] {
        let Some(deployment) = deployment else {
            continue;
        };
        // Without any, ids are those of the service, and all stages serve the one document.
        if !deployments.is_empty() && !deployments.contains_key(deployment) {
            let place = format!("stage {}:{field}", stage.stage_name);
            let message = format!("`{deployment}` is not among the deployments");
            faults.push(GatewayFault::new(&spec.id, place, message));
        }
    }
}

/// That stages of which clients are told an end are there.
pub(super) fn check_deprecations(spec: &ApiSpec, faults: &mut Vec<GatewayFault>) {
    let names: Vec<_> = spec
        .stages
        .iter()
        .map(|stage| stage.stage_name.as_str())
        .collect();
    for stage in spec.deprecations.keys() {
        if !names.contains(&stage.as_str()) {
            let message = format!(
                "there is no stage `{stage}`; there are: {}",
                names.join(", ")
            );
            faults.push(GatewayFault::new(&spec.id, "deprecations", message));
        }
    }
}

/// The variables that addresses of integrations name and the stage does not have.
pub(super) fn survey_variables(id: &str, stage: &Stage, plan: &ApiPlan, coverage: &mut Coverage) {
    let mut unset: BTreeMap<&str, (String, usize)> = BTreeMap::new();
    for method in plan.routes.iter() {
        let mut names: Vec<_> = method.variables.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            if stage.variables.contains_key(name) {
                continue;
            }
            let route = || format!("{} {}", method.method, method.route.template);
            unset.entry(name).or_insert_with(|| (route(), 0)).1 += 1;
        }
    }
    for (name, (route, count)) in unset {
        let route = route.trim();
        let others = match count {
            0 | 1 => String::new(),
            _ => format!(" and {} more", count - 1),
        };
        let pointer = format!("stage {}:/variables/{name}", stage.stage_name);
        let note = format!("the variable is not set; requests to {route}{others} are answered 500");
        coverage.push(id, pointer, Served::NotServed, note);
    }
}

/// What becomes of the stage's own settings.
pub(super) fn survey(
    (id, kind): (&str, ApiKind),
    stage: &Stage,
    shared: &Shared,
    coverage: &mut Coverage,
) {
    let name = format!("stage {}", stage.stage_name);
    let fate = |member: &str, value: &Value| match member {
        "stageName" | "deploymentId" | "variables" | "canarySettings" => ENFORCED,
        "description"
        | "tags"
        | "createdDate"
        | "lastUpdatedDate"
        | "documentationVersion"
        | "apiGatewayManaged"
        | "autoDeploy"
        | "cacheClusterStatus"
        | "lastDeploymentStatusMessage" => DOCUMENTATION,
        "accessLogSettings" => observe::log_fate(stage, &shared.observe),
        "cacheClusterEnabled" if value == false => ENFORCED,
        "cacheClusterEnabled" if kind == ApiKind::Http => (Served::DocumentationOnly, NO_CLUSTER),
        "cacheClusterEnabled" if cache::is_on(stage) => ENFORCED,
        "cacheClusterEnabled" => (
            Served::DocumentationOnly,
            "no method of the stage is cached (`cachingEnabled` of `methodSettings`)",
        ),
        "cacheClusterSize" => (
            Served::DocumentationOnly,
            "all stages share one cache; its size is `cache.maxBytes` of the configuration",
        ),
        "tracingEnabled" if shared.traces.is_some() => ENFORCED,
        "tracingEnabled" => not_served("nobody records traces: give the gateway `traces`"),
        "webAclArn" => not_served("web ACLs are not served yet"),
        "clientCertificateId" => not_served("client certificates are not sent yet"),
        _ => not_served("not served yet"),
    };
    let mut rest = stage.clone();
    // What they say is reported one by one.
    rest.method_settings.clear();
    rest.route_settings.clear();
    rest.default_route_settings = None;
    objects::survey(id, &name, &rest, fate, coverage);
    if kind == ApiKind::Http && stage.cache_cluster_enabled {
        coverage.warn(id, format_args!("{name}:/cacheClusterEnabled"), NO_CLUSTER);
    }
}

const NO_CLUSTER: &str =
    "stages of HTTP APIs have no such cache: `cache` of the API is one by RFC 9111";
