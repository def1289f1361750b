//! `cargo xtask ci-full`: the checks that are too long for every change.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::{shell, tidy};

const HELP: &str = "\
The long checks. What cannot run here is said at the end, with the reason.

Usage: cargo xtask ci-full [check …]

Checks (all of them, if none is named):
  features        every set of at most two features of the facade compiles, and all together
  minimal         the oldest versions that the manifests allow compile (needs a nightly toolchain)
  deny            licences, sources, advisories (cargo-deny)
  external-types  only the allowed types of other crates are in the public API (cargo-check-external-types)
  fuzz            each fuzz target runs for 30 seconds (needs a nightly toolchain and cargo-fuzz)
  streaming       a gibibyte passes through HTTP_PROXY each way, and memory stays flat (Linux)

cargo-hack and cargo-deny are installed if they are missing.";

/// What a check came to, when it did not fail.
enum Outcome {
    Passed,
    Skipped(String),
}

type Check = fn() -> Result<Outcome>;

const CHECKS: [(&str, Check); 6] = [
    ("features", features),
    ("minimal", minimal),
    ("deny", deny),
    ("external-types", external_types),
    ("fuzz", fuzz),
    ("streaming", streaming),
];

pub(crate) fn run(args: &[String]) -> Result<()> {
    let names = CHECKS.map(|(name, _)| name);
    if shell::help_or_unknown(args, &names, HELP)? {
        return Ok(());
    }
    let wanted = |name: &str| args.is_empty() || args.iter().any(|arg| arg == name);

    let mut summary = Vec::new();
    let mut failed = Vec::new();
    for (name, check) in CHECKS.into_iter().filter(|(name, _)| wanted(name)) {
        shell::section(&format!("ci-full: {name}"));
        match check() {
            Ok(Outcome::Passed) => summary.push(format!("{name}: passed")),
            Ok(Outcome::Skipped(reason)) => summary.push(format!("{name}: skipped, {reason}")),
            Err(error) => {
                summary.push(format!("{name}: FAILED, {error:#}"));
                failed.push(name);
            }
        }
    }
    shell::section("ci-full: summary");
    for line in summary {
        println!("{line}");
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn features() -> Result<Outcome> {
    shell::ensure_cargo_tool("hack")?;
    // Two at a time find what a crate forgets to ask for; the whole powerset doubles with each feature.
    shell::run(shell::cargo().args([
        "hack",
        "check",
        "-p",
        "portcullis",
        "--feature-powerset",
        "--depth",
        "2",
        "--no-dev-deps",
    ]))?;
    Ok(Outcome::Passed)
}

fn minimal() -> Result<Outcome> {
    if !shell::has_toolchain("nightly") {
        return Ok(Outcome::Skipped("there is no nightly toolchain".to_owned()));
    }
    // In a copy, because resolving to the oldest versions rewrites Cargo.lock.
    let root = shell::root();
    let copy = root.join("target/minimal-versions");
    if copy.exists() {
        for entry in fs::read_dir(&copy)? {
            let path = entry?.path();
            // The build of the last run is kept.
            if path.is_dir() && !path.ends_with("target") {
                fs::remove_dir_all(&path)?;
            }
        }
    }
    for file in tidy::tracked_files(&root)? {
        let to = copy.join(&file);
        fs::create_dir_all(to.parent().unwrap_or(&copy))?;
        fs::copy(root.join(&file), &to).with_context(|| format!("cannot copy {file}"))?;
    }
    shell::run(shell::cargo_of("nightly").current_dir(&copy).args([
        "update",
        "-Z",
        "direct-minimal-versions",
    ]))?;
    shell::run(
        shell::cargo()
            .current_dir(&copy)
            .env("CARGO_TARGET_DIR", copy.join("target"))
            .args(["check", "--workspace", "--all-features"]),
    )?;
    Ok(Outcome::Passed)
}

fn deny() -> Result<Outcome> {
    shell::ensure_cargo_tool("deny")?;
    let deny = |arguments: &[&str]| {
        let mut command = shell::cargo();
        command
            .args(["deny", "--workspace", "--all-features"])
            .args(arguments);
        command
    };
    shell::run(&mut deny(&["check", "bans", "licenses", "sources"]))?;
    // The database is a git repository elsewhere; without it nothing can be said of advisories.
    if shell::run(&mut deny(&["fetch", "db"])).is_err() {
        return Ok(Outcome::Skipped(
            "as to advisories (their database cannot be fetched); bans, licences and sources passed".to_owned(),
        ));
    }
    shell::run(&mut deny(&["check", "--disable-fetch", "advisories"]))?;
    Ok(Outcome::Passed)
}

fn external_types() -> Result<Outcome> {
    if !shell::has("cargo-check-external-types") {
        return Ok(Outcome::Skipped(
            "cargo-check-external-types is not installed (it wants the nightly toolchain that its page names)".to_owned(),
        ));
    }
    let config = shell::root().join("external-types.toml");
    if !config.is_file() {
        return Ok(Outcome::Skipped(
            "there is no external-types.toml".to_owned(),
        ));
    }
    for folder in tidy::crate_folders(&shell::root())? {
        if folder == "testkit" {
            continue;
        }
        shell::run(
            shell::cargo_of("nightly")
                .args(["check-external-types", "--all-features", "--manifest-path"])
                .arg(format!("crates/{folder}/Cargo.toml"))
                .arg("--config")
                .arg(&config),
        )?;
    }
    Ok(Outcome::Passed)
}

fn fuzz() -> Result<Outcome> {
    let folder = shell::root().join("fuzz");
    if !folder.join("Cargo.toml").is_file() {
        return Ok(Outcome::Skipped("there is no fuzz/Cargo.toml".to_owned()));
    }
    if !shell::has_toolchain("nightly") {
        return Ok(Outcome::Skipped("there is no nightly toolchain".to_owned()));
    }
    if !shell::has("cargo-fuzz") {
        return Ok(Outcome::Skipped(
            "cargo-fuzz is not installed (cargo install --locked cargo-fuzz)".to_owned(),
        ));
    }
    for target in fuzz_targets(&folder)? {
        shell::run(shell::cargo_of("nightly").args([
            "fuzz",
            "run",
            &target,
            "--",
            "-max_total_time=30",
        ]))?;
    }
    Ok(Outcome::Passed)
}

fn streaming() -> Result<Outcome> {
    if !cfg!(target_os = "linux") {
        let reason = "memory is read from /proc, which Linux has";
        return Ok(Outcome::Skipped(reason.to_owned()));
    }
    let mut test = shell::cargo();
    test.args(["test", "-p", "portcullis", "--all-features"])
        .args(["--test", "streaming", "--", "--nocapture"])
        .env("PORTCULLIS_STREAM_MIB", "1024");
    shell::run(&mut test)?;
    Ok(Outcome::Passed)
}

fn fuzz_targets(folder: &Path) -> Result<Vec<String>> {
    let listed = shell::output(
        shell::cargo_of("nightly")
            .args(["fuzz", "list", "--fuzz-dir"])
            .arg(folder),
    )?;
    Ok(listed.split_whitespace().map(str::to_owned).collect())
}
