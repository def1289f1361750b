//! What the keys have used of their quotas.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;
use serde::{Deserialize, Serialize};

use super::QuotaUse;
use crate::quota::{Quota, QuotaPeriod, Window};

/// What one key has used of one plan's quota.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    plan: Arc<str>,
    key: Arc<str>,
    /// Seconds since the Unix epoch.
    start: i64,
    end: i64,
    period: QuotaPeriod,
    offset: u32,
    used: u64,
    /// What was granted for this period beyond the limit, or taken from it.
    extra: i64,
    /// Counted here while the store that several machines share did not answer; the store has still to hear of it.
    #[serde(default)]
    pending: u64,
    /// How many of these are on their way to it.
    #[serde(skip)]
    reporting: u64,
    /// The day of the last request, counted from the epoch, and what was used when it began.
    #[serde(default)]
    day: i64,
    #[serde(default)]
    before: u64,
    /// The days before it on which there were requests, the latest last.
    #[serde(default)]
    days: VecDeque<Day>,
}

/// What was used on one day, and what was left at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    /// Counted from the epoch.
    pub(super) day: i64,
    pub(super) used: u64,
    pub(super) remaining: u64,
}

/// What this process knows of a key's quota, for a store that may know more.
#[cfg(feature = "redis")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) used: u64,
    pub(crate) extra: i64,
    /// Counted here, and to be added.
    pub(crate) pending: u64,
}

/// How a key stands with its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) used: u64,
    pub(crate) remaining: u64,
    pub(crate) window: Window,
}

#[cfg(feature = "redis")]
impl Standing {
    /// The same, with so many more left that were counted and are not used.
    pub(crate) const fn with_more(mut self, requests: i64) -> Self {
        self.used = self.used.saturating_add_signed(-requests);
        self.remaining = self.remaining.saturating_add_signed(requests);
        self
    }
}

/// As many accounts as there are keys in plans.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    shards: [Mutex<HashMap<u64, Account>>; SHARDS],
    hasher: RandomState,
    changed: AtomicBool,
}

const SHARDS: usize = 16;

/// The days of which is remembered what was used.
const DAYS: usize = 90;

/// Seconds.
const DAY: i64 = 86_400;

impl Account {
    /// Begins a new period if `now` is beyond the one that is counted. A clock that steps back does not bring used requests back.
    fn turn(&mut self, quota: &Quota, now: i64) {
        self.end_day(quota, now.div_euclid(DAY));
        let same = self.period == quota.period() && self.offset == quota.offset();
        if same && now < self.end {
            return;
        }
        let window = quota.window(now.max(self.start));
        if self.start < window.start {
            self.used = 0;
            self.extra = 0;
            self.pending = 0;
            self.reporting = 0;
            self.before = 0;
            self.start = window.start;
        }
        self.end = window.end;
        (self.period, self.offset) = (quota.period(), quota.offset());
    }

    /// Ends the day that was counted, if `today` is a later one.
    fn end_day(&mut self, quota: &Quota, today: i64) {
        if today <= self.day {
            return;
        }
        let ended = self.today(quota);
        if ended.used > 0 {
            self.days.push_back(ended);
        }
        while self
            .days
            .front()
            .is_some_and(|day| day.day < today - DAYS as i64)
        {
            self.days.pop_front();
        }
        self.day = today;
        self.before = self.used.saturating_add(self.pending);
    }

    /// The day that is being counted.
    fn today(&self, quota: &Quota) -> Day {
        let standing = self.standing(quota);
        Day {
            day: self.day,
            used: standing.used.saturating_sub(self.before),
            remaining: standing.remaining,
        }
    }

    /// What may be used in this period.
    const fn granted(&self, quota: &Quota) -> u64 {
        quota.limit().saturating_add_signed(self.extra)
    }

    const fn standing(&self, quota: &Quota) -> Standing {
        let used = self.used.saturating_add(self.pending);
        Standing {
            used,
            remaining: self.granted(quota).saturating_sub(used),
            window: Window {
                start: self.start,
                end: self.end,
            },
        }
    }
}

#[cfg(feature = "redis")]
impl Account {
    const fn known(&self) -> Known {
        Known {
            start: self.start,
            end: self.end,
            used: self.used,
            extra: self.extra,
            pending: self.reporting,
        }
    }
}

impl Ledger {
    /// Counts one request, if there is one left.
    pub(super) fn take(
        &self,
        plan: &Arc<str>,
        key: &str,
        quota: &Quota,
        now: i64,
    ) -> Result<Standing, Standing> {
        self.with(plan, key, quota, now, |account| {
            if account.used >= account.granted(quota) {
                return Err(account.standing(quota));
            }
            account.used += 1;
            Ok(account.standing(quota))
        })
    }

