//! Usage plans: the rates and quotas of API keys.

mod claim;
mod file;
mod ledger;
mod plan;
#[cfg(feature = "redis")]
mod shared;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_core::{Clock, Head, LimitStanding, Live, RequestContext, SystemClock};

use crate::buckets::Buckets;
use ledger::{Ledger, Standing};

pub(crate) use claim::Claim;
pub use plan::UsagePlan;
#[cfg(feature = "redis")]
pub(crate) use {claim::shared_holder, shared::SharedQuota};

/// Usage plans, which can be changed while requests run. Clones are the same plans.
///
/// A [`ThrottleLayer`](crate::ThrottleLayer) asks them about requests with an API key
/// ([`ThrottleBuilder::usage_plans`](crate::ThrottleBuilder::usage_plans)). A request without a key is nobody's, and passes.
///
/// ```
/// use portcullis_throttle::{Limit, Quota, QuotaPeriod, ThrottleLayer, UsagePlan, UsagePlans};
///
/// let plans = UsagePlans::new([
///     UsagePlan::new("free").quota(Quota::new(100, QuotaPeriod::Day, 0)?),
///     UsagePlan::new("gold").limit(Limit::per_second(50.0, 100)?),
/// ]);
/// let layer = ThrottleLayer::builder().usage_plans(&plans).build()?;
///
/// assert_eq!(plans.usage("free", "a1b2c3").expect("it has a quota").remaining, 100);
/// plans.set_remaining("free", "a1b2c3", 500); // for the current period
/// plans.set(UsagePlan::new("free").quota(Quota::new(200, QuotaPeriod::Day, 0)?));
/// assert_eq!(plans.usage("free", "a1b2c3").expect("it has a quota").remaining, 600);
/// # let _ = layer;
/// # Ok::<(), portcullis_throttle::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct UsagePlans {
    inner: Arc<Inner>,
}

struct Inner {
    plans: Live<Table>,
    changing: Mutex<()>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    /// Where used quotas are written, by which thread.
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    path: PathBuf,
    writer: Thread,
}

#[derive(Clone, Default)]
struct Table {
    plans: BTreeMap<Arc<str>, Arc<UsagePlan>>,
    /// The plans that name a key, by their ids.
    by_key: HashMap<Arc<str>, Vec<Arc<UsagePlan>>>,
}

/// What a key has used of its quota in the current period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Requests so far.
    pub used: u64,
    /// Requests that are left.
    pub remaining: u64,
    /// When the period began.
    pub since: SystemTime,
    /// When the next one begins.
    pub until: SystemTime,
}

impl From<Standing> for Usage {
    fn from(standing: Standing) -> Self {
        Self {
            used: standing.used,
            remaining: standing.remaining,
            since: time(standing.window.start),
            until: time(standing.window.end),
        }
    }
}

/// What a key has used of its quota on one day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DayUsage {
    /// The midnight with which the day began.
    pub since: SystemTime,
    /// Requests on that day.
    pub used: u64,
    /// Requests that were left at its end; of today, that are left.
    pub remaining: u64,
}

/// What the keys of a plan have used of its quota in the current period, together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaUse {
    /// The plan's id.
    pub plan: Arc<str>,
    /// Keys that have sent requests in this period.
    pub keys: u64,
    /// Their requests.
    pub used: u64,
    /// Keys of which nothing is left.
    pub exhausted: u64,
}

/// How often used quotas are written.
const INTERVAL: Duration = Duration::from_secs(1);

impl UsagePlans {
    /// These plans.
    #[must_use]
    pub fn new(plans: impl IntoIterator<Item = UsagePlan>) -> Self {
        Self::with_clock(plans, SystemClock::new())
    }

