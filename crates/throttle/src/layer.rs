//! The layer, which is a guard as well.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http::HeaderMap;
use http::header::RETRY_AFTER;
use portcullis_core::{
    ApiKind, BoxAsk, Guard, GuardLayer, Head, LimitStanding, Mode, Rejection, Verdict,
};
use tower_layer::Layer;

use crate::bucket::Take;
use crate::buckets::Buckets;
use crate::builder::ThrottleBuilder;
use crate::headers::{self, Headers};
#[cfg(feature = "redis")]
use crate::limit::Limit;
use crate::plans::{Claim, UsagePlans};
use crate::rule::{ActiveRule, Quick, Rule, RuleHandle, Ticket};
use crate::service::Throttled;
#[cfg(feature = "redis")]
use crate::shared::SharedBuckets;
use crate::stats::{Counters, QUOTA, ThrottleStats, USAGE_PLAN};

/// Limits the rate of requests.
///
/// See the [crate docs](crate) for an example. Clones, and the services made by them, share one state. It is a [`Guard`], too.
#[derive(Clone)]
#[must_use]
pub struct ThrottleLayer {
    shared: Arc<Shared>,
    sole: Option<Arc<Sole>>,
}

pub(crate) struct Shared {
    pub(crate) rules: Vec<Arc<ActiveRule>>,
    pub(crate) plans: Option<UsagePlans>,
    pub(crate) buckets: Buckets,
    pub(crate) headers: Headers,
    pub(crate) mode: AtomicU8,
    pub(crate) counters: Counters,
    pub(crate) api: ApiKind,
    #[cfg(feature = "redis")]
    pub(crate) store: Option<SharedBuckets>,
}

/// The rule of a layer with no other, which lets requests pass or refuses them by their headers.
pub(crate) struct Sole {
    rule: Arc<ActiveRule>,
    quick: Quick,
}

impl Shared {
    /// Whether nothing has to be asked, and answers that pass are left as they are.
    #[inline]
    pub(crate) const fn is_simple(&self) -> bool {
        #[cfg(feature = "redis")]
        if self.store.is_some() {
            return false;
        }
        !self.headers.on_every_answer()
    }

    fn sole(&self) -> Option<Sole> {
        let ([rule], None) = (&*self.rules, &self.plans) else {
            return None;
        };
        let quick = rule.quick().filter(|_| self.is_simple())?;
        let rule = Arc::clone(rule);
        Some(Sole { rule, quick })
    }

    /// Takes from the rule of a layer that has no other, or says no.
    #[inline]
    pub(crate) fn decide_by(&self, sole: &Sole, headers: &HeaderMap) -> Result<(), Rejection> {
        let now = self.buckets.now();
        let (take, ticket) = sole.rule.take_by(&sole.quick, headers, now);
        match take {
            Take::Taken { .. } => {
                self.counters.passed(now);
                Ok(())
            }
            Take::Wait { nanos, .. } => Err(self.refuse_by(&sole.rule, &ticket, nanos, now)),
        }
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        const OBSERVE: u8 = Mode::Observe as u8;
        const DISABLED: u8 = Mode::Disabled as u8;
        match self.mode.load(Ordering::Relaxed) {
            OBSERVE => Mode::Observe,
            DISABLED => Mode::Disabled,
            _ => Mode::Enforce,
        }
    }
}

/// The most rules of one layer.
pub(crate) const MAX_RULES: usize = 8;

impl ThrottleLayer {
    /// A layer with one rule, and buckets of its own for at most a million keys.
    pub fn new(rule: Rule) -> Self {
        let buckets = Buckets::default();
        let rule = Arc::new(rule.activate(&buckets, ApiKind::Rest));
        Self::of(Shared {
            counters: Counters::new(1),
            rules: vec![rule],
            plans: None,
            buckets,
            headers: Headers::new(),
            mode: AtomicU8::new(Mode::Enforce as u8),
            api: ApiKind::Rest,
            #[cfg(feature = "redis")]
            store: None,
        })
    }

    /// A layer with several rules, or with more to say.
    pub fn builder() -> ThrottleBuilder {
        ThrottleBuilder::new()
    }

