//! A state in files: an index with a checksum, the index before it, and a file for each document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{StateError, StateStore, StoredState};
use crate::gateway::deployments::Digest;

/// Keeps a gateway's state in a file, with documents in a folder beside it (`gateway.state` and `gateway.state.documents`).
///
/// A save writes beside the file and renames, with `fsync` before each rename, so that a crash or a full disk leaves the state before it.
/// The index begins with its checksum, and documents are named by theirs. A file that is not whole all the same is reported, and the state before
/// it (`gateway.state.before`) is taken. Files are readable for their owner alone. One gateway has one file: a save is refused when another process
/// has written since.
pub struct FileStore {
    path: PathBuf,
    known: Mutex<Known>,
}

/// What is in the files, as far as this process knows.
#[derive(Default)]
struct Known {
    /// The checksum that the index begins with, once it was read or written.
    index: Option<String>,
    /// The documents that are whole.
    documents: BTreeSet<String>,
    /// The file itself is not whole, and the one before it must stay until there is another.
    broken: bool,
    /// Those of the last two states.
    named: [BTreeSet<String>; 2],
}

/// What an index file begins with; the checksum and a line break follow.
const MAGIC: &str = "portcullis-state ";

impl FileStore {
    /// Keeps the state in this file, whose folder must be there.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            known: Mutex::default(),
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    fn document(&self, digest: &str) -> PathBuf {
        self.beside(".documents").join(digest)
    }

    /// The state of one index file, if there is one.
    fn read(&self, path: &Path, known: &mut Known) -> Result<Option<StoredState>, StateError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StateError::new("it cannot be read").with_source(error)),
        };
        let index = index_of(&text).ok_or_else(|| {
            StateError::new("it is not whole: its checksum is not that of its content")
        })?;
        let mut documents = BTreeMap::new();
        for digest in digests(index) {
            let path = self.document(&digest);
            let text = fs::read_to_string(&path).map_err(|error| {
                let message = format!("{} cannot be read", path.display());
                StateError::new(message).with_source(error)
            })?;
            if Digest::of_text(&text).as_str() != digest {
                let message = format!("{} is not whole", path.display());
                return Err(StateError::new(message));
            }
            known.documents.insert(digest.clone());
            documents.insert(digest, Arc::from(text));
        }
        Ok(Some(StoredState::new(index.to_owned(), documents)))
    }

    fn try_save(&self, state: &StoredState, known: &mut Known) -> io::Result<()> {
        let on_disk = checksum_on_disk(&self.path)?;
        if known.index.as_ref().is_some_and(|known| *known != on_disk) {
            return Err(io::Error::other(
                "another process has written it since; give each gateway a file of its own",
            ));
        }
        let folder = self.beside(".documents");
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(false);
        match builder.create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let new = state.documents.iter();
        let new: Vec<_> = new
            .filter(|(own, _)| !known.documents.contains(*own))
            .collect();
        for (digest, text) in &new {
            write_whole(&self.document(digest), text.as_bytes())?;
        }
        if !new.is_empty() {
            sync_folder(&folder)?;
        }
        known
            .documents
            .extend(new.into_iter().map(|(own, _)| own.clone()));

        let checksum = Digest::of_text(&state.index).as_str().to_owned();
        let mut text = format!("{MAGIC}{checksum}\n").into_bytes();
        text.extend_from_slice(state.index.as_bytes());
        let beside = self.beside(".new");
        write_synced(&beside, &text)?;
        // Between the two renames there is only the one before, and it is taken.
        if !known.broken {
            match fs::rename(&self.path, self.beside(".before")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&beside, &self.path)?;
        known.broken = false;
        if let Some(folder) = self.path.parent() {
            sync_folder(folder)?;
        }
        known.index = Some(checksum);
        let named: BTreeSet<_> = state.documents.keys().cloned().collect();
        known.named = [std::mem::replace(&mut known.named[1], named.clone()), named];
        Ok(())
    }

    /// Removes documents that neither the state nor the one before names. One that stays does no harm.
    fn sweep(&self, known: &mut Known) {
        let Ok(entries) = fs::read_dir(self.beside(".documents")) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if known.named.iter().all(|named| !named.contains(&name))
                && fs::remove_file(entry.path()).is_ok()
            {
                known.documents.remove(&name);
            }
        }
    }
}

impl StateStore for FileStore {
    fn load(&self) -> Result<Option<StoredState>, StateError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.index = Some(
            checksum_on_disk(&self.path)
                .map_err(|error| StateError::new("it cannot be read").with_source(error))?,
        );
        let folder = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        if let Some(folder) = folder
            && !folder.is_dir()
        {
            let message = format!("the folder {} is not there; make it", folder.display());
            return Err(StateError::new(message));
        }
        let last = self.read(&self.path, &mut known);
        let before = self.beside(".before");
        let state = match last {
            Ok(Some(state)) => Some(state),
            Ok(None) => self.read(&before, &mut known)?,
            Err(error) => match self.read(&before, &mut known) {
                Ok(Some(state)) => {
                    tracing::error!(
                        file = %self.path.display(),
                        %error,
                        "the state is not whole; the one before it is taken"
                    );
                    known.broken = true;
                    Some(state)
                }
                _ => {
                    let message = format!(
                        "{error}, and there is none before it; restore the file, or start without (`reset_state`)"
                    );
                    return Err(StateError::new(message));
                }
            },
        };
        if let Some(state) = &state {
            known.named[1] = state.documents.keys().cloned().collect();
        }
        Ok(state)
    }

    fn save(&self, state: &StoredState) -> Result<(), StateError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.try_save(state, &mut known)
            .map_err(|error| StateError::new("it cannot be written").with_source(error))?;
        self.sweep(&mut known);
        Ok(())
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileStore").field(&self.path).finish()
    }
}

/// The index in a file, if it is whole.
fn index_of(file: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(file).ok()?;
    let (checksum, index) = text.strip_prefix(MAGIC)?.split_once('\n')?;
    (Digest::of_text(index).as_str() == checksum).then_some(index)
}

/// The checksum that a file begins with; an empty one if there is no file.
fn checksum_on_disk(path: &Path) -> io::Result<String> {
    match fs::read(path) {
        Ok(text) => {
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            Ok(line.trim_start_matches(MAGIC).to_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// The documents that an index names.
fn digests(index: &str) -> BTreeSet<String> {
    let tree: serde_json::Value = serde_json::from_str(index).unwrap_or_default();
    let apis = tree["apis"].as_object();
    let apis = apis.into_iter().flat_map(|apis| apis.values());
    let deployments = apis
        .filter_map(|api| api["deployments"].as_array())
        .flatten();
    let named = deployments.filter_map(|own| own["document"].as_str());
    // A name of anything else would lead out of the folder.
    let named = named.filter(|own| own.bytes().all(|byte| byte.is_ascii_hexdigit()));
    named.map(str::to_owned).collect()
}

/// Puts a file in place, whole or not at all.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    write_synced(&beside, content)?;
    fs::rename(&beside, path)
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    // Definitions may hold what is nobody else's business.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes renames in a folder last.
fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere folders cannot be opened.
    if cfg!(unix) {
        let here = Path::new(".");
        let folder = if folder.as_os_str().is_empty() {
            here
        } else {
            folder
        };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
