//! Runnable examples: `cargo run --example NAME`. The library holds what they all do at their ends, so that each shows what it is about.
//!
//! `LISTEN` is another address to listen on, and `RUST_LOG` says what is logged.

use std::error::Error;
use std::process::ExitCode;

use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// How an example ends: an error is printed as a sentence, with what caused it.
#[must_use]
pub fn shown<E: Error + ?Sized>(outcome: Result<(), Box<E>>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    let mut told = error.to_string();
    eprintln!("{told}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors say their causes themselves.
        if !told.contains(&next) {
            eprintln!("  because {next}");
        }
        told = next;
        cause = error.source();
    }
    ExitCode::FAILURE
}

/// Logs what the variable `RUST_LOG` asks for, or what the example does: `info`, say.
pub fn logs(own: &str) {
    let asked = std::env::var("RUST_LOG").ok();
    let filter = EnvFilter::builder().parse_lossy(asked.as_deref().unwrap_or(own));
    tracing_subscriber::fmt()
        // Whoever reads the log may go away before the example ends.
        .log_internal_errors(false)
        .with_env_filter(filter)
        .init();
}

/// Where an example listens: at the address in the variable `LISTEN`, or at its own.
#[must_use]
pub fn listen(own: &str) -> String {
    std::env::var("LISTEN").unwrap_or_else(|_| own.to_owned())
}

/// A listener [there](listen), for examples that serve without `portcullis::serve`.
///
/// # Errors
///
/// That the address is none, or cannot be listened on; the error names it.
pub async fn listener(own: &str) -> Result<TcpListener, Box<dyn Error>> {
    let address = listen(own);
    TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on `{address}`: {error}").into())
}
