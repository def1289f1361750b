//! How a request is decided: by tokens at hand, by the server, or without it.

use std::sync::Arc;

use http::header::RETRY_AFTER;
use portcullis_core::{
    BoxAsk, Decision, Head, LimitStanding, Rejection, RejectionKind, RequestContext, Verdict,
};

use super::lease::{self, Leases, Spend};
use super::level::{self, Level, Need, Needs, Of, Said, What};
use super::{QUIET, Reply, SharedBuckets, WhenAway};
use crate::bucket::Take;
use crate::headers;
use crate::layer::Shared;
use crate::limit::Limit;
use crate::plans::{Claim, UsagePlans};
use crate::quota::Quota;
use crate::rule;
use crate::stats::AWAY;

/// Decides about a request, or asks the shared buckets.
pub(crate) fn check(
    shared: &Arc<Shared>,
    store: &SharedBuckets,
    head: &Head<'_>,
) -> Verdict<BoxAsk> {
    let now = shared.buckets.now();
    let claim = shared.plans.as_ref().and_then(|plans| plans.claim(head));
    let here = Here {
        shared,
        store,
        head,
        claim: claim.as_ref(),
        now,
        at: store.at(now),
    };
    let needs = Needs::of(shared, claim.as_ref(), head);
    // What never passes need not be asked about.
    let never = |need: &&Need| need.of != Of::Quota && need.cost > need.limit.burst();
    if let Some(need) = needs.iter().find(never) {
        return Verdict::Refuse(here.refuse(need, None));
    }
    if needs.as_slice().is_empty() {
        shared.counters.passed(now);
        return Verdict::Pass;
    }
    if let Some(leases) = &store.leases {
        match leases.spend(needs.as_slice(), here.at) {
            Spend::Passed => {
                here.note(leases, &needs);
                here.fetch(leases, &needs);
                shared.counters.passed(now);
                return Verdict::Pass;
            }
            Spend::Refused { level, wait } => {
                here.note(leases, &needs);
                return Verdict::Refuse(here.refuse(&needs.as_slice()[level], Some(wait)));
            }
            Spend::Ask => {}
        }
    }
    let levels = needs.iter().filter_map(|need| here.level(*need));
    let question = Question {
        levels: levels.collect(),
        context: head.context().cloned(),
    };
    if !store.may_ask(here.at) {
        return match question.alone(shared, store, now) {
            Ok(()) => Verdict::Pass,
            Err(refusal) => Verdict::Refuse(refusal),
        };
    }
    let (shared, store) = (Arc::clone(shared), store.clone());
    Verdict::Ask(Box::pin(async move { question.ask(&shared, &store).await }))
}

/// A request that is being decided.
struct Here<'a> {
    shared: &'a Arc<Shared>,
    store: &'a SharedBuckets,
    head: &'a Head<'a>,
    claim: Option<&'a Claim>,
    /// The time of the layer's buckets.
    now: u64,
    /// The same as that of the store.
    at: u64,
}

impl Here<'_> {
    fn level(&self, need: Need) -> Option<Level> {
        Level::of(need, self.shared, self.claim, self.head, self.store.spread)
    }

    fn quota(&self) -> Option<(&UsagePlans, &Claim, Quota)> {
        let claim = self.claim?;
        Some((self.shared.plans.as_ref()?, claim, claim.plan().quota?))
    }

    fn refuse(&self, need: &Need, wait: Option<u64>) -> Rejection {
        let shared = self.shared;
        shared.counters.refused(need.of.counter(), self.now);
        let wait = match (need.of, self.quota()) {
            (Of::Quota, Some((plans, claim, quota))) => (quota.limit() > 0)
                .then(|| nanos_of(plans.seconds_until(plans.known(claim, &quota)))),
            _ => wait,
        };
        let refusal = level::refusal(need, shared, self.claim, self.head);
        with_wait(refusal, shared, wait)
    }

    /// Says how the caller stands, as far as is known without asking.
    fn note(&self, leases: &Leases, needs: &Needs) {
        let Some(context) = self.head.context() else {
            return;
        };
        if !self.shared.headers.on_every_answer() {
            return;
        }
        for need in needs.iter() {
            let (left, debt) = leases.standing(need.id, self.at);
            // What was taken ahead is spent as the server sees it, and still at hand here.
            let debt = debt.saturating_sub(need.limit.period().saturating_mul(left.into()));
            let standing = match need.of {
                Of::Rule(index) => {
                    rule::standing(self.shared.rules[index].full_name(), &need.limit, debt)
                }
                Of::Plan => match self.claim {
                    Some(claim) => rule::standing(&claim.name(), &need.limit, debt),
                    None => continue,
                },
                Of::Quota => match self.quota() {
                    Some((plans, claim, quota)) => {
                        let known = plans.known(claim, &quota);
                        plans.standing(claim, known.with_more(left.into()))
                    }
                    None => continue,
                },
            };
            context.note_limit(standing);
        }
    }

    /// Fetches tokens of the buckets that have few left, beside the request.
    fn fetch(&self, leases: &Arc<Leases>, needs: &Needs) {
        let now = self.at;
        for need in needs.iter() {
            let Some(want) = leases.wanted(need.id, now) else {
                continue;
            };
            let level = self.level(Need { cost: 1, ..*need });
            let Some(mut level) = level.filter(|_| self.store.may_ask(now)) else {
                leases.end(need.id);
                continue;
            };
            let (store, leases) = (self.store.clone(), Arc::clone(leases));
            tokio::spawn(async move {
                let id = level.need.id;
                level.want = want;
                match store.take(std::slice::from_ref(&level)).await {
                    Ok(Reply {
                        refused: None,
                        said,
                    }) => match said.first() {
                        Some(Some(said)) => level.put(&leases, *said, 0, now),
                        _ => leases.end(id),
                    },
                    Ok(_) => leases.end(id),
                    Err(away) => {
                        leases.end(id);
                        store.leave_alone(&away, now);
                    }
                }
            });
        }
    }
}

