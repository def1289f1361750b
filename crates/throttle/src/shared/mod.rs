//! Buckets that several machines share.

mod lease;

use std::fmt;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::RETRY_AFTER;
use portcullis_core::{
    BoxAsk, Decision, Head, LimitStanding, Rejection, RejectionKind, RequestContext, Verdict,
};
use portcullis_redis::{Redis, RedisError, Script};
use tokio::time::timeout;

use crate::bucket::Take;
use crate::error::ConfigError;
use crate::headers;
use crate::layer::Shared;
use crate::limit::Limit;
use crate::plans::Claim;
use crate::rule;
use crate::stats::USAGE_PLAN;
use lease::{Leases, Spend};

/// Buckets in Redis or Valkey, which the layers of several machines share.
///
/// One script decides about all rules of a request at once, by the server's clock. What happens while the server does not answer must be said:
///
/// ```
/// use std::time::Duration;
///
/// use portcullis_redis::Redis;
/// use portcullis_throttle::{Key, Limit, Rule, SharedBuckets, ThrottleLayer, WhenAway};
///
/// let redis = Redis::builder("redis://127.0.0.1:6379").build()?;
/// // Each of two machines lets half of every limit pass while it is alone.
/// let shared = SharedBuckets::new(redis, WhenAway::Local { share: 0.5 })?.deadline(Duration::from_millis(10));
/// let layer = ThrottleLayer::builder()
///     .rule(Rule::new("per-client", Key::client_address(), Limit::per_second(5.0, 10)?))
///     .shared(shared)
///     .build()?;
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct SharedBuckets {
    redis: Redis,
    when_away: WhenAway,
    deadline: Duration,
    group: Arc<str>,
    leases: Option<Arc<Leases>>,
    state: Arc<State>,
}

/// What is decided while the shared buckets do not answer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else to do")]
pub enum WhenAway {
    /// Everything passes.
    Open,
    /// Nothing passes: 429.
    Closed,
    /// This process decides by itself, by this share of every limit: 1 divided by the number of machines keeps the limits. A share of a burst is one token at least.
    Local {
        /// More than 0, at most 1.
        share: f64,
    },
}

#[derive(Debug, Default)]
struct State {
    /// Until when the server is not asked, in the nanoseconds of the buckets.
    quiet_until: AtomicU64,
    asked: AtomicU64,
    away: AtomicU64,
}

/// How long a server that did not answer is left alone. Then one request asks it, while the others go on without it.
const QUIET: u64 = 100_000_000;

/// How long a request waits for a decision, unless it is said.
const DEADLINE: Duration = Duration::from_millis(25);

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));

impl SharedBuckets {
    /// Buckets behind this connection.
    ///
    /// # Errors
    ///
    /// If the share of [`WhenAway::Local`] is not above 0 and at most 1.
    pub fn new(redis: Redis, when_away: WhenAway) -> Result<Self, ConfigError> {
        if let WhenAway::Local { share } = when_away
            && !(share > 0.0 && share <= 1.0)
        {
            let fix = "give a number above 0, at most 1";
            return Err(ConfigError::new(
                "whenAway.share",
                share,
                "is no share",
                fix,
            ));
        }
        Ok(Self {
            redis,
            when_away,
            deadline: DEADLINE,
            group: Arc::from("throttle"),
            leases: None,
            state: Arc::default(),
        })
    }

