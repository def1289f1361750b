//! Answers that are kept, and questions that are asked once for all who wait.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use portcullis_core::Live;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::reply::{AuthorizerError, AuthorizerReply};
use crate::flights::{Flights, Key};

/// The answers of one authorizer that are kept. Clones are one cache.
///
/// It holds digests of identities, not the identities, and as many answers as fit into its memory: the least used leave.
///
/// ```
/// use std::time::Duration;
/// use portcullis_auth::custom::{AuthorizerCache, AuthorizerReply, AuthorizerRequest, CustomAuthorizerLayer};
///
/// let cache = AuthorizerCache::new(1024 * 1024);
/// let layer = CustomAuthorizerLayer::new(async |_: AuthorizerRequest| Ok(AuthorizerReply::allow("me")))
///     .identity_sources(["$request.header.Authorization"])?
///     .cache(cache.clone())
///     .cache_for(Duration::from_secs(60));
/// // Somebody's rights have changed:
/// cache.flush();
/// # let _ = layer;
/// # Ok::<(), portcullis_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct AuthorizerCache {
    shared: Arc<Shared>,
}

struct Shared {
    kept: Cache<Key, Arc<Kept>, Weigh>,
    flights: Flights<Outcome>,
    flushes: AtomicU64,
    /// By stage. A stage that is not in it was never flushed.
    stage_flushes: Live<HashMap<Box<str>, u64>>,
    flushing: Mutex<()>,
}

pub(super) type Outcome = Result<Arc<Kept>, AuthorizerError>;

/// An answer with what it was given for.
pub(super) struct Kept {
    pub(super) reply: AuthorizerReply,
    /// The method that the authorizer was asked about.
    pub(super) asked: Box<str>,
    until: Instant,
    flushes: u64,
}

const BYTES: u64 = 16 * 1024 * 1024;
/// What an entry takes beside its answer.
const ENTRY_BYTES: u64 = 160;

impl AuthorizerCache {
    /// A cache of at most about so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / (ENTRY_BYTES + 1024)).unwrap_or(usize::MAX);
        Self {
            shared: Arc::new(Shared {
                kept: Cache::with_weighter(entries, bytes, Weigh),
                flights: Flights::default(),
                flushes: AtomicU64::new(0),
                stage_flushes: Live::default(),
                flushing: Mutex::new(()),
            }),
        }
    }

    /// Forgets all answers, and those that are on their way.
    pub fn flush(&self) {
        self.shared.flushes.fetch_add(1, Ordering::AcqRel);
        self.shared.kept.clear();
    }

    /// Forgets the answers that were given for requests to this stage, and those that are on their way.
    pub fn flush_stage(&self, stage: &str) {
        let _one_at_a_time = self
            .shared
            .flushing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut flushes = (**self.shared.stage_flushes.load()).clone();
        *flushes.entry(stage.into()).or_default() += 1;
        self.shared.stage_flushes.replace(flushes);
    }

    /// How many answers are kept. Those that are too old are among them until they are looked for or make room.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.kept.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often this stage was flushed, by itself or with the others.
    pub(super) fn flushes(&self, stage: &str) -> u64 {
        let own = self.shared.stage_flushes.load();
        let own = own.get(stage).copied().unwrap_or_default();
        self.shared.flushes.load(Ordering::Acquire) + own
    }

    pub(super) fn find(&self, key: &Key, now: Instant, flushes: u64) -> Option<Arc<Kept>> {
        let kept = self.shared.kept.get(key)?;
        if kept.until > now && kept.flushes == flushes {
            return Some(kept);
        }
        self.shared.kept.remove(key);
        None
    }

    pub(super) fn flights(&self) -> &Flights<Outcome> {
        &self.shared.flights
    }

    pub(super) fn keep(&self, key: Key, answer: Arc<Kept>) {
        self.shared.kept.insert(key, answer);
    }
}

impl Kept {
    /// An answer to a question about the method `asked`, which was asked after so many flushes.
    pub(super) fn new(reply: AuthorizerReply, asked: &str, until: Instant, flushes: u64) -> Self {
        Self {
            reply,
            asked: asked.into(),
            until,
            flushes,
        }
    }
}

impl Default for AuthorizerCache {
    /// One of 16 MiB.
    fn default() -> Self {
        Self::new(BYTES)
    }
}

#[derive(Clone)]
struct Weigh;

impl Weighter<Key, Arc<Kept>> for Weigh {
    fn weight(&self, _key: &Key, kept: &Arc<Kept>) -> u64 {
        ENTRY_BYTES + (kept.asked.len() + kept.reply.bytes()) as u64
    }
}

impl fmt::Debug for AuthorizerCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizerCache")
            .field("kept", &self.len())
            .finish_non_exhaustive()
    }
}
