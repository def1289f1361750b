//! Who is calling, and may they: tokens, keys, signatures and policies as tower layers.

mod error;
mod expression;

pub mod access;
pub mod api_key;
pub mod credentials;
pub mod custom;
pub mod iam;
pub mod jwt;
pub mod sigv4;

pub use error::ConfigError;
