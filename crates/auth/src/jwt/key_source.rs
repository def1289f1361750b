//! The keys of an issuer, kept and renewed: when to fetch, when to wait, when to do with what there is.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use portcullis_core::{Clock, Live};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::fault::TokenFault;
use super::fetch::{Fetch, FetchError, Fetched, Step};
use super::key_set::KeySet;

/// Keys are kept for two hours, as in the service, unless the issuer says less.
const LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);
/// However often an issuer wants to be asked, it is not asked more often than this.
const LEAST_LIFETIME: Duration = Duration::from_secs(60);
/// While the issuer is away, keys serve for this long after they should have been renewed.
pub(crate) const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// Requests with unknown keys may cause this many fetches at once …
const CREDITS: u32 = 5;
/// … and one more each time that this has passed.
const CREDIT_EVERY: Duration = Duration::from_secs(30);
/// The waits between attempts that fail, doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest of them while there are keys to go on with, and while there are none.
const LAST_RETRY: Duration = Duration::from_secs(5 * 60);
const LAST_RETRY_WITHOUT_KEYS: Duration = Duration::from_secs(30);

/// The keys of one issuer. Whoever needs them shares it; it fetches at most once at a time.
pub(crate) struct KeySource {
    issuer: Box<str>,
    fetch: Fetch,
    clock: Arc<dyn Clock>,
    max_stale: Duration,
    started: Instant,
    held: Live<Option<Held>>,
    /// When the next fetch is due that nobody waits for, in milliseconds since `started`.
    due: AtomicU64,
    /// The last fetch failed.
    away: AtomicBool,
    flight: Mutex<Flight>,
    fetches: AtomicU64,
    failures: AtomicU64,
}

struct Held {
    keys: Arc<KeySet>,
    json: Bytes,
    generation: u64,
    fresh_until: Instant,
    usable_until: Instant,
}

struct Flight {
    /// Turns true when the fetch under way has ended.
    running: Option<watch::Receiver<bool>>,
    /// Failures in a row.
    failed: u32,
    retry_at: Instant,
    last_failure: Step,
    credits: u32,
    credited_at: Instant,
}

/// Keys as they were at one moment. The generation changes with them.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) keys: Arc<KeySet>,
    pub(crate) generation: u64,
}

/// What became of the wish to renew keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// They were fetched for this wish.
    Fetched,
    /// They were fetched for an earlier one.
    Joined,
    /// They were fetched too often already, or the issuer is away.
    Refused,
}

/// Figures about an issuer's keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyStats {
    /// How many keys are held.
    pub keys: usize,
    /// How often keys were asked for.
    pub fetches: u64,
    /// How many of these failed.
    pub failures: u64,
    /// Whether the last one did.
    pub away: bool,
}

