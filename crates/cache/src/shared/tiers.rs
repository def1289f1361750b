//! Two stores, one before the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_core::{Clock, SystemClock};

use super::redis::RedisStore;
use crate::entry::Entry;
use crate::key::Key;
use crate::memory::MemoryStore;
use crate::moment::Moment;
use crate::store::{Answer, Purge, Store, StoreError, StoreSize};

/// Entries in the memory of this process, and behind it in Redis, which other machines share.
///
/// What is fresh in memory is served without asking anybody. A purge by any machine reaches the memory of all, through the log that they follow; one that was
/// cut off makes good for it when it is connected again, and if it can not know what it missed, it forgets all that it has in memory.
#[derive(Clone, Debug)]
pub struct TwoTiers {
    memory: Arc<MemoryStore>,
    redis: RedisStore,
    clock: Arc<dyn Clock>,
    /// How many purges the memory has seen.
    purges: Arc<AtomicU64>,
}

impl TwoTiers {
    /// A store of so many bytes in memory before `redis`.
    #[must_use]
    pub fn new(bytes: u64, redis: RedisStore) -> Self {
        let memory = Arc::new(MemoryStore::new(bytes));
        let purges = Arc::<AtomicU64>::default();
        {
            let (memory, purges) = (Arc::downgrade(&memory), Arc::clone(&purges));
            redis.on_purge(Box::new(move |purge| {
                purges.fetch_add(1, Ordering::SeqCst);
                if let Some(memory) = memory.upgrade() {
                    drop(memory.purge(purge));
                }
            }));
        }
        Self {
            memory,
            redis,
            clock: Arc::new(SystemClock::new()),
            purges,
        }
    }

    /// Where the time comes from; the system's clock by default.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn find(self, key: Key, near: Option<Entry>) -> Result<Option<Entry>, StoreError> {
        let before = self.purges.load(Ordering::SeqCst);
        let Some(entry) = self.redis.find(key.clone()).await? else {
            return Ok(near);
        };
        if near.is_none_or(|near| near.stored_at() <= entry.stored_at()) {
            drop(self.memory.put(&key, entry.clone(), Moment::EPOCH));
            if self.purges.load(Ordering::SeqCst) != before {
                drop(self.memory.purge(&Purge::key(key)));
            }
        }
        Ok(Some(entry))
    }
}

impl Store for TwoTiers {
    fn get(&self, key: &[u8]) -> Answer<Option<Entry>> {
        let near = match self.memory.get(key) {
            Answer::Now(Ok(near)) => near,
            _ => None,
        };
        if let Some(near) = &near
            && near.is_fresh(Moment::of(self.clock.wall()))
        {
            return Answer::Now(Ok(Some(near.clone())));
        }
        // Begins to follow the log, if nothing did yet.
        drop(self.redis.get(key));
        let key = Key::from_bytes(key);
        Answer::Later(Box::pin(self.clone().find(key, near)))
    }

    fn put(&self, key: &Key, entry: Entry, now: Moment) -> Answer<()> {
        drop(self.memory.put(key, entry.clone(), now));
        self.redis.put(key, entry, now)
    }

    /// Says how many there were in memory.
    fn purge(&self, purge: &Purge) -> Answer<u64> {
        self.purges.fetch_add(1, Ordering::SeqCst);
        let near = self.memory.purge(purge);
        let far = self.redis.purge(purge);
        Answer::Later(Box::pin(async move {
            let near = near.wait().await?;
            Ok(far.wait().await?.max(near))
        }))
    }

    /// That of the memory.
    fn size(&self) -> StoreSize {
        self.memory.size()
    }

    /// If Redis has keys; memory has one of its own.
    fn encrypts(&self) -> bool {
        self.redis.encrypts()
    }

    fn unreadable(&self) -> u64 {
        self.redis.unreadable()
    }

    fn on_purge(&self, listener: Box<dyn Fn(&Purge) + Send + Sync>) {
        self.redis.on_purge(listener);
    }
}
