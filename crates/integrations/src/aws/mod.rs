//! Calls of AWS services: credentials, addresses, signatures.

mod client;
mod credentials;
mod endpoint;
mod environment;
mod exchange;
mod identity;
mod kept;
mod profile;
mod service;
mod services;
mod sign;
mod source;
mod sts;
mod uri;

pub use {
    client::{Aws, AwsBuilder},
    credentials::{Credentials, CredentialsError, CredentialsFuture, CredentialsProvider},
    service::AwsService,
    source::CredentialsSource,
};
pub(crate) use {
    client::{AwsError, is_region},
    endpoint::Endpoint,
    exchange::Exchange,
    identity::CallAs,
    uri::{ServiceUri, ServiceUriFault},
};
