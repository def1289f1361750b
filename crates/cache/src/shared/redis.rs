//! The store in Redis or Valkey.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_redis::{Follower, Redis, RedisError};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::known::{Fate, KEPT, Known};
use super::wire;
use crate::encryption::EncryptionKeys;
use crate::entry::Entry;
use crate::key::Key;
use crate::moment::Moment;
use crate::store::{Answer, Purge, Selection, Store, StoreError, StoreSize};

/// Entries in Redis or Valkey, which several machines share.
///
/// An entry is one value that the server forgets with its time. A purge is written into a log that all machines follow: what was stored before it is not
/// served after it, by none of them, and no entry is looked for to delete it (the server's own limit of memory makes room). While the server is away,
/// requests pass. A machine that was cut off reads what it missed when it is connected again, and writes down what it purged meanwhile: that holds here at once,
/// and for all others from then on.
///
/// Cloning it gives another handle. It needs a tokio runtime.
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    keys: Option<EncryptionKeys>,
    unreadable: AtomicU64,
    known: Mutex<Known>,
    state: watch::Sender<State>,
    /// Where the log has been read to.
    read: watch::Sender<u64>,
    started: Once,
    listeners: Mutex<Vec<Box<dyn Fn(&Purge) + Send + Sync>>>,
}

/// How this machine stands with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has not been reached, and has not been found away.
    Starting,
    Following,
    Away,
}

const LOG: &str = "cache:purges";

impl RedisStore {
    /// A store over this connection, by its prefix apart from others on the same server.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        Self::with(redis, None)
    }

    /// The same, with entries that only those can read who have a key. In the server, they are called by a keyed digest, and what purges say is encrypted, too.
    ///
    /// All machines need the same first key. While it is being replaced, they have both, and look for an entry under each.
    ///
    /// ```no_run
    /// # fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use portcullis_cache::{EncryptionKeys, RedisStore, ResponseCache, TwoTiers};
    /// use portcullis_redis::Redis;
    ///
    /// let keys = EncryptionKeys::from_base64([std::env::var("CACHE_KEY")?])?;
    /// let redis = Redis::builder("redis://127.0.0.1:6379").build()?;
    /// let store = RedisStore::encrypted(redis, keys);
    /// let cache = ResponseCache::builder().build(TwoTiers::new(64 * 1024 * 1024, store));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn encrypted(redis: Redis, keys: EncryptionKeys) -> Self {
        Self::with(redis, Some(keys))
    }

    fn with(redis: Redis, keys: Option<EncryptionKeys>) -> Self {
        Self {
            inner: Arc::new(Inner {
                redis,
                keys,
                unreadable: AtomicU64::new(0),
                known: Mutex::default(),
                state: watch::Sender::new(State::Starting),
                read: watch::Sender::new(0),
                started: Once::new(),
                listeners: Mutex::default(),
            }),
        }
    }

    /// Begins to follow the log, once there is a runtime to do it in.
    fn start(&self) {
        if let Ok(runtime) = Handle::try_current() {
            self.inner.started.call_once(|| {
                let follower = self.inner.redis.follow(LOG);
                runtime.spawn(follow(Arc::downgrade(&self.inner), follower));
            });
        }
    }

    pub(super) async fn find(&self, key: Key) -> Result<Option<Entry>, StoreError> {
        let inner = &*self.inner;
        inner.following().await?;
        let mut read = None;
        for name in inner.names(key.as_bytes()) {
            let found = inner.redis.get(&name).await;
            if let Some(bytes) = found.map_err(StoreError::new)? {
                read = inner.read(&bytes, key.as_bytes());
                break;
            }
        }
        Ok(read.and_then(|(epoch, entry)| {
            match lock(&inner.known).fate(epoch, key.as_bytes(), &entry) {
                Fate::Good => Some(entry),
                Fate::Stale => {
                    entry.mark_stale();
                    Some(entry)
                }
                Fate::Gone => None,
            }
        }))
    }

    pub(super) async fn keep(&self, key: Key, entry: Entry, now: Moment) -> Result<(), StoreError> {
        let inner = &*self.inner;
        inner.following().await?;
        let epoch = lock(&inner.known).epoch();
        let bytes = match &inner.keys {
            Some(keys) => wire::seal_entry(keys, epoch, key.as_bytes(), &entry),
            // What must be encrypted is not written as it is, whoever asks for it.
            None if entry.is_confidential() => {
                return Err(StoreError::new("it has no keys to encrypt with"));
            }
            None => Some(wire::write_entry(epoch, key.as_bytes(), &entry)),
        };
        let bytes = bytes.ok_or_else(no_random_bytes)?;
        let life = entry.keep_until().since(now);
        if life.is_zero() {
            return Ok(());
        }
        let mut names = inner.names(key.as_bytes()).into_iter();
        let name = names.next().unwrap_or_default();
        let kept = inner.redis.set_for(&name, bytes, life).await;
        kept.map_err(StoreError::new)?;
        // What stands under the name by an older key would serve again once this one has expired.
        for name in names {
            inner.redis.remove(&name).await.map_err(StoreError::new)?;
        }
        Ok(())
    }

    pub(super) async fn take(&self, purge: Purge) -> Result<u64, StoreError> {
        let inner = &*self.inner;
        // What is sure to be in vain is not waited for, and purges stay in their order.
        let away = *inner.state.borrow() == State::Away;
        {
            let mut known = lock(&inner.known);
            if away || known.unsent().is_some() {
                known.wait(purge);
                return Err(StoreError::new("the log of purges cannot be written"));
            }
        }
        let at = match inner.append(&purge).await {
            Ok(at) => at,
            Err(error) => {
                lock(&inner.known).wait(purge);
                return Err(StoreError::new(error));
            }
        };
        lock(&inner.known).note(at, purge.clone());
        let mut count = 0;
        if let Selection::Key(key) = purge.selection()
            && !purge.is_soft()
        {
            for name in inner.names(key.as_bytes()) {
                let removed = inner.redis.remove(&name).await;
                count = count.max(u64::from(removed.map_err(StoreError::new)?));
            }
        }
        // What is stored from here on is known to come after it.
        let mut read = inner.read.subscribe();
        let echo = read.wait_for(|read| *read >= at);
        let _ = tokio::time::timeout(inner.redis.deadline(), echo).await;
        Ok(count)
    }
}

