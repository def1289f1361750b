//! What operators change of a gateway, one change after the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use super::builder::GatewayBuilder;
use super::canary::{KeptSplit, KeptSplits};
use super::compile::{self, Assembled, Parsed, Prepared, Ready};
use super::coverage::Coverage;
use super::deployments::{Histories, KeptRamp};
use super::error::GatewayError;
use super::handle::HandleError;
use super::plan::Plan;
use super::{Gateway, api::ApiSpec};
use crate::core::Live;

/// What the plan was made from.
pub(super) struct Control {
    /// Held for as long as a change takes, which may be long. Who reads does not wait for it.
    changing: Mutex<()>,
    /// Held for a moment.
    now: Mutex<Arc<Standing>>,
    /// The plan before this one: whoever changes it drops it, and not the last request that it served.
    retired: Mutex<Option<Arc<Plan>>>,
}

/// How things stand.
pub(super) struct Standing {
    pub(super) source: Arc<GatewayBuilder>,
    pub(super) histories: Histories,
    pub(super) prepared: Arc<Prepared>,
    ready: Ready,
    coverage: Arc<Coverage>,
    /// The splits of the stages that have a canary.
    canaries: Splits,
}

/// By API and stage.
type Splits = BTreeMap<(String, String), Arc<KeptSplit>>;

/// What a change has to work with.
pub(super) struct Draft<'a> {
    pub(super) source: &'a GatewayBuilder,
    /// To be changed.
    pub(super) histories: &'a mut Histories,
    /// Documents that were read on the way.
    pub(super) parsed: &'a mut Parsed,
    pub(super) now: SystemTime,
}

impl Control {
    /// A gateway that serves what `source` says.
    pub(super) fn begin(mut source: GatewayBuilder) -> Result<Gateway, GatewayError> {
        let kept = source.state.load()?;
        // Those of another gateway from the same builder are its own.
        source.canaries = KeptSplits::default();
        let compiled = compile::compile(&mut source, kept.clone())?;
        let (standing, plan) = Standing::new(source, compiled);
        standing.begin();
        // Whoever cannot write can still serve; the next change says so to who makes it.
        if let Err(error) = standing.source.state.save(&kept, &standing.histories) {
            tracing::error!(%error, "the state is not kept");
        }
        let control = Self {
            changing: Mutex::default(),
            now: Mutex::new(Arc::new(standing)),
            retired: Mutex::default(),
        };
        let control = Arc::new(control);
        control.source().canaries.keep_by(&control);
        Ok(Gateway {
            plan: Live::new(plan),
            control,
        })
    }

    /// Serves another source.
    pub(super) fn reload(
        &self,
        plan: &Live<Plan>,
        mut source: GatewayBuilder,
    ) -> Result<Arc<Coverage>, GatewayError> {
        let _changing = lock(&self.changing);
        let before = self.standing();
        source.take_client_from(&before.source);
        source.take_answers_from(&before.source);
        source.take_replays_from(&before.source);
        source.caching.take_from(&before.source.caching);
        source.limits.take_state_from(&before.source.limits);
        source.state.take_from(&before.source.state);
        if let Some(moved) = source.moved_from(&before.source) {
            tracing::warn!("{moved}");
        }
        let compiled = compile::compile(&mut source, before.histories.clone())?;
        let (standing, next) = Standing::new(source, compiled);
        let state = &standing.source.state;
        state.save(&before.histories, &standing.histories)?;
        standing.begin();
        Ok(self.put(plan, standing, next))
    }

