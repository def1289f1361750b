//! One API: its documents, and the stages that serve them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{self, Address};
use super::{
    Compiling, Shared, canary, deployment, observe, quotas, stages, strict_faults, throttle,
};
use crate::core::ApiKind;
use crate::definition::Stage;
use crate::gateway::api::ApiSpec;
use crate::gateway::canary::KeptSplit;
use crate::gateway::coverage::{Coverage, Served};
use crate::gateway::deployments::History;
use crate::gateway::error::GatewayFault;
use crate::gateway::plan::{ApiPlan, CacheUse, StagePlan};
use crate::openapi::{Document, Node};

pub(super) struct Compiled {
    pub(super) id: String,
    pub(super) plan: Arc<ApiPlan>,
    pub(super) stages: crate::stages::Api<Arc<StagePlan>>,
    /// Its default endpoint is closed.
    pub(super) disabled: bool,
    pub(super) coverage: Coverage,
    /// The splits of the stages that have a canary.
    pub(super) canaries: Vec<(String, Arc<KeptSplit>)>,
}

/// Parses the API's document. What an export says of itself is put into `spec`, and stays when another document is deployed; so is its region into
/// `region`, unless there is one.
pub(super) fn read(
    spec: &mut ApiSpec,
    region: &mut Option<String>,
    faults: &mut Vec<GatewayFault>,
) -> Option<Document> {
    let document = document::parse(spec, &spec.document, faults)?;
    if spec.exported {
        spec.exported = false;
        adopt(spec, region, document.root());
    }
    if spec.stages.is_empty() {
        spec.stages.push(named(match spec.kind {
            ApiKind::Rest => "default",
            ApiKind::Http => "$default",
        }));
    }
    Some(document)
}

/// Compiles what is served of an API, as far as it is not ready.
pub(super) fn compile(
    spec: &ApiSpec,
    history: &History,
    shared: &Shared,
    compiling: &mut Compiling<'_>,
    faults: &mut Vec<GatewayFault>,
) -> Option<Compiled> {
    let mut coverage = Coverage::default();
    let main = history.main(spec);
    let mut deployments = BTreeMap::new();
    // Whatever becomes of one, the faults of the others are told, too.
    for id in history.needed(spec) {
        let Some(compiled) = deployment(spec, history, id, shared, compiling, faults) else {
            continue;
        };
        if id == main {
            coverage.extend(compiled.coverage.clone());
        } else {
            // The report is on what the API says of itself; its other deployments differ in content, not in kind.
            for field in compiled.coverage.not_served() {
                let pointer = format!("deployment {id}:{}", field.pointer);
                coverage.push(&spec.id, pointer, Served::NotServed, field.note.clone());
            }
        }
        deployments.insert(id, compiled);
    }
    let main = Arc::clone(deployments.get(main)?);

    let mut api =
        crate::stages::Api::new(spec.id.clone(), spec.kind).disable_default_endpoint(main.disabled);
    if spec.stage_optional
        && let Some(first) = spec.stages.first()
    {
        api = api.default_stage(first.stage_name.clone());
    }
    api = api.private(main.endpoint_type == "PRIVATE");
    stages::check_deprecations(spec, faults);
    canary::check(spec, shared, faults);
    let common = canary::Common {
        spec,
        history,
        shared,
        deployments: &deployments,
        main: &main,
    };
    let mut canaries = Vec::new();
    for configured in &spec.stages {
        stages::check_deployments(spec, configured, faults);
        let stage = &history.effective(configured);
        stages::check(spec, stage, shared, faults);
        stages::survey((&spec.id, spec.kind), stage, shared, &mut coverage);
        let deployment = stage
            .deployment_id
            .as_deref()
            .and_then(|deployment| deployments.get(deployment))
            .unwrap_or(&main);
        let plan = &deployment.plan;
        stages::survey_variables(&spec.id, stage, plan, &mut coverage);
        throttle::survey(spec, stage, Some(plan), &shared.observe, &mut coverage);
        let facts = stages::facts(spec, stage, &main.endpoint_type, &plan.name, shared);
        let canary = canary::compile(stage, &common);
        let kept = canary.as_ref().map(|own| Arc::clone(&own.kept));
        canaries.extend(kept.map(|kept| (stage.stage_name.clone(), kept)));
        let stage_plan = StagePlan {
            canary: canary.map(Box::new),
            cache_use: CacheUse::Own,
            longest_target: stages::longest_target(spec, stage, shared),
            traces: stages::traces(stage, &facts, shared),
            facts: Arc::new(facts),
            observers: observe::stage(spec, stage, plan, shared, faults),
            api: Arc::clone(plan),
            deprecation: spec.deprecations.get(&stage.stage_name).cloned(),
        };
        api = api.stage(stage.stage_name.clone(), Arc::new(stage_plan));
    }
    if spec.strict && !shared.strict {
        faults.extend(strict_faults(&coverage));
    }
    Some(Compiled {
        id: spec.id.clone(),
        plan: Arc::clone(&main.plan),
        stages: api,
        disabled: main.disabled,
        coverage,
        canaries,
    })
}

/// A deployment that is ready, or is made so.
fn deployment(
    spec: &ApiSpec,
    history: &History,
    id: &str,
    shared: &Shared,
    compiling: &mut Compiling<'_>,
    faults: &mut Vec<GatewayFault>,
) -> Option<Arc<deployment::Compiled>> {
    let key = (spec.id.clone(), id.to_owned());
    if let Some(ready) = compiling.ready.get(&key) {
        let ready = Arc::clone(ready);
        compiling.done.insert(key, Arc::clone(&ready));
        return Some(ready);
    }
    let before = faults.len();
    let parsed = compiling.parsed.remove(&key);
    let compiled = parsed
        .or_else(|| document::parse(spec, &history.find(id)?.document, faults))
        .and_then(|document| document::import(spec, document, shared, faults))
        .and_then(|read| {
            quotas::check(spec, &read.api, faults);
            deployment::compile(spec, &read, shared, faults)
        });
    // The API's own document needs no name.
    if id != history.configured && id != history.current {
        deployment::of_other(id, &mut faults[before..]);
    }
    let compiled = Arc::new(compiled?);
    compiling.done.insert(key, Arc::clone(&compiled));
    Some(compiled)
}

/// Takes over which kind an export says that it is, and where it lives.
fn adopt(spec: &mut ApiSpec, region: &mut Option<String>, export: &Node) {
    if export
        .get("x-amazon-apigateway-importexport-version")
        .is_some()
    {
        spec.kind = ApiKind::Http;
    }
    let address = Address::of(export);
    if let Some(id) = address.api_id {
        spec.id = id;
    }
    if region.is_none() {
        *region = address.region;
    }
    if let (true, Some(stage)) = (spec.stages.is_empty(), address.stage) {
        spec.stages.push(named(&stage));
    }
}

fn named(stage_name: &str) -> Stage {
    let mut stage = Stage::default();
    stage.stage_name = stage_name.to_owned();
    stage
}
