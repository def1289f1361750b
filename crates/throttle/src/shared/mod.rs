//! Buckets that several machines share.

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

    /// How many decisions the server was asked for.
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

    async fn take(&self, levels: &[Level]) -> Result<Vec<i64>, Away> {
        self.state.asked.fetch_add(1, Ordering::Relaxed);
        let keys: Vec<_> = levels
            .iter()
            .map(|level| format!("{{{}}}:{}", self.group, level.key))
            .collect();
        let arguments: Vec<_> = levels
            .iter()
            .flat_map(|level| {
                let period = level.limit.period() as f64 / 1000.0;
                [
                    format!("{period:.3}"),
                    level.limit.burst().to_string(),
                    level.cost.to_string(),
                ]
            })
            .collect();
        match timeout(self.deadline, self.redis.script(&TAKE, &keys, &arguments)).await {
            Ok(Ok(reply)) if reply.len() >= 2 => Ok(reply),
            Ok(Ok(_)) => Err(Away::Nonsense),
            Ok(Err(error)) => Err(Away::Failed(error)),
            Err(_) => Err(Away::Late),
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
        let reply = match store.take(&self.levels).await {
            Ok(reply) => {
                if store.state.quiet_until.swap(0, Ordering::Relaxed) != 0 {
                    tracing::info!("the shared buckets answer again");
                }
                reply
            }
            Err(away) => {
                let now = shared.buckets.now();
                if store.state.quiet_until.swap(now + QUIET, Ordering::Relaxed) == 0 {
                    let conduct = store.when_away;
                    tracing::error!(%away, ?conduct, "the shared buckets do not answer");
                }
                return self.alone(shared, store, now);
            }
        };
        let now = shared.buckets.now();
        let nanos = |micros: i64| u64::try_from(micros).unwrap_or(0).saturating_mul(1000);
        for (level, spent) in self.levels.iter().zip(&reply[2..]) {
            self.note(shared, || {
                rule::standing(&level.name, &level.limit, nanos(*spent))
            });
        }
        let refusing = usize::try_from(reply[0])
            .ok()
            .and_then(|index| index.checked_sub(1));
        match refusing.and_then(|index| self.levels.get(index)) {
            Some(level) => Err(self.refuse(shared, level, Some(nanos(reply[1])), now)),
            None => {
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
