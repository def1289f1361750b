//! Where keys are looked up.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_core::Live;

use super::hash::{BuildPartHasher, KeyHash};
use super::key::ApiKey;

/// Knows API keys by the hashes of their values.
///
/// [`MemoryKeys`] holds them, a closure finds them:
///
/// ```
/// use portcullis_auth::api_key::{ApiKey, KeyHash, KeyLookup, KeyStore};
///
/// let key = ApiKey::new("a1b2c3", "0123456789abcdefghij");
/// // From memory …
/// let known = key.clone();
/// let store = move |hash: &KeyHash| KeyLookup::Ready((hash == known.hash()).then(|| known.clone()));
/// // … or from elsewhere.
/// let store = move |_hash: &KeyHash| {
///     let key = key.clone();
///     KeyLookup::later(async move { Ok(Some(key)) })
/// };
/// # fn is_store(_: impl KeyStore) {}
/// # is_store(store);
/// ```
pub trait KeyStore: Send + Sync + 'static {
    /// The key with a value of this hash, enabled or not.
    fn find(&self, hash: &KeyHash) -> KeyLookup;
}

impl<F> KeyStore for F
where
    F: Fn(&KeyHash) -> KeyLookup + Send + Sync + 'static,
{
    fn find(&self, hash: &KeyHash) -> KeyLookup {
        self(hash)
    }
}

impl<S: KeyStore + ?Sized> KeyStore for Arc<S> {
    fn find(&self, hash: &KeyHash) -> KeyLookup {
        S::find(self, hash)
    }
}

/// The answer of a [`KeyStore`]: here, or on its way.
#[expect(
    clippy::exhaustive_enums,
    reason = "an answer is here, or it is not yet"
)]
pub enum KeyLookup {
    /// The key, or that there is none.
    Ready(Option<ApiKey>),
    /// The same, once it is known. An error refuses the request: nobody is let in because a store is away.
    Later(KeyFuture),
}

/// An answer on its way.
pub type KeyFuture = Pin<Box<dyn Future<Output = Result<Option<ApiKey>, KeyStoreError>> + Send>>;

impl KeyLookup {
    /// An answer that has to be waited for.
    pub fn later(
        answer: impl Future<Output = Result<Option<ApiKey>, KeyStoreError>> + Send + 'static,
    ) -> Self {
        Self::Later(Box::pin(answer))
    }
}

impl fmt::Debug for KeyLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(found) => f.debug_tuple("Ready").field(found).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// A store that could not answer.
#[derive(Debug)]
pub struct KeyStoreError(Box<dyn std::error::Error + Send + Sync>);

impl KeyStoreError {
    /// Takes what went wrong, which goes to logs and not to callers.
    #[must_use]
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for KeyStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store of API keys did not answer: {}", self.0)
    }
}

impl std::error::Error for KeyStoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// API keys in memory, by the hashes of their values. Clones share them; a change is seen by the next request and makes none wait.
///
/// A change copies the table (40 bytes a key): many at once are [`replace`](Self::replace)'s.
///
/// ```
/// use portcullis_auth::api_key::{ApiKey, MemoryKeys};
///
/// let keys = MemoryKeys::new([ApiKey::new("a1b2c3", "0123456789abcdefghij")]);
/// assert!(keys.rotate("a1b2c3", "klmnopqrstuvwxyz0123"));
/// assert!(keys.find_value("0123456789abcdefghij").is_some()); // both are good
/// assert!(keys.find_value("klmnopqrstuvwxyz0123").is_some());
/// assert!(keys.retire_previous("a1b2c3"));
/// assert!(keys.find_value("0123456789abcdefghij").is_none());
/// ```
#[derive(Clone, Default)]
pub struct MemoryKeys {
    keys: Live<ByHash>,
    /// Held by whoever changes the map, so that no change is lost.
    change: Arc<Mutex<()>>,
}

type ByHash = HashMap<KeyHash, ApiKey, BuildPartHasher>;

