//! A request at a target, from its choice to the end of the answer.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use tokio::time::Instant;

use super::health::Report;
use super::shared::Shared;

/// One request in flight. What comes of it is told to the target's health; dropped, it is no longer in flight.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    index: usize,
    trial: bool,
    /// When the caller gives up.
    until: Option<Instant>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// For the head of the answer.
    Waiting,
    /// The head was good. Its body may yet break.
    Answering,
    /// All has been told.
    Settled,
}

impl Lease {
    /// The target was chosen, and its circuit has said whether this is a trial.
    pub(super) fn new(
        shared: Arc<Shared>,
        index: usize,
        trial: bool,
        until: Option<Instant>,
    ) -> Self {
        shared.members()[index].begin();
        Self {
            shared,
            index,
            trial,
            until,
            phase: Phase::Waiting,
        }
    }

    pub(super) const fn index(&self) -> usize {
        self.index
    }

    /// The head of the answer is there.
    pub(super) fn answered(&mut self, status: StatusCode) {
        if self.shared.is_failure(status) {
            self.fail();
        } else {
            self.phase = Phase::Answering;
            let report = Report {
                success: true,
                trial: self.trial,
            };
            self.shared.answered(self.index, report);
        }
    }

    /// The target did not answer, or broke off.
    pub(crate) fn fail(&mut self) {
        if self.phase == Phase::Settled {
            return;
        }
        let trial = self.trial && self.phase == Phase::Waiting;
        self.phase = Phase::Settled;
        self.shared.failed(self.index, trial);
    }

    /// It was not the target that failed.
    pub(super) fn excuse(&mut self) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Settled;
            if self.trial {
                self.shared.abandoned(self.index);
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.members()[self.index].end();
        match self.phase {
            // The caller's patience is over, or the caller is gone.
            Phase::Waiting if self.until.is_some_and(|until| until <= Instant::now()) => {
                self.fail();
            }
            Phase::Waiting => self.excuse(),
            Phase::Answering => self.shared.finished(self.index),
            Phase::Settled => {}
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("target", &self.shared.members()[self.index].target())
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
