//! The deployments of one API, and which of them its stages serve.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::canary::CanaryState;
use super::snapshot::{Digest, Snapshot};
use crate::definition::Stage;
use crate::gateway::api::ApiSpec;

/// By the id of the API.
pub(in crate::gateway) type Histories = BTreeMap<String, History>;

/// What has been deployed of one API. Clones are cheap: a change is made in a clone, which takes the place of the first when all went well.
#[derive(Clone, Debug, Default)]
pub(in crate::gateway) struct History {
    /// Oldest first. Of each there is one, however often it was deployed.
    pub(in crate::gateway) snapshots: Vec<Arc<Snapshot>>,
    /// What the source's own document is.
    pub(in crate::gateway) configured: String,
    /// What was deployed last, for the stages that name no deployment of their own.
    pub(in crate::gateway) current: String,
    pub(in crate::gateway) stages: BTreeMap<String, StageState>,
}

/// What an operator may change of a stage while it serves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct StageState {
    /// What the source says that it serves.
    pub(in crate::gateway) configured: String,
    /// What it serves.
    pub(in crate::gateway) deployment: String,
    /// What it served before, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::gateway) earlier: Vec<String>,
    /// Variables that were set, or removed, beside those of the source.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::gateway) variables: BTreeMap<String, Option<String>>,
    #[serde(skip_serializing_if = "CanaryState::is_none")]
    pub(in crate::gateway) canary: CanaryState,
}

/// The deployments that a stage can be rolled back through.
const MOST_EARLIER: usize = 10;

/// The deployments that are kept of an API, unless it is said.
pub(in crate::gateway) const DEFAULT_KEPT: usize = 20;

impl StageState {
    /// Serves a deployment, and remembers the one before.
    pub(in crate::gateway) fn serve(&mut self, id: &str) {
        if self.deployment == id {
            return;
        }
        let before = std::mem::replace(&mut self.deployment, id.to_owned());
        if !before.is_empty() {
            self.earlier.push(before);
        }
        if self.earlier.len() > MOST_EARLIER {
            self.earlier.remove(0);
        }
    }

    /// Serves what it served before, if there is anything.
    pub(in crate::gateway) fn roll_back(&mut self) -> Option<&str> {
        self.deployment = self.earlier.pop()?;
        Some(&self.deployment)
    }
}

/// A document that a source has, with what it says.
pub(in crate::gateway) struct Written<'a> {
    pub(in crate::gateway) document: &'a str,
    pub(in crate::gateway) digest: Digest,
}

impl History {
    /// Takes over what a source says. What an operator changed stays, except where the source says something else than it did.
    pub(in crate::gateway) fn reconcile(
        &mut self,
        spec: &ApiSpec,
        own: Written<'_>,
        named: BTreeMap<&str, Written<'_>>,
        now: SystemTime,
    ) {
        let configured = match self.find(&self.configured) {
            // It is no news, and does not become the youngest.
            Some(before) if before.digest == own.digest => before.id.clone(),
            _ => self.add(own, None, now),
        };
        if self.configured != configured {
            self.current.clone_from(&configured);
            self.configured.clone_from(&configured);
        }
        for (name, written) in named {
            self.name(name, written, now);
        }
        let there: BTreeSet<_> = self.snapshots.iter().map(|own| own.id.clone()).collect();
        if !there.contains(&self.current) {
            self.current.clone_from(&configured);
        }
        let known: BTreeSet<_> = spec.stages.iter().map(|own| &own.stage_name).collect();
        self.stages.retain(|name, _| known.contains(name));
        for stage in &spec.stages {
            let target = pinned(spec, stage).unwrap_or(&configured);
            let state = self.stages.entry(stage.stage_name.clone()).or_default();
            if state.configured != target || !there.contains(&state.deployment) {
                target.clone_into(&mut state.configured);
                state.serve(target);
            }
            state.canary.reconcile(stage.canary_settings.as_ref());
        }
    }

