//! Runnable examples: `cargo run --example NAME`. The library holds what they all do at their ends, so that each shows what it is about.
//!
//! `LISTEN` is another address to listen on, and `RUST_LOG` says what is logged.

mod exporters;

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

pub use exporters::{Exporters, Started, say_whether_there_is_a_collector};

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
    tracing_subscriber::fmt()
        // Whoever reads the log may go away before the example ends.
        .log_internal_errors(false)
        .with_env_filter(filter(own))
        .init();
}

fn filter(own: &str) -> EnvFilter {
    let asked = std::env::var("RUST_LOG").ok();
    EnvFilter::builder().parse_lossy(asked.as_deref().unwrap_or(own))
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

/// Says where an example listens, and what to try there: the lines at the head of its `source` that ask `localhost`.
pub fn listening(address: impl Display, source: &str) {
    println!("listening on http://{address}");
    let head = source.lines().map_while(|line| line.strip_prefix("//!"));
    let mut tries = head
        .map(str::trim)
        .filter(|line| line.contains("localhost:") && !line.starts_with('`'))
        .map(|line| at(line, &address.to_string()))
        .peekable();
    if tries.peek().is_some() {
        println!("try:");
    }
    for line in tries {
        println!("  {line}");
    }
}

/// The line with this address wherever it names a port of this machine.
fn at(line: &str, address: &str) -> String {
    let mut parts = line.split("localhost:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(address);
        out.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn an_address_takes_the_place_of_each_of_the_examples_own() {
        let line = "curl localhost:3000/a; curl 'localhost:3000/b?c=1'";
        let expected = "curl [::1]:7/a; curl '[::1]:7/b?c=1'";
        assert_eq!(at(line, "[::1]:7"), expected);
        assert_eq!(at("curl example.com", "[::1]:7"), "curl example.com");
    }
}
