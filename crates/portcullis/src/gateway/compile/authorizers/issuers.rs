//! The issuers of one gateway: their keys are fetched once for all authorizers, and stay when something is deployed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::auth::ConfigError;
use crate::auth::jwt::{Issuer, IssuerBuilder};
use crate::client::Client;
use crate::core::Clock;

/// Issuers by the name that definitions give them. Clones share them.
#[derive(Clone, Default)]
pub(in crate::gateway) struct Issuers {
    /// What stands in for the issuer of a definition.
    instead: BTreeMap<String, IssuerBuilder>,
    made: Arc<Mutex<BTreeMap<String, Issuer>>>,
}

impl Issuers {
    /// Takes this issuer wherever a definition names `name`, an issuer or the ARN of a user pool.
    pub(in crate::gateway) fn insert(&mut self, name: String, issuer: IssuerBuilder) {
        // What was made before stays with whoever made it.
        self.made = Arc::default();
        self.instead.insert(name, issuer);
    }

    /// The names that something stands in for.
    pub(in crate::gateway) fn names(&self) -> impl Iterator<Item = &str> {
        self.instead.keys().map(String::as_str)
    }

    /// Keeps the keys that `other` fetched, where neither has an issuer of its own to stand in.
    pub(in crate::gateway) fn take_from(&mut self, other: &Self) {
        if self.instead.is_empty() && other.instead.is_empty() {
            self.made = Arc::clone(&other.made);
        }
    }

    /// The issuer of this name, to be completed.
    pub(super) fn issuer(
        &self,
        name: &str,
        client: &Client,
        clock: &Arc<dyn Clock>,
    ) -> Result<IssuerBuilder, ConfigError> {
        self.find(&[name], client, clock, || Issuer::discover(name))
    }

    /// The user pool of this ARN, to be completed.
    pub(super) fn user_pool(
        &self,
        arn: &str,
        client: &Client,
        clock: &Arc<dyn Clock>,
    ) -> Result<IssuerBuilder, ConfigError> {
        let pool = Issuer::user_pool(arn)?;
        let name = pool.name().to_owned();
        self.find(&[arn, &name], client, clock, || Ok(pool))
    }

    fn find(
        &self,
        names: &[&str],
        client: &Client,
        clock: &Arc<dyn Clock>,
        make: impl FnOnce() -> Result<IssuerBuilder, ConfigError>,
    ) -> Result<IssuerBuilder, ConfigError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(issuer) = names.iter().find_map(|name| made.get(*name)) {
            return Ok(issuer.with_same_keys());
        }
        let issuer = match names.iter().find_map(|name| self.instead.get(*name)) {
            Some(instead) => instead.clone(),
            None => make()?,
        };
        let issuer = issuer
            .client_and_clock_or(client.clone(), Arc::clone(clock))
            // Its audiences are said with each use.
            .audiences([] as [&str; 0]);
        let own = issuer.with_same_keys();
        made.insert(names[names.len() - 1].to_owned(), issuer);
        Ok(own)
    }
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Issuers")
            .field(&self.instead.keys())
            .finish()
    }
}