    /// Adds a deployment; the one that says the same, if there is one already.
    pub(in crate::gateway) fn add(
        &mut self,
        written: Written<'_>,
        description: Option<String>,
        now: SystemTime,
    ) -> String {
        let Written { document, digest } = written;
        // Those that a source gave a name are its own.
        let same = self
            .snapshots
            .iter()
            .position(|own| own.digest == digest && digest.as_str().starts_with(&own.id));
        if let Some(same) = same {
            let snapshot = self.snapshots.remove(same);
            let id = snapshot.id.clone();
            // It is the youngest again, so that it is not the next to go.
            self.snapshots.push(match description {
                Some(_) => Arc::new(Snapshot {
                    id: snapshot.id.clone(),
                    digest,
                    text: snapshot.text.clone(),
                    document: Arc::clone(&snapshot.document),
                    description,
                    created: snapshot.created,
                }),
                None => snapshot,
            });
            return id;
        }
        let id = match digest.id() {
            // Two definitions whose digests begin alike.
            id if self.find(&id).is_some() => digest.as_str().to_owned(),
            id => id,
        };
        self.snapshots.push(Arc::new(Snapshot {
            id: id.clone(),
            digest,
            text: Digest::of_text(document),
            document: document.into(),
            description,
            created: now,
        }));
        id
    }

    /// Puts a deployment under an id that the source gives it.
    fn name(&mut self, name: &str, written: Written<'_>, now: SystemTime) {
        let Written { document, digest } = written;
        let own = self.snapshots.iter().position(|own| own.id == name);
        if own.is_some_and(|own| self.snapshots[own].digest == digest) {
            return;
        }
        let snapshot = Arc::new(Snapshot {
            id: name.to_owned(),
            digest,
            text: Digest::of_text(document),
            document: document.into(),
            description: None,
            created: now,
        });
        match own {
            Some(own) => self.snapshots[own] = snapshot,
            // Before what was deployed: it is no news.
            None => self.snapshots.insert(0, snapshot),
        }
    }

    pub(in crate::gateway) fn find(&self, id: &str) -> Option<&Arc<Snapshot>> {
        self.snapshots.iter().find(|own| own.id == id)
    }

    /// The deployment that stands for the API: the one that was deployed last, if any stage serves it, and else that of the first stage.
    pub(in crate::gateway) fn main(&self, spec: &ApiSpec) -> &str {
        let mut serving = self.stages.values();
        if serving.any(|stage| stage.deployment == self.current) {
            return &self.current;
        }
        let first = spec.stages.first();
        let first = first.and_then(|stage| self.stages.get(&stage.stage_name));
        first.map_or(&self.current, |stage| &stage.deployment)
    }

    /// The deployments that have to be ready to serve, the main one first.
    pub(in crate::gateway) fn needed<'a>(&'a self, spec: &'a ApiSpec) -> Vec<&'a str> {
        let mut needed = vec![self.main(spec), &self.current];
        needed.extend(spec.deployments.keys().map(String::as_str));
        needed.extend(self.in_use());
        // What was made last is served next.
        needed.extend(self.snapshots.last().map(|own| &*own.id));
        let mut seen = BTreeSet::new();
        needed.retain(|id| seen.insert(*id));
        needed
    }

    /// Those that are worth to be kept ready.
    pub(in crate::gateway) fn warm(&self, spec: &ApiSpec) -> BTreeSet<String> {
        let stages = self.stages.values();
        let before = stages.filter_map(|stage| stage.earlier.last());
        let needed = self.needed(spec).into_iter().map(str::to_owned);
        needed.chain(before.cloned()).collect()
    }

    fn in_use(&self) -> impl Iterator<Item = &str> {
        let stages = self.stages.values();
        let production = stages.clone().map(|stage| &*stage.deployment);
        // One that is not here is an id of the service's, and stands for what the stage serves.
        let canaries = stages.filter_map(|stage| stage.canary.deployment());
        production.chain(canaries.filter(|id| self.find(id).is_some()))
    }

    /// The stages that serve a deployment, and those whose canaries do: `prod/canary`.
    pub(in crate::gateway) fn stages_of(&self, id: &str) -> Vec<String> {
        let stages = self.stages.iter();
        let mut own = Vec::new();
        for (name, stage) in stages {
            own.extend((stage.deployment == id).then(|| name.clone()));
            let is_canarys = stage.canary.deployment() == Some(id);
            own.extend(is_canarys.then(|| format!("{name}/canary")));
        }
        own
    }

    /// Forgets a deployment that nothing serves.
    pub(in crate::gateway) fn remove(&mut self, id: &str) {
        self.snapshots.retain(|own| own.id != id);
        if self.current == id {
            self.current.clone_from(&self.configured);
        }
        self.forget_lost();
    }

