//! What came of mirroring.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use http::Method;

use super::comparison::Compared;
use super::difference::Difference;
use crate::comparisons::Comparisons;

/// A handle on what came of mirroring: see [`MirrorLayer::handle`](crate::MirrorLayer::handle).
#[derive(Clone, Debug)]
pub struct MirrorHandle {
    pub(super) tally: Arc<Tally>,
}

impl MirrorHandle {
    /// What came of it so far.
    #[must_use]
    pub fn report(&self) -> MirrorReport {
        self.tally.report()
    }

    /// How many answers were compared, and how many differed: for a [`Ramp`](crate::Ramp).
    #[must_use]
    pub fn comparisons(&self) -> &Comparisons {
        &self.tally.comparisons
    }
}

/// What came of mirroring so far.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MirrorReport {
    /// Requests of which a copy was to be sent.
    pub mirrored: u64,
    /// Pairs of answers that were compared.
    pub compared: u64,
    /// Pairs that differed, in whatever.
    pub mismatched: u64,
    /// Pairs that differed in their status.
    pub status: u64,
    /// Pairs that differed in their headers.
    pub headers: u64,
    /// Pairs that differed in their bodies.
    pub bodies: u64,
    /// Copies that were not made, since as many as may be were under way.
    pub dropped: u64,
    /// Copies that came to nothing, since a body was too long, or production's answer broke off or took too long.
    pub skipped: u64,
    /// Copies to which the other version gave no answer: it failed, broke off, or took too long.
    pub failed: u64,
    /// Pairs that differed, the youngest last: as many as the layer keeps.
    pub samples: Vec<MirrorSample>,
}

impl MirrorReport {
    /// The rate of compared answers that differed, in percent.
    #[must_use]
    pub fn mismatch_rate(&self) -> f64 {
        if self.compared == 0 {
            return 0.0;
        }
        self.mismatched as f64 * 100.0 / self.compared as f64
    }
}

impl fmt::Display for MirrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} % of {} differ ({} in status, {} in headers, {} in bodies); of {} mirrored, {} failed and {} were skipped; {} were dropped",
            self.mismatch_rate(),
            self.compared,
            self.status,
            self.headers,
            self.bodies,
            self.mirrored,
            self.failed,
            self.skipped,
            self.dropped
        )
    }
}

/// A pair of answers that differed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MirrorSample {
    /// When the copy was sent.
    pub at: SystemTime,
    /// The request's method.
    pub method: Method,
    /// Its path, without the query, in which secrets may be.
    pub path: String,
    /// Where the answers differ: the first few places.
    pub differences: Vec<Difference>,
    /// There are more.
    pub more: bool,
}

impl fmt::Display for MirrorSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        for difference in &self.differences {
            write!(f, "\n  {difference}")?;
        }
        if self.more {
            f.write_str("\n  …")?;
        }
        Ok(())
    }
}

/// Counts, and keeps samples.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) mirrored: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) failed: AtomicU64,
    comparisons: Comparisons,
    status: AtomicU64,
    headers: AtomicU64,
    bodies: AtomicU64,
    samples: Mutex<VecDeque<MirrorSample>>,
    kept: usize,
}

impl Tally {
    pub(super) fn new(kept: usize) -> Self {
        Self {
            mirrored: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            comparisons: Comparisons::new(),
            status: AtomicU64::new(0),
            headers: AtomicU64::new(0),
            bodies: AtomicU64::new(0),
            samples: Mutex::default(),
            kept,
        }
    }

    /// Counts a pair, and keeps it if it differs.
    pub(super) fn note(&self, (method, path): (Method, String), at: SystemTime, pair: Compared) {
        for (counter, differs) in [
            (&self.status, pair.status),
            (&self.headers, pair.headers),
            (&self.bodies, pair.body),
        ] {
            counter.fetch_add(differs.into(), Ordering::Relaxed);
        }
        let more = pair.differences.more;
        let differences = pair.differences.into_vec();
        if let Some(first) = differences.first() {
            tracing::debug!(%method, path, %first, "answers differ");
            let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
            if samples.len() >= self.kept {
                samples.pop_front();
            }
            if self.kept > 0 {
                samples.push_back(MirrorSample {
                    at,
                    method,
                    path,
                    differences,
                    more,
                });
            }
            drop(samples);
            self.comparisons.note(true);
        } else {
            self.comparisons.note(false);
        }
    }

    fn report(&self) -> MirrorReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        MirrorReport {
            mirrored: read(&self.mirrored),
            compared: self.comparisons.compared(),
            mismatched: self.comparisons.mismatched(),
            status: read(&self.status),
            headers: read(&self.headers),
            bodies: read(&self.bodies),
            dropped: read(&self.dropped),
            skipped: read(&self.skipped),
            failed: read(&self.failed),
            samples: samples.iter().cloned().collect(),
        }
    }
}
