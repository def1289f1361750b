//! Runnable examples: `cargo run --example NAME`. The library holds what they all do at their ends, so that each shows what it is about.

use std::error::Error;
use std::process::ExitCode;

/// How an example ends: an error is printed as a sentence, with what caused it.
#[must_use]
pub fn shown<E: Error + ?Sized>(outcome: Result<(), Box<E>>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    eprintln!("{error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}

/// Where an example listens: at the address in the variable `LISTEN`, or at its own.
#[must_use]
pub fn listen(own: &str) -> String {
    std::env::var("LISTEN").unwrap_or_else(|_| own.to_owned())
}
