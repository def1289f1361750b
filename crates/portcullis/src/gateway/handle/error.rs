//! Why an operator's request was not carried out.

use std::error::Error;
use std::fmt;

use crate::gateway::error::{GatewayError, GatewayFault};

/// Why something was not done. Nothing changed then.
///
/// Each line names the API, the field, what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandleError {
    kind: HandleErrorKind,
    error: GatewayError,
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandleErrorKind {
    /// There is no such API, stage, deployment, plan or variable.
    NotFound,
    /// It cannot be done as things stand.
    Conflict,
    /// What was handed in is wrong.
    Invalid,
    /// The state could not be kept: a full disk, say.
    Store,
}

impl HandleError {
    pub(in crate::gateway) fn new(
        kind: HandleErrorKind,
        api: &str,
        field: impl fmt::Display,
        message: impl fmt::Display,
    ) -> Self {
        Self {
            kind,
            error: GatewayFault::new(api, field, message).into(),
        }
    }

    /// That the state could not be kept.
    pub(in crate::gateway) fn store(fault: GatewayFault) -> Self {
        Self {
            kind: HandleErrorKind::Store,
            error: fault.into(),
        }
    }

    /// That there is no such thing, and what there is.
    pub(in crate::gateway) fn unknown<'a>(
        api: &str,
        field: &str,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Self {
        // An operator who sees some of them sees what they look like.
        const SHOWN: usize = 20;
        let known: Vec<_> = known.take(SHOWN).collect();
        let message = match &*known {
            [] => format!("there is no {what} `{name}`, and no other"),
            known => format!(
                "there is no {what} `{name}`; there are: {}",
                known.join(", ")
            ),
        };
        Self::new(HandleErrorKind::NotFound, api, field, message)
    }

    /// What kind of error it is.
    #[must_use]
    pub const fn kind(&self) -> HandleErrorKind {
        self.kind
    }

    /// What is wrong, each with the API, the field and the fix.
    #[must_use]
    pub fn faults(&self) -> &[GatewayFault] {
        self.error.faults()
    }
}

impl From<GatewayError> for HandleError {
    fn from(error: GatewayError) -> Self {
        Self {
            kind: HandleErrorKind::Invalid,
            error,
        }
    }
}

impl From<HandleError> for GatewayError {
    fn from(error: HandleError) -> Self {
        error.error
    }
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for HandleError {}
