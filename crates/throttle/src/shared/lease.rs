//! Tokens that were taken from the shared buckets ahead of the requests that spend them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::level::Need;

/// Tokens at hand, of each bucket at most a stated number.
#[derive(Debug)]
pub(super) struct Leases {
    tokens: u32,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    held: HashMap<u64, Held>,
    /// When lapsed leases may be looked for again.
    sweep: u64,
    /// Requests that were decided by what is held, each counted where its first bucket is.
    decided: u64,
}

#[derive(Debug, Default)]
struct Held {
    left: u32,
    /// How many there were when they were last fetched.
    most: u32,
    /// What the bucket had spent when the server was last asked, in nanoseconds, and when that was.
    debt: u64,
    heard: u64,
    /// When the tokens lapse.
    until: u64,
    /// Until when there are none to be had.
    refused: u64,
    /// Somebody fetches more, and is given up on at this time.
    fetching: u64,
}

/// What the tokens at hand say of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spend {
    /// It passes. The buckets whose tokens run out should be asked for more.
    Passed,
    /// This bucket has none, and will not have any for so many nanoseconds.
    Refused { level: usize, wait: u64 },
    /// The shared buckets must be asked.
    Ask,
}

const SHARDS: usize = 16;

/// Buckets of which tokens are held, in each shard. Of more, none are.
const MOST: usize = 8192;

/// How long tokens are held.
pub(super) const LIFE: u64 = 1_000_000_000;

/// How often lapsed leases are looked for, at most.
const SWEEP: u64 = 50_000_000;

impl Shard {
    /// Whether tokens of this bucket can be held.
    fn has_room(&mut self, id: u64, now: u64) -> bool {
        if self.held.len() < MOST || self.held.contains_key(&id) {
            return true;
        }
        if now < self.sweep {
            return false;
        }
        self.sweep = now + SWEEP;
        self.held
            .retain(|_, held| now < held.until || now < held.refused || now < held.fetching);
        self.held.len() < MOST
    }
}

impl Leases {
    pub(super) fn new(tokens: u32) -> Self {
        Self {
            tokens,
            shards: Default::default(),
        }
    }

    /// Spends what a request costs of each bucket, or nothing.
    pub(super) fn spend(&self, buckets: &[Need], now: u64) -> Spend {
        let answer = self.try_spend(buckets, now);
        if let (Some(first), true) = (buckets.first(), answer != Spend::Ask) {
            self.shard(first.id).decided += 1;
        }
        answer
    }