    /// The same, by another clock.
    #[must_use]
    pub fn with_clock(plans: impl IntoIterator<Item = UsagePlan>, clock: impl Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                plans: Live::new(Table::of(plans)),
                changing: Mutex::new(()),
                ledger: Ledger::default(),
                clock: Arc::new(clock),
                kept: Mutex::new(None),
            }),
        }
    }

    /// Keeps used quotas in this file: reads what is there, and writes it anew, at most a second after a request, and when the last clone of the plans is dropped. A process that is
    /// killed forgets what it counted since.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is not one of these, or if it could not be written: its folder must be there, and be writable.
    pub fn persist(self, path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        self.inner.ledger.load(file::read(&path)?);
        file::check(&path)?;
        let plans = Arc::downgrade(&self.inner);
        let writer = thread::Builder::new()
            .name("portcullis-quotas".to_owned())
            .spawn(move || write_now_and_then(&plans))?;
        let kept = Kept {
            path,
            writer: writer.thread().clone(),
        };
        *self.inner.kept() = Some(kept);
        Ok(self)
    }

    /// Adds a plan, or puts it in the place of the one with its id. What its keys have used stays used.
    pub fn set(&self, plan: UsagePlan) {
        self.change(|plans| {
            plans.retain(|own| own.id != plan.id);
            plans.push(plan);
        });
    }

    /// Takes a plan away. Its keys have no limit of a plan then; what they have used is remembered for the case that it comes back.
    pub fn remove(&self, id: &str) {
        self.change(|plans| plans.retain(|own| &*own.id != id));
    }

    /// Puts these plans in the place of all.
    pub fn replace(&self, plans: impl IntoIterator<Item = UsagePlan>) {
        self.change(|all| *all = plans.into_iter().collect());
    }

    /// What a key has used of a plan's quota; `None` if there is no such plan, or it has none.
    #[must_use]
    pub fn usage(&self, plan: &str, key: &str) -> Option<Usage> {
        let table = self.inner.plans.load();
        let plan = table.plans.get(plan)?;
        let quota = plan.quota.as_ref()?;
        let now = self.inner.wall();
        let standing = self.inner.ledger.read(&plan.id, key, quota, now);
        Some(standing.into())
    }

    /// What a key has used day by day, as the service's `GetUsage` lists it: those of the last 90 days on which it sent requests, and, as the last, today. `None` if there is no such plan, or it has
    /// no quota.
    ///
    /// Days are not shared. Of a quota that several machines share, each process lists by how much the shared count has risen, as far as it has heard by its own requests: what others use of a key counts
    /// on the day on which this process hears of it. The count of the period, [`usage`](Self::usage), is exact in the end.
    #[must_use]
    pub fn days(&self, plan: &str, key: &str) -> Option<Vec<DayUsage>> {
        let table = self.inner.plans.load();
        let plan = table.plans.get(plan)?;
        let quota = plan.quota.as_ref()?;
        let now = self.inner.wall();
        let days = self.inner.ledger.days(&plan.id, key, quota, now);
        let days = days.into_iter().map(|day| DayUsage {
            since: time(day.day.saturating_mul(86_400)),
            used: day.used,
            remaining: day.remaining,
        });
        Some(days.collect())
    }

    /// What the keys of each plan that has a quota have used of it, for metrics. (Of quotas that several machines share, as far as this process has heard.) It looks at every key that has sent
    /// requests.
    #[must_use]
    pub fn quota_use(&self) -> Vec<QuotaUse> {
        let table = self.inner.plans.load();
        let plans = table.plans.values();
        let quotas = plans.filter_map(|plan| Some((&plan.id, plan.quota.as_ref()?)));
        self.inner.ledger.sums(quotas, self.inner.wall())
    }

    /// Sets how many requests a key has left until the current period ends: more or fewer than it had. Says whether there is such a plan with a quota.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn set_remaining(&self, plan: &str, key: &str, remaining: u64) -> bool {
        let table = self.inner.plans.load();
        let Some(plan) = table.plans.get(plan) else {
            return false;
        };
        let Some(quota) = &plan.quota else {
            return false;
        };
        let now = self.inner.wall();
        self.inner
            .ledger
            .set_remaining(&plan.id, key, quota, now, remaining);
        true
    }

    /// What the plan of whoever sent the request says.
    pub(crate) fn claim(&self, head: &Head<'_>) -> Option<Claim> {
        let context = head.context()?;
        let caller = context.api_key()?;
        let table = self.inner.plans.load();
        let plan = match caller.usage_plan() {
            Some(id) => table.plans.get(id)?,
            None => table.plan_of(caller.id().as_str(), context)?,
        };
        Some(Claim::new(plan, caller.id(), head, context))
    }

    /// Counts one request against the quota, if the plan has one.
    pub(crate) fn count(&self, claim: &mut Claim) -> Option<Result<Standing, Standing>> {
        let quota = claim.plan().quota.as_ref()?;
        let now = self.inner.wall();
        let ledger = &self.inner.ledger;
        let counted = ledger.take(&claim.plan().id, claim.key().as_str(), quota, now);
        claim.counted = counted.is_ok();
        Some(counted)
    }

    /// Gives back what a request took that something else refused.
    pub(crate) fn give_back(&self, claim: &Claim, buckets: &Buckets) {
        claim.give_back(buckets);
        if claim.counted {
            let ledger = &self.inner.ledger;
            ledger.give_back(&claim.plan().id, claim.key().as_str());
        }
    }

    /// How the caller stands with the quota.
    pub(crate) fn standing(&self, claim: &Claim, standing: Standing) -> LimitStanding {
        self.standing_of(claim.plan(), standing)
    }

    /// How the caller stands with a quota, as far as this process knows.
    pub(crate) fn known(&self, claim: &Claim, quota: &crate::quota::Quota) -> Standing {
        let now = self.inner.wall();
        let (plan, key) = (&claim.plan().id, claim.key().as_str());
        self.inner.ledger.read(plan, key, quota, now)
    }

    /// How the holder of a key stands with the quota of a plan.
    pub(crate) fn standing_of(&self, plan: &UsagePlan, standing: Standing) -> LimitStanding {
        let mut said = LimitStanding::new(format!("quota/{}", plan.id).into());
        said.quota = standing.used.saturating_add(standing.remaining);
        said.window = (standing.window.end - standing.window.start).unsigned_abs();
        said.remaining = standing.remaining;
        said.reset = self.seconds_until(standing);
        said
    }

    /// The seconds until the next period begins.
    pub(crate) fn seconds_until(&self, standing: Standing) -> u64 {
        let left = standing.window.end.saturating_sub(self.inner.wall());
        u64::try_from(left).unwrap_or(0)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<UsagePlan>)) {
        let changing = self.inner.changing.lock();
        let _held = changing.unwrap_or_else(PoisonError::into_inner);
        let mut plans: Vec<_> = {
            let table = self.inner.plans.load();
            table
                .plans
                .values()
                .map(|plan| UsagePlan::clone(plan))
                .collect()
        };
        change(&mut plans);
        self.inner.plans.replace(Table::of(plans));
    }
}

