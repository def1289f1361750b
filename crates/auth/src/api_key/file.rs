//! Keys from a file, read anew when it is told to.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::hash::{BuildPartHasher, KeyHash};
use super::key::ApiKey;
use super::store::{KeyLookup, KeyStore, MemoryKeys};
use super::{csv, json};

/// One key as a file has it.
pub(super) struct Entry {
    pub(super) id: Option<String>,
    pub(super) value: Option<String>,
    pub(super) previous: Option<String>,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) customer_id: Option<String>,
    pub(super) enabled: bool,
    pub(super) usage_plans: Vec<String>,
    pub(super) tags: Vec<(String, String)>,
    /// Where it stands.
    pub(super) place: String,
}

/// What is wrong in a file, and where. Never with a value.
#[derive(Debug)]
pub(super) struct Fault {
    place: String,
    problem: String,
}

impl Fault {
    pub(super) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

impl Entry {
    fn key(self) -> Result<ApiKey, Fault> {
        let fault = |problem: &str| Fault::new(self.place.clone(), problem);
        let value = self.value.as_deref().ok_or_else(|| {
            fault("has no value (the column `key` of a CSV file, `value` in JSON); `get-api-keys` prints it with `--include-values`")
        })?;
        if ![Some(value), self.previous.as_deref()]
            .into_iter()
            .flatten()
            .all(is_value)
        {
            return Err(fault(
                "a value must be visible ASCII without blanks, at most 1,024 of it",
            ));
        }
        let hash = KeyHash::of_value_or_hash(value);
        // The service gives keys ids when it imports them; here the same value has the same id.
        let id = self
            .id
            .unwrap_or_else(|| hash.to_string()["sha256:".len()..][..10].to_owned());
        let mut key = ApiKey::hashed(id, hash).with_enabled(self.enabled);
        if let Some(previous) = &self.previous {
            key = key.with_previous(previous);
        }
        if let Some(name) = &self.name {
            key = key.with_name(name);
        }
        if let Some(description) = &self.description {
            key = key.with_description(description);
        }
        if let Some(id) = &self.customer_id {
            key = key.with_customer_id(id);
        }
        for plan in self.usage_plans {
            key = key.with_usage_plan(plan);
        }
        for (name, value) in &self.tags {
            key = key.with_tag(name, value);
        }
        Ok(key)
    }
}

/// Whether a header can have it for its value.
fn is_value(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The keys in a file: `.csv` as the service imports it, `.json` as `get-api-keys --include-values` prints it.
///
/// # Errors
///
/// If it cannot be read, is none of the two, or something in it is wrong: two keys with one value or id, say.
pub fn read_file(path: impl AsRef<Path>) -> Result<Vec<ApiKey>, KeyFileError> {
    let path = path.as_ref();
    let wrong = |cause| KeyFileError {
        path: path.to_path_buf(),
        cause,
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(Cause::Read(error)))?;
    let ending = path.extension().and_then(|ending| ending.to_str());
    let entries = match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => csv::parse(&text),
        Some("json") => json::parse(&text),
        _ => Err(Fault::new("the name", "must end in .csv or .json")),
    };
    let keys = entries.and_then(distinct);
    keys.map_err(|fault| wrong(Cause::Content(fault)))
}

/// The keys of `entries`, of which no two may have an id or a value in common.
fn distinct(entries: Vec<Entry>) -> Result<Vec<ApiKey>, Fault> {
    let mut values: HashMap<KeyHash, String, BuildPartHasher> = HashMap::default();
    let mut ids = HashMap::new();
    let mut keys = Vec::with_capacity(entries.len());
    for entry in entries {
        let place = entry.place.clone();
        let key = entry.key()?;
        for hash in key.hashes() {
            if let Some(other) = values.insert(hash, place.clone()) {
                let problem = format!("has the value of {other}; each key needs values of its own");
                return Err(Fault::new(place, problem));
            }
        }
        if let Some(other) = ids.insert(key.id().clone(), place.clone()) {
            let problem = format!("has the id of {other}; each key needs an id of its own");
            return Err(Fault::new(place, problem));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// API keys from a file ([`read_file`]), read anew when it is told to. Clones share them.
///
/// ```no_run
/// use portcullis_auth::api_key::{ApiKeyLayer, FileKeys};
///
/// let keys = FileKeys::open("keys.csv")?;
/// let layer = ApiKeyLayer::new(keys.clone());
///
/// // On a signal, or every minute. A file that is wrong changes nothing.
/// if keys.reload_if_changed()? {
///     println!("{} keys", keys.len());
/// }
/// # let _ = layer;
/// # Ok::<(), portcullis_auth::api_key::KeyFileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileKeys {
    path: Arc<Path>,
    keys: MemoryKeys,
    /// The file as it was when it was last read.
    seen: Arc<Mutex<Option<Seen>>>,
}

/// By what a changed file is told from an unchanged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    modified: Option<SystemTime>,
    length: u64,
}

impl FileKeys {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// Those of [`read_file`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyFileError> {
        let own = Self {
            path: path.into().into(),
            keys: MemoryKeys::default(),
            seen: Arc::default(),
        };
        own.reload()?;
        Ok(own)
    }

    /// Reads the file again. The next request sees what it says.
    ///
    /// # Errors
    ///
    /// Those of [`read_file`]; then nothing changes.
    pub fn reload(&self) -> Result<(), KeyFileError> {
        // Looked at before it is read: a change in between is seen the next time.
        let seen = self.look();
        let keys = read_file(&self.path)?;
        self.keys.replace(keys);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(())
    }

    /// Reads the file again if its length or the time of its last change is another, and says whether it was. A file that is wrong is read again
    /// the next time.
    ///
    /// # Errors
    ///
    /// Those of [`read_file`]; then nothing changes.
    pub fn reload_if_changed(&self) -> Result<bool, KeyFileError> {
        let before = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if before.is_some() && before == self.look() {
            return Ok(false);
        }
        self.reload()?;
        Ok(true)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn look(&self) -> Option<Seen> {
        let facts = std::fs::metadata(&self.path).ok()?;
        Some(Seen {
            modified: facts.modified().ok(),
            length: facts.len(),
        })
    }
}

impl KeyStore for FileKeys {
    fn find(&self, hash: &KeyHash) -> KeyLookup {
        self.keys.find(hash)
    }
}

/// A file of keys that cannot be used.
#[derive(Debug)]
pub struct KeyFileError {
    path: PathBuf,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Read(std::io::Error),
    Content(Fault),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.cause {
            Cause::Read(error) => error.fmt(f),
            Cause::Content(Fault { place, problem }) => write!(f, "{place}: {problem}"),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Read(error) => Some(error),
            Cause::Content(_) => None,
        }
    }
}
