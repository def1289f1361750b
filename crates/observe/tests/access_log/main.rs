//! Access logs: what a line says, and that no value breaks it.

mod formats;
mod hostile;
mod sinks;
mod support;
