//! Who is calling, and may they: tokens, keys, signatures and policies as tower layers.

mod error;
mod expression;
mod flights;

pub mod access;
pub mod api_key;
pub mod caller_headers;
pub mod combine;
pub mod credentials;
pub mod custom;
pub mod iam;
pub mod introspection;
pub mod jwt;
#[cfg(feature = "mtls")]
pub mod mtls;
pub mod sigv4;

pub use error::ConfigError;
