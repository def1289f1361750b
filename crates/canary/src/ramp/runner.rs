//! A ramp on its way.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::decision::{RampAction, RampDecision, RampSample, RampState, RampStatus};
use super::meter::{Meter, Reading};
use super::plan::{CheckedRamp, Ramp};
use super::progress::RampProgress;
use crate::comparisons::Comparisons;
use crate::error::ConfigError;
use crate::weights::Share;

/// The ramp of a split, if it has one, and what is measured for it.
#[derive(Default)]
pub(crate) struct Ramps {
    /// Production first, then the variants. Made for the first ramp.
    meters: OnceLock<Vec<Meter>>,
    runner: Mutex<Option<Runner>>,
    /// When the ramp began; readings of the clock are compared with it.
    epoch: OnceLock<Instant>,
    /// Not before so many nanoseconds after that is anything looked at again.
    next_look: AtomicU64,
}

/// Where weights are set.
pub(crate) trait Setting {
    /// The share of a variant.
    fn share(&self, variant: usize) -> Share;

    /// Gives a variant a share, and says whether requests are measured from now on. What does not fit changes nothing.
    fn set(&self, variant: usize, share: Share, measured: bool) -> Result<(), ConfigError>;
}

struct Runner {
    ramp: CheckedRamp,
    name: String,
    variant: usize,
    step: usize,
    step_since: Instant,
    /// The same by the wall clock.
    step_began: SystemTime,
    /// How long the step had lasted when the ramp was resumed in it.
    step_before: Duration,
    window_since: Instant,
    /// The canary was seen to be no worse, in this step.
    good: bool,
    state: RampState,
    /// What the comparisons had come to when the window began.
    compared: [Counted; 2],
    decisions: VecDeque<RampDecision>,
    /// What the listener is still to be told.
    untold: Vec<RampDecision>,
}

#[derive(Clone, Copy, Default)]
struct Counted {
    compared: u64,
    mismatched: u64,
}

impl Counted {
    fn of(comparisons: &Comparisons) -> Self {
        Self {
            mismatched: comparisons.mismatched(),
            compared: comparisons.compared(),
        }
    }
}

/// How often the numbers are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// The decisions that are kept.
const KEPT: usize = 64;

/// A reading of both clocks.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    pub(crate) now: Instant,
    pub(crate) wall: SystemTime,
}

impl Ramps {
    /// Begins a ramp, or goes on with it where it stood.
    pub(crate) fn start(
        &self,
        (ramp, progress): (Ramp, Option<&RampProgress>),
        (variant, name): (usize, &str),
        arms: usize,
        at: Now,
        setting: &impl Setting,
    ) -> Result<(), ConfigError> {
        let ramp = ramp.checked()?;
        let mut slot = self.lock();
        if let Some(running) = slot.as_ref().filter(|own| own.state == RampState::Running) {
            let problem = format!("a ramp of `{}` runs; stop it first", running.name);
            return Err(ConfigError::new("ramp", problem));
        }
        let from = setting.share(variant);
        let progress = progress.filter(|own| ramp.is_of(own));
        let (step, state) = match progress {
            Some(own) => (own.step - 1, own.state),
            None => (0, RampState::Running),
        };
        let share = match state {
            RampState::RolledBack => Share::NONE,
            RampState::Stopped => from,
            RampState::Running | RampState::Finished => ramp.steps[step].0,
        };
        let meters = self
            .meters
            .get_or_init(|| (0..arms).map(|_| Meter::new()).collect());
        meters.iter().for_each(Meter::reset);
        self.epoch.get_or_init(|| at.now);
        self.next_look.store(0, Ordering::Relaxed);
        setting.set(variant, share, state == RampState::Running)?;
        let began = progress.map_or(at.wall, |own| own.since);
        let runner = slot.insert(Runner {
            compared: ramp.counted(),
            step_before: ramp.lasted(step, at.wall.duration_since(began).unwrap_or_default()),
            ramp,
            name: name.to_owned(),
            variant,
            step,
            step_since: at.now,
            step_began: began,
            window_since: at.now,
            good: false,
            state,
            decisions: VecDeque::new(),
            untold: Vec::new(),
        });
        let none = (RampSample::default(), RampSample::default());
        let action = match progress {
            None => RampAction::Start,
            Some(_) => RampAction::Resume,
        };
        runner.decide(action, (from, share), none, at.wall);
        if state == RampState::Running && share == Share::ALL {
            runner.finish(share, none, at.wall, setting);
        }
        tell(slot);
        Ok(())
    }

