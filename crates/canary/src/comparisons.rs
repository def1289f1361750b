//! How many answers were compared, and how many differed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many answers of two versions were compared, and how many differed. Clones count together.
///
/// A [`MirrorLayer`](crate::MirrorLayer) fills them; a comparison of one's own may, too.
#[derive(Clone, Debug, Default)]
pub struct Comparisons {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    compared: AtomicU64,
    mismatched: AtomicU64,
}

impl Comparisons {
    /// Nothing was compared yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that two answers were compared.
    pub fn note(&self, differ: bool) {
        self.counts
            .mismatched
            .fetch_add(differ.into(), Ordering::Relaxed);
        self.counts.compared.fetch_add(1, Ordering::Relaxed);
    }

    /// How many answers were compared.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.counts.compared.load(Ordering::Relaxed)
    }

    /// How many of them differed.
    #[must_use]
    pub fn mismatched(&self) -> u64 {
        self.counts.mismatched.load(Ordering::Relaxed)
    }
}