    /// How long a request waits for a decision: 25 ms unless this says otherwise.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The hash tag of all keys, `throttle` unless this says otherwise: what has the same stands in one slot of a cluster, so that one script can decide.
    pub fn group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.group = group.into();
        self
    }

    /// Takes up to so many tokens at a time, and spends them without asking: most requests are then decided in the process. More are fetched, beside the requests, when
    /// half of them are spent. A bucket that has none is not asked again before it has.
    ///
    /// Tokens are spent within a second of being taken, or not at all. So in any span of time no more requests pass than the limit allows, and `tokens` for each
    /// machine. `RateLimit` headers stand only on answers for which the server was asked.
    ///
    /// # Errors
    ///
    /// If it is less than 2.
    pub fn lease(mut self, tokens: u32) -> Result<Self, ConfigError> {
        if tokens < 2 {
            let fix = "give at least 2, or do without";
            return Err(ConfigError::new("lease", tokens, "is no lease", fix));
        }
        self.leases = Some(Arc::new(Leases::new(tokens)));
        Ok(self)
    }

    /// How many times the server was asked.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.state.asked.load(Ordering::Relaxed)
    }

    /// How many decisions were made without the server, because it did not answer.
    #[must_use]
    pub fn decided_away(&self) -> u64 {
        self.state.away.load(Ordering::Relaxed)
    }

    /// Whether the server may be asked now. Of those who come when its rest is over, one may.
    fn may_ask(&self, now: u64) -> bool {
        let until = self.state.quiet_until.load(Ordering::Relaxed);
        if until == 0 {
            return true;
        }
        now >= until
            && self
                .state
                .quiet_until
                .compare_exchange(until, now + QUIET, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Takes what each level costs, and up to as much as is wanted.
    async fn take(&self, levels: &[Level], wants: &[u32]) -> Result<Vec<i64>, Away> {
        self.state.asked.fetch_add(1, Ordering::Relaxed);
        let keys: Vec<_> = levels
            .iter()
            .map(|level| format!("{{{}}}:{}", self.group, level.key))
            .collect();
        let arguments: Vec<_> = levels
            .iter()
            .zip(wants)
            .flat_map(|(level, want)| {
                let period = level.limit.period() as f64 / 1000.0;
                [
                    format!("{period:.3}"),
                    level.limit.burst().to_string(),
                    level.cost.to_string(),
                    want.to_string(),
                ]
            })
            .collect();
        match timeout(self.deadline, self.redis.script(&TAKE, &keys, &arguments)).await {
            Ok(Ok(reply)) if reply.len() >= 2 && reply.len() % 2 == 0 => {
                if self.state.quiet_until.swap(0, Ordering::Relaxed) != 0 {
                    tracing::info!("the shared buckets answer again");
                }
                Ok(reply)
            }
            Ok(Ok(_)) => Err(Away::Nonsense),
            Ok(Err(error)) => Err(Away::Failed(error)),
            Err(_) => Err(Away::Late),
        }
    }
}

impl SharedBuckets {
    /// Leaves a server alone for a while that did not answer.
    fn leave_alone(&self, away: &Away, now: u64) {
        // It is not the server that has too much to do.
        if matches!(away, Away::Failed(error) if error.is_busy()) {
            return;
        }
        if self.state.quiet_until.swap(now + QUIET, Ordering::Relaxed) == 0 {
            let conduct = self.when_away;
            tracing::error!(%away, ?conduct, "the shared buckets do not answer");
        }
    }

    /// Fetches tokens of the buckets that have few left, beside the request.
    fn fetch(&self, leases: &Arc<Leases>, levels: Vec<Level>, now: u64) {
        for mut level in levels {
            let Some(want) = leases.wanted(level.id, now) else {
                continue;
            };
            if !self.may_ask(now) {
                leases.end(level.id);
                continue;
            }
            let (store, leases) = (self.clone(), Arc::clone(leases));
            level.cost = 1;
            tokio::spawn(async move {
                let id = level.id;
                match store.take(&[level], &[want]).await {
                    Ok(reply) if reply[0] == 0 && reply.len() == 4 => {
                        leases.put(id, u32::try_from(reply[3]).unwrap_or(0), now);
                    }
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

/// Why there is no decision.
#[derive(Debug)]
enum Away {
    Late,
    Failed(RedisError),
    Nonsense,
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("it is late"),
            Self::Failed(error) => fmt::Display::fmt(error, f),
            Self::Nonsense => f.write_str("its answer is none"),
        }
    }
}

/// One limit that a request must be within.
pub(crate) struct Level {
    /// The bucket's key in the shared store, and its hash in this process.
    pub(crate) key: String,
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) limit: Limit,
    pub(crate) cost: u32,
    pub(crate) refusal: Rejection,
    /// Where its refusals are counted.
    pub(crate) counter: usize,
}

/// Everything that one request must be within.
struct Question {
    levels: Vec<Level>,
    claim: Option<Claim>,
    context: Option<RequestContext>,
}

/// Decides about a request, or asks the shared buckets.
pub(crate) fn check(
    shared: &Arc<Shared>,
    store: &SharedBuckets,
    head: &Head<'_>,
) -> Verdict<BoxAsk> {
    let now = shared.buckets.now();
    let mut levels = Vec::with_capacity(shared.rules.len() + 1);
    let mut claim = shared.plans.as_ref().and_then(|plans| plans.claim(head));
    if let Some(claim) = &claim {
        levels.extend(claim.level(head, &shared.buckets, USAGE_PLAN));
    }
    for (counter, rule) in shared.rules.iter().enumerate() {
        levels.push(rule.level(head, counter));
    }
    // What never passes need not be asked about.
    if let Some(level) = levels.iter().find(|level| level.cost > level.limit.burst()) {
        shared.counters.refused(level.counter, now);
        return Verdict::Refuse(level.refusal.clone().for_api(shared.api));
    }
    levels.retain(|level| level.cost > 0);
    if let (Some(plans), Some(claim)) = (&shared.plans, &mut claim)
        && let Err(refusal) = shared.count(plans, claim, head, now)
    {
        return Verdict::Refuse(refusal);
    }
    let question = Question {
        levels,
        claim,
        context: head.context().cloned(),
    };
    if question.levels.is_empty() {
        shared.counters.passed(now);
        return Verdict::Pass;
    }
    if let Some(leases) = &store.leases {
        let costs: Vec<_> = question
            .levels
            .iter()
            .map(|level| (level.id, level.cost))
            .collect();
        match leases.spend(&costs, now) {
            Spend::Passed => {
                store.fetch(leases, question.levels, now);
                shared.counters.passed(now);
                return Verdict::Pass;
            }
            Spend::Refused { level, wait } => {
                let level = &question.levels[level];
                return Verdict::Refuse(question.refuse(shared, level, Some(wait), now));
            }
            Spend::Ask => {}
        }
    }
    if !store.may_ask(now) {
        return match question.alone(shared, store, now) {
            Ok(()) => Verdict::Pass,
            Err(refusal) => Verdict::Refuse(refusal),
        };
    }
    let (shared, store) = (Arc::clone(shared), store.clone());
    Verdict::Ask(Box::pin(async move { question.ask(&shared, &store).await }))
}

impl Question {
    async fn ask(self, shared: &Shared, store: &SharedBuckets) -> Result<(), Rejection> {
        let now = shared.buckets.now();
        let wants: Vec<_> = self
            .levels
            .iter()
            .map(|level| match &store.leases {
                Some(leases) => leases.want(level.id, level.cost, now),
                None => level.cost,
            })
            .collect();
        let reply = match store.take(&self.levels, &wants).await {
            Ok(reply) => reply,
            Err(away) => {
                let now = shared.buckets.now();
                store.leave_alone(&away, now);
                return self.alone(shared, store, now);
            }
        };
        let now = shared.buckets.now();
        let nanos = |micros: i64| u64::try_from(micros).unwrap_or(0).saturating_mul(1000);
        for (level, said) in self.levels.iter().zip(reply[2..].chunks(2)) {
            self.note(shared, || {
                rule::standing(&level.name, &level.limit, nanos(said[0]))
            });
        }
        let refusing = usize::try_from(reply[0])
            .ok()
            .and_then(|index| index.checked_sub(1));
        match refusing.and_then(|index| self.levels.get(index)) {
            Some(level) => {
                if let Some(leases) = &store.leases {
                    for own in &self.levels {
                        leases.end(own.id);
                    }
                    leases.refuse(level.id, nanos(reply[1]), now);
                }
                Err(self.refuse(shared, level, Some(nanos(reply[1])), now))
            }
            None => {
                if let Some(leases) = &store.leases {
                    for (level, said) in self.levels.iter().zip(reply[2..].chunks(2)) {
                        let more = u32::try_from(said[1])
                            .unwrap_or(0)
                            .saturating_sub(level.cost);
                        leases.put(level.id, more, now);
                    }
                }
                shared.counters.passed(now);
                Ok(())
            }
        }
    }

    /// Decides without the shared buckets.
    fn alone(&self, shared: &Shared, store: &SharedBuckets, now: u64) -> Result<(), Rejection> {
        store.state.away.fetch_add(1, Ordering::Relaxed);
        let share = match store.when_away {
            WhenAway::Open => {
                shared.counters.passed(now);
                return Ok(());
            }
            WhenAway::Closed => {
                self.give_quota_back(shared);
                let decision = Decision::new("throttle", "shared-buckets-away");
                let refusal = Rejection::new(RejectionKind::Throttled).with_decision(decision);
                return Err(refusal.for_api(shared.api));
            }
            WhenAway::Local { share } => share,
        };
        for (index, level) in self.levels.iter().enumerate() {
            let limit = level.limit.share(share);
            let take =
                match shared
                    .buckets
                    .take(level.id, &limit, level.cost.min(limit.burst()), now)
                {
                    Some(take) => take,
                    None => {
                        shared.buckets.count_overflow();
                        let bucket = shared.buckets.named(&level.name);
                        bucket.take(&limit, level.cost.min(limit.burst()), now)
                    }
                };
            let (Take::Taken { debt } | Take::Wait { debt, .. }) = take;
            self.note(shared, || rule::standing(&level.name, &limit, debt));
            if let Take::Wait { nanos, .. } = take {
                for level in &self.levels[..index] {
                    let limit = level.limit.share(share);
                    shared
                        .buckets
                        .give_back(level.id, &limit, level.cost.min(limit.burst()));
                }
                return Err(self.refuse(shared, level, nanos, now));
            }
        }
        shared.counters.passed(now);
        Ok(())
    }

    fn refuse(&self, shared: &Shared, level: &Level, wait: Option<u64>, now: u64) -> Rejection {
        self.give_quota_back(shared);
        shared.counters.refused(level.counter, now);
        let refusal = level.refusal.clone().for_api(shared.api);
        match wait {
            Some(nanos) if shared.headers.tells_retry_after() => {
                refusal.with_header(RETRY_AFTER, headers::seconds(nanos))
            }
            _ => refusal,
        }
    }

    fn give_quota_back(&self, shared: &Shared) {
        if let (Some(plans), Some(claim)) = (&shared.plans, &self.claim) {
            plans.give_back(claim, &shared.buckets);
        }
    }

    fn note(&self, shared: &Shared, standing: impl FnOnce() -> LimitStanding) {
        if shared.headers.on_every_answer()
            && let Some(context) = &self.context
        {
            context.note_limit(standing());
        }
    }
}

impl fmt::Debug for SharedBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBuckets")
            .field("redis", &self.redis)
            .field("when_away", &self.when_away)
            .field("deadline", &self.deadline)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