    /// Counts one request that the shared store is told of later, if there is one left of this share of what was left when it was last heard.
    #[cfg(feature = "redis")]
    pub(super) fn take_alone(
        &self,
        plan: &Arc<str>,
        key: &str,
        quota: &Quota,
        now: i64,
        share: f64,
    ) -> Result<Standing, Standing> {
        self.with(plan, key, quota, now, |account| {
            let left = account.granted(quota).saturating_sub(account.used);
            // A float that is too large for the integer becomes its largest value.
            let mine = ((left as f64 * share) as u64).max(left.min(1));
            if account.pending >= mine {
                return Err(account.standing(quota));
            }
            account.pending += 1;
            Ok(account.standing(quota))
        })
    }

    /// Counts one request that the shared store is told of later, whatever is left.
    #[cfg(feature = "redis")]
    pub(super) fn add_alone(&self, plan: &Arc<str>, key: &str, quota: &Quota, now: i64) {
        self.with(plan, key, quota, now, |account| {
            account.pending = account.pending.saturating_add(1);
        });
    }

    /// What to tell the shared store. What is to be added is told by one at a time, who says then how it ended.
    #[cfg(feature = "redis")]
    pub(super) fn report(&self, plan: &Arc<str>, key: &str, quota: &Quota, now: i64) -> Known {
        let id = self.id(plan, key);
        let mut shard = self.shard(id);
        let mut fresh;
        let account = match shard.get_mut(&id) {
            Some(account) => account,
            None => {
                fresh = new(plan, key, quota, now);
                &mut fresh
            }
        };
        account.turn(quota, now);
        if account.reporting == 0 {
            account.reporting = account.pending;
        } else {
            return Known {
                pending: 0,
                ..account.known()
            };
        }
        account.known()
    }

    /// The shared store was told, or could not be.
    #[cfg(feature = "redis")]
    pub(super) fn reported(&self, plan: &str, key: &str, pending: u64, heard: bool) {
        let id = self.id(plan, key);
        if pending > 0
            && let Some(account) = self.shard(id).get_mut(&id)
            && account.reporting > 0
        {
            account.reporting = 0;
            if heard {
                account.pending = account.pending.saturating_sub(pending);
            }
        }
    }

    /// What the shared store has said.
    #[cfg(feature = "redis")]
    pub(super) fn learn(&self, plan: &Arc<str>, key: &str, quota: &Quota, now: i64, said: &Known) {
        self.with(plan, key, quota, now, |account| {
            if account.start < said.start {
                (account.start, account.end) = (said.start, said.end);
                (account.used, account.pending, account.reporting) = (0, 0, 0);
                account.before = 0;
            }
            if account.start == said.start {
                // Answers may overtake each other.
                account.used = account.used.max(said.used);
                account.extra = said.extra;
            }
        });
    }

    /// Takes back the count of a request that something else refused.
    pub(super) fn give_back(&self, plan: &str, key: &str) {
        let id = self.id(plan, key);
        if let Some(account) = self.shard(id).get_mut(&id) {
            if account.pending > 0 {
                account.pending -= 1;
            } else {
                account.used = account.used.saturating_sub(1);
            }
        }
    }

    /// How a key stands.
    pub(super) fn read(&self, plan: &Arc<str>, key: &str, quota: &Quota, now: i64) -> Standing {
        let id = self.id(plan, key);
        let mut account = match self.shard(id).get(&id) {
            Some(account) => account.clone(),
            None => new(plan, key, quota, now),
        };
        account.turn(quota, now);
        account.standing(quota)
    }

    /// What a key used on the days before today on which there were requests, and today.
    pub(super) fn days(&self, plan: &Arc<str>, key: &str, quota: &Quota, now: i64) -> Vec<Day> {
        let id = self.id(plan, key);
        let mut account = match self.shard(id).get(&id) {
            Some(account) => account.clone(),
            None => new(plan, key, quota, now),
        };
        account.turn(quota, now);
        let today = account.today(quota);
        account.days.into_iter().chain([today]).collect()
    }

