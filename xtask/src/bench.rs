//! `cargo xtask bench`: the benches, which are a workspace of their own.

use anyhow::{Result, bail};

use crate::shell;

const HELP: &str = "\
Runs the benches, which are a workspace of their own (`benches/`), so that the peers they
measure slow no other build.

Usage: cargo xtask bench [--peers] [arguments of the bench program …]

  --peers  With the peers of signatures and policies, which take minutes to build

Every other argument goes to the bench program; `cargo xtask bench -- --help` prints its own help.
`check` compares instruction counts with the recorded ratios (needs valgrind).";

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some("--help" | "-h") = args.first().map(String::as_str) {
        println!("{HELP}");
        return Ok(());
    }
    if !exist() {
        bail!("there is no benches/Cargo.toml");
    }
    let (args, features): (&[String], &[&str]) = match args {
        [first, rest @ ..] if first == "--peers" => (rest, &["--features", "auth-peers"]),
        _ => (args, &[]),
    };
    let args = match args {
        [first, rest @ ..] if first == "--" => rest,
        _ => args,
    };
    shell::run(
        shell::cargo()
            .args(["run", "--release", "--manifest-path", "benches/Cargo.toml"])
            .args(features)
            .arg("--")
            .args(args),
    )
}

/// Whether the benches are in this tree.
pub(crate) fn exist() -> bool {
    shell::root().join("benches/Cargo.toml").is_file()
}
