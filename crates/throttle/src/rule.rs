//! One limit of a layer, with what it counts by.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_core::{ApiKind, Decision, Head, LimitStanding, Live, Rejection, RejectionKind};

use crate::bucket::{Bucket, Take};
use crate::buckets::Buckets;
#[cfg(feature = "redis")]
use crate::key;
use crate::key::{Key, KeyWriter};
use crate::limit::Limit;

/// A limit and what it counts by, under a name.
///
/// The name is the scope: rules of one name over the same [`Buckets`] count together, wherever their layers stand; rules of different names never do.
///
/// ```
/// use portcullis_throttle::{Key, Limit, Rule};
///
/// let rule = Rule::new("per-client", Key::client_address(), Limit::per_second(5.0, 10)?)
///     .cost(|head| if head.uri().path() == "/export" { 5 } else { 1 });
/// # let _ = rule;
/// # Ok::<(), portcullis_throttle::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Rule {
    name: Arc<str>,
    key: Key,
    limit: Limit,
    cost: Option<Arc<Cost>>,
}

type Cost = dyn Fn(&Head<'_>) -> u32 + Send + Sync;

impl Rule {
    /// Limits what has the same `key` to `limit`.
    pub fn new(name: impl Into<Arc<str>>, key: impl Into<Key>, limit: Limit) -> Self {
        Self {
            name: name.into(),
            key: key.into(),
            limit,
            cost: None,
        }
    }

    /// Lets a request cost as many tokens as `cost` says, not one. What costs 0 passes; what costs more than the burst never does.
    pub fn cost(mut self, cost: impl Fn(&Head<'_>) -> u32 + Send + Sync + 'static) -> Self {
        self.cost = Some(Arc::new(cost));
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn activate(self, buckets: &Buckets, api: ApiKind) -> ActiveRule {
        let mut scope = KeyWriter::new(buckets.hasher());
        scope.part(b"rule");
        scope.part(self.name.as_bytes());
        ActiveRule {
            scope: Buckets::id(&scope.into_hasher()),
            refusal: Live::new(refusal(&self.name, &self.limit, api)),
            api,
            alone: buckets.named(&self.name),
            limit: LiveLimit::new(self.limit),
            special: Special::default(),
            name: self.name,
            key: self.key,
            cost: self.cost,
            buckets: buckets.clone(),
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("name", &self.name)
            .field("key", &self.key)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// A limit that can be changed while it is read.
#[derive(Debug)]
struct LiveLimit {
    period: AtomicU64,
    burst: AtomicU64,
    whole: Mutex<Limit>,
}

impl LiveLimit {
    fn new(limit: Limit) -> Self {
        Self {
            period: AtomicU64::new(limit.period()),
            burst: AtomicU64::new(limit.burst().into()),
            whole: Mutex::new(limit),
        }
    }

    /// The limit, without its rate as it was given. In the moment of a change it may have one half of each, which then decides about a request or two.
    #[inline]
    fn load(&self) -> Limit {
        let period = self.period.load(Ordering::Relaxed);
        let burst = self.burst.load(Ordering::Relaxed);
        Limit::of_parts(period, burst as u32)
    }

    fn whole(&self) -> Limit {
        *self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, limit: Limit) {
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        *whole = limit;
        self.period.store(limit.period(), Ordering::Relaxed);
        self.burst.store(limit.burst().into(), Ordering::Relaxed);
    }
}

/// The limits of single keys.
#[derive(Debug, Default)]
struct Special {
    any: AtomicBool,
    limits: Live<HashMap<u64, Limit>>,
    changing: Mutex<()>,
}

impl Special {
    #[inline]
    fn of(&self, id: u64) -> Option<Limit> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        self.limits.load().get(&id).copied()
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<u64, Limit>)) {
        let _held = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut limits = HashMap::clone(&self.limits.load_full());
        change(&mut limits);
        self.any.store(!limits.is_empty(), Ordering::Relaxed);
        self.limits.replace(limits);
    }
}

/// A rule at work.
pub(crate) struct ActiveRule {
    name: Arc<str>,
    scope: u64,
    key: Key,
    limit: LiveLimit,
    special: Special,
    cost: Option<Arc<Cost>>,
    /// The one bucket of a key that is shared by all; of others, the bucket of those that find no place.
    alone: Arc<Bucket>,
    refusal: Live<Rejection>,
    api: ApiKind,
    buckets: Buckets,
}

/// What is counted by, where the headers say all there is to know.
#[derive(Clone, Debug)]
pub(crate) enum Quick {
    /// Nothing: all requests together.
    Everybody,
    Header(HeaderName),
}

/// What a request took from a rule, so that it can be given back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    /// 0: the bucket that stands alone.
    pub(crate) id: u64,
    pub(crate) limit: Limit,
    pub(crate) cost: u32,
}

impl Ticket {
    /// What took nothing.
    pub(crate) const NONE: Self = Self {
        id: 0,
        limit: Limit::nothing(),
        cost: 0,
    };
}

impl ActiveRule {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes what a request costs.
    // Not inlined, so that what it shares with the way by headers is inlined there.
    #[inline(never)]
    pub(crate) fn take(&self, head: &Head<'_>, now: u64) -> (Take, Ticket) {
        let cost = self.cost.as_ref().map_or(1, |cost| cost(head));
        if self.key.is_shared() {
            return self.take_alone(self.limit.load(), cost, now);
        }
        self.take_of(self.id(|key| self.key.write(head, key)), cost, now)
    }

    /// Takes from the bucket of a key.
    #[inline]
    fn take_of(&self, id: u64, cost: u32, now: u64) -> (Take, Ticket) {
        let limit = self.special.of(id).unwrap_or_else(|| self.limit.load());
        if cost == 0 {
            let debt = self.buckets.debt(id, now);
            return (Take::Taken { debt }, Ticket { id, limit, cost });
        }
        match self.buckets.take(id, &limit, cost, now) {
            Some(take) => (take, Ticket { id, limit, cost }),
            None => {
                self.buckets.count_overflow();
                self.take_alone(limit, cost, now)
            }
        }
    }

    /// Takes what a request costs whose headers say all there is to know.
    #[inline]
    pub(crate) fn take_by(&self, quick: &Quick, headers: &HeaderMap, now: u64) -> (Take, Ticket) {
        match quick {
            Quick::Everybody => self.take_alone(self.limit.load(), 1, now),
            Quick::Header(name) => {
                let value = headers.get(name).map(HeaderValue::as_bytes);
                self.take_of(self.id(|key| key.optional(value)), 1, now)
            }
        }
    }

    /// Whether the headers of a request say all there is to know.
    pub(crate) fn quick(&self) -> Option<Quick> {
        match (&self.cost, self.key.is_shared()) {
            (Some(_), _) => None,
            (None, true) => Some(Quick::Everybody),
            (None, false) => self.key.sole_header().cloned().map(Quick::Header),
        }
    }

    /// The bucket of a request in this process, the limit, and the cost, for whoever decides elsewhere.
    #[cfg(feature = "redis")]
    pub(crate) fn need(&self, head: &Head<'_>) -> (u64, Limit, u32) {
        let cost = self.cost.as_ref().map_or(1, |cost| cost(head));
        let id = self.id(|key| self.key.write(head, key));
        let limit = self.special.of(id).unwrap_or_else(|| self.limit.load());
        (id, limit, cost)
    }

    /// Adds what every process calls the bucket of a request, beside the name of the rule. Nothing, if there is one for all.
    #[cfg(feature = "redis")]
    pub(crate) fn shared_key(&self, head: &Head<'_>, text: &mut String) {
        if !self.key.is_shared() {
            key::digest(self.buckets.hasher(), text, |key| self.key.write(head, key));
        }
    }

    #[cfg(feature = "redis")]
    pub(crate) const fn full_name(&self) -> &Arc<str> {
        &self.name
    }

    #[inline]
    fn take_alone(&self, limit: Limit, cost: u32, now: u64) -> (Take, Ticket) {
        let take = self.alone.take(&limit, cost, now);
        (take, Ticket { id: 0, limit, cost })
    }

    pub(crate) fn give_back(&self, ticket: &Ticket) {
        match ticket.id {
            _ if ticket.cost == 0 => {}
            0 => self.alone.give_back(&ticket.limit, ticket.cost),
            id => {
                self.buckets.give_back(id, &ticket.limit, ticket.cost);
            }
        }
    }

    /// The refusal of a request that this rule refuses.
    pub(crate) fn refuse(&self, limit: &Limit) -> Rejection {
        let usual = self.limit.load();
        if limit.period() == usual.period() && limit.burst() == usual.burst() {
            return Rejection::clone(&self.refusal.load());
        }
        refusal(&self.name, limit, self.api)
    }

    /// How the caller stands after a decision.
    pub(crate) fn standing(&self, take: Take, ticket: &Ticket) -> LimitStanding {
        let (Take::Taken { debt } | Take::Wait { debt, .. }) = take;
        standing(&self.name, &ticket.limit, debt)
    }

    /// How the caller stands at `now`, whose request took and may have given back.
    pub(crate) fn standing_at(&self, ticket: &Ticket, now: u64) -> LimitStanding {
        let debt = match ticket.id {
            0 => self.alone.spent(now).0,
            id => self.buckets.debt(id, now),
        };
        standing(&self.name, &ticket.limit, debt)
    }

    #[inline]
    fn id(&self, write: impl FnOnce(&mut KeyWriter<'_>)) -> u64 {
        let mut key = KeyWriter::new(self.buckets.hasher());
        write(&mut key);
        // Both are hashes: what one rule calls a key is as far from what another does as are two keys.
        (Buckets::id(&key.into_hasher()) ^ self.scope).max(1)
    }

    fn id_of(&self, values: &[&str]) -> u64 {
        self.id(|key| self.key.write_text(values, key))
    }
}

/// How a caller stands with `limit` who has spent what takes `debt` nanoseconds to earn.
pub(crate) fn standing(name: &Arc<str>, limit: &Limit, debt: u64) -> LimitStanding {
    let mut standing = LimitStanding::new(Arc::clone(name));
    standing.quota = limit.burst().into();
    standing.window = limit.fills_in().as_nanos().div_ceil(NANOS).max(1) as u64;
    standing.remaining = standing.quota.saturating_sub(debt.div_ceil(limit.period()));
    standing.reset = u128::from(debt).div_ceil(NANOS) as u64;
    standing
}

/// Nanoseconds of a second.
const NANOS: u128 = 1_000_000_000;

fn refusal(name: &Arc<str>, limit: &Limit, api: ApiKind) -> Rejection {
    let decision = Decision::new("throttle", name.to_string())
        .with("rate", limit.rate().to_string())
        .with("burst", i64::from(limit.burst()));
    Rejection::new(RejectionKind::Throttled)
        .with_decision(decision)
        .for_api(api)
}

/// A rule of a layer, to be read and changed while requests run.
///
/// What a key has spent stays spent when its limit changes, in tokens: a client that has used three of five has three less of the new burst as well.
///
/// ```
/// use http::HeaderName;
/// use portcullis_throttle::{Key, Limit, Rule, ThrottleLayer};
///
/// let tenant = Key::header(HeaderName::from_static("x-tenant"));
/// let layer = ThrottleLayer::new(Rule::new("per-tenant", tenant, Limit::per_second(5.0, 5)?));
/// let rule = layer.rule("per-tenant").expect("it was just named");
/// rule.set_limit_of(&["acme"], Limit::per_second(50.0, 100)?);
/// assert_eq!(rule.limit_of(&["acme"]).burst(), 100);
/// assert_eq!(rule.limit_of(&["other"]).burst(), 5);
/// assert_eq!(rule.remaining(&["acme"]), 100);
/// # Ok::<(), portcullis_throttle::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct RuleHandle {
    rule: Arc<ActiveRule>,
}

impl RuleHandle {
    pub(crate) const fn new(rule: Arc<ActiveRule>) -> Self {
        Self { rule }
    }

    /// The limit of keys that have none of their own.
    #[must_use]
    pub fn limit(&self) -> Limit {
        self.rule.limit.whole()
    }

    /// Changes the limit of keys that have none of their own, from the next request on.
    pub fn set_limit(&self, limit: Limit) {
        let rule = &self.rule;
        rule.limit.store(limit);
        rule.refusal.replace(refusal(&rule.name, &limit, rule.api));
    }

    /// The limit of one key, which is given as text: a value for each part of the rule's [`Key`], in its order.
    #[must_use]
    pub fn limit_of(&self, key: &[&str]) -> Limit {
        let own = self.rule.special.of(self.rule.id_of(key));
        own.unwrap_or_else(|| self.limit())
    }

    /// Gives one key a limit of its own, from the next request on. (Each change copies the table of such limits: it is meant for thousands, not millions.)
    pub fn set_limit_of(&self, key: &[&str], limit: Limit) {
        let id = self.rule.id_of(key);
        self.rule.special.change(|limits| {
            limits.insert(id, limit);
        });
    }

    /// Takes a key's own limit away.
    pub fn clear_limit_of(&self, key: &[&str]) {
        let id = self.rule.id_of(key);
        self.rule.special.change(|limits| {
            limits.remove(&id);
        });
    }

    /// The tokens that a key has left. (Of a rule over [`Key::shared`], that all have.)
    #[must_use]
    pub fn remaining(&self, key: &[&str]) -> u64 {
        let rule = &self.rule;
        let limit = self.limit_of(key);
        let (debt, period) = if rule.key.is_shared() {
            rule.alone.spent(rule.buckets.now())
        } else {
            rule.buckets.spent(rule.id_of(key)).unwrap_or((0, 1))
        };
        u64::from(limit.burst()).saturating_sub(debt.div_ceil(period.max(1)))
    }

    /// Fills the bucket of a key.
    pub fn reset(&self, key: &[&str]) {
        if self.rule.key.is_shared() {
            self.rule.alone.reset();
        } else {
            self.rule.buckets.forget(self.rule.id_of(key));
        }
    }
}

impl fmt::Debug for RuleHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleHandle")
            .field("name", &self.rule.name)
            .field("limit", &self.limit())
            .finish_non_exhaustive()
    }
}
