//! Makes rules.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method};
use portcullis_core::{ConfigError, Permissions};

use super::refresh::{Refresh, UnauthorizedRefresh};
use super::{CacheRules, KeyPart};

/// Makes [`CacheRules`].
#[derive(Clone, Debug)]
#[must_use]
pub struct CacheRulesBuilder {
    rules: CacheRules,
    ttl: Duration,
}

/// The longest time that the service allows.
const LONGEST_TTL: Duration = Duration::from_secs(3600);

impl CacheRulesBuilder {
    pub(super) fn new() -> Self {
        let ttl = Duration::from_secs(300);
        Self {
            rules: CacheRules {
                methods: vec![Method::GET],
                ttl,
                scope: Box::default(),
                namespace: None,
                parts: vec![KeyPart::Target],
                max_body: 1_048_576,
                max_key_body: 1_048_576,
                shared_between_callers: false,
                shared_between_releases: false,
                stores_errors: false,
                replays_cookies: false,
                ignores_vary: false,
                respects_no_store: false,
                #[cfg(feature = "encryption")]
                encrypts: false,
                dropped: Vec::new(),
                refresh: Refresh::default(),
            },
            ttl,
        }
    }

    /// How long responses are kept: up to an hour; 0 caches nothing. Default: 300 s.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The methods whose responses are cached. Default: `GET` alone, without `HEAD`.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.rules.methods = methods.into_iter().collect();
        self
    }

    /// The parts of a request that make its key, instead of its path and query. **What is not named makes no difference**: name everything that the
    /// response depends on. Method, host, release and caller are part of every key.
    pub fn key(mut self, parts: impl IntoIterator<Item = KeyPart>) -> Self {
        self.rules.parts = parts.into_iter().collect();
        self
    }

    /// What is purged as one, a stage for example. Default: none.
    pub fn scope(mut self, scope: impl AsRef<[u8]>) -> Self {
        self.rules.scope = scope.as_ref().into();
        self
    }

    /// Rules with the same scope and namespace share their responses. Default: none.
    pub fn namespace(mut self, namespace: impl Into<Box<str>>) -> Self {
        self.rules.namespace = Some(namespace.into());
        self
    }

    /// The longest body that is stored, as it goes to the client. Default: 1 MiB.
    pub const fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.rules.max_body = bytes;
        self
    }

    /// The longest body of a request that is read for [`KeyPart::Body`]. A request with a longer one passes, and is not cached. Default: 1 MiB.
    pub const fn max_key_body_bytes(mut self, bytes: usize) -> Self {
        self.rules.max_key_body = bytes;
        self
    }

    /// Another header that is not stored, since it is about one request. (Those that HTTP and the gateway have are not stored anyway.)
    pub fn drop_header(mut self, name: HeaderName) -> Self {
        self.rules.dropped.push(name);
        self
    }

    /// Who may have a response replaced before its time, by `Cache-Control: max-age=0`: whom these allow `execute-api:InvalidateCache` on the method's ARN.
    /// Default: nobody.
    pub fn permissions(mut self, permissions: impl Permissions) -> Self {
        self.rules.refresh.permissions = Some(Arc::new(permissions));
        self
    }

    /// What becomes of those who ask for that and may not. Default: they are served as others are, and told by a `Warning`.
    pub const fn unauthorized_refresh(mut self, otherwise: UnauthorizedRefresh) -> Self {
        self.rules.refresh.otherwise = otherwise;
        self
    }

    /// The ARN of the stage, to which method and path are added where permission is asked for: `arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod`.
    pub fn stage_arn(mut self, arn: impl Into<Box<str>>) -> Self {
        self.rules.refresh.resource = arn.into();
        self
    }

    /// Lets every client have responses replaced before their time; browsers ask for it on every reload.
    pub const fn dangerously_let_everyone_refresh(mut self) -> Self {
        self.rules.refresh.everyone = true;
        self
    }

    /// Does not store responses that say `no-store` or `private`. By default, as in the service, what a response says of caching counts for nothing.
    pub const fn respect_no_store(mut self) -> Self {
        self.rules.respects_no_store = true;
        self
    }

    /// Has responses encrypted where they are stored. In memory, the key is the process's own; what several machines share needs
    /// [keys](crate::EncryptionKeys), and a store that [does not encrypt](crate::Store::encrypts) is given nothing.
    #[cfg(feature = "encryption")]
    pub const fn encrypt(mut self) -> Self {
        self.rules.encrypts = true;
        self
    }

    /// Serves one caller with what was made for another, as the service does: who asks is no part of the key, and requests with an `Authorization` that no
    /// layer has looked at are cached, too. For responses that do not depend on the caller, or with [`KeyPart::Claim`] or [`KeyPart::Context`] for what
    /// they depend on.
    pub const fn dangerously_share_between_callers(mut self) -> Self {
        self.rules.shared_between_callers = true;
        self
    }

    /// Serves a canary with what production made, and the other way round, as long as both are of one deployment, as far as the context knows: for a canary
    /// that answers nothing else. By default, each has its own responses.
    pub const fn share_between_releases(mut self) -> Self {
        self.rules.shared_between_releases = true;
        self
    }

    /// Stores 4xx and 5xx as well, as the service does: one error of an origin is then served for as long as a response is kept.
    pub const fn dangerously_store_errors(mut self) -> Self {
        self.rules.stores_errors = true;
        self
    }

    /// Stores `Set-Cookie`, so that many clients get one client's cookies.
    pub const fn dangerously_replay_set_cookie(mut self) -> Self {
        self.rules.replays_cookies = true;
        self
    }

    /// Stores responses that depend, as they say by `Vary`, on headers that are no part of the key.
    pub const fn dangerously_ignore_vary(mut self) -> Self {
        self.rules.ignores_vary = true;
        self
    }

    /// The rules.
    ///
    /// # Errors
    ///
    /// The time is longer than an hour, or there is no method.
    pub fn build(self) -> Result<CacheRules, ConfigError> {
        let Self { mut rules, ttl } = self;
        if ttl > LONGEST_TTL {
            return Err(ConfigError::new(
                "ttl",
                format_args!("{} s", ttl.as_secs_f64()),
                "is too long",
                "choose 0 to 3600 seconds",
            ));
        }
        if rules.methods.is_empty() {
            return Err(ConfigError::new(
                "methods",
                "",
                "names no method",
                "name one, or set the time to 0",
            ));
        }
        rules.ttl = ttl;
        Ok(rules)
    }
}
