//! Custom authorizers as layers.

mod events;
mod keeping;
mod outcomes;
mod support;
