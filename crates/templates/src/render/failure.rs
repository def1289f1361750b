//! How a rendering ends early.

use crate::fault::FailureKind;
use crate::value::Exceeded;

/// What went wrong; the place is known to the renderer. It is boxed because nearly nothing fails.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Box<Reason>);

#[derive(Clone, Debug)]
pub(crate) struct Reason {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

impl Failure {
    #[cold]
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self(Box::new(Reason {
            kind,
            message: message.into(),
            hint: "",
        }))
    }

    pub(crate) fn into_reason(self) -> Reason {
        *self.0
    }

    pub(crate) fn invocation(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Invocation, message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Limit, message)
    }

    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.0.hint = hint;
        self
    }
}

impl From<Exceeded> for Failure {
    fn from(exceeded: Exceeded) -> Self {
        Self::limit(exceeded.0)
    }
}

/// Leaves the nodes that are being rendered.
#[derive(Debug)]
pub(crate) enum Signal {
    Stop,
    /// Ends the loop of this number, or the nearest block.
    Break(Option<u32>),
    Failed(Failure),
}

impl From<Failure> for Signal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Exceeded> for Signal {
    fn from(exceeded: Exceeded) -> Self {
        Self::Failed(exceeded.into())
    }
}
