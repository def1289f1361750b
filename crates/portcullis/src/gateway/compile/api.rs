//! One API: its documents, and the stages that serve them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{self, Address};
use super::{Shared, deployment, quotas, stages, strict_faults, throttle};
use crate::core::ApiKind;
use crate::definition::{Api, Stage};
use crate::gateway::api::ApiSpec;
use crate::gateway::coverage::{Coverage, Served};
use crate::gateway::error::GatewayFault;
use crate::gateway::plan::{ApiPlan, StagePlan};
use crate::openapi::{Document, Node};

pub(super) struct Compiled {
    pub(super) id: String,
    pub(super) plan: Arc<ApiPlan>,
    pub(super) stages: crate::stages::Api<Arc<StagePlan>>,
    /// Its default endpoint is closed.
    pub(super) disabled: bool,
    pub(super) coverage: Coverage,
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

/// Compiles an API whose document has been read.
pub(super) fn compile(
    spec: &ApiSpec,
    document: Document,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
) -> Option<Compiled> {
    let mut coverage = Coverage::default();
    let read = document::import(spec, document, shared, faults);
    let plan = read.as_ref().and_then(|read| {
        quotas::check(spec, &read.api, faults);
        deployment::compile(spec, read, shared, faults, &mut coverage)
    });
    // Whatever became of that, the faults of the others are told, too.
    let mut deployments = BTreeMap::new();
    for (name, text) in &spec.deployments {
        let plan = other_deployment(spec, name, text, shared, faults, &mut coverage);
        deployments.extend(plan.map(|plan| (name.as_str(), plan)));
    }
    let (read, plan) = (read?, plan?);

    let disabled = match &read.api {
        Api::Rest(api) => api.disable_execute_api_endpoint,
        Api::Http(api) => api.disable_execute_api_endpoint,
    };
    let mut api =
        crate::stages::Api::new(spec.id.clone(), spec.kind).disable_default_endpoint(disabled);
    if spec.stage_optional
        && let Some(first) = spec.stages.first()
    {
        api = api.default_stage(first.stage_name.clone());
    }
    let endpoint_type = endpoint_type(spec, &read.api);
    for stage in &spec.stages {
        stages::check(spec, stage, faults);
        stages::survey(&spec.id, stage, &mut coverage);
        let plan = stage
            .deployment_id
            .as_deref()
            .and_then(|deployment| deployments.get(deployment))
            .unwrap_or(&plan);
        stages::survey_variables(&spec.id, stage, plan, &mut coverage);
        throttle::survey(spec, stage, Some(plan), &mut coverage);
        let stage_plan = StagePlan {
            longest_target: stages::longest_target(spec, stage, shared),
            facts: Arc::new(stages::facts(spec, stage, &endpoint_type, shared)),
            api: Arc::clone(plan),
        };
        api = api.stage(stage.stage_name.clone(), Arc::new(stage_plan));
    }
    if spec.strict && !shared.strict {
        faults.extend(strict_faults(&coverage));
    }
    Some(Compiled {
        id: spec.id.clone(),
        plan,
        stages: api,
        disabled,
        coverage,
    })
}

/// A deployment that is not the API's own document.
fn other_deployment(
    spec: &ApiSpec,
    name: &str,
    text: &str,
    shared: &Shared,
    faults: &mut Vec<GatewayFault>,
    coverage: &mut Coverage,
) -> Option<Arc<ApiPlan>> {
    let before = faults.len();
    // The report is on what the API says of itself; its other deployments differ in content, not in kind.
    let mut other = Coverage::default();
    let plan = document::parse(spec, text, faults)
        .and_then(|document| document::import(spec, document, shared, faults))
        .and_then(|read| deployment::compile(spec, &read, shared, faults, &mut other));
    for fault in &mut faults[before..] {
        fault.place = format!("deployment {name}:{}", fault.place);
    }
    for field in other.not_served() {
        let pointer = format!("deployment {name}:{}", field.pointer);
        coverage.push(&spec.id, pointer, Served::NotServed, field.note.clone());
    }
    plan
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

fn endpoint_type(spec: &ApiSpec, api: &Api) -> String {
    match (spec.endpoint_type, api) {
        (Some(chosen), _) => chosen.to_string(),
        (None, Api::Rest(api)) => api.endpoint_configuration.endpoint_type().to_string(),
        (None, _) => "REGIONAL".to_owned(),
    }
}