impl Level {
    /// Keeps what was taken ahead, less what was spent at once.
    fn put(&mut self, leases: &Leases, said: Said, spent: u32, now: u64) {
        let id = self.need.id;
        let taken = u32::try_from(said.taken()).unwrap_or(0);
        let life = match (&mut self.what, said) {
            (What::Quota(quota), Said::Quota { account, .. }) => {
                // What was counted stays counted until the period ends.
                let standing = quota.learn(account);
                nanos_of(quota.plans().seconds_until(standing))
            }
            _ => lease::LIFE,
        };
        leases.put(id, taken.saturating_sub(spent), now, life);
        if let Said::Bucket { spent, .. } = said {
            leases.hear(id, nanos(spent), now);
        }
    }
}

/// Everything that one request must be within.
struct Question {
    levels: Vec<Level>,
    context: Option<RequestContext>,
}

impl Question {
    async fn ask(mut self, shared: &Shared, store: &SharedBuckets) -> Result<(), Rejection> {
        let at = store.at(shared.buckets.now());
        if let Some(leases) = &store.leases {
            for level in &mut self.levels {
                level.want = leases.want(level.need.id, level.need.cost, at);
            }
        }
        let reply = match store.take(&self.levels).await {
            Ok(reply) => reply,
            Err(away) => {
                let now = shared.buckets.now();
                store.leave_alone(&away, store.at(now));
                return self.alone(shared, store, now);
            }
        };
        let now = shared.buckets.now();
        let at = store.at(now);
        self.note(shared, &reply);
        let Some((index, micros)) = reply.refused else {
            if let Some(leases) = &store.leases {
                for (level, said) in self.levels.iter_mut().zip(&reply.said) {
                    match said {
                        Some(said) => {
                            let cost = level.need.cost;
                            level.put(leases, *said, cost, at);
                        }
                        None => leases.end(level.need.id),
                    }
                }
            }
            shared.counters.passed(now);
            return Ok(());
        };
        let mut wait = Some(nanos(micros));
        let mut remembered = nanos(micros);
        if let What::Quota(quota) = &self.levels[index].what {
            let until = quota.plans().seconds_until(quota.standing());
            wait = quota.has_any().then(|| nanos_of(until));
            // It may be extended before its period ends.
            remembered = lease::LIFE;
        }
        if let Some(leases) = &store.leases {
            for (own, said) in self.levels.iter().zip(&reply.said) {
                leases.end(own.need.id);
                if let Some(Said::Bucket { spent, .. }) = said {
                    leases.hear(own.need.id, nanos(*spent), at);
                }
            }
            leases.refuse(self.levels[index].need.id, remembered, at);
        }
        Err(refuse(shared, &self.levels[index], wait, now))
    }

    /// Notes what the server has said: the quota's account, and, if answers shall say so, how the caller stands.
    fn note(&mut self, shared: &Shared, reply: &Reply) {
        let passed = reply.refused.is_none();
        for (level, said) in self.levels.iter_mut().zip(&reply.said) {
            let Some(said) = said else {
                continue;
            };
            // What was taken ahead is still at hand, and what was taken of a request that is refused is given back.
            let cost = if passed { level.need.cost } else { 0 };
            let ahead = said.taken() - i64::from(cost);
            let limit = level.need.limit;
            let standing = match (&mut level.what, said) {
                (What::Quota(quota), Said::Quota { account, .. }) => {
                    let standing = quota.learn(*account).with_more(ahead);
                    Some(quota.plans().standing_of(quota.plan(), standing))
                }
                (What::Bucket(_), Said::Bucket { .. }) => match said.without(ahead, &limit) {
                    Said::Bucket { spent, .. } => level.standing(nanos(spent)),
                    Said::Quota { .. } => None,
                },
                _ => None,
            };
            if let Some(standing) = standing {
                note(shared, self.context.as_ref(), || standing);
            }
        }
    }

