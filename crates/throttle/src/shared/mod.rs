//! Buckets that several machines share.

mod decide;
mod lease;
mod level;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use portcullis_redis::{Redis, RedisError, Script};
use tokio::time::timeout;

use crate::buckets::Buckets;
use crate::plans::{SharedQuota, Usage, UsagePlans, shared_holder};
use crate::stats::StoreStats;
use lease::Leases;
use level::{Level, Said};
use portcullis_core::ConfigError;

pub(crate) use decide::check;

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
    spread: bool,
    leases: Option<Arc<Leases>>,
    state: Arc<State>,
    /// The nanoseconds from the beginning of the state's time to that of the layer's.
    offset: i64,
}

/// What is decided while the shared buckets do not answer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else to do")]
pub enum WhenAway {
    /// Everything passes.
    Open,
    /// Nothing passes: 429, as if every limit were reached, with `Retry-After` of a second where
    /// [it is asked for](crate::Headers::retry_after). The reason, in logs and metrics, is the rule `shared-buckets-away`.
    Closed,
    /// This process decides by itself, by this share of every limit: 1 divided by the number of machines keeps the limits. A share of a burst is one token at least.
    Local {
        /// More than 0, at most 1.
        share: f64,
    },
}

#[derive(Debug, Default)]
struct State {
    /// When its time began: with the buckets of the first layer.
    epoch: OnceLock<Instant>,
    /// Until when the server is not asked, in nanoseconds of that time.
    quiet_until: AtomicU64,
    asked: AtomicU64,
    away: AtomicU64,
}

/// How long a server that did not answer is left alone. Then one request asks it, while the others go on without it.
const QUIET: u64 = 100_000_000;

/// How long a request waits for a decision, unless it is said.
const DEADLINE: Duration = Duration::from_millis(25);

