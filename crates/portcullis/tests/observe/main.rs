//! What a gateway says of its requests: access logs and metrics, by its definition, its builder and its configuration.

mod config;
mod execution;
mod logs;
mod metrics;
mod support;
