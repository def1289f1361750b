//! What one request must be within, and how the server is told.

use std::fmt::Write;
use std::sync::Arc;

use portcullis_core::{Head, LimitStanding, Rejection};

use crate::layer::{MAX_RULES, Shared};
use crate::limit::Limit;
use crate::plans::{Claim, SharedQuota};
use crate::rule;
use crate::stats::{QUOTA, USAGE_PLAN};

/// One of the things that a request must be within, without what only the server needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    pub(super) of: Of,
    /// The bucket in this process.
    pub(super) id: u64,
    pub(super) cost: u32,
    /// Of a quota, none.
    pub(super) limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Plan,
    Quota,
    Rule(usize),
}

impl Of {
    /// Where its refusals are counted.
    pub(super) const fn counter(self) -> usize {
        match self {
            Self::Plan => USAGE_PLAN,
            Self::Quota => QUOTA,
            Self::Rule(index) => index,
        }
    }
}

/// Everything that a request must be within, in the order in which it is asked.
pub(super) struct Needs {
    all: [Need; MAX_RULES + 2],
    len: usize,
}

impl Needs {
    pub(super) fn of(shared: &Shared, claim: Option<&Claim>, head: &Head<'_>) -> Self {
        let mut needs = Self {
            all: [Need {
                of: Of::Plan,
                id: 0,
                cost: 0,
                limit: Limit::nothing(),
            }; MAX_RULES + 2],
            len: 0,
        };
        if let Some(claim) = claim {
            if let Some(limit) = claim.limit() {
                needs.push(Of::Plan, claim.id(head, &shared.buckets), 1, *limit);
            }
            if claim.plan().quota.is_some() {
                let id = claim.quota_id(&shared.buckets);
                needs.push(Of::Quota, id, 1, Limit::nothing());
            }
        }
        for (index, rule) in shared.rules.iter().enumerate() {
            let (id, limit, cost) = rule.need(head);
            if cost > 0 {
                needs.push(Of::Rule(index), id, cost, limit);
            }
        }
        needs
    }

    fn push(&mut self, of: Of, id: u64, cost: u32, limit: Limit) {
        self.all[self.len] = Need {
            of,
            id,
            cost,
            limit,
        };
        self.len += 1;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Need> {
        self.all[..self.len].iter()
    }

    pub(super) fn as_slice(&self) -> &[Need] {
        &self.all[..self.len]
    }
}

/// One of the things that a request must be within, as the server is asked about it.
pub(super) struct Level {
    pub(super) need: Need,
    /// What stands in one slot of a cluster has the same; nothing, if all does.
    pub(super) slot: String,
    pub(super) key: String,
    /// How many tokens to take if there are so many: those beyond the cost are for later requests.
    pub(super) want: u32,
    /// Of a plan; what a rule says is made when it is needed.
    refusal: Option<Rejection>,
    pub(super) what: What,
}

pub(super) enum What {
    Bucket(Arc<str>),
    Quota(Box<SharedQuota>),
}

/// What the server has said about one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The microseconds that the bucket has spent, and the tokens that were taken.
    Bucket { spent: i64, taken: i64 },
    /// Used, granted beyond, start and end; and how many were counted.
    Quota { account: [i64; 4], taken: i64 },
}

impl Said {
    /// Another one in the same slot has refused, so nothing was taken.
    fn is_not_taken(&mut self, limit: &Limit) {
        *self = self.without(self.taken(), limit);
        match self {
            Self::Bucket { taken, .. } | Self::Quota { taken, .. } => *taken = 0,
        }
    }

    /// The same, as if so many tokens had not been taken.
    pub(super) fn without(mut self, tokens: i64, limit: &Limit) -> Self {
        match &mut self {
            // Rounded as the server rounds what is spent: up.
            Self::Bucket { spent, .. } => *spent -= micros(limit, tokens).floor() as i64,
            Self::Quota { account, .. } => account[0] -= tokens,
        }
        self
    }

    pub(super) const fn taken(self) -> i64 {
        match self {
            Self::Bucket { taken, .. } | Self::Quota { taken, .. } => taken,
        }
    }
}

impl Level {
    pub(super) fn of(
        need: Need,
        shared: &Shared,
        claim: Option<&Claim>,
        head: &Head<'_>,
        apart: bool,
    ) -> Option<Self> {
        let buckets = &shared.buckets;
        let refusal = match need.of {
            Of::Rule(_) => None,
            Of::Plan | Of::Quota => Some(refusal(&need, shared, claim, head)),
        };
        let want = need.cost;
        let slot_of = |digest: &dyn Fn() -> String| if apart { digest() } else { String::new() };
        Some(match need.of {
            Of::Plan => {
                let claim = claim?;
                Self {
                    slot: slot_of(&|| claim.shared_holder(buckets)),
                    key: format!(
                        "plan/{}:{}",
                        claim.plan().id,
                        claim.shared_key(head, buckets)
                    ),
                    what: What::Bucket(claim.name()),
                    need,
                    want,
                    refusal,
                }
            }
            Of::Quota => {
                let (plans, claim) = (shared.plans.as_ref()?, claim?);
                let holder = claim.shared_holder(buckets);
                Self {
                    key: quota_key(&claim.plan().id, &holder),
                    slot: slot_of(&|| holder.clone()),
                    what: What::Quota(Box::new(SharedQuota::of(plans, claim)?)),
                    need,
                    want,
                    refusal,
                }
            }
            Of::Rule(index) => {
                let rule = shared.rules.get(index)?;
                let name = rule.name();
                let mut key = String::with_capacity(name.len() + 33);
                key.push_str(name);
                key.push(':');
                rule.shared_key(head, &mut key);
                Self {
                    slot: slot_of(&|| match &key[name.len() + 1..] {
                        "" => name.to_owned(),
                        digest => digest.to_owned(),
                    }),
                    key,
                    what: What::Bucket(Arc::clone(rule.full_name())),
                    need,
                    want,
                    refusal,
                }
            }
        })
    }

