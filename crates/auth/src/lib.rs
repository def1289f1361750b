//! Who is calling, and may they: tokens, keys, signatures and policies as tower layers.

mod error;
mod expression;

pub mod iam;
pub mod jwt;

pub use error::ConfigError;
