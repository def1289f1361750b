//! What operators did, kept over restarts.

mod file;
mod form;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::deployments::Histories;
use super::error::GatewayFault;
use crate::core::BoxError;

pub use file::FileStore;

/// Keeps what operators did while a gateway served, so that it outlives the process: which deployment each stage serves, its variables, its canary and where the
/// ramp of that stands.
///
/// [`FileStore`] keeps it in files. Both methods may block; they are called when a gateway is built, by whoever makes a
/// change, and in a thread of its own when a ramp has decided something.
///
/// ```
/// use std::sync::Mutex;
///
/// use portcullis::{Gateway, StateError, StateStore, StoredState};
///
/// #[derive(Default)]
/// struct Memory(Mutex<Option<StoredState>>);
///
/// impl StateStore for Memory {
///     fn load(&self) -> Result<Option<StoredState>, StateError> {
///         Ok(self.0.lock().map_err(|error| StateError::new(error.to_string()))?.clone())
///     }
///
///     fn save(&self, state: &StoredState) -> Result<(), StateError> {
///         *self.0.lock().map_err(|error| StateError::new(error.to_string()))? = Some(state.clone());
///         Ok(())
///     }
/// }
///
/// let gateway = Gateway::builder().state_store(Memory::default()).build()?;
/// # Ok::<(), portcullis::GatewayError>(())
/// ```
pub trait StateStore: Send + Sync + 'static {
    /// What was saved last; nothing, if nothing was.
    ///
    /// # Errors
    ///
    /// If there is something and it cannot be read whole.
    fn load(&self) -> Result<Option<StoredState>, StateError>;

    /// Saves a state in place of the one before, whole or not at all.
    ///
    /// # Errors
    ///
    /// If it could not be saved. The change that it was for is not made then.
    fn save(&self, state: &StoredState) -> Result<(), StateError>;
}

/// What a [`StateStore`] keeps.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredState {
    /// JSON of a form that only the gateway reads. It is small.
    pub index: String,
    /// The documents that it names, by the SHA-256 of each in hexadecimal: one that is kept already need not be written again.
    pub documents: BTreeMap<String, Arc<str>>,
}

impl StoredState {
    /// A state that was kept.
    #[must_use]
    pub const fn new(index: String, documents: BTreeMap<String, Arc<str>>) -> Self {
        Self { index, documents }
    }
}

impl fmt::Debug for StoredState {
    /// Without the documents, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredState")
            .field("documents", &self.documents.len())
            .finish_non_exhaustive()
    }
}

/// Why a state could not be loaded or saved.
#[derive(Debug)]
pub struct StateError {
    message: String,
    source: Option<BoxError>,
}

impl StateError {
    /// An error that says this.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// What was the cause.
    #[must_use]
    pub fn with_source(self, source: impl Into<BoxError>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for StateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// Where a gateway keeps its state, if it does.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) store: Option<Arc<dyn StateStore>>,
    /// Of a store that is files.
    pub(super) file: Option<PathBuf>,
    /// Begins as if nothing had been kept.
    pub(super) reset: bool,
}

impl State {
    /// What was kept.
    pub(super) fn load(&self) -> Result<Histories, GatewayFault> {
        let (Some(store), false) = (&self.store, self.reset) else {
            return Ok(Histories::new());
        };
        let state = store.load().and_then(|state| match state {
            Some(state) => form::read(&state),
            None => Ok(Histories::new()),
        });
        state.map_err(|error| GatewayFault::new("", self.place(), error))
    }

    /// Whether anything is kept.
    pub(super) const fn is_kept(&self) -> bool {
        self.store.is_some()
    }

    /// Keeps what has changed.
    pub(super) fn save(&self, before: &Histories, after: &Histories) -> Result<(), GatewayFault> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let state = form::write(after);
        if !before.is_empty() && form::write(before) == state {
            return Ok(());
        }
        store.save(&state).map_err(|error| {
            let message = format!("{error}; nothing was changed");
            GatewayFault::new("", self.place(), message)
        })
    }

    fn place(&self) -> String {
        match &self.file {
            Some(path) => format!("state {}", path.display()),
            None => "state".to_owned(),
        }
    }

    /// Goes on with the store of the gateway that this one takes the place of. Another one is a matter of the next start.
    pub(super) fn take_from(&mut self, before: &Self) {
        if self.file != before.file {
            tracing::warn!("`state` has changed: it is kept where it was until the next start");
        }
        self.store.clone_from(&before.store);
        self.file.clone_from(&before.file);
    }
}

impl State {
    /// Kept in a file.
    pub(super) fn file(path: &Path) -> Self {
        Self {
            store: Some(Arc::new(FileStore::new(path))),
            file: Some(path.to_owned()),
            reset: false,
        }
    }
}
