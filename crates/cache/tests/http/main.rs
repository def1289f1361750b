//! A cache by RFC 9111, as whoever uses the layer sees it.

mod allocations;
mod coalescing;
mod hostile;
mod origin;
mod purging;
mod reuse;
mod servers;
mod storing;
mod validation;
