//! Metrics, as an exporter shows them.

mod exposition;
mod meaning;
mod scrape;
mod support;
