//! What a caller reads whose key is none: the same in every case. What was wrong goes to the log.

use portcullis_core::{ApiKeyId, Decision, Rejection, RejectionKind};

use super::store::KeyStoreError;

/// Why a key opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyFault<'a> {
    Missing,
    Ambiguous,
    Malformed,
    Unknown,
    Disabled(&'a ApiKeyId),
    NoPlan(&'a ApiKeyId),
}

impl KeyFault<'_> {
    pub(super) fn refusal(self) -> Rejection {
        let (rule, id) = match self {
            Self::Missing => ("api-key/missing", None),
            Self::Ambiguous => ("api-key/sent-twice", None),
            Self::Malformed => ("api-key/malformed", None),
            Self::Unknown => ("api-key/unknown", None),
            Self::Disabled(id) => ("api-key/disabled", Some(id)),
            Self::NoPlan(id) => ("api-key/no-plan-for-the-stage", Some(id)),
        };
        let mut decision = Decision::new("auth", rule);
        if let Some(id) = id {
            decision = decision.with("key", id.as_str().to_owned());
        }
        Rejection::new(RejectionKind::InvalidApiKey).with_decision(decision)
    }
}

/// Nobody is let in because a store is away.
pub(super) fn away(error: &KeyStoreError) -> Rejection {
    let decision = Decision::new("auth", "api-key/store-away").with("error", error.to_string());
    Rejection::new(RejectionKind::AuthorizerFailure).with_decision(decision)
}
