//! Programs that `cargo xtask test` installs.

use std::env;
use std::path::{Path, PathBuf};

/// Where `cargo xtask test` installs a thing (`venv/bin/python`), if it is there. If not, the test says so and is left out; with `CI`
/// set, it fails.
///
/// # Panics
///
/// If it is not there and `CI` is set.
#[must_use]
pub fn installed(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let found = root.join(target).join(path);
    if found.exists() {
        return Some(found);
    }
    let missing = found.display();
    assert!(
        env::var_os("CI").is_none(),
        "{missing} is missing: run `cargo xtask test`"
    );
    eprintln!("left out: {missing} is missing; `cargo xtask test` installs it");
    None
}
