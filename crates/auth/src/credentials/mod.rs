//! Access keys, and whom they belong to.
//!
//! A [`CredentialStore`] finds a [`Credential`] by its id: [`MemoryCredentials`], [`FileCredentials`], `RedisCredentials` (feature `redis`), or a closure over whatever
//! you have, synchronous or not. [`SessionIssuer`] gives out temporary ones.

mod caller;
mod credential;
mod file;
mod issuer;
#[cfg(feature = "redis")]
mod redis;
mod secret;
mod store;

#[cfg(feature = "redis")]
pub use redis::RedisCredentials;
pub use {
    caller::Caller,
    credential::Credential,
    file::{AccessKeyConfig, FileCredentials, FileError, KeyStatus, PolicyConfig, PrincipalConfig},
    issuer::{IssueError, SessionIssuer},
    secret::Secret,
    store::{CredentialFuture, CredentialLookup, CredentialStore, MemoryCredentials, StoreError},
};
