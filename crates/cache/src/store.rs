//! Where entries are kept: what a store is asked, and what it answers.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::entry::Entry;
use crate::key::{Key, KeyBuilder};
use crate::moment::Moment;

/// Where entries are kept.
///
/// A store keeps what it is given until it needs the room; it need not look at entries' times, since whoever asks does. One that has its answer in
/// memory gives it at once. A [`MemoryStore`](crate::MemoryStore) is the one of this process.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The entry of a key. An answer that comes later must do nothing until it is polled.
    fn get(&self, key: &[u8]) -> Answer<Option<Entry>>;

    /// Keeps an entry under a key, in place of the one that is there.
    fn put(&self, key: &Key, entry: Entry, now: Moment) -> Answer<()>;

    /// Forgets entries, or marks them stale, and says how many there were.
    fn purge(&self, purge: &Purge) -> Answer<u64>;

    /// How much it holds, as far as it knows.
    fn size(&self) -> StoreSize;

    /// Whether it keeps encrypted what is to be (`Draft::confidential`). By one that does not, such responses are not stored. Default: it does not.
    fn encrypts(&self) -> bool {
        false
    }

    /// How many entries it has found so far that it could not read: cut, of another version, or encrypted with a key that it does not have.
    fn unreadable(&self) -> u64 {
        0
    }

    /// Tells `listener` of purges by others, on other machines. A store that knows of none need not do anything.
    fn on_purge(&self, listener: Box<dyn Fn(&Purge) + Send + Sync>) {
        drop(listener);
    }
}

/// What a store answers: now, or later.
#[expect(clippy::exhaustive_enums, reason = "an answer is there or it is not")]
pub enum Answer<T> {
    /// It was in memory.
    Now(Result<T, StoreError>),
    /// Somebody else has to be asked.
    Later(Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>),
}

impl<T> Answer<T> {
    /// Waits for the answer.
    ///
    /// # Errors
    ///
    /// The store is away.
    pub async fn wait(self) -> Result<T, StoreError> {
        match self {
            Self::Now(answer) => answer,
            Self::Later(answer) => answer.await,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// A store is away. Requests are then served as if there were no cache.
#[derive(Debug)]
pub struct StoreError(Box<dyn Error + Send + Sync>);

impl StoreError {
    /// The store is away, for this reason.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the cache's store is away: {}", self.0)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreSize {
    /// Entries.
    pub entries: u64,
    /// Bytes: keys, heads, bodies and what it takes to find them.
    pub bytes: u64,
}

impl StoreSize {
    /// So many entries of so many bytes.
    #[must_use]
    pub const fn new(entries: u64, bytes: u64) -> Self {
        Self { entries, bytes }
    }
}

/// Which entries are to be forgotten, or made stale.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Purge {
    selection: Selection,
    soft: bool,
}

/// Which entries a [`Purge`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// The entry of a key.
    Key(Key),
    /// Entries whose key begins with these bytes: those of a scope.
    Scope(Vec<u8>),
    /// Entries that were asked for by a target that begins so.
    Prefix(Vec<u8>),
    /// Entries with a tag.
    Tag(Vec<u8>),
    /// All there are.
    Everything,
}

impl Purge {
    const fn of(selection: Selection) -> Self {
        Self {
            selection,
            soft: false,
        }
    }

    /// The entry of a key.
    pub const fn key(key: Key) -> Self {
        Self::of(Selection::Key(key))
    }

    /// Entries that were asked for by a target (path and query) that begins so: `/pets/`.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        Self::of(Selection::Prefix(prefix.into()))
    }

    /// Entries with this tag (surrogate key).
    pub fn tag(tag: impl Into<Vec<u8>>) -> Self {
        Self::of(Selection::Tag(tag.into()))
    }

    /// Entries of a scope, a stage for example: those whose keys were begun with it.
    pub fn scope(scope: &[u8]) -> Self {
        let key = KeyBuilder::new(scope);
        Self::of(Selection::Scope(key.as_bytes().to_vec()))
    }

    /// Entries of a scope, as it stands in keys.
    #[cfg(feature = "redis")]
    pub(crate) fn written_scope(scope: &[u8]) -> Self {
        Self::of(Selection::Scope(scope.to_vec()))
    }

    /// All entries.
    pub const fn everything() -> Self {
        Self::of(Selection::Everything)
    }

    /// Marks them stale, and does not forget them: one that can be confirmed by its origin need not be fetched again.
    pub const fn soft(mut self) -> Self {
        self.soft = true;
        self
    }

    /// Whether entries are marked stale instead of forgotten.
    #[must_use]
    pub const fn is_soft(&self) -> bool {
        self.soft
    }

    /// Which entries it is about.
    #[must_use]
    pub const fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Whether it is about this entry.
    #[must_use]
    pub fn matches(&self, key: &[u8], entry: &Entry) -> bool {
        match &self.selection {
            Selection::Key(own) => own.as_bytes() == key,
            Selection::Scope(scope) => key.starts_with(scope),
            Selection::Prefix(prefix) => entry.target().starts_with(prefix),
            Selection::Tag(tag) => entry.tags().any(|own| own == tag),
            Selection::Everything => true,
        }
    }
}