    /// What the script for a request with one bucket is told; nothing, if it is not that.
    pub(super) fn sole_arguments(&self) -> Option<[String; 3]> {
        match self.what {
            What::Bucket(_) if self.want == self.need.cost => {
                let limit = &self.need.limit;
                let of = |tokens: u32| micros_of(limit.period().saturating_mul(tokens.into()));
                let (one, burst) = (of(1), of(limit.burst()));
                let cost = match self.need.cost {
                    1 => one.clone(),
                    cost => of(cost),
                };
                Some([one, burst, cost])
            }
            _ => None,
        }
    }

    /// What the script that takes is told.
    pub(super) fn arguments(&self, arguments: &mut Vec<String>) {
        let want = self.want;
        match &self.what {
            What::Bucket(_) => arguments.extend([
                period(&self.need.limit),
                self.need.limit.burst().to_string(),
                self.need.cost.to_string(),
                want.to_string(),
            ]),
            What::Quota(quota) => {
                arguments.extend(quota.arguments());
                arguments.push(want.to_string());
            }
        }
    }

    /// The microseconds that so many tokens count for.
    pub(super) fn worth(&self, tokens: i64) -> String {
        format!("{:.3}", micros(&self.need.limit, tokens))
    }

    /// Another one in the same slot has refused, so nothing was taken of what the server says was.
    pub(super) fn is_not_taken(&self, said: &mut Said) {
        said.is_not_taken(&self.need.limit);
    }

    /// Reads what the server has said about this one, and leaves the rest.
    pub(super) fn read(&self, reply: &mut &[i64]) -> Option<Said> {
        match &self.what {
            What::Bucket(_) => {
                let ([spent, taken], rest) = reply.split_first_chunk()?;
                *reply = rest;
                Some(Said::Bucket {
                    spent: *spent,
                    taken: *taken,
                })
            }
            What::Quota(_) => {
                let (account, rest) = reply.split_first_chunk()?;
                let ([taken], rest) = rest.split_first_chunk()?;
                *reply = rest;
                Some(Said::Quota {
                    account: *account,
                    taken: *taken,
                })
            }
        }
    }

    pub(super) const fn is_quota(&self) -> bool {
        matches!(self.what, What::Quota(_))
    }

    /// How the caller stands with a bucket that has spent so much.
    pub(super) fn standing(&self, debt: u64) -> Option<LimitStanding> {
        match &self.what {
            What::Bucket(name) => Some(rule::standing(name, &self.need.limit, debt)),
            What::Quota(_) => None,
        }
    }
}

impl Level {
    /// The refusal of a request that is not within this.
    pub(super) fn refusal(&self, shared: &Shared) -> Rejection {
        match (&self.refusal, self.need.of) {
            (Some(refusal), _) => refusal.clone(),
            (None, Of::Rule(index)) => shared.rules[index].refuse(&self.need.limit),
            (None, _) => portcullis_core::RejectionKind::Throttled.into(),
        }
    }
}

/// The microseconds that so many tokens count for.
fn micros(limit: &Limit, tokens: i64) -> f64 {
    limit.period() as f64 / 1000.0 * tokens as f64
}

/// The refusal of a request that is not within this.
pub(super) fn refusal(
    need: &Need,
    shared: &Shared,
    claim: Option<&Claim>,
    head: &Head<'_>,
) -> Rejection {
    let refusal = match (need.of, claim) {
        (Of::Rule(index), _) => return shared.rules[index].refuse(&need.limit),
        (Of::Quota, Some(claim)) => claim.exceeded(),
        (_, Some(claim)) => claim.throttled(head),
        (_, None) => portcullis_core::RejectionKind::Throttled.into(),
    };
    refusal.for_api(shared.api)
}

/// The key of a quota in the shared store.
pub(super) fn quota_key(plan: &str, holder: &str) -> String {
    format!("quota/{plan}:{holder}")
}

/// The largest number that a script counts exactly.
pub(super) const MOST: u64 = (1 << 53) - 1;

/// The microseconds that a token counts for, as text that is the same wherever it is made.
fn period(limit: &Limit) -> String {
    micros_of(limit.period())
}

/// The microseconds in so many nanoseconds, as text.
fn micros_of(nanos: u64) -> String {
    let mut text = String::with_capacity(24);
    // Text takes whatever is written.
    let _ = write!(text, "{}.", nanos / 1000);
    for place in [100, 10, 1] {
        text.push(char::from(b'0' + (nanos / place % 10) as u8));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::micros_of;

    #[test]
    fn microseconds_have_three_decimals() {
        for (nanos, text) in [
            (0, "0.000"),
            (7, "0.007"),
            (1_050, "1.050"),
            (123_456_789, "123456.789"),
            (u64::MAX, "18446744073709551.615"),
        ] {
            assert_eq!(micros_of(nanos), text);
        }
    }
}