impl MemoryKeys {
    /// Holds these keys; of two with one value or one id, the later.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        Self {
            keys: Live::new(by_hash(keys)),
            change: Arc::default(),
        }
    }

    /// The key with this value.
    #[must_use]
    pub fn find_value(&self, value: &str) -> Option<ApiKey> {
        self.keys.load().get(&KeyHash::of(value)).cloned()
    }

    /// The key with this id. It looks at all of them.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<ApiKey> {
        of_id(&self.keys.load(), id)
    }

    /// How many keys there are. It looks at all of them.
    #[must_use]
    pub fn len(&self) -> usize {
        let keys = self.keys.load();
        let current = keys.iter().filter(|(hash, key)| *hash == key.hash());
        current.count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.load().is_empty()
    }

    /// Adds a key, in place of one with its id.
    pub fn insert(&self, key: ApiKey) {
        self.change(|keys| put(keys, key));
    }

    /// Takes a key away: the next request with it is refused.
    pub fn remove(&self, id: &str) {
        self.change(|keys| keys.retain(|_, key| key.id().as_str() != id));
    }

    /// Enables or disables the key with this id, and says whether there is one.
    #[must_use = "false means that there is no such key"]
    pub fn set_enabled(&self, id: &str, enabled: bool) -> bool {
        self.update(id, |key| key.clone().with_enabled(enabled))
    }

    /// Gives the key with this id a new value (or `sha256:` and its hash), and says whether there is such a key. The value before stays good until it is
    /// [retired](Self::retire_previous); the one before that does not.
    #[must_use = "false means that there is no such key"]
    pub fn rotate(&self, id: &str, value: &str) -> bool {
        let hash = KeyHash::of_value_or_hash(value);
        self.update(id, |key| key.rotated(hash))
    }

    /// Ends the value that the key with this id had before, and says whether there is such a key.
    #[must_use = "false means that there is no such key"]
    pub fn retire_previous(&self, id: &str) -> bool {
        self.update(id, ApiKey::settled)
    }

    /// Holds these keys and no others; of two with one value or one id, the later.
    pub fn replace(&self, keys: impl IntoIterator<Item = ApiKey>) {
        self.change(|own| *own = by_hash(keys));
    }

    fn update(&self, id: &str, update: impl FnOnce(&ApiKey) -> ApiKey) -> bool {
        let mut there = false;
        self.change(|keys| {
            if let Some(key) = of_id(keys, id) {
                there = true;
                put(keys, update(&key));
            }
        });
        there
    }

    fn change(&self, change: impl FnOnce(&mut ByHash)) {
        let _alone = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = ByHash::clone(&self.keys.load());
        change(&mut keys);
        self.keys.replace(keys);
    }
}

fn of_id(keys: &ByHash, id: &str) -> Option<ApiKey> {
    keys.values().find(|key| key.id().as_str() == id).cloned()
}

fn put(keys: &mut ByHash, key: ApiKey) {
    keys.retain(|_, other| other.id() != key.id());
    if let Some(previous) = key.previous() {
        keys.insert(*previous, key.clone());
    }
    keys.insert(*key.hash(), key);
}

fn by_hash(keys: impl IntoIterator<Item = ApiKey>) -> ByHash {
    let keys = keys.into_iter();
    let by_id: HashMap<_, _> = keys.map(|key| (key.id().clone(), key)).collect();
    let mut by_hash = ByHash::with_capacity_and_hasher(by_id.len(), BuildPartHasher::default());
    for key in by_id.into_values() {
        for hash in key.hashes() {
            by_hash.insert(hash, key.clone());
        }
    }
    by_hash
}

impl KeyStore for MemoryKeys {
    fn find(&self, hash: &KeyHash) -> KeyLookup {
        KeyLookup::Ready(self.keys.load().get(hash).cloned())
    }
}

impl fmt::Debug for MemoryKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryKeys({} keys)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> MemoryKeys {
        MemoryKeys::new([ApiKey::new("one", "first"), ApiKey::new("two", "second")])
    }

    fn id(keys: &MemoryKeys, value: &str) -> Option<String> {
        keys.find_value(value).map(|key| key.id().to_string())
    }

    #[test]
    fn a_key_is_found_by_its_value_and_no_other() {
        assert_eq!(id(&keys(), "first").as_deref(), Some("one"));
        assert_eq!(id(&keys(), "First"), None);
        assert_eq!(id(&keys(), ""), None);
    }

    #[test]
    fn of_three_values_two_are_good() {
        let keys = keys();
        assert!(keys.rotate("one", "third"));
        assert!(keys.rotate("one", "fourth"));
        assert_eq!(id(&keys, "first"), None);
        assert_eq!(id(&keys, "third").as_deref(), Some("one"));
        assert_eq!(id(&keys, "fourth").as_deref(), Some("one"));
        assert_eq!(keys.len(), 2);
        assert!(!keys.rotate("three", "fifth"));
    }

    #[test]
    fn the_later_of_two_keys_with_one_id_holds() {
        let keys = keys();
        keys.insert(ApiKey::new("one", "other"));
        assert_eq!(id(&keys, "first"), None);
        assert_eq!(id(&keys, "other").as_deref(), Some("one"));
        let keys = MemoryKeys::new([ApiKey::new("one", "first"), ApiKey::new("one", "other")]);
        assert_eq!(id(&keys, "first"), None);
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn a_key_that_is_taken_away_or_disabled_is_so_at_once() {
        let keys = keys();
        keys.remove("one");
        assert_eq!(id(&keys, "first"), None);
        assert!(keys.set_enabled("two", false));
        let two = keys.find_value("second").expect("it is there");
        assert!(!two.is_enabled());
    }
}