    pub(crate) fn of(shared: Shared) -> Self {
        Self {
            sole: shared.sole().map(Arc::new),
            shared: Arc::new(shared),
        }
    }

    /// The rule of this name, to be read and changed while requests run.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<RuleHandle> {
        let mut rules = self.shared.rules.iter();
        let rule = rules.find(|rule| rule.name() == name)?;
        Some(RuleHandle::new(Arc::clone(rule)))
    }

    /// Changes whether refusals are carried out, from the next request on.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.mode.store(mode as u8, Ordering::Relaxed);
    }

    /// What the layer has decided so far.
    #[must_use]
    pub fn stats(&self) -> ThrottleStats {
        let shared = &self.shared;
        let names = shared.rules.iter().map(|rule| rule.name());
        #[cfg(feature = "redis")]
        let store = shared.store.as_ref().map(SharedBuckets::stats);
        #[cfg(not(feature = "redis"))]
        let store = None;
        let has_plans = shared.plans.is_some();
        shared
            .counters
            .read(names, has_plans, &shared.buckets, store)
    }

    /// The buckets, which other layers may share.
    #[must_use]
    pub fn buckets(&self) -> &Buckets {
        &self.shared.buckets
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The rule that decides by headers, if there is no other and no plan.
    #[inline]
    pub(crate) fn sole(&self) -> Option<&Sole> {
        self.sole.as_deref()
    }
}

impl Shared {
    /// Takes from the caller's plan and from every rule, or, if one refuses, from none.
    pub(crate) fn decide(&self, head: &Head<'_>) -> Result<(), Rejection> {
        let now = self.buckets.now();
        // One rule needs no list of what was taken.
        let ([rule], None) = (&*self.rules, &self.plans) else {
            return self.decide_all(head, now);
        };
        let (take, ticket) = rule.take(head, now);
        self.note(head, || rule.standing(take, &ticket));
        match take {
            Take::Taken { .. } => {
                self.counters.passed(now);
                Ok(())
            }
            Take::Wait { nanos, .. } => Err(self.refuse_by(rule, &ticket, nanos, now)),
        }
    }

    #[inline(never)]
    fn refuse_by(
        &self,
        rule: &ActiveRule,
        ticket: &Ticket,
        nanos: Option<u64>,
        now: u64,
    ) -> Rejection {
        self.counters.refused(0, now);
        self.refuse(rule.refuse(&ticket.limit), nanos)
    }

    fn decide_all(&self, head: &Head<'_>, now: u64) -> Result<(), Rejection> {
        let claim = match &self.plans {
            Some(plans) => self.claim(plans, head, now)?,
            None => None,
        };
        let mut tickets = [Ticket::NONE; MAX_RULES];
        for (index, rule) in self.rules.iter().enumerate() {
            let (take, ticket) = rule.take(head, now);
            tickets[index] = ticket;
            self.note(head, || rule.standing(take, &ticket));
            if let Take::Wait { nanos, .. } = take {
                if let (Some(plans), Some(claim)) = (&self.plans, &claim) {
                    self.give_back(plans, claim, head, now);
                }
                for (rule, ticket) in self.rules.iter().zip(&tickets[..index]) {
                    rule.give_back(ticket);
                    self.note(head, || rule.standing_at(ticket, now));
                }
                self.counters.refused(index, now);
                return Err(self.refuse(rule.refuse(&ticket.limit), nanos));
            }
        }
        self.counters.passed(now);
        Ok(())
    }

    /// Gives back what a request took from its plan that something else refused, and notes how the caller stands without it.
    fn give_back(&self, plans: &UsagePlans, claim: &Claim, head: &Head<'_>, now: u64) {
        plans.give_back(claim, &self.buckets);
        if !self.headers.on_every_answer() {
            return;
        }
        if let Some(standing) = claim.standing_at(head, &self.buckets, now) {
            self.note(head, || standing);
        }
        if let Some(quota) = claim.plan().quota.filter(|_| claim.is_counted()) {
            self.note(head, || plans.standing(claim, plans.known(claim, &quota)));
        }
    }

