//! Chores of this repository: `cargo xtask <command>`.

mod bench;
mod cache_tests;
mod ci_full;
mod npm;
mod python;
mod shell;
mod test;
mod tidy;

use std::{env, process::ExitCode};

const HELP: &str = "\
Chores of this repository.

Usage: cargo xtask <command> [options]

Commands:
  test         Install what the tests need, run every test, build the examples, compare instructions
  tidy         Check the rules of the house: what may depend on what, lints, names, leftovers
  ci-full      The long checks: feature powersets, minimal versions, licences and advisories, fuzzing
  bench        Run the benches (a workspace of their own)
  cache-tests  Run the public HTTP cache tests against our cache, or another
  help         Print this

`cargo xtask <command> --help` says more of each.";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let command = args.next();
    let rest: Vec<String> = args.collect();

    let result = match command.as_deref() {
        Some("test") => test::run(&rest),
        Some("tidy") => tidy::run(&rest),
        Some("ci-full") => ci_full::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("cache-tests") => cache_tests::run(&rest),
        Some("help" | "--help" | "-h") => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(other) => {
            eprintln!("error: there is no command `{other}`\n\n{HELP}");
            return ExitCode::from(2);
        }
        None => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };

    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
