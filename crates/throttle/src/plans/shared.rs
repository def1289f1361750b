//! A quota that several machines count against.

use std::sync::Arc;

use portcullis_core::ApiKeyId;

use super::ledger::{Known, Standing};
use super::{UsagePlan, UsagePlans};
use crate::plans::Claim;
use crate::quota::Quota;

/// The quota of one key, while a shared store is asked about it.
pub(crate) struct SharedQuota {
    plans: UsagePlans,
    plan: Arc<UsagePlan>,
    quota: Quota,
    key: ApiKeyId,
    known: Known,
    settled: bool,
}

impl SharedQuota {
    /// The quota of whoever sent the request.
    pub(crate) fn of(plans: &UsagePlans, claim: &Claim) -> Option<Self> {
        Self::new(plans, claim.plan(), claim.key().clone())
    }

    /// The quota of a key in a plan, if there are both.
    pub(crate) fn named(plans: &UsagePlans, plan: &str, key: &str) -> Option<Self> {
        let table = plans.inner.plans.load();
        Self::new(plans, table.plans.get(plan)?, ApiKeyId::new(key))
    }

    fn new(plans: &UsagePlans, plan: &Arc<UsagePlan>, key: ApiKeyId) -> Option<Self> {
        let quota = plan.quota?;
        let now = plans.inner.wall();
        let ledger = &plans.inner.ledger;
        Some(Self {
            known: ledger.report(&plan.id, key.as_str(), &quota, now),
            plans: plans.clone(),
            plan: Arc::clone(plan),
            quota,
            key,
            settled: false,
        })
    }

    pub(crate) const fn plan(&self) -> &Arc<UsagePlan> {
        &self.plan
    }

    pub(crate) const fn plans(&self) -> &UsagePlans {
        &self.plans
    }

    /// What the store is told.
    pub(crate) fn arguments(&self) -> [String; 6] {
        let known = &self.known;
        [
            self.quota.limit().min(MOST).to_string(),
            known.start.to_string(),
            known.end.to_string(),
            known.used.min(MOST).to_string(),
            known.extra.clamp(-(MOST as i64), MOST as i64).to_string(),
            known.pending.min(MOST).to_string(),
        ]
    }

    /// Notes what the store has answered: used, granted beyond, start and end.
    pub(crate) fn learn(&mut self, said: [i64; 4]) -> Standing {
        let said = Known {
            used: u64::try_from(said[0]).unwrap_or(0),
            extra: said[1],
            start: said[2],
            end: said[3],
            pending: 0,
        };
        let now = self.plans.inner.wall();
        let ledger = &self.plans.inner.ledger;
        ledger.learn(&self.plan.id, self.key.as_str(), &self.quota, now, &said);
        self.settle(true);
        self.standing()
    }

    /// How the key stands, as far as this process knows.
    pub(crate) fn standing(&self) -> Standing {
        let now = self.plans.inner.wall();
        let ledger = &self.plans.inner.ledger;
        ledger.read(&self.plan.id, self.key.as_str(), &self.quota, now)
    }

    /// Whether it lets anything pass in any period.
    pub(crate) const fn has_any(&self) -> bool {
        self.quota.limit() > 0
    }

    /// Counts one request without the store, within this share of what is left.
    pub(crate) fn take_alone(&self, share: f64) -> Result<Standing, Standing> {
        let now = self.plans.inner.wall();
        let ledger = &self.plans.inner.ledger;
        ledger.take_alone(&self.plan.id, self.key.as_str(), &self.quota, now, share)
    }

    /// Counts one request without the store, whatever is left.
    pub(crate) fn add_alone(&self) {
        let now = self.plans.inner.wall();
        let ledger = &self.plans.inner.ledger;
        ledger.add_alone(&self.plan.id, self.key.as_str(), &self.quota, now);
    }

    /// Takes back what was counted without the store.
    pub(crate) fn give_back_alone(&self) {
        let ledger = &self.plans.inner.ledger;
        ledger.give_back(&self.plan.id, self.key.as_str());
    }

    fn settle(&mut self, heard: bool) {
        if !self.settled {
            self.settled = true;
            let ledger = &self.plans.inner.ledger;
            ledger.reported(&self.plan.id, self.key.as_str(), self.known.pending, heard);
        }
    }
}

impl Drop for SharedQuota {
    /// What the store did not hear is told another time.
    fn drop(&mut self) {
        self.settle(false);
    }
}

/// The largest number that a script counts exactly.
const MOST: u64 = (1 << 53) - 1;