    /// Takes from the plan of whoever sent the request.
    fn claim(
        &self,
        plans: &UsagePlans,
        head: &Head<'_>,
        now: u64,
    ) -> Result<Option<Claim>, Rejection> {
        let Some(mut claim) = plans.claim(head) else {
            return Ok(None);
        };
        if let Some(take) = claim.take(head, &self.buckets, now) {
            self.note(head, || claim.standing(take));
            if let Take::Wait { nanos, .. } = take {
                self.counters.refused(USAGE_PLAN, now);
                let rejection = claim.throttled(head).for_api(self.api);
                return Err(self.refuse(rejection, nanos));
            }
        }
        self.count(plans, &mut claim, head, now)?;
        Ok(Some(claim))
    }

    /// Counts against the quota of whoever sent the request.
    pub(crate) fn count(
        &self,
        plans: &UsagePlans,
        claim: &mut Claim,
        head: &Head<'_>,
        now: u64,
    ) -> Result<(), Rejection> {
        let counted = plans.count(claim);
        if let Some(Err(standing)) = counted {
            self.give_back(plans, claim, head, now);
            self.note(head, || plans.standing(claim, standing));
            self.counters.refused(QUOTA, now);
            // What will never pass is not worth coming back for.
            let seconds = claim.has_any_quota().then(|| plans.seconds_until(standing));
            let nanos = seconds.map(|seconds| seconds.saturating_mul(1_000_000_000));
            return Err(self.refuse(claim.exceeded().for_api(self.api), nanos));
        }
        if let Some(Ok(standing)) = counted {
            self.note(head, || plans.standing(claim, standing));
        }
        Ok(())
    }

    /// Takes from the bucket of this process, or from the one of those for whom there is no place.
    #[cfg(feature = "redis")]
    pub(crate) fn take_alone(
        &self,
        id: u64,
        name: &Arc<str>,
        limit: &Limit,
        cost: u32,
        now: u64,
    ) -> Take {
        match self.buckets.take(id, limit, cost, now) {
            Some(take) => take,
            None => {
                self.buckets.count_overflow();
                self.buckets.named(name).take(limit, cost, now)
            }
        }
    }

    /// Gives back what [`take_alone`](Self::take_alone) took, and says what the bucket has spent then.
    #[cfg(feature = "redis")]
    pub(crate) fn give_back_alone(
        &self,
        id: u64,
        name: &Arc<str>,
        limit: &Limit,
        cost: u32,
        now: u64,
    ) -> u64 {
        if self.buckets.give_back(id, limit, cost) {
            return self.buckets.debt(id, now);
        }
        let bucket = self.buckets.named(name);
        bucket.give_back(limit, cost);
        bucket.spent(now).0
    }

    /// Notes in the context how the caller stands, if answers shall say so.
    fn note(&self, head: &Head<'_>, standing: impl FnOnce() -> LimitStanding) {
        if self.headers.on_every_answer()
            && let Some(context) = head.context()
        {
            context.note_limit(standing());
        }
    }

    fn refuse(&self, rejection: Rejection, wait: Option<u64>) -> Rejection {
        match wait {
            Some(nanos) if self.headers.tells_retry_after() => {
                rejection.with_header(RETRY_AFTER, headers::seconds(nanos))
            }
            _ => rejection,
        }
    }
}

impl Guard for ThrottleLayer {
    /// What is not asked costs no box.
    type Ask = BoxAsk;

    const NAME: &'static str = "throttle";

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        #[cfg(feature = "redis")]
        if let Some(store) = &self.shared.store {
            return crate::shared::check(&self.shared, store, head);
        }
        match self.shared.decide(head) {
            Ok(()) => Verdict::Pass,
            Err(rejection) => Verdict::Refuse(rejection),
        }
    }

    fn mode(&self) -> Mode {
        self.shared.mode()
    }
}

impl<S> Layer<S> for ThrottleLayer {
    type Service = Throttled<S>;

    fn layer(&self, inner: S) -> Throttled<S> {
        Throttled::new(GuardLayer::new(self.clone()).layer(inner))
    }
}

impl fmt::Debug for ThrottleLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.shared.rules.iter().map(|rule| rule.name()).collect();
        f.debug_struct("ThrottleLayer")
            .field("rules", &names)
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}
