//! The file in which used quotas outlive a restart.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ledger::Account;

/// What the file holds.
#[derive(Default, Serialize, Deserialize)]
struct Contents {
    version: u32,
    quotas: Vec<Account>,
}

/// The form that this version writes and reads.
const VERSION: u32 = 1;

/// The accounts of the file; none if there is no file yet.
pub(super) fn read(path: &Path) -> io::Result<Vec<Account>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let contents: Contents = serde_json::from_slice(&text)?;
    if contents.version != VERSION {
        let message = format!("version {} is not known", contents.version);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(contents.quotas)
}

/// Whether the file could be written. What is there is left as it is.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let beside = beside(path);
    File::create(&beside)?;
    fs::remove_file(&beside)
}

/// The file that takes its place when it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut beside = PathBuf::from(path).into_os_string();
    beside.push(".new");
    beside.into()
}

/// Puts the accounts into the file, whole or not at all.
pub(super) fn write(path: &Path, quotas: Vec<Account>) -> io::Result<()> {
    let contents = Contents {
        version: VERSION,
        quotas,
    };
    let beside = beside(path);
    let mut file = File::create(&beside)?;
    file.write_all(&serde_json::to_vec(&contents)?)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