    /// Where the ramp stands that runs, or ran last.
    pub(crate) fn progress(&self) -> Option<RampProgress> {
        let slot = self.lock();
        let runner = slot.as_ref()?;
        let steps = runner.ramp.steps.iter();
        Some(RampProgress::new(
            steps
                .map(|(share, lasts)| (share.percent(), *lasts))
                .collect(),
            runner.step + 1,
            runner.step_began,
            runner.state,
        ))
    }

    /// Ends a ramp where it stands.
    pub(crate) fn stop(&self, wall: SystemTime, setting: &impl Setting) {
        let mut slot = self.lock();
        let Some(runner) = slot.as_mut().filter(|own| own.state == RampState::Running) else {
            return;
        };
        runner.state = RampState::Stopped;
        let share = setting.share(runner.variant);
        // The share is the one that it has.
        let _ = setting.set(runner.variant, share, false);
        let samples = self.samples(runner);
        runner.decide(RampAction::Stop, (share, share), samples, wall);
        tell(slot);
    }

    pub(crate) fn status(&self, setting: &impl Setting) -> Option<RampStatus> {
        let slot = self.lock();
        let runner = slot.as_ref()?;
        let (canary, baseline) = self.samples(runner);
        Some(RampStatus {
            variant: runner.name.clone(),
            state: runner.state,
            step: runner.step + 1,
            steps: runner.ramp.steps.len(),
            percent: setting.share(runner.variant).percent(),
            canary,
            baseline,
            decisions: runner.decisions.iter().cloned().collect(),
        })
    }

    /// Counts a request, and looks at the numbers if it is time to.
    pub(crate) fn record(
        &self,
        arm: usize,
        (taken, failed): (Duration, bool),
        at: impl FnOnce() -> Now,
        now: Instant,
        setting: &impl Setting,
    ) {
        let Some(meters) = self.meters.get() else {
            return;
        };
        if let Some(meter) = meters.get(arm) {
            meter.record(taken, failed);
        }
        let epoch = *self.epoch.get_or_init(|| now);
        let since = nanos(now.saturating_duration_since(epoch));
        if since >= self.next_look.load(Ordering::Relaxed) {
            self.look(at(), setting);
        }
    }

    /// Looks at the numbers, and decides if there is something to decide.
    pub(crate) fn look(&self, at: Now, setting: &impl Setting) {
        // Who looks already does it for all.
        let Ok(mut slot) = self.runner.try_lock() else {
            return;
        };
        let Some(runner) = slot.as_mut().filter(|own| own.state == RampState::Running) else {
            return;
        };
        let Some(meters) = self.meters.get() else {
            return;
        };
        let epoch = *self.epoch.get_or_init(|| at.now);
        let wait = LOOK.min(runner.ramp.window / 10);
        let next = at.now.saturating_duration_since(epoch) + wait;
        self.next_look.store(nanos(next), Ordering::Relaxed);
        self.judge(runner, meters, at, setting);
        tell(slot);
    }

    fn judge(&self, runner: &mut Runner, meters: &[Meter], at: Now, setting: &impl Setting) {
        let samples = self.samples(runner);
        let from = setting.share(runner.variant);
        if runner.is_enough(samples) {
            if let Some(action) = runner.ramp.judge(samples) {
                // Nothing fits always.
                let _ = setting.set(runner.variant, Share::NONE, false);
                runner.state = RampState::RolledBack;
                runner.decide(action, (from, Share::NONE), samples, at.wall);
                return;
            }
            runner.good = true;
            if at.now.saturating_duration_since(runner.window_since) >= runner.ramp.window {
                runner.begin_window(meters, at.now);
            }
        }
        let (_, lasts) = runner.ramp.steps[runner.step];
        let lasted = at.now.saturating_duration_since(runner.step_since) + runner.step_before;
        if !runner.good || lasted < lasts {
            return;
        }
        let Some((share, _)) = runner.ramp.steps.get(runner.step + 1).copied() else {
            runner.finish(from, samples, at.wall, setting);
            return;
        };
        if let Err(error) = setting.set(runner.variant, share, true) {
            // Somebody gave other variants what this one was to have.
            tracing::warn!(variant = runner.name, %error, "the ramp cannot go on, and waits");
            return;
        }
        runner.step += 1;
        runner.step_since = at.now;
        runner.step_began = at.wall;
        runner.step_before = Duration::ZERO;
        runner.good = false;
        runner.begin_window(meters, at.now);
        runner.decide(RampAction::Raise, (from, share), samples, at.wall);
        if share == Share::ALL {
            runner.finish(share, samples, at.wall, setting);
        }
    }

