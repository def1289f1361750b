//! Programs for Node that the tests start.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// Folders below `target/`, each with the `package.json` of what is installed there.
const FOLDERS: &[(&str, &str)] = &[
    ("cache-tests", "xtask/cache-tests/package.json"),
    ("browser", "crates/observe/tests/live/package.json"),
    ("issuer", "crates/auth/tests/issuers/package.json"),
    ("signers", "crates/portcullis/tests/signers/package.json"),
];

/// Installs them, unless they are there in these very versions.
pub(crate) fn ensure() -> Result<()> {
    for (name, package) in FOLDERS {
        let wanted = fs::read_to_string(shell::root().join(package))?;
        let folder = shell::target().join(name);
        let stamp = folder.join("installed.json");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            continue;
        }
        match install(&folder, &wanted) {
            Ok(()) => fs::write(stamp, wanted)?,
            // The tests that need it say that they are left out.
            Err(error) if env::var_os("CI").is_none() => {
                shell::section(&format!(
                    "tests with `{name}` of npm are left out: {error:#}"
                ));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn install(folder: &Path, package: &str) -> Result<()> {
    if !shell::has("npm") {
        bail!("npm is missing; on Debian: apt-get install nodejs npm");
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join("package.json"), package)?;
    let arguments = ["install", "--no-audit", "--no-fund", "--no-package-lock"];
    shell::run(Command::new("npm").args(arguments).current_dir(folder))
}