    /// What the keys of each of these plans have used of its quota in the period that `now` is in.
    pub(super) fn sums<'a>(
        &self,
        quotas: impl Iterator<Item = (&'a Arc<str>, &'a Quota)>,
        now: i64,
    ) -> Vec<QuotaUse> {
        let mut all: BTreeMap<&str, (&Quota, QuotaUse)> = BTreeMap::new();
        for (plan, quota) in quotas {
            let none = QuotaUse {
                plan: Arc::clone(plan),
                keys: 0,
                used: 0,
                exhausted: 0,
            };
            all.insert(plan, (quota, none));
        }
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for account in shard.values() {
                let Some((quota, sum)) = all.get_mut(&*account.plan) else {
                    continue;
                };
                // What is of an earlier period has not been asked for since.
                let standing = account.standing(quota);
                if now >= account.end || standing.used == 0 {
                    continue;
                }
                sum.keys += 1;
                sum.used = sum.used.saturating_add(standing.used);
                sum.exhausted += u64::from(standing.remaining == 0);
            }
        }
        all.into_values().map(|(_, sum)| sum).collect()
    }

    /// Sets what a key has left in this period.
    pub(super) fn set_remaining(
        &self,
        plan: &Arc<str>,
        key: &str,
        quota: &Quota,
        now: i64,
        remaining: u64,
    ) {
        self.with(plan, key, quota, now, |account| {
            let granted = i128::from(account.used) + i128::from(remaining);
            let extra = granted - i128::from(quota.limit());
            account.extra =
                i64::try_from(extra).unwrap_or(if extra < 0 { i64::MIN } else { i64::MAX });
        });
    }

    /// Everything, if something has changed since the last time.
    pub(super) fn changed(&self) -> Option<Vec<Account>> {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return None;
        }
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.values().cloned());
        }
        Some(all)
    }

    /// It could not be written, and is still to be.
    pub(super) fn still_changed(&self) {
        self.changed.store(true, Ordering::Relaxed);
    }

    /// Takes over what was written.
    pub(super) fn load(&self, accounts: Vec<Account>) {
        for account in accounts {
            let id = self.id(&account.plan, &account.key);
            self.shard(id).insert(id, account);
        }
    }

    fn with<T>(
        &self,
        plan: &Arc<str>,
        key: &str,
        quota: &Quota,
        now: i64,
        change: impl FnOnce(&mut Account) -> T,
    ) -> T {
        let id = self.id(plan, key);
        let mut shard = self.shard(id);
        let account = match shard.entry(id) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(new(plan, key, quota, now)),
        };
        account.turn(quota, now);
        if !self.changed.load(Ordering::Relaxed) {
            self.changed.store(true, Ordering::Relaxed);
        }
        change(account)
    }

    fn id(&self, plan: &str, key: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(plan.as_bytes());
        hasher.write_u32(plan.len() as u32);
        hasher.write(key.as_bytes());
        hasher.finish()
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, HashMap<u64, Account>> {
        let shard = self.shards[id as usize % SHARDS].lock();
        shard.unwrap_or_else(PoisonError::into_inner)
    }
}

fn new(plan: &Arc<str>, key: &str, quota: &Quota, now: i64) -> Account {
    let Window { start, end } = quota.window(now);
    Account {
        plan: Arc::clone(plan),
        key: key.into(),
        start,
        end,
        period: quota.period(),
        offset: quota.offset(),
        used: 0,
        extra: 0,
        pending: 0,
        reporting: 0,
        day: now.div_euclid(DAY),
        before: 0,
        days: VecDeque::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{DAY, Ledger};
    use crate::quota::{Quota, QuotaPeriod};

    fn quota(limit: u64, period: QuotaPeriod) -> Quota {
        Quota::new(limit, period, 0).expect("a quota")
    }

    #[test]
    fn a_clock_that_steps_back_brings_nothing_back() {
        let (ledger, plan) = (Ledger::default(), Arc::from("p"));
        let day = quota(1, QuotaPeriod::Day);
        let take = |now| ledger.take(&plan, "k", &day, now).is_ok();
        assert!(take(10 * DAY));
        assert!(!take(10 * DAY + 1));
        assert!(!take(9 * DAY), "yesterday once more");
        assert!(!take(11 * DAY - 1));
        assert!(take(11 * DAY));
    }

    #[test]
    fn a_longer_period_counts_what_was_used_in_a_shorter_one_only_if_it_began_with_it() {
        let (ledger, plan) = (Ledger::default(), Arc::from("p"));
        // The fifth of January 1970, a Monday; the week began the day before.
        let now = 4 * DAY;
        assert!(
            ledger
                .take(&plan, "k", &quota(5, QuotaPeriod::Day), now)
                .is_ok()
        );
        let standing = ledger.read(&plan, "k", &quota(5, QuotaPeriod::Week), now);
        assert_eq!(standing.used, 1, "the week has it");
        let standing = ledger.read(&plan, "k", &quota(5, QuotaPeriod::Week), now + 7 * DAY);
        assert_eq!(standing.used, 0);
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let (ledger, plan) = (Ledger::default(), Arc::from("p"));
        let most = quota(u64::MAX, QuotaPeriod::Month);
        ledger.set_remaining(&plan, "k", &most, 0, u64::MAX);
        assert!(ledger.take(&plan, "k", &most, 0).is_ok());
        let none = quota(0, QuotaPeriod::Month);
        ledger.set_remaining(&plan, "other", &none, 0, u64::MAX);
        assert_eq!(
            ledger.read(&plan, "other", &none, 0).remaining,
            i64::MAX as u64
        );
    }
}
