//! What was refused, and what limits had left: rare, so handles are looked up.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use metrics::{Counter, Histogram, Label};
use portcullis_core::{Facts, LimitStanding, Rejection, RejectionKind};

use super::{Shared, names};
use crate::series::{OTHER, OwnLabels};

/// Handles by what they count. There are no more than so many of each.
#[derive(Default)]
pub(super) struct Refusals {
    counters: Mutex<HashMap<Refused, Counter, RandomState>>,
    limits: Mutex<HashMap<Box<str>, Histogram, RandomState>>,
}

/// One that decides.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Refused {
    api: Box<str>,
    stage: Box<str>,
    kind: RejectionKind,
    layer: &'static str,
    /// Of limits only: the rules of other layers may be of one request.
    rule: Box<str>,
    enforced: bool,
}

/// How many rules and limits are told apart.
const MOST: usize = 1_000;

/// Counts what a request was refused by, or would have been, and what its limits had left.
pub(super) fn record(shared: &Shared, labels: &OwnLabels, facts: &Facts<'_>) {
    if let Some(refusal) = facts.refusal {
        count(shared, labels, refusal, true);
    }
    for observed in facts.observed {
        count(shared, labels, observed, false);
    }
    for limit in facts.limits {
        measure(shared, limit);
    }
}

fn count(shared: &Shared, labels: &OwnLabels, rejection: &Rejection, enforced: bool) {
    let decision = rejection.decision();
    let layer = decision.map_or("", |decision| decision.layer());
    let rule = decision.map_or("", |decision| decision.rule());
    let mut refused = Refused {
        api: labels.api_id.clone(),
        stage: labels.stage.clone(),
        kind: rejection.kind(),
        layer,
        rule: if layer == "throttle" { rule } else { "" }.into(),
        enforced,
    };
    let mut counters = shared
        .refusals
        .counters
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if counters.len() >= MOST && !counters.contains_key(&refused) {
        refused.rule = OTHER.into();
        refused.api = "".into();
        refused.stage = "".into();
    }
    let counter = counters
        .entry(refused)
        .or_insert_with_key(|refused| register(shared, refused))
        .clone();
    drop(counters);
    counter.increment(1);
}

fn register(shared: &Shared, refused: &Refused) -> Counter {
    let kind = refused.kind.response_type();
    let mut labels = vec![
        Label::new("api", refused.api.to_string()),
        Label::new("stage", refused.stage.to_string()),
        Label::new("layer", refused.layer),
        Label::new("type", kind.unwrap_or_else(|| refused.kind.error_type())),
        Label::new("enforced", if refused.enforced { "true" } else { "false" }),
    ];
    if !refused.rule.is_empty() {
        labels.push(Label::new("rule", refused.rule.to_string()));
    }
    shared.counter(names::REFUSALS, labels)
}

fn measure(shared: &Shared, limit: &LimitStanding) {
    if limit.quota == 0 {
        return;
    }
    let used = limit.quota.saturating_sub(limit.remaining) as f64 * 100.0 / limit.quota as f64;
    let mut limits = shared
        .refusals
        .limits
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let name = if limits.len() >= MOST && !limits.contains_key(&*limit.name) {
        OTHER
    } else {
        &limit.name
    };
    if !limits.contains_key(name) {
        let labels = vec![Label::new("limit", name.to_owned())];
        limits.insert(name.into(), shared.histogram(names::LIMIT_USED, labels));
    }
    let histogram = limits.get(name).cloned();
    drop(limits);
    if let Some(histogram) = histogram {
        histogram.record(used);
    }
}
