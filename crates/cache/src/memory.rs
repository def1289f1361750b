//! The store of this process.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

#[cfg(feature = "encryption")]
use crate::encryption::EncryptionKeys;
use crate::entry::Entry;
use crate::key::Key;
use crate::moment::Moment;
#[cfg(feature = "encryption")]
use crate::store::StoreError;
use crate::store::{Answer, Purge, Selection, Store, StoreSize};

/// Entries in the memory of this process, bounded by bytes.
///
/// When it is full, what is asked for least makes room (quick-cache's S3-FIFO, which a scan of keys that are never asked for again does not empty). Keys, heads,
/// bodies and the table are counted. An entry of more than 8 MiB, or of more than the whole store, may find no room.
///
/// With the feature `encryption`, entries that are to be (`Draft::confidential`) are encrypted with a key that only this process has, and that is never
/// written anywhere. Their keys, targets and tags are not.
pub struct MemoryStore {
    entries: Cache<Key, Entry, Bytes>,
    capacity: u64,
    #[cfg(feature = "encryption")]
    keys: std::sync::OnceLock<Option<EncryptionKeys>>,
}

#[derive(Clone, Debug)]
struct Bytes;

/// What the table takes for an entry, and what the allocator adds to its two blocks and to its key.
const OVERHEAD: usize = 160;

impl Weighter<Key, Entry> for Bytes {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        (OVERHEAD + key.as_bytes().len() + entry.bytes()) as u64
    }
}

/// What an entry of an API is taken to weigh, for the sizes of tables.
const TYPICAL: u64 = 2048;

/// A part of the store has a lock of its own, and at least so many bytes.
const SMALLEST_SHARD: u64 = 8 * 1024 * 1024;

impl MemoryStore {
    /// A store that holds at most so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let shards = (bytes / SMALLEST_SHARD).clamp(1, 64);
        // Rounded down, since the table rounds up.
        let shards = 1 << shards.ilog2();
        let options = OptionsBuilder::new()
            .shards(shards)
            .estimated_items_capacity(
                usize::try_from(bytes / TYPICAL)
                    .unwrap_or(usize::MAX)
                    .max(64 * shards),
            )
            .weight_capacity(bytes)
            .build()
            .expect("both capacities are set");
        Self {
            entries: Cache::with_options(
                options,
                Bytes,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            capacity: bytes,
            #[cfg(feature = "encryption")]
            keys: std::sync::OnceLock::new(),
        }
    }

    #[cfg(feature = "encryption")]
    fn keys(&self) -> Option<&EncryptionKeys> {
        self.keys.get_or_init(EncryptionKeys::random).as_ref()
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Answer<Option<Entry>> {
        let found = self.entries.get(key);
        #[cfg(feature = "encryption")]
        if let Some(entry) = &found
            && entry.is_sealed()
        {
            let keys = self.keys();
            return Answer::Now(Ok(keys.and_then(|keys| entry.open(keys, key))));
        }
        Answer::Now(Ok(found))
    }

    fn put(&self, key: &Key, entry: Entry, _: Moment) -> Answer<()> {
        #[cfg(feature = "encryption")]
        if entry.is_confidential() {
            let sealed = self
                .keys()
                .and_then(|keys| entry.seal(keys, key.as_bytes()));
            return Answer::Now(match sealed {
                Some(entry) => {
                    self.entries.insert(key.clone(), entry);
                    Ok(())
                }
                None => Err(StoreError::new(
                    "the system has no random bytes to encrypt with",
                )),
            });
        }
        self.entries.insert(key.clone(), entry);
        Answer::Now(Ok(()))
    }

    fn purge(&self, purge: &Purge) -> Answer<u64> {
        let count = match purge.selection() {
            Selection::Key(key) if purge.is_soft() => {
                let entry = self.entries.peek(key.as_bytes());
                entry.inspect(Entry::mark_stale).map_or(0, |_| 1)
            }
            Selection::Key(key) => self.entries.remove(key.as_bytes()).map_or(0, |_| 1),
            _ => {
                let count = AtomicU64::new(0);
                self.entries.retain(|key, entry| {
                    if !purge.matches(key.as_bytes(), entry) {
                        return true;
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    if purge.is_soft() {
                        entry.mark_stale();
                    }
                    purge.is_soft()
                });
                count.into_inner()
            }
        };
        Answer::Now(Ok(count))
    }

    fn size(&self) -> StoreSize {
        StoreSize::new(self.entries.len() as u64, self.entries.weight())
    }

    #[cfg(feature = "encryption")]
    fn encrypts(&self) -> bool {
        true
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("size", &self.size())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
