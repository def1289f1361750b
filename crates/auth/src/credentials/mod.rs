//! Access keys, and whom they belong to.
//!
//! A [`CredentialStore`] finds a [`Credential`] by its id: [`MemoryCredentials`], [`FileCredentials`], or a closure over whatever
//! you have, synchronous or not. [`SessionIssuer`] gives out temporary ones.

mod caller;
mod credential;
mod file;
mod issuer;
mod secret;
mod store;

pub use {
    caller::Caller,
    credential::Credential,
    file::{AccessKeyConfig, FileCredentials, FileError, KeyStatus, PolicyConfig, PrincipalConfig},
    issuer::{IssueError, SessionIssuer},
    secret::Secret,
    store::{CredentialFuture, CredentialLookup, CredentialStore, MemoryCredentials, StoreError},
};