    /// Makes a change of what was deployed, whole or not at all.
    pub(super) fn change<T>(
        &self,
        plan: &Live<Plan>,
        change: impl FnOnce(&mut Draft<'_>) -> Result<T, HandleError>,
    ) -> Result<T, HandleError> {
        let _changing = lock(&self.changing);
        let before = self.standing();
        let mut histories = before.histories.clone();
        let mut parsed = Parsed::new();
        let outcome = change(&mut Draft {
            source: &before.source,
            histories: &mut histories,
            parsed: &mut parsed,
            now: before.source.clock.wall(),
        })?;
        for api in &before.source.apis {
            if let Some(history) = histories.get_mut(&api.id) {
                history.trim(api, before.source.kept_deployments);
            }
        }
        let Assembled {
            plan: next,
            coverage,
            ready,
        } = compile::assemble(
            &before.source,
            &before.prepared,
            &histories,
            &before.ready,
            parsed,
            Vec::new(),
        )?;
        note_ramps(&mut histories, &next.canaries);
        // Before it is served: what is acknowledged outlives a crash.
        let state = &before.source.state;
        state
            .save(&before.histories, &histories)
            .map_err(HandleError::store)?;
        let mut standing = Standing {
            source: Arc::clone(&before.source),
            histories,
            prepared: Arc::clone(&before.prepared),
            ready,
            coverage: Arc::new(coverage),
            canaries: next.canaries.clone(),
        };
        standing.keep_warm(&before.ready);
        self.put(plan, standing, next);
        Ok(outcome)
    }

    /// Keeps where the ramps of canaries stand, soon: one decides in the middle of a request, and that waits for no disk.
    pub(super) fn keep_ramps(self: Arc<Self>) {
        if !self.source().state.is_kept() {
            return;
        }
        let thread = thread::Builder::new().name("portcullis-ramps".to_owned());
        if let Err(error) = thread.spawn(move || self.keep_ramps_now()) {
            tracing::error!(%error, "where a ramp stands is not kept");
        }
    }

    fn keep_ramps_now(&self) {
        let _changing = lock(&self.changing);
        let before = self.standing();
        let mut histories = before.histories.clone();
        note_ramps(&mut histories, &before.canaries);
        if let Err(error) = before.source.state.save(&before.histories, &histories) {
            tracing::error!(%error, "where a ramp stands is not kept");
            return;
        }
        *lock(&self.now) = Arc::new(Standing {
            source: Arc::clone(&before.source),
            histories,
            prepared: Arc::clone(&before.prepared),
            ready: before.ready.clone(),
            coverage: Arc::clone(&before.coverage),
            canaries: before.canaries.clone(),
        });
    }

    fn put(&self, plan: &Live<Plan>, standing: Standing, next: Plan) -> Arc<Coverage> {
        let coverage = Arc::clone(&standing.coverage);
        *lock(&self.now) = Arc::new(standing);
        *lock(&self.retired) = Some(plan.replace(next));
        coverage
    }

    pub(super) fn standing(&self) -> Arc<Standing> {
        Arc::clone(&lock(&self.now))
    }

    pub(super) fn coverage(&self) -> Arc<Coverage> {
        Arc::clone(&lock(&self.now).coverage)
    }

    pub(super) fn source(&self) -> Arc<GatewayBuilder> {
        Arc::clone(&lock(&self.now).source)
    }
}

impl Standing {
    fn new(source: GatewayBuilder, compiled: compile::Compiled) -> (Self, Plan) {
        let compile::Compiled {
            prepared,
            mut histories,
            assembled,
        } = compiled;
        note_ramps(&mut histories, &assembled.plan.canaries);
        let standing = Self {
            source: Arc::new(source),
            histories,
            prepared,
            ready: assembled.ready,
            coverage: Arc::new(assembled.coverage),
            canaries: assembled.plan.canaries.clone(),
        };
        (standing, assembled.plan)
    }

    /// Counts by the usage plans of this source from here on, and tells what of it changes nothing.
    fn begin(&self) {
        self.coverage.tell();
        let plans = self.prepared.usage_plans.clone();
        self.source.limits.replace_plans(plans);
    }

    /// Keeps what is likely to be served again.
    fn keep_warm(&mut self, before: &Ready) {
        for api in &self.source.apis {
            let Some(history) = self.histories.get(&api.id) else {
                continue;
            };
            for id in history.warm(api) {
                let key = (api.id.clone(), id);
                if let Some(ready) = before.get(&key) {
                    self.ready.entry(key).or_insert_with(|| Arc::clone(ready));
                }
            }
        }
    }

    /// The API with this id.
    pub(super) fn api(&self, id: &str) -> Option<&ApiSpec> {
        self.source.apis.iter().find(|api| api.id == id)
    }
}

/// Notes where the ramps stand that raise the shares of canaries.
fn note_ramps(histories: &mut Histories, canaries: &Splits) {
    for ((api, stage), kept) in canaries {
        let stages = histories.get_mut(api).map(|history| &mut history.stages);
        let stage = stages.and_then(|stages| stages.get_mut(stage));
        if let Some(stage) = stage.filter(|stage| stage.canary.ramps) {
            let progress = kept.split.ramp_progress();
            stage.canary.ramp = progress.as_ref().map(KeptRamp::of);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds a lock leaves what is behind it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