    fn samples(&self, runner: &Runner) -> (RampSample, RampSample) {
        let read = |arm: usize| {
            let meter = self.meters.get().and_then(|meters| meters.get(arm));
            meter.map(Meter::read).unwrap_or_default()
        };
        let mut samples = [read(runner.variant + 1), read(0)].map(RampSample::from);
        let now = runner.ramp.counted();
        for ((sample, now), before) in samples.iter_mut().zip(now).zip(runner.compared) {
            sample.compared = now.compared.saturating_sub(before.compared);
            sample.mismatched = now.mismatched.saturating_sub(before.mismatched);
        }
        samples.into()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Runner>> {
        // Each decision is noted whole.
        self.runner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runner {
    /// Whether there is enough to judge by.
    fn is_enough(&self, (canary, baseline): (RampSample, RampSample)) -> bool {
        let least = self.ramp.min_requests;
        canary.requests >= least && baseline.requests >= least
    }

    fn begin_window(&mut self, meters: &[Meter], now: Instant) {
        meters.iter().for_each(Meter::reset);
        self.compared = self.ramp.counted();
        self.window_since = now;
    }

    fn finish(
        &mut self,
        share: Share,
        samples: (RampSample, RampSample),
        wall: SystemTime,
        setting: &impl Setting,
    ) {
        // The share is the one that it has.
        let _ = setting.set(self.variant, share, false);
        self.state = RampState::Finished;
        self.decide(RampAction::Finish, (share, share), samples, wall);
    }

    /// Notes a decision, and says it in the log.
    fn decide(
        &mut self,
        action: RampAction,
        (from, to): (Share, Share),
        (canary, baseline): (RampSample, RampSample),
        at: SystemTime,
    ) {
        let decision = RampDecision {
            at,
            variant: self.name.clone(),
            action,
            from: from.percent(),
            to: to.percent(),
            canary,
            baseline,
        };
        if action.is_rollback() {
            tracing::warn!(
                variant = self.name,
                canary.requests,
                canary.errors,
                canary.p99 = ?canary.p99,
                canary.mismatched,
                baseline.requests,
                baseline.errors,
                baseline.p99 = ?baseline.p99,
                "{decision}"
            );
        } else {
            tracing::info!(variant = self.name, "{decision}");
        }
        if !self.ramp.listeners.is_empty() {
            self.untold.push(decision.clone());
        }
        if self.decisions.len() == KEPT {
            self.decisions.pop_front();
        }
        self.decisions.push_back(decision);
    }
}

impl CheckedRamp {
    /// Whether it is the ramp that stood there.
    fn is_of(&self, progress: &RampProgress) -> bool {
        let own = self.steps.iter();
        let own = own.map(|(share, lasts)| (share.percent(), *lasts));
        own.eq(progress.steps.iter().copied()) && (1..=self.steps.len()).contains(&progress.step)
    }

    /// For how long a step counts as having lasted when it goes on so long after it began: what is left is a window at least, since what was measured before is lost.
    fn lasted(&self, step: usize, since: Duration) -> Duration {
        let (_, lasts) = self.steps[step];
        since.min(lasts.saturating_sub(self.window))
    }

    /// What the canary's comparisons and those of the noise have come to.
    fn counted(&self) -> [Counted; 2] {
        let own = self.mismatches.as_ref();
        let noise = own.and_then(|own| own.noise.as_ref());
        [own.map(|own| &own.canary), noise].map(|own| own.map(Counted::of).unwrap_or_default())
    }

    /// The guard rail that the canary has broken.
    fn judge(&self, (canary, baseline): (RampSample, RampSample)) -> Option<RampAction> {
        if canary.error_rate() > baseline.error_rate() + self.error_rate_above {
            return Some(RampAction::RollBackForErrors(self.error_rate_above));
        }
        if canary.p99.as_secs_f64() > baseline.p99.as_secs_f64() * self.p99_times {
            return Some(RampAction::RollBackForP99(self.p99_times));
        }
        let own = self.mismatches.as_ref()?;
        let enough = canary.compared >= self.min_requests;
        let worse = canary.mismatch_rate() > baseline.mismatch_rate() + own.above;
        (enough && worse).then_some(RampAction::RollBackForMismatches(own.above))
    }
}

impl From<Reading> for RampSample {
    fn from(reading: Reading) -> Self {
        Self {
            requests: reading.requests,
            errors: reading.errors,
            p99: reading.p99,
            ..Self::default()
        }
    }
}

/// Hands the listener what was decided, when the lock is free again: it may look at the split.
fn tell(mut slot: MutexGuard<'_, Option<Runner>>) {
    let Some(runner) = slot.as_mut().filter(|own| !own.untold.is_empty()) else {
        return;
    };
    let untold = mem::take(&mut runner.untold);
    let listeners = Arc::clone(&runner.ramp.listeners);
    drop(slot);
    for decision in &untold {
        listeners.iter().for_each(|listener| listener(decision));
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
