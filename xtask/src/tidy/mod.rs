//! `cargo xtask tidy`: the rules of the house that a program can check.

mod dependencies;
mod manifests;
mod pages;
mod sources;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::shell;

const HELP: &str = "\
Checks the rules of the house. All faults are told at once.

Usage: cargo xtask tidy

- What may depend on what: `core`, `templates`, `routing` and `definition` on no other crate of
  the workspace; a layer crate on `core`, `templates`, `client` and `redis`; `openapi` on
  `definition`; only the facade on all of them, and only examples, benches and tests on the
  facade or on axum. Dev-dependencies follow the same rule; `testkit` is free for all.
- Each crate is called portcullis-<folder>, and takes the lints of the workspace.
- Each lib.rs and main.rs begins with a `//!` line that says what it is.
- Each crate has a row on the map in docs/architecture.md, and links between pages lead somewhere.
- No ignored test, nothing left to do, no path of somebody's machine, no host of a registry.";

pub(crate) fn run(args: &[String]) -> Result<()> {
    if shell::help_or_unknown(args, &[], HELP)? {
        return Ok(());
    }
    let root = shell::root();
    let mut faults = Vec::new();

    shell::section("tidy: what depends on what");
    let metadata =
        shell::output(shell::cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let packages = manifests::packages(&metadata)?;
    faults.extend(dependencies::faults(&packages));

    shell::section("tidy: names and lints");
    for package in &packages {
        let text = read(&package.manifest)?;
        faults.extend(manifests::faults(package, &text));
    }

    shell::section("tidy: the map");
    let map = read(&root.join("docs/architecture.md"))?;
    faults.extend(pages::missing_on_the_map(&packages, &map));

    shell::section("tidy: sources and pages");
    let files = tracked_files(&root)?;
    for file in &files {
        // Files that are not text have no rules.
        if let Ok(text) = String::from_utf8(
            fs::read(root.join(file)).with_context(|| format!("cannot read {file}"))?,
        ) {
            faults.extend(sources::faults(file, &text));
            if file.ends_with(".md") {
                faults.extend(pages::broken_links(&root, file, &text));
            }
        }
    }

    if faults.is_empty() {
        shell::section(&format!(
            "tidy: {} packages and {} files are in order",
            packages.len(),
            files.len()
        ));
        return Ok(());
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    bail!("tidy found {} faults", faults.len());
}

/// The files that are under version control and exist; where there is no git, all files but build results.
pub(crate) fn tracked_files(root: &Path) -> Result<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .stderr(Stdio::null())
        .output();
    let mut files: Vec<String> = match listed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split_terminator('\0')
            .map(str::to_owned)
            .collect(),
        _ => {
            let mut found = Vec::new();
            walk(root, root, &mut found)?;
            found
        }
    };
    files.retain(|file| root.join(file).is_file());
    files.sort_unstable();
    Ok(files)
}

/// The folders of `crates/` that hold a crate.
pub(crate) fn crate_folders(root: &Path) -> Result<Vec<String>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            folders.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if ![".git", "target"].iter().any(|name| path.ends_with(name)) {
                walk(root, &path, found)?;
            }
        } else if let Ok(file) = path.strip_prefix(root) {
            found.push(file.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
