//! How targets are at the moment.

/// How a target of an [`UpstreamPool`](crate::UpstreamPool) is at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetStatus {
    /// Its origin.
    pub target: String,
    /// Whether requests go to it: it is not ejected, its checks do not fail, and its circuit is not open.
    pub is_available: bool,
    /// Requests to it whose answers have not ended.
    pub in_flight: usize,
}