impl Store for RedisStore {
    fn get(&self, key: &[u8]) -> Answer<Option<Entry>> {
        self.start();
        let (store, key) = (self.clone(), Key::from_bytes(key));
        Answer::Later(Box::pin(async move { store.find(key).await }))
    }

    fn put(&self, key: &Key, entry: Entry, now: Moment) -> Answer<()> {
        self.start();
        let (store, key) = (self.clone(), key.clone());
        Answer::Later(Box::pin(async move { store.keep(key, entry, now).await }))
    }

    /// Of a purge by anything but a key, nobody counts the entries: it is 0.
    fn purge(&self, purge: &Purge) -> Answer<u64> {
        self.start();
        let (store, purge) = (self.clone(), purge.clone());
        Answer::Later(Box::pin(async move { store.take(purge).await }))
    }

    /// Not known here.
    fn size(&self) -> StoreSize {
        StoreSize::default()
    }

    /// If it was given keys.
    fn encrypts(&self) -> bool {
        self.inner.keys.is_some()
    }

    fn unreadable(&self) -> u64 {
        self.inner.unreadable.load(Ordering::Relaxed)
    }

    fn on_purge(&self, listener: Box<dyn Fn(&Purge) + Send + Sync>) {
        lock(&self.inner.listeners).push(listener);
    }
}

impl Inner {
    /// What an entry is called in the server, by each of the keys: by the first when it is written. The entry has its whole key, or is bound to it.
    fn names(&self, key: &[u8]) -> Vec<String> {
        match &self.keys {
            Some(keys) => keys.names(key).map(|name| hex(name.as_ref())).collect(),
            None => vec![hex(digest(&SHA256, key).as_ref())],
        }
    }

