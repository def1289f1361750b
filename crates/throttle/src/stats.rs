//! What a layer has decided.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::buckets::Buckets;
use crate::layer::MAX_RULES;

/// What a [`ThrottleLayer`](crate::ThrottleLayer) has decided since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThrottleStats {
    /// Requests that every rule let pass.
    pub passed: u64,
    /// Requests that were refused, or would have been if the layer did not only observe, by the rule that did. Usage plans come last, as `usagePlan` and `quota`, and then,
    /// as `away`, what was refused because the shared buckets did not answer.
    pub refused: Vec<(String, u64)>,
    /// Keys that are kept: see [`Buckets::keys`].
    pub keys: usize,
    /// Bytes of the tables: see [`Buckets::bytes`].
    pub bytes: usize,
    /// Decisions by a bucket that new keys shared: see [`Buckets::overflowed`].
    pub overflowed: u64,
    /// The buckets that several machines share, if the layer counts in some.
    pub store: Option<StoreStats>,
}

/// How buckets that several machines share have done, for all layers that count in them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Whether they did not answer when they were last asked.
    pub away: bool,
    /// How many times they were asked.
    pub asked: u64,
    /// Decisions that were made by tokens taken ahead, without asking ([`SharedBuckets::lease`](crate::SharedBuckets::lease)).
    pub leased: u64,
    /// Decisions that were made without them, because they did not answer.
    pub decided_away: u64,
}

/// Where the refusals of usage plans are counted.
pub(crate) const USAGE_PLAN: usize = MAX_RULES;
pub(crate) const QUOTA: usize = MAX_RULES + 1;
/// Where the refusals are counted that nobody decided.
pub(crate) const AWAY: usize = MAX_RULES + 2;

/// Counts, in several places, so that threads do not wait for one cache line.
#[derive(Debug)]
pub(crate) struct Counters {
    stripes: [Stripe; STRIPES],
    rules: usize,
}

const STRIPES: usize = 8;

#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe {
    passed: AtomicU64,
    refused: [AtomicU64; MAX_RULES + 3],
}

impl Counters {
    pub(crate) fn new(rules: usize) -> Self {
        Self {
            stripes: Default::default(),
            rules,
        }
    }

    #[inline]
    pub(crate) fn passed(&self, now: u64) {
        self.stripe(now).passed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, rule: usize, now: u64) {
        self.stripe(now).refused[rule].fetch_add(1, Ordering::Relaxed);
    }

    /// The nanoseconds of the clock are as good as chance for choosing.
    const fn stripe(&self, now: u64) -> &Stripe {
        &self.stripes[(now >> 5) as usize % STRIPES]
    }

    pub(crate) fn read<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        has_plans: bool,
        buckets: &Buckets,
        store: Option<StoreStats>,
    ) -> ThrottleStats {
        let sum = |of: &dyn Fn(&Stripe) -> &AtomicU64| {
            let stripes = self.stripes.iter();
            stripes
                .map(|stripe| of(stripe).load(Ordering::Relaxed))
                .sum()
        };
        let more = [
            (USAGE_PLAN, "usagePlan", has_plans),
            (QUOTA, "quota", has_plans),
            (AWAY, "away", store.is_some()),
        ];
        let more = more.into_iter().filter(|(_, _, is_there)| *is_there);
        ThrottleStats {
            passed: sum(&|stripe| &stripe.passed),
            refused: names
                .take(self.rules)
                .enumerate()
                .chain(more.map(|(counter, name, _)| (counter, name)))
                .map(|(rule, name)| (name.to_owned(), sum(&|stripe| &stripe.refused[rule])))
                .collect(),
            keys: buckets.keys(),
            bytes: buckets.bytes(),
            overflowed: buckets.overflowed(),
            store,
        }
    }
}
