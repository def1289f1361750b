//! Where access keys are looked up.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use portcullis_core::Live;

use super::credential::Credential;

/// Knows access keys by their ids.
///
/// [`MemoryCredentials`] holds them, a closure finds them:
///
/// ```
/// use portcullis_auth::credentials::{Caller, Credential, CredentialLookup, CredentialStore};
/// use portcullis_auth::iam::Principal;
///
/// let tom = Principal::from_arn("arn:aws:iam::123456789012:user/tom")?;
/// let key = Credential::new("AKIDEXAMPLE", "secret", Caller::new(tom));
/// // From memory …
/// let known = key.clone();
/// let store = move |id: &str| CredentialLookup::Ready((id == "AKIDEXAMPLE").then(|| known.clone()));
/// // … or from elsewhere.
/// let store = move |_id: &str| {
///     let key = key.clone();
///     CredentialLookup::later(async move { Ok(Some(key)) })
/// };
/// # fn is_store(_: impl CredentialStore) {}
/// # is_store(store);
/// # Ok::<(), portcullis_auth::iam::PrincipalError>(())
/// ```
pub trait CredentialStore: Send + Sync + 'static {
    /// The key of this id. An inactive key is none. The id comes from the request as it is: it may be of any length and characters.
    fn find(&self, access_key_id: &str) -> CredentialLookup;
}

impl<F> CredentialStore for F
where
    F: Fn(&str) -> CredentialLookup + Send + Sync + 'static,
{
    fn find(&self, access_key_id: &str) -> CredentialLookup {
        self(access_key_id)
    }
}

impl<S: CredentialStore + ?Sized> CredentialStore for Arc<S> {
    fn find(&self, access_key_id: &str) -> CredentialLookup {
        S::find(self, access_key_id)
    }
}

/// The answer of a [`CredentialStore`]: here, or on its way.
#[expect(
    clippy::exhaustive_enums,
    reason = "an answer is here, or it is not yet"
)]
pub enum CredentialLookup {
    /// The key, or that there is none.
    Ready(Option<Credential>),
    /// The same, once it is known. An error refuses the request: nobody is let in because a store is away.
    Later(CredentialFuture),
}

/// An answer on its way.
pub type CredentialFuture =
    Pin<Box<dyn Future<Output = Result<Option<Credential>, StoreError>> + Send>>;

impl CredentialLookup {
    /// An answer that has to be waited for.
    pub fn later(
        answer: impl Future<Output = Result<Option<Credential>, StoreError>> + Send + 'static,
    ) -> Self {
        Self::Later(Box::pin(answer))
    }
}

impl fmt::Debug for CredentialLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(found) => f.debug_tuple("Ready").field(found).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// A store that could not answer.
#[derive(Debug)]
pub struct StoreError(Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// Takes what went wrong, which goes to logs and not to callers.
    #[must_use]
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store of access keys did not answer: {}", self.0)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// Access keys in memory. Clones share them; a change is seen by the next request and makes none wait.
///
/// ```
/// use portcullis_auth::credentials::{Caller, Credential, MemoryCredentials};
/// use portcullis_auth::iam::Principal;
///
/// let tom = Principal::from_arn("arn:aws:iam::123456789012:user/tom")?;
/// let store = MemoryCredentials::new([Credential::new("AKIDEXAMPLE", "secret", Caller::new(tom))]);
/// assert!(store.get("AKIDEXAMPLE").is_some());
/// store.remove("AKIDEXAMPLE");
/// assert!(store.get("AKIDEXAMPLE").is_none());
/// # Ok::<(), portcullis_auth::iam::PrincipalError>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryCredentials {
    keys: Live<HashMap<Arc<str>, Credential>>,
    /// Held by whoever changes the map, so that no change is lost.
    change: Arc<Mutex<()>>,
}

impl MemoryCredentials {
    /// Holds these keys; of two with one id, the later.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = Credential>) -> Self {
        Self {
            keys: Live::new(by_id(keys)),
            change: Arc::default(),
        }
    }

    /// The key of this id.
    #[must_use]
    pub fn get(&self, access_key_id: &str) -> Option<Credential> {
        self.keys.load().get(access_key_id).cloned()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.load().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.load().is_empty()
    }

    /// Adds a key, in place of one with its id.
    pub fn insert(&self, key: Credential) {
        self.change(|keys| {
            keys.insert(Arc::clone(key.access_key_id()), key);
        });
    }

    /// Adds a key, if there is room for it within `capacity` once those that have ended by `now` are gone.
    pub(super) fn insert_within(&self, capacity: usize, key: Credential, now: SystemTime) -> bool {
        let mut there_is_room = false;
        self.change(|keys| {
            if keys.len() >= capacity {
                keys.retain(|_, key| !key.has_expired(now));
            }
            there_is_room = keys.len() < capacity;
            if there_is_room {
                keys.insert(Arc::clone(key.access_key_id()), key);
            }
        });
        there_is_room
    }

    /// Takes a key away: the next request with it is refused.
    pub fn remove(&self, access_key_id: &str) {
        self.change(|keys| {
            keys.remove(access_key_id);
        });
    }

    /// Takes the temporary keys away that have ended by `now`.
    pub fn remove_expired(&self, now: SystemTime) {
        self.change(|keys| keys.retain(|_, key| !key.has_expired(now)));
    }

    /// Holds these keys and no others.
    pub fn replace(&self, keys: impl IntoIterator<Item = Credential>) {
        self.change(|own| *own = by_id(keys));
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<Arc<str>, Credential>)) {
        let _alone = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = HashMap::clone(&self.keys.load());
        change(&mut keys);
        self.keys.replace(keys);
    }
}

fn by_id(keys: impl IntoIterator<Item = Credential>) -> HashMap<Arc<str>, Credential> {
    keys.into_iter()
        .map(|key| (Arc::clone(key.access_key_id()), key))
        .collect()
}

impl CredentialStore for MemoryCredentials {
    fn find(&self, access_key_id: &str) -> CredentialLookup {
        CredentialLookup::Ready(self.get(access_key_id))
    }
}

impl fmt::Debug for MemoryCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryCredentials({} keys)", self.len())
    }
}
