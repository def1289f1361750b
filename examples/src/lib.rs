//! Runnable examples: `cargo run --example NAME`. There is nothing in the library itself.