    fn read(&self, bytes: &[u8], key: &[u8]) -> Option<(u64, Entry)> {
        let read = match &self.keys {
            Some(keys) => wire::open_entry(keys, bytes, key),
            None => wire::read_entry(bytes, key),
        };
        if read.is_none() {
            // The first is news; there may be as many as there are entries.
            if self.unreadable.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!(
                    "an entry in the shared cache cannot be read; it is as if it were not there"
                );
            } else {
                tracing::debug!("an entry in the shared cache cannot be read");
            }
        }
        read
    }

    /// Waits for the first word on whether the log can be followed, for as long as a command may take.
    async fn following(&self) -> Result<(), StoreError> {
        let away = || StoreError::new("the log of purges cannot be followed");
        let now = *self.state.borrow();
        if now == State::Starting {
            let mut state = self.state.subscribe();
            let known = state.wait_for(|state| *state != State::Starting);
            match tokio::time::timeout(self.redis.deadline(), known).await {
                Ok(Ok(state)) if *state == State::Following => return Ok(()),
                _ => return Err(away()),
            }
        }
        if now == State::Following {
            Ok(())
        } else {
            Err(away())
        }
    }

    async fn append(&self, purge: &Purge) -> Result<u64, RedisError> {
        let text = wire::send_purge(self.keys.as_ref(), purge);
        self.redis.append(LOG, text, KEPT).await
    }

    /// Writes into the log what it was not there for.
    async fn send_waiting(&self) -> Result<(), RedisError> {
        loop {
            let Some(purge) = lock(&self.known).unsent() else {
                return Ok(());
            };
            let at = self.append(&purge).await?;
            lock(&self.known).sent(at, purge);
        }
    }

    fn tell(&self, purge: &Purge) {
        for listener in &*lock(&self.listeners) {
            listener(purge);
        }
    }

    fn apply(&self, at: u64, purge: &Purge) {
        if lock(&self.known).follow(at, purge.clone()) {
            self.tell(purge);
        }
        self.read.send_replace(at);
    }
}

/// Follows the log for as long as anybody has the store.
async fn follow(store: Weak<Inner>, mut follower: Follower) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        match step(&store, &mut follower).await {
            Ok(Some(())) => pause = SHORTEST_PAUSE,
            Ok(None) => return,
            Err(error) => {
                let Some(inner) = store.upgrade() else {
                    return;
                };
                if inner.state.send_replace(State::Away) != State::Away {
                    tracing::error!(%error, "the cache does without its shared store");
                }
                drop(inner);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Reads on; nothing if nobody has the store any more.
async fn step(store: &Weak<Inner>, follower: &mut Follower) -> Result<Option<()>, RedisError> {
    let Some(inner) = store.upgrade() else {
        return Ok(None);
    };
    inner.send_waiting().await?;
    let state = *inner.state.borrow();
    if state != State::Following {
        let first = follower.first().await?;
        if state == State::Away && lock(&inner.known).goes_on(first) {
            inner.tell(&Purge::everything());
        }
        loop {
            let batch = follower.catch_up().await?;
            if batch.is_empty() {
                break;
            }
            for entry in batch {
                inner.apply(
                    entry.at,
                    &wire::receive_purge(inner.keys.as_ref(), &entry.text),
                );
            }
        }
        if inner.state.send_replace(State::Following) == State::Away {
            tracing::info!("the cache has its shared store again");
        }
    }
    drop(inner);
    let batch = follower.next().await?;
    let Some(inner) = store.upgrade() else {
        return Ok(None);
    };
    for entry in batch {
        inner.apply(
            entry.at,
            &wire::receive_purge(inner.keys.as_ref(), &entry.text),
        );
    }
    Ok(Some(()))
}

fn no_random_bytes() -> StoreError {
    StoreError::new("the system has no random bytes to encrypt with")
}

fn hex(digest: &[u8]) -> String {
    use fmt::Write as _;
    let mut name = String::with_capacity(72);
    name.push_str("cache:");
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("redis", &self.inner.redis)
            .field("state", &*self.inner.state.borrow())
            .finish_non_exhaustive()
    }
}
