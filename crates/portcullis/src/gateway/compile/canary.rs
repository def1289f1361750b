//! The canary of a stage.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Shared, deployment, observe, stages};
use crate::definition::{CanarySettings, Stage};
use crate::gateway::api::{ApiSpec, Parity};
use crate::gateway::canary::{CanaryPlan, CanaryRules};
use crate::gateway::deployments::History;
use crate::gateway::error::GatewayFault;
use crate::gateway::mirror::CanaryCopy;
use crate::gateway::plan::{CacheUse, StagePlan};

/// What the stages of one API have in common.
pub(super) struct Common<'a> {
    pub(super) spec: &'a ApiSpec,
    pub(super) history: &'a History,
    pub(super) shared: &'a Shared,
    pub(super) deployments: &'a BTreeMap<&'a str, Arc<deployment::Compiled>>,
    pub(super) main: &'a Arc<deployment::Compiled>,
}

/// What is wrong with the rules of canaries, whether their stages have one or not.
pub(super) fn check(spec: &ApiSpec, shared: &Shared, faults: &mut Vec<GatewayFault>) {
    for (stage, rules) in &spec.canaries {
        if !spec.stages.iter().any(|own| own.stage_name == *stage) {
            let known: Vec<_> = spec
                .stages
                .iter()
                .map(|own| own.stage_name.as_str())
                .collect();
            let message = format!("there is no such stage; there are: {}", known.join(", "));
            faults.push(GatewayFault::new(
                &spec.id,
                format!("canary {stage}"),
                message,
            ));
        }
        let checked = rules.check((&spec.id, stage), &shared.clock);
        faults.extend(checked.err());
    }
}

/// The canary of a stage as it is served, if it has one.
pub(super) fn compile(stage: &Stage, common: &Common<'_>) -> Option<CanaryPlan> {
    let Common {
        spec,
        history,
        shared,
        deployments,
        main,
    } = common;
    let settings = stage.canary_settings.as_ref()?;
    let mut own = stage.clone();
    let named = settings.deployment_id.as_ref();
    // Without any deployments, ids are those of the service, and all stages serve the one document.
    if let Some(id) = named.filter(|id| deployments.contains_key(id.as_str())) {
        own.deployment_id = Some(id.clone());
    }
    let overrides = settings.stage_variable_overrides.clone();
    own.variables.extend(overrides);
    let id = own.deployment_id.as_deref();
    let deployment = id.and_then(|id| deployments.get(id)).unwrap_or(main);
    let plan = &deployment.plan;
    let facts = stages::facts(spec, &own, &main.endpoint_type, &plan.name, shared);
    // What is wrong with logs is the stage's own fault.
    let observers = observe::stage(spec, stage, plan, shared, &mut Vec::new());
    let state = history.stages.get(&stage.stage_name);
    let ramps = state.is_some_and(|state| state.canary.ramps);
    let ramp = state.and_then(|state| state.canary.ramp.as_ref());
    let rules: Option<&Arc<CanaryRules>> = spec.canaries.get(&stage.stage_name);
    let place = (&*spec.id, &*stage.stage_name);
    let kept = shared
        .canaries
        .split(place, (settings, ramps, ramp), rules, &shared.clock);
    // What is wrong with the rules or with the share has been told.
    let kept = kept.ok()?;
    let stage = Arc::new(StagePlan {
        longest_target: stages::longest_target(spec, stage, shared),
        traces: stages::traces(stage, &facts, shared),
        facts: Arc::new(facts),
        observers,
        api: Arc::clone(plan),
        deprecation: spec.deprecations.get(&stage.stage_name).cloned(),
        cache_use: cache_use(settings, spec.parity),
        canary: None,
    });
    let mirror = kept.mirror.as_ref().map(|mirror| {
        mirror.to(CanaryCopy {
            stage: Arc::clone(&stage),
            kept: Arc::clone(&kept),
        })
    });
    Some(CanaryPlan {
        kept,
        stage,
        mirror,
    })
}

/// What a canary has of the stage's cache. The service shares with production whatever both make of one deployment, though their variables may differ.
fn cache_use(settings: &CanarySettings, parity: Parity) -> CacheUse {
    let is_like_production = settings.stage_variable_overrides.is_empty();
    match settings.use_stage_cache {
        false => CacheUse::None,
        true if is_like_production || parity == Parity::Strict => CacheUse::Shared,
        true => CacheUse::Own,
    }
}