impl Table {
    fn of(plans: impl IntoIterator<Item = UsagePlan>) -> Self {
        let mut table = Self::default();
        for plan in plans {
            table.plans.insert(Arc::clone(&plan.id), Arc::new(plan));
        }
        for plan in table.plans.values() {
            for key in &plan.keys {
                let plans = table.by_key.entry(Arc::clone(key)).or_default();
                plans.push(Arc::clone(plan));
            }
        }
        table
    }

    /// The plan of a key at the stage that serves the request.
    fn plan_of(&self, key: &str, context: &RequestContext) -> Option<&Arc<UsagePlan>> {
        let plans = self.by_key.get(key)?;
        let opens = |plan: &&Arc<UsagePlan>| {
            context.stage().is_some_and(|here| {
                let mut stages = plan.stages.iter();
                stages.any(|(api, stage)| **api == *here.api_id && **stage == *here.stage)
            })
        };
        let anywhere = |plan: &&Arc<UsagePlan>| plan.stages.is_empty();
        plans
            .iter()
            .find(opens)
            .or_else(|| plans.iter().find(anywhere))
    }
}

impl Inner {
    fn wall(&self) -> i64 {
        match self.clock.wall().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, path: &Path) {
        let Some(accounts) = self.ledger.changed() else {
            return;
        };
        if let Err(error) = file::write(path, accounts) {
            self.ledger.still_changed();
            tracing::error!(%error, path = %path.display(), "used quotas cannot be written");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let kept = self.kept().take();
        if let Some(kept) = kept {
            self.save(&kept.path);
            kept.writer.unpark();
        }
    }
}

/// Writes what has changed, until the plans are gone.
fn write_now_and_then(plans: &Weak<Inner>) {
    loop {
        thread::park_timeout(INTERVAL);
        let Some(plans) = plans.upgrade() else {
            return;
        };
        let path = plans.kept().as_ref().map(|kept| kept.path.clone());
        if let Some(path) = path {
            plans.save(&path);
        }
    }
}

fn time(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    }
}

impl fmt::Debug for UsagePlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsagePlans")
            .field("plans", &self.inner.plans.load().plans.len())
            .finish_non_exhaustive()
    }
}