impl KeySource {
    pub(crate) fn new(
        issuer: &str,
        fetch: Fetch,
        clock: Arc<dyn Clock>,
        max_stale: Duration,
    ) -> Arc<Self> {
        let now = clock.now();
        Arc::new(Self {
            issuer: issuer.into(),
            fetch,
            clock,
            max_stale,
            started: now,
            held: Live::new(None),
            due: AtomicU64::new(u64::MAX),
            away: AtomicBool::new(false),
            flight: Mutex::new(Flight {
                running: None,
                failed: 0,
                retry_at: now,
                last_failure: Step::Keys,
                credits: CREDITS,
                credited_at: now,
            }),
            fetches: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    /// The keys, if they can be had without waiting. Starts the fetch that is due in the background.
    pub(crate) fn ready(self: &Arc<Self>) -> Option<Keys> {
        let now = self.clock.now();
        if self.millis(now) >= self.due.load(Ordering::Relaxed) {
            self.refresh_ahead(now);
        }
        self.usable(now, self.away.load(Ordering::Relaxed))
    }

    /// The keys, waited for if need be.
    pub(crate) async fn wait(self: Arc<Self>) -> Result<Keys, TokenFault> {
        if let Some(done) = self.join_or_start() {
            ended(done).await;
        }
        let fault = self.lock().last_failure.fault();
        self.usable(self.clock.now(), true).ok_or(fault)
    }

    /// Fetches the keys because a token names one that is not among them.
    pub(crate) async fn renew(self: Arc<Self>) -> Renewed {
        let now = self.clock.now();
        let (done, renewed) = {
            let mut flight = self.lock();
            match flight.running() {
                Some(done) => (done, Renewed::Joined),
                None if flight.failed > 0 && now < flight.retry_at => return Renewed::Refused,
                None if !flight.take_credit(now) => {
                    tracing::debug!(issuer = &*self.issuer, "keys are not fetched again so soon");
                    return Renewed::Refused;
                }
                None => match self.start(&mut flight, true) {
                    Some(done) => (done, Renewed::Fetched),
                    None => return Renewed::Refused,
                },
            }
        };
        ended(done).await;
        renewed
    }

    /// Fetches the keys now.
    pub(crate) async fn refresh(self: Arc<Self>) -> Result<(), TokenFault> {
        let done = {
            let mut flight = self.lock();
            match flight.running() {
                Some(done) => Some(done),
                None => self.start(&mut flight, false),
            }
        };
        if let Some(done) = done {
            ended(done).await;
        }
        match self.away.load(Ordering::Relaxed) || self.held.load().is_none() {
            true => Err(self.lock().last_failure.fault()),
            false => Ok(()),
        }
    }

    pub(crate) fn stats(&self) -> KeyStats {
        KeyStats {
            keys: (**self.held.load())
                .as_ref()
                .map_or(0, |held| held.keys.len()),
            fetches: self.fetches.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            away: self.away.load(Ordering::Relaxed),
        }
    }

    /// The keys that are held, if they may be used; with `stale` also those that should have been renewed.
    fn usable(&self, now: Instant, stale: bool) -> Option<Keys> {
        let held = self.held.load();
        let held = (**held).as_ref()?;
        let until = if stale {
            held.usable_until
        } else {
            held.fresh_until
        };
        (now < until).then(|| Keys {
            keys: Arc::clone(&held.keys),
            generation: held.generation,
        })
    }

    fn refresh_ahead(self: &Arc<Self>, now: Instant) {
        let mut flight = self.lock();
        let due = self.millis(now) >= self.due.load(Ordering::Relaxed);
        if due && flight.running().is_none() {
            self.start(&mut flight, false);
        }
    }

    /// What to wait for: the fetch under way or a new one; nothing while another try would be too soon.
    fn join_or_start(self: &Arc<Self>) -> Option<watch::Receiver<bool>> {
        let now = self.clock.now();
        let mut flight = self.lock();
        if let Some(done) = flight.running() {
            return Some(done);
        }
        // Somebody else's wait may have ended in between.
        if self.usable(now, false).is_some() || (flight.failed > 0 && now < flight.retry_at) {
            return None;
        }
        self.start(&mut flight, false)
    }

    /// Fetches in a task of its own, so that clients who go away take nothing with them.
    fn start(self: &Arc<Self>, flight: &mut Flight, again: bool) -> Option<watch::Receiver<bool>> {
        let Ok(runtime) = Handle::try_current() else {
            tracing::error!("keys can be fetched only within a tokio runtime");
            return None;
        };
        self.fetches.fetch_add(1, Ordering::Relaxed);
        self.due.store(u64::MAX, Ordering::Relaxed);
        let (end, done) = watch::channel(false);
        flight.running = Some(done.clone());
        let source = Arc::clone(self);
        runtime.spawn(async move {
            let outcome = source.fetch.run(again).await;
            source.settle(outcome);
            end.send_replace(true);
        });
        Some(done)
    }

    fn settle(&self, outcome: Result<Fetched, FetchError>) {
        let now = self.clock.now();
        let mut flight = self.lock();
        flight.running = None;
        match outcome {
            Ok(fetched) => {
                let lifetime = fetched
                    .max_age
                    .unwrap_or(LIFETIME)
                    .clamp(LEAST_LIFETIME, LIFETIME);
                self.hold(fetched, now + lifetime);
                flight.failed = 0;
                self.away.store(false, Ordering::Relaxed);
                // Ahead of need: requests never wait for it.
                self.set_due(now + lifetime.mul_f32(0.8));
            }
            Err(error) => {
                let has_keys = self.usable(now, true).is_some();
                let longest = if has_keys {
                    LAST_RETRY
                } else {
                    LAST_RETRY_WITHOUT_KEYS
                };
                let wait = FIRST_RETRY
                    .saturating_mul(1 << flight.failed.min(16))
                    .min(longest);
                flight.failed += 1;
                flight.retry_at = now + wait;
                flight.last_failure = error.step;
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.away.store(true, Ordering::Relaxed);
                self.set_due(flight.retry_at);
                tracing::warn!(
                    issuer = &*self.issuer,
                    %error,
                    has_keys,
                    retry_in_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                    "the issuer's keys cannot be fetched"
                );
            }
        }
    }

    fn hold(&self, fetched: Fetched, fresh_until: Instant) {
        let before = self.held.load_full();
        let same = before
            .as_ref()
            .as_ref()
            .filter(|held| held.json == fetched.json);
        let (keys, generation) = match (same, before.as_ref()) {
            (Some(same), _) => (Arc::clone(&same.keys), same.generation),
            (None, before) => {
                let generation = before.as_ref().map_or(0, |held| held.generation + 1);
                tracing::info!(
                    issuer = &*self.issuer,
                    keys = fetched.keys.len(),
                    "the issuer's keys are new"
                );
                (Arc::new(fetched.keys), generation)
            }
        };
        self.held.replace(Some(Held {
            keys,
            json: fetched.json,
            generation,
            fresh_until,
            usable_until: fresh_until + self.max_stale,
        }));
    }

    fn set_due(&self, at: Instant) {
        self.due.store(self.millis(at), Ordering::Relaxed);
    }

    fn millis(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// The fetch under way. (One whose runtime has ended left its channel closed behind.)
    fn running(&self) -> Option<watch::Receiver<bool>> {
        self.running
            .as_ref()
            .filter(|running| running.has_changed().is_ok())
            .cloned()
    }

    fn take_credit(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.credited_at);
        let earned = u32::try_from(passed.as_secs() / CREDIT_EVERY.as_secs()).unwrap_or(CREDITS);
        if earned > 0 {
            self.credits = self.credits.saturating_add(earned).min(CREDITS);
            self.credited_at = now;
        }
        let taken = self.credits > 0;
        self.credits = self.credits.saturating_sub(1);
        taken
    }
}

async fn ended(mut done: watch::Receiver<bool>) {
    // An error means that the task is gone, which ends the wait as well.
    let _ = done.wait_for(|done| *done).await;
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySource")
            .field("issuer", &self.issuer)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