    /// How many requests were decided by what is held.
    pub(super) fn decided(&self) -> u64 {
        let shards = self.shards.iter();
        shards
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).decided)
            .sum()
    }

    fn try_spend(&self, buckets: &[Need], now: u64) -> Spend {
        for (index, Need { id, cost, .. }) in buckets.iter().enumerate() {
            let answer = match self.shard(*id).held.get_mut(id) {
                Some(held) if now < held.refused => Spend::Refused {
                    level: index,
                    wait: held.refused - now,
                },
                Some(held) if now < held.until && held.left >= *cost => {
                    held.left -= cost;
                    continue;
                }
                _ => Spend::Ask,
            };
            for Need { id, cost, .. } in &buckets[..index] {
                if let Some(held) = self.shard(*id).held.get_mut(id) {
                    held.left += cost;
                }
            }
            return answer;
        }
        Spend::Passed
    }

    /// How many more tokens of a bucket should be fetched; the one who is told so fetches them.
    pub(super) fn wanted(&self, id: u64, now: u64) -> Option<u32> {
        let mut shard = self.shard(id);
        let held = shard.held.get_mut(&id)?;
        if now < held.fetching || now >= held.until || held.left > held.most / 2 {
            return None;
        }
        held.fetching = now + LIFE;
        Some(self.tokens - held.left)
    }

    /// How many tokens a request that must ask should take, itself included: of those who ask at once, one takes more than it spends.
    pub(super) fn want(&self, id: u64, cost: u32, now: u64) -> u32 {
        let mut shard = self.shard(id);
        if !shard.has_room(id, now) {
            return cost;
        }
        let held = shard.held.entry(id).or_default();
        if now < held.fetching {
            return cost;
        }
        held.fetching = now + LIFE;
        held.until = held.until.max(now);
        self.tokens.max(cost)
    }

    /// Whoever fetched has ended, without any.
    pub(super) fn end(&self, id: u64) {
        if let Some(held) = self.shard(id).held.get_mut(&id) {
            held.fetching = 0;
        }
    }

    /// Adds tokens that were fetched, to be held for so long. Where there is no room they lapse at once.
    pub(super) fn put(&self, id: u64, tokens: u32, now: u64, life: u64) {
        let mut shard = self.shard(id);
        if !shard.has_room(id, now) {
            return;
        }
        let held = shard.held.entry(id).or_default();
        if now >= held.until {
            held.left = 0;
        }
        held.left = held.left.saturating_add(tokens).min(self.tokens);
        held.most = held.left;
        held.until = now.saturating_add(life);
        held.refused = 0;
        held.fetching = 0;
    }

    /// Notes what a bucket has spent, by the server's word.
    pub(super) fn hear(&self, id: u64, debt: u64, now: u64) {
        if let Some(held) = self.shard(id).held.get_mut(&id) {
            (held.debt, held.heard) = (debt, now);
        }
    }

    /// The tokens at hand, and what the bucket has spent as far as is known, in nanoseconds.
    pub(super) fn standing(&self, id: u64, now: u64) -> (u32, u64) {
        match self.shard(id).held.get(&id) {
            Some(held) => {
                let passed = now.saturating_sub(held.heard);
                (held.left, held.debt.saturating_sub(passed))
            }
            None => (0, 0),
        }
    }

    /// Notes that a bucket has no tokens for so many nanoseconds, and that whoever fetched has ended.
    pub(super) fn refuse(&self, id: u64, wait: u64, now: u64) {
        if let Some(held) = self.shard(id).held.get_mut(&id) {
            held.refused = now.saturating_add(wait);
            held.fetching = 0;
        }
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, Shard> {
        let shard = self.shards[id as usize % SHARDS].lock();
        shard.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{LIFE, Leases, MOST, SHARDS, Spend};
    use crate::limit::Limit;
    use crate::shared::level::{Need, Of};

    const fn need(id: u64, cost: u32) -> Need {
        Need {
            of: Of::Plan,
            id,
            cost,
            limit: Limit::nothing(),
        }
    }

    #[test]
    fn tokens_are_spent_of_all_buckets_or_of_none_and_lapse() {
        let leases = Leases::new(10);
        let both = [need(1, 1), need(2, 2)];
        assert_eq!(leases.spend(&both, 1), Spend::Ask);
        leases.put(1, 10, 1, LIFE);
        assert_eq!(leases.spend(&both, 1), Spend::Ask);
        leases.put(2, 3, 1, LIFE);
        assert_eq!(leases.spend(&both, 1), Spend::Passed);
        assert_eq!(
            leases.spend(&both, 1),
            Spend::Ask,
            "one is left of the second"
        );
        assert_eq!(
            leases.spend(&[need(1, 9)], 1),
            Spend::Passed,
            "and nothing was taken of the first"
        );
        leases.put(1, 10, 1, LIFE);
        assert_eq!(leases.spend(&[need(1, 1)], 1 + LIFE), Spend::Ask);
    }

    #[test]
    fn one_of_many_fetches() {
        let leases = Leases::new(10);
        assert_eq!((leases.want(1, 1, 5), leases.want(1, 1, 5)), (10, 1));
        assert_eq!(leases.want(1, 1, 5 + LIFE), 10, "the other was given up on");
        leases.put(1, 10, 6, LIFE);
        assert_eq!(leases.wanted(1, 7), None);
        assert_eq!(leases.spend(&[need(1, 6)], 7), Spend::Passed);
        assert_eq!((leases.wanted(1, 7), leases.wanted(1, 7)), (Some(6), None));
    }

    #[test]
    fn a_refusal_is_remembered_for_as_long_as_it_holds() {
        let leases = Leases::new(10);
        leases.want(1, 1, 5);
        leases.refuse(1, 100, 5);
        let refused = |wait| Spend::Refused { level: 0, wait };
        assert_eq!(leases.spend(&[need(1, 1)], 6), refused(99));
        assert_eq!(leases.spend(&[need(1, 1)], 105), Spend::Ask);
    }

    #[test]
    fn no_more_than_so_many_buckets_are_held() {
        let leases = Leases::new(10);
        let most = (MOST * SHARDS) as u64;
        for id in 0..most + 1000 {
            leases.put(id, 10, 1, LIFE);
        }
        assert_eq!(leases.spend(&[need(most + 1, 1)], 1), Spend::Ask);
        assert_eq!(leases.want(most + 1, 1, 1), 1);
        leases.put(most + 1, 10, 1 + LIFE, LIFE);
        assert_eq!(
            leases.spend(&[need(most + 1, 1)], 1 + LIFE),
            Spend::Passed,
            "others lapsed"
        );
    }
}