/// Put together here, for what is called as a function in a script is made anew by each run of it.
static BUCKET: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("one.lua")));
static BUCKETS: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("start.lua"),
        "local at, out = 1, 3\n",
        "for i = 1, #KEYS do\n",
        include_str!("bucket.lua"),
        "end\n",
        "for i = 1, #KEYS do\n",
        "  redis.call('SET', KEYS[i], values[i], 'PX', lives[i])\n",
        "end\n",
        "return reply\n",
    ))
});
static BUCKETS_AND_QUOTA: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("account.lua"),
        include_str!("start.lua"),
        "local quota = tonumber(ARGV[1])\n",
        "local at, out = 2, 3\n",
        "for i = 1, #KEYS do\n",
        "  if i == quota then\n",
        include_str!("quota.lua"),
        "  else\n",
        include_str!("bucket.lua"),
        "  end\n",
        "end\n",
        "for i = 1, #KEYS do\n",
        "  if i == quota then\n",
        "    keep(KEYS[i], start, finish, used, extra)\n",
        "  else\n",
        "    redis.call('SET', KEYS[i], values[i], 'PX', lives[i])\n",
        "  end\n",
        "end\n",
        "return reply\n",
    ))
});
static GIVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("give.lua")));
static USAGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("account.lua"),
        include_str!("usage.lua")
    ))
});

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
            spread: false,
            leases: None,
            state: Arc::default(),
            offset: 0,
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

    /// Spreads the buckets over the nodes of a cluster. Rules with the same key stand in one slot, and so do the rate and the quota of an API key; each slot is asked by a script of
    /// its own, one after the other and that of the quota last, and gives back what it gave if a later one refuses. In between, others may find that missing.
    pub const fn spread(mut self) -> Self {
        self.spread = true;
        self
    }

    /// Takes up to so many tokens at a time, and spends them without asking: most requests are then decided in the process. More are fetched, beside the requests, when
    /// half of them are spent. A bucket that has none is not asked again before it has.
    ///
    /// Tokens are spent within a second of being taken, or not at all. So in any span of time no more requests pass than the limit allows, and `tokens` for each
    /// machine. `RateLimit` headers on answers for which the server was not asked say what is known from the last time.
    ///
    /// Of a quota, a hundredth of what is left is taken ahead at most, and stays with this process until the period ends.
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

    /// Whether the server did not answer when it was last asked: decisions are made without it.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.state.quiet_until.load(Ordering::Relaxed) != 0
    }

    /// How it has done so far.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        StoreStats {
            away: self.is_away(),
            asked: self.asked(),
            leased: self.leases.as_ref().map_or(0, |leases| leases.decided()),
            decided_away: self.decided_away(),
        }
    }

    /// The same for a layer whose time began at `epoch`.
    pub(crate) fn beginning(mut self, epoch: Instant) -> Self {
        let first = *self.state.epoch.get_or_init(|| {
            self.announce();
            epoch
        });
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        self.offset = match epoch.checked_duration_since(first) {
            Some(later) => nanos(later),
            None => -nanos(first.saturating_duration_since(epoch)),
        };
        self
    }

    /// Says at the start what becomes of requests while the server is away.
    fn announce(&self) {
        let deadline = self.deadline;
        match self.when_away {
            WhenAway::Open => tracing::warn!(
                ?deadline,
                "limits are counted in shared buckets; while these do not answer, every request passes"
            ),
            WhenAway::Closed => tracing::warn!(
                ?deadline,
                "limits are counted in shared buckets; while these do not answer, every request is refused"
            ),
            WhenAway::Local { share } => tracing::info!(
                ?deadline,
                share,
                "limits are counted in shared buckets; while these do not answer, in this process"
            ),
        }
    }

    /// The layer's time as that of the state, which layers over other buckets share.
    const fn at(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.offset)
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

    /// What a key has used of a plan's quota, on all machines together; `None` if there is no such plan, or it has none.
    /// ([`UsagePlans::usage`] says what this process has last heard.)
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub async fn usage(
        &self,
        plans: &UsagePlans,
        plan: &str,
        key: &str,
    ) -> Result<Option<Usage>, RedisError> {
        self.account(plans, plan, key, None).await
    }

    /// Sets how many requests a key has left, on all machines together, until the current period ends: more or fewer than it had. Says how it stands then; `None` if there is no
    /// such plan, or it has no quota.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub async fn set_remaining(
        &self,
        plans: &UsagePlans,
        plan: &str,
        key: &str,
        remaining: u64,
    ) -> Result<Option<Usage>, RedisError> {
        self.account(plans, plan, key, Some(remaining)).await
    }

    async fn account(
        &self,
        plans: &UsagePlans,
        plan: &str,
        key: &str,
        remaining: Option<u64>,
    ) -> Result<Option<Usage>, RedisError> {
        let Some(mut quota) = SharedQuota::named(plans, plan, key) else {
            return Ok(None);
        };
        let holder = shared_holder(plan, key, &Buckets::new(1));
        let slot = if self.spread { &*holder } else { "" };
        let name = self.key(slot, &level::quota_key(plan, &holder));
        let mut arguments = quota.arguments().to_vec();
        arguments.extend(remaining.map(|remaining| remaining.min(level::MOST).to_string()));
        let reply = self.redis.script(&USAGE, &[name], &arguments).await?;
        let standing = match reply[..] {
            [used, extra, start, end] => quota.learn([used, extra, start, end]),
            _ => quota.standing(),
        };
        Ok(Some(standing.into()))
    }

    fn key(&self, slot: &str, key: &str) -> String {
        let group = &self.group;
        let slash = if slot.is_empty() { "" } else { "/" };
        ["{", group, slash, slot, "}:", key].concat()
    }

    /// Takes what each level costs, and up to as much as is wanted, within the deadline.
    async fn take(&self, levels: &[Level]) -> Result<Reply, Away> {
        let sole = match levels {
            [level] => level.sole_arguments().map(|arguments| (level, arguments)),
            _ => None,
        };
        let reply = match sole {
            Some((level, arguments)) => self.take_one(level, &arguments).await?,
            // Boxed, so that it does not make the wait of all others as large.
            None => match Box::pin(timeout(self.deadline, self.take_all(levels))).await {
                Ok(reply) => reply?,
                Err(_) => return Err(Away::Late),
            },
        };
        if self.state.quiet_until.load(Ordering::Relaxed) != 0
            && self.state.quiet_until.swap(0, Ordering::Relaxed) != 0
        {
            tracing::info!("the shared buckets answer again");
        }
        Ok(reply)
    }

    /// Takes what a request costs that has one bucket: what most requests have.
    async fn take_one(&self, level: &Level, arguments: &[String; 3]) -> Result<Reply, Away> {
        self.state.asked.fetch_add(1, Ordering::Relaxed);
        let keys = [self.key(&level.slot, &level.key)];
        let answer = self
            .redis
            .script_within(&BUCKET, &keys, arguments, self.deadline)
            .await
            .map_err(Away::Failed)?;
        let [wait, spent] = answer[..] else {
            return Err(Away::Nonsense);
        };
        let passes = wait == 0;
        let taken = if passes { level.need.cost.into() } else { 0 };
        Ok(Reply {
            refused: (!passes).then_some((0, wait)),
            said: vec![Some(Said::Bucket { spent, taken })],
        })
    }

    /// Asks one slot after the other, until one refuses. That of the quota is the last: what it has counted, others have seen.
    async fn take_all(&self, levels: &[Level]) -> Result<Reply, Away> {
        let mut reply = Reply {
            refused: None,
            said: vec![None; levels.len()],
        };
        let mut slots: Vec<&str> = Vec::new();
        for level in levels {
            if !slots.contains(&&*level.slot) {
                slots.push(&level.slot);
            }
        }
        let counts = |slot: &&str| {
            levels
                .iter()
                .any(|own| own.slot == **slot && own.is_quota())
        };
        slots.sort_by_key(counts);
        for slot in slots {
            let members: Vec<_> = (0..levels.len())
                .filter(|member| levels[*member].slot == slot)
                .collect();
            let quota = members.iter().position(|member| levels[*member].is_quota());
            let script = match quota {
                Some(_) => &BUCKETS_AND_QUOTA,
                None => &BUCKETS,
            };
            let mut arguments = Vec::with_capacity(8 * members.len());
            arguments.extend(quota.map(|index| (index + 1).to_string()));
            for member in &members {
                levels[*member].arguments(&mut arguments);
            }
            self.state.asked.fetch_add(1, Ordering::Relaxed);
            let keys = self.keys(levels, &members);
            let answer = self.redis.script(script, &keys, &arguments).await;
            let answer = answer.map_err(Away::Failed)?;
            let ([refusing, micros], mut rest) =
                answer.split_first_chunk().ok_or(Away::Nonsense)?;
            let refusing = usize::try_from(*refusing).map_err(|_| Away::Nonsense)?;
            let looked_at = if refusing == 0 {
                members.len()
            } else {
                refusing
            };
            for member in members.iter().take(looked_at) {
                let said = levels[*member].read(&mut rest).ok_or(Away::Nonsense)?;
                reply.said[*member] = Some(said);
            }
            if refusing > 0 {
                let refused = members.get(refusing - 1).ok_or(Away::Nonsense)?;
                reply.refused = Some((*refused, *micros));
                self.give_back(levels, &mut reply, slot);
                return Ok(reply);
            }
        }
        Ok(reply)
    }

    /// Gives back, beside the request, what other slots gave than the one that refused, which gave nothing.
    fn give_back(&self, levels: &[Level], reply: &mut Reply, refusing: &str) {
        let mut done: Vec<&str> = vec![refusing];
        for (member, said) in reply.said.iter_mut().enumerate() {
            let level = &levels[member];
            if let Some(said) = said.as_mut().filter(|_| level.slot == refusing) {
                level.is_not_taken(said);
            }
        }
        for level in levels {
            if done.contains(&&*level.slot) {
                continue;
            }
            done.push(&level.slot);
            let taken = |member: &usize| {
                let own = levels[*member].slot == level.slot;
                own && reply.said[*member].is_some()
            };
            let members: Vec<_> = (0..levels.len()).filter(taken).collect();
            if members.is_empty() {
                continue;
            }
            let keys = self.keys(levels, &members);
            let arguments = members.iter().map(|member| {
                let taken = reply.said[*member].map_or(0, Said::taken);
                levels[*member].worth(taken)
            });
            let arguments: Vec<_> = arguments.collect();
            let redis = self.redis.clone();
            tokio::spawn(async move {
                if let Err(error) = redis.script(&GIVE, &keys, &arguments).await {
                    tracing::debug!(%error, "tokens are not given back");
                }
            });
        }
    }

    fn keys(&self, levels: &[Level], members: &[usize]) -> Vec<String> {
        let levels = members.iter().map(|member| &levels[*member]);
        levels
            .map(|level| self.key(&level.slot, &level.key))
            .collect()
    }

    fn count_away(&self) {
        self.state.away.fetch_add(1, Ordering::Relaxed);
    }

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
}

/// What the server has said about a request.
struct Reply {
    /// Which level refuses, and for how many microseconds.
    refused: Option<(usize, i64)>,
    /// What was said of each, if it was looked at.
    said: Vec<Option<Said>>,
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

impl fmt::Debug for SharedBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBuckets")
            .field("redis", &self.redis)
            .field("when_away", &self.when_away)
            .field("deadline", &self.deadline)
            .field("group", &self.group)
            .field("spread", &self.spread)
            .finish_non_exhaustive()
    }
}
