//! API keys, and the usage plans that say which stages they open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::Shared;
use super::objects::{self, DOCUMENTATION, ENFORCED};
use crate::auth::api_key::{ApiKeyLayer, KeyStore, UsagePlans};
use crate::core::ApiKind;
use crate::definition::{ApiKeySource, RestApi, UsagePlan};
use crate::gateway::api::{ApiSpec, Parity};
use crate::gateway::coverage::{Coverage, Served};
use crate::gateway::error::GatewayFault;

/// What the APIs of a gateway share.
pub(super) struct KeyRing {
    store: Option<Arc<dyn KeyStore>>,
    plans: UsagePlans,
}

impl KeyRing {
    pub(super) fn new(store: Option<Arc<dyn KeyStore>>, plans: UsagePlans) -> Self {
        Self { store, plans }
    }
}

/// What one API asks of API keys.
pub(super) enum Keys {
    /// Methods that need a key take one of these.
    Open(ApiKeyLayer),
    /// They refuse every request, and why.
    Shut(&'static str),
}

impl Keys {
    pub(super) fn rest(api: &RestApi, spec: &ApiSpec, shared: &Shared) -> Self {
        let Some(store) = &shared.keys.store else {
            return Self::Shut(
                "no API keys are configured (`apiKeys`): methods that need one refuse every request",
            );
        };
        let plans = &shared.keys.plans;
        let mut stages = spec.stages.iter();
        if !stages.any(|stage| plans.open(&spec.id, &stage.stage_name)) {
            return Self::Shut(
                "no usage plan has a stage of this API (`usagePlans`): methods that need an API key refuse every request",
            );
        }
        let mut layer = ApiKeyLayer::new(Arc::clone(store)).usage_plans(plans.clone());
        if api.api_key_source == ApiKeySource::Authorizer {
            layer = layer.key_from_authorizer();
        }
        if spec.parity == Parity::Strict {
            layer = layer.dangerous_pass_when_away();
        }
        Self::Open(layer)
    }

    /// Why methods that need a key refuse every request, if they do.
    pub(super) const fn why_shut(&self) -> Option<&'static str> {
        match self {
            Self::Open(_) => None,
            Self::Shut(why) => Some(why),
        }
    }
}

/// Which plan opens what. The faults of the plans are told, and what becomes of their members.
pub(super) fn plans(
    plans: &[UsagePlan],
    apis: &[ApiSpec],
    faults: &mut Vec<GatewayFault>,
    coverage: &mut Coverage,
) -> UsagePlans {
    let mut compiled = UsagePlans::new();
    let mut ids = BTreeSet::new();
    let mut opened = BTreeMap::new();
    for plan in plans {
        let name = format!("usage plan {}", plan.id);
        let mut fault = |member: &str, message: String| {
            faults.push(GatewayFault::new("", format!("{name}:{member}"), message));
        };
        if plan.id.is_empty() {
            fault("/id", "is missing; give each plan an id".to_owned());
        } else if !ids.insert(plan.id.as_str()) {
            fault("/id", "is that of another plan, too".to_owned());
        }
        for (index, opens) in plan.api_stages.iter().enumerate() {
            let place = format!("/apiStages/{index}");
            let (Some(api), Some(stage)) = (&opens.api_id, &opens.stage) else {
                fault(&place, "needs both `apiId` and `stage`".to_owned());
                continue;
            };
            compiled = compiled.with_stage(&plan.id, api, stage);
            for key in &plan.keys {
                let entry = (key.id.as_str(), api.as_str(), stage.as_str());
                if let Some(other) = opened.insert(entry, plan.id.as_str())
                    && other != plan.id
                {
                    let message = format!(
                        "opens `{api}` `{stage}` for the key `{}`, which the plan `{other}` does, too; a key can have one plan for a stage",
                        key.id
                    );
                    fault(&place, message);
                }
            }
            if let Some(note) = without_effect(apis, api, stage) {
                tracing::warn!(
                    plan = plan.id,
                    api,
                    stage,
                    "a stage of the usage plan changes nothing: {note}"
                );
                let pointer = format!("{name}:{place}");
                coverage.push("", pointer, Served::DocumentationOnly, note);
            }
        }
        for key in &plan.keys {
            compiled = compiled.with_key(&plan.id, &key.id);
        }
        objects::survey("", &name, plan, member, coverage);
    }
    compiled
}

/// Why it changes nothing that a plan has this stage, if it does not.
fn without_effect(apis: &[ApiSpec], api: &str, stage: &str) -> Option<String> {
    let listed = |names: Vec<&str>| names.join(", ");
    let Some(spec) = apis.iter().find(|spec| spec.id == api) else {
        let names = listed(apis.iter().map(|spec| spec.id.as_str()).collect());
        return Some(format!("there is no API `{api}` here; there are: {names}"));
    };
    if spec.kind == ApiKind::Http {
        return Some("HTTP APIs have no API keys".to_owned());
    }
    let stages = spec.stages.iter().map(|own| own.stage_name.as_str());
    let names: Vec<_> = stages.collect();
    (!names.contains(&stage)).then(|| {
        let names = listed(names);
        format!("the API `{api}` has no stage `{stage}` here; there are: {names}")
    })
}

fn member(member: &str, _value: &Value) -> objects::Fate {
    match member {
        "id" | "apiStages" | "keys" | "throttle" | "quota" => ENFORCED,
        _ => DOCUMENTATION,
    }
}
