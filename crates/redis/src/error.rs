//! What can go wrong with the store.

use std::fmt;
use std::time::Duration;

/// Why the store did not do what it was asked to. It says nothing of what was stored.
#[derive(Debug)]
pub struct RedisError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Address(&'static str),
    Busy(usize),
    Late(Duration),
    Failed(redis::RedisError),
}

impl RedisError {
    pub(crate) const fn address(problem: &'static str) -> Self {
        Self {
            kind: Kind::Address(problem),
        }
    }

    pub(crate) const fn busy(limit: usize) -> Self {
        Self {
            kind: Kind::Busy(limit),
        }
    }

    pub(crate) const fn late(deadline: Duration) -> Self {
        Self {
            kind: Kind::Late(deadline),
        }
    }

    pub(crate) const fn failed(error: redis::RedisError) -> Self {
        Self {
            kind: Kind::Failed(error),
        }
    }

    /// Whether the address cannot be one of a store: a fault of the configuration.
    #[must_use]
    pub const fn is_address(&self) -> bool {
        matches!(self.kind, Kind::Address(_))
    }

    /// Whether too many commands are waiting already.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        matches!(self.kind, Kind::Busy(_))
    }

    /// Whether the store cannot be reached, or did not answer in time.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match &self.kind {
            Kind::Late(_) => true,
            Kind::Failed(error) => is_connection(error),
            Kind::Address(_) | Kind::Busy(_) => false,
        }
    }
}

/// Whether the connection is at fault, and not the command.
pub(crate) fn is_connection(error: &redis::RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal()
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Address(problem) => write!(f, "the address of the store {problem}"),
            Kind::Busy(limit) => write!(f, "{limit} commands wait for the store already"),
            Kind::Late(deadline) => {
                write!(f, "the store has not answered within {deadline:?}")
            }
            Kind::Failed(error) => write!(f, "the store failed: {error}"),
        }
    }
}

impl std::error::Error for RedisError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Failed(error) => Some(error),
            Kind::Address(_) | Kind::Busy(_) | Kind::Late(_) => None,
        }
    }
}
