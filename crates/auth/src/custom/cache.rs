//! Answers that are kept, and questions that are asked once for all who wait.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_lc_rs::digest::{self, SHA256};
use portcullis_core::Live;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::reply::{AuthorizerError, AuthorizerReply};

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
    flights: Mutex<HashMap<Key, watch::Receiver<Option<Outcome>>>>,
    flushes: AtomicU64,
    /// By stage. A stage that is not in it was never flushed.
    stage_flushes: Live<HashMap<Box<str>, u64>>,
}

/// What is kept is found by a digest: nothing of a token is in memory, and looking allocates nothing.
pub(super) type Key = [u8; 32];
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
/// Questions under way that go on though whoever asked has gone away. Beyond, a question ends with its request.
const MAX_FLIGHTS: usize = 1024;

impl AuthorizerCache {
    /// A cache of at most about so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / (ENTRY_BYTES + 1024)).unwrap_or(usize::MAX);
        Self {
            shared: Arc::new(Shared {
                kept: Cache::with_weighter(entries, bytes, Weigh),
                flights: Mutex::default(),
                flushes: AtomicU64::new(0),
                stage_flushes: Live::default(),
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
        // The lock keeps two flushes at once from losing one.
        let _flights = self.flights();
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

    pub(super) fn keep(&self, key: Key, answer: Arc<Kept>) {
        self.shared.kept.insert(key, answer);
    }

    /// Asks once for all who want to know the same at one time.
    pub(super) async fn ask_once<F>(&self, key: Key, ask: impl FnOnce() -> F) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let started = {
            let mut flights = self.flights();
            if let Some(running) = flights.get(&key)
                && running.has_changed().is_ok()
            {
                Ok(running.clone())
            } else if flights.len() < MAX_FLIGHTS
                && let Ok(runtime) = Handle::try_current()
            {
                let (end, running) = watch::channel(None);
                flights.insert(key, running.clone());
                let (cache, question) = (self.clone(), ask());
                runtime.spawn(async move {
                    let _landed = Landing { cache, key };
                    end.send_replace(Some(question.await));
                });
                Ok(running)
            } else {
                Err(ask())
            }
        };
        match started {
            Err(question) => question.await,
            Ok(mut running) => match running.wait_for(Option::is_some).await {
                Ok(outcome) => outcome.clone().expect("it is there, that was waited for"),
                Err(_) => Err(AuthorizerError::Failed("it broke off".to_owned())),
            },
        }
    }

    fn flights(&self) -> std::sync::MutexGuard<'_, HashMap<Key, watch::Receiver<Option<Outcome>>>> {
        self.shared
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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

/// Takes a question off the list when it has been answered, or its task is gone.
struct Landing {
    cache: AuthorizerCache,
    key: Key,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.cache.flights().remove(&self.key);
    }
}

/// The digest of parts, of which none can be taken for another.
pub(super) fn key<'a>(parts: impl Iterator<Item = &'a str>) -> Key {
    let mut digest = digest::Context::new(&SHA256);
    for part in parts {
        digest.update(&(part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    let mut key = Key::default();
    key.copy_from_slice(digest.finish().as_ref());
    key
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

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn identities_of_several_parts_are_not_taken_for_one_another() {
        let of = |parts: &[&str]| key(parts.iter().copied());
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["ab", ""]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
    }
}
