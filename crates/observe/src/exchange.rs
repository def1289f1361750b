//! A request that has ended.

use std::time::Duration;

use http::StatusCode;
use portcullis_core::{Measure, Rejection, RequestContext};

/// A request with its response, when both have ended.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    context: &'a RequestContext,
    outcome: Outcome,
    status: Option<StatusCode>,
    sent: u64,
    latency: Duration,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there are no other ways for a response to end"
)]
pub enum Outcome {
    /// The response was handed over to its end.
    Complete,
    /// The body of the response failed on its way.
    Broken,
    /// Nobody waited for the response, or for the rest of it.
    Cancelled,
    /// The service gave an error instead of a response.
    Failed,
}

impl Outcome {
    /// Whether the response was handed over to its end.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::Complete)
    }

    /// `complete`, `broken`, `cancelled` or `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Broken => "broken",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl<'a> Exchange<'a> {
    /// The exchange that `context` tells of. `sent` are bytes of the response's body, `latency` is the time from the request's arrival to its end.
    #[must_use]
    pub const fn new(
        context: &'a RequestContext,
        outcome: Outcome,
        status: Option<StatusCode>,
        sent: u64,
        latency: Duration,
    ) -> Self {
        Self {
            context,
            outcome,
            status,
            sent,
            latency,
        }
    }

    /// What is known of the request.
    #[must_use]
    pub const fn context(&self) -> &'a RequestContext {
        self.context
    }

    /// How it ended.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The status of the response; `None` if there was no response.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The bytes of the response's body that were handed over.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// From the request's arrival to its end.
    #[must_use]
    pub const fn latency(&self) -> Duration {
        self.latency
    }

    /// The class of the status: 2 to 5, and 0 where there was none. A refusal that is worded with another status counts as what it is, as in the service.
    pub(crate) fn class(&self, refusal: Option<&Rejection>) -> u16 {
        match (refusal, self.status, self.outcome) {
            (Some(refusal), ..) => refusal.status().as_u16() / 100,
            (None, Some(status), _) => status.as_u16() / 100,
            (None, None, Outcome::Failed) => 5,
            (None, None, _) => 0,
        }
    }

    /// The bytes of bodies that went through, as far as they were counted.
    pub(crate) fn processed(&self) -> u64 {
        let measured = self.context.measured(Measure::DataProcessed);
        measured
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(self.sent)
    }
}
