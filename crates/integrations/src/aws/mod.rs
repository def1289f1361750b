//! Calls of AWS services: credentials, addresses, signatures.

mod client;
mod credentials;
mod endpoint;
mod environment;
mod kept;
mod profile;
mod services;
mod sign;
mod source;
mod sts;

pub(crate) use {client::AwsError, endpoint::Endpoint};
pub use {
    client::{Aws, AwsBuilder},
    credentials::{Credentials, CredentialsError, CredentialsFuture, CredentialsProvider},
    source::CredentialsSource,
};