    /// Forgets the oldest deployments beyond `kept` that nothing serves.
    pub(in crate::gateway) fn trim(&mut self, spec: &ApiSpec, kept: usize) {
        let needed: BTreeSet<_> = self.needed(spec).into_iter().map(str::to_owned).collect();
        let mut surplus = self.snapshots.len().saturating_sub(kept);
        let configured = self.configured.clone();
        self.snapshots.retain(|own| {
            let goes = surplus > 0 && own.id != configured && !needed.contains(&own.id);
            surplus -= usize::from(goes);
            !goes
        });
        self.forget_lost();
    }

    /// Takes out of what can be rolled back to what is not there any more.
    fn forget_lost(&mut self) {
        let known: BTreeSet<_> = self.snapshots.iter().map(|own| own.id.clone()).collect();
        for stage in self.stages.values_mut() {
            stage.earlier.retain(|id| known.contains(id));
        }
    }

    /// A stage of the source as it is served.
    pub(in crate::gateway) fn effective(&self, stage: &Stage) -> Stage {
        let mut own = stage.clone();
        let Some(state) = self.stages.get(&stage.stage_name) else {
            return own;
        };
        own.deployment_id = Some(state.deployment.clone());
        own.canary_settings.clone_from(&state.canary.settings);
        for (name, value) in &state.variables {
            match value {
                Some(value) => own.variables.insert(name.clone(), value.clone()),
                None => own.variables.shift_remove(name),
            };
        }
        own
    }
}

/// The deployment that a stage names for itself, if the source has one of this name. Without any, ids are those of the service.
pub(in crate::gateway) fn pinned<'a>(spec: &ApiSpec, stage: &'a Stage) -> Option<&'a str> {
    let id = stage.deployment_id.as_deref()?;
    spec.deployments.contains_key(id).then_some(id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    use super::{Digest, History, StageState, Written};
    use crate::gateway::api::ApiSpec;

    fn written(document: &str) -> Written<'_> {
        Written {
            document,
            digest: Digest::of_text(document),
        }
    }

    fn reconcile(history: &mut History, spec: &ApiSpec, document: &str) {
        history.reconcile(
            spec,
            written(document),
            BTreeMap::new(),
            SystemTime::UNIX_EPOCH,
        );
    }

    fn spec() -> ApiSpec {
        ApiSpec::rest("").stage_named("test").stage_named("prod")
    }

    #[test]
    fn a_stage_rolls_back_through_what_it_served() {
        let mut stage = StageState::default();
        for id in ["a", "b", "b", "c"] {
            stage.serve(id);
        }
        assert_eq!(stage.roll_back(), Some("b"));
        assert_eq!(stage.roll_back(), Some("a"));
        assert_eq!(stage.roll_back(), None);
        assert_eq!(stage.deployment, "a");
    }

    #[test]
    fn what_an_operator_did_stays_until_the_source_says_something_else() {
        let (mut history, spec) = (History::default(), spec());
        reconcile(&mut history, &spec, "one");
        let other = history.add(written("two"), None, SystemTime::UNIX_EPOCH);
        let prod = history.stages.get_mut("prod").expect("a stage");
        prod.serve(&other);
        reconcile(&mut history, &spec, "one");
        assert_eq!(history.stages["prod"].deployment, other);
        assert_eq!(history.snapshots[1].id, other, "it is still the youngest");
        reconcile(&mut history, &spec, "three");
        assert_eq!(history.stages["prod"].deployment, history.configured);
        assert_eq!(history.stages["test"].deployment, history.configured);
    }

    #[test]
    fn only_what_nothing_serves_is_forgotten() {
        let (mut history, spec) = (History::default(), spec());
        reconcile(&mut history, &spec, "one");
        let first = history.configured.clone();
        for text in ["two", "three", "four"] {
            history.add(written(text), None, SystemTime::UNIX_EPOCH);
        }
        history.trim(&spec, 2);
        let ids: Vec<_> = history.snapshots.iter().map(|own| own.id.clone()).collect();
        assert_eq!(ids, [first, Digest::of_text("four").id()]);
    }

    #[test]
    fn definitions_whose_digests_begin_alike_have_ids_of_their_own() {
        let mut history = History::default();
        let id = history.add(written("one"), None, SystemTime::UNIX_EPOCH);
        history.name(
            &Digest::of_text("two").id(),
            written("taken"),
            SystemTime::UNIX_EPOCH,
        );
        let other = history.add(written("two"), None, SystemTime::UNIX_EPOCH);
        assert_ne!(id, other);
        assert_eq!(other.len(), 64);
        assert!(
            history
                .find(&other)
                .is_some_and(|own| &*own.document == "two")
        );
    }
}