    /// Decides without the shared buckets.
    fn alone(&self, shared: &Shared, store: &SharedBuckets, now: u64) -> Result<(), Rejection> {
        store.count_away();
        let share = match store.when_away {
            WhenAway::Open => {
                for level in &self.levels {
                    if let What::Quota(quota) = &level.what {
                        quota.add_alone();
                    }
                }
                shared.counters.passed(now);
                return Ok(());
            }
            WhenAway::Closed => {
                shared.counters.refused(AWAY, now);
                let decision = Decision::new("throttle", "shared-buckets-away");
                let refusal = Rejection::new(RejectionKind::Throttled).with_decision(decision);
                // The server is asked again as soon as that.
                return Err(with_wait(refusal.for_api(shared.api), shared, Some(QUIET)));
            }
            WhenAway::Local { share } => share,
        };
        for (index, level) in self.levels.iter().enumerate() {
            let Err(wait) = self.take_alone(level, shared, share, now) else {
                continue;
            };
            for level in &self.levels[..index] {
                self.give_back_alone(level, shared, share, now);
            }
            return Err(refuse(shared, level, wait, now));
        }
        shared.counters.passed(now);
        Ok(())
    }

    /// Takes what a level costs of this process's share, or says when that would be there.
    fn take_alone(
        &self,
        level: &Level,
        shared: &Shared,
        share: f64,
        now: u64,
    ) -> Result<(), Option<u64>> {
        let context = self.context.as_ref();
        match &level.what {
            What::Bucket(name) => {
                let (limit, cost) = part(&level.need, share);
                let take = shared.take_alone(level.need.id, name, &limit, cost, now);
                let (Take::Taken { debt } | Take::Wait { debt, .. }) = take;
                note(shared, context, || rule::standing(name, &limit, debt));
                match take {
                    Take::Taken { .. } => Ok(()),
                    Take::Wait { nanos, .. } => Err(nanos),
                }
            }
            What::Quota(quota) => {
                let taken = quota.take_alone(share);
                let (Ok(standing) | Err(standing)) = taken;
                let plans = quota.plans();
                note(shared, context, || {
                    plans.standing_of(quota.plan(), standing)
                });
                taken.map(drop).map_err(|standing| {
                    quota
                        .has_any()
                        .then(|| nanos_of(plans.seconds_until(standing)))
                })
            }
        }
    }
}

impl Question {
    /// Gives back what a level was charged of this process's share.
    fn give_back_alone(&self, level: &Level, shared: &Shared, share: f64, now: u64) {
        let context = self.context.as_ref();
        match &level.what {
            What::Bucket(name) => {
                let (limit, cost) = part(&level.need, share);
                let debt = shared.give_back_alone(level.need.id, name, &limit, cost, now);
                note(shared, context, || rule::standing(name, &limit, debt));
            }
            What::Quota(quota) => {
                quota.give_back_alone();
                note(shared, context, || {
                    quota.plans().standing_of(quota.plan(), quota.standing())
                });
            }
        }
    }
}

fn refuse(shared: &Shared, level: &Level, wait: Option<u64>, now: u64) -> Rejection {
    shared.counters.refused(level.need.of.counter(), now);
    with_wait(level.refusal(shared), shared, wait)
}

/// This process's share of a limit, and what a request costs of it.
fn part(need: &Need, share: f64) -> (Limit, u32) {
    let limit = need.limit.share(share);
    (limit, need.cost.min(limit.burst()))
}

fn note(
    shared: &Shared,
    context: Option<&RequestContext>,
    standing: impl FnOnce() -> LimitStanding,
) {
    if shared.headers.on_every_answer()
        && let Some(context) = context
    {
        context.note_limit(standing());
    }
}

fn with_wait(refusal: Rejection, shared: &Shared, wait: Option<u64>) -> Rejection {
    match wait {
        Some(nanos) if shared.headers.tells_retry_after() => {
            refusal.with_header(RETRY_AFTER, headers::seconds(nanos))
        }
        _ => refusal,
    }
}

fn nanos(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_mul(1000)
}

const fn nanos_of(seconds: u64) -> u64 {
    seconds.saturating_mul(1_000_000_000)
}
