//! Who signs tokens, and what its tokens must say.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_client::Client;
use portcullis_core::{Claims, Clock, SystemClock};

use super::algorithm::Algorithm;
use super::fault::TokenFault;
use super::fetch::{Fetch, Place, endpoint};
use super::key_set::KeySet;
use super::key_source::{KeySource, KeyStats, MAX_STALE};
use crate::ConfigError;

/// An issuer of tokens, with the audiences that its tokens must be for.
///
/// It begins with where the keys are, and is complete once it is said whom its tokens are for:
///
/// ```
/// use portcullis_auth::jwt::{Algorithm, Issuer};
///
/// let issuer = Issuer::discover("https://id.example.com/")?
///     .algorithms([Algorithm::RS256, Algorithm::ES256])
///     .require_claim_value("tenant", "acme")
///     .audience("pets");
///
/// assert_eq!(issuer.name(), "https://id.example.com/");
/// # Ok::<(), portcullis_auth::ConfigError>(())
/// ```
///
/// Clones share the keys. Nothing is fetched before a token needs it, and the issuer may be away when the program starts.
#[derive(Clone)]
pub struct Issuer {
    name: Arc<str>,
    pub(super) keys: Keys,
    /// `None`: any.
    pub(super) audiences: Option<Arc<[Box<str>]>>,
    pub(super) rules: Arc<IssuerRules>,
}

/// An [`Issuer`] that is not complete yet.
#[derive(Clone)]
#[must_use = "it is complete with its audience"]
pub struct IssuerBuilder {
    name: Arc<str>,
    origin: Origin,
    client: Option<Client>,
    clock: Option<Arc<dyn Clock>>,
    max_stale: Duration,
    rules: IssuerRules,
}

/// What all tokens of an issuer must fulfil.
#[derive(Clone, Default)]
pub(super) struct IssuerRules {
    /// Empty: every one that the keys serve.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key_id_optional: bool,
    pub(super) token_type: Option<Box<str>>,
    claims: Vec<ClaimRule>,
}

#[derive(Clone)]
struct ClaimRule {
    name: Box<str>,
    value: Option<Box<str>>,
    required: bool,
}

#[derive(Clone)]
pub(super) enum Keys {
    Given(Arc<KeySet>),
    Fetched(Arc<KeySource>),
}

#[derive(Clone)]
enum Origin {
    Place(Place),
    /// Keys that somebody holds already.
    Held(Keys),
}

impl Issuer {
    /// An issuer that describes itself (OpenID Connect Discovery 1.0): below its address stands
    /// `/.well-known/openid-configuration`, which names the keys.
    ///
    /// `issuer` is what its tokens say as `iss`, to the letter: a slash at the end counts.
    ///
    /// # Errors
    ///
    /// If it is no `https` address (or `http` on this machine), or has a query or a fragment.
    pub fn discover(issuer: &str) -> Result<IssuerBuilder, ConfigError> {
        let address = endpoint(issuer)?;
        if address.query().is_some() || issuer.contains('#') {
            return Err(ConfigError::new(
                "issuer",
                format!("`{issuer}` has a query or a fragment"),
                "give the address as tokens name it",
            ));
        }
        let description = format!(
            "{}/.well-known/openid-configuration",
            issuer.strip_suffix('/').unwrap_or(issuer)
        );
        let place = Place::Discovery(endpoint(&description)?);
        Ok(IssuerBuilder::new(issuer, Origin::Place(place)))
    }

    /// An issuer whose key set is at this address. `issuer` is what its tokens say as `iss`, and may be any text.
    ///
    /// # Errors
    ///
    /// If the key set's address is no `https` address (or `http` on this machine).
    pub fn with_jwks(issuer: &str, jwks_uri: &str) -> Result<IssuerBuilder, ConfigError> {
        let place = Place::Keys(endpoint(jwks_uri)?);
        Ok(IssuerBuilder::new(issuer, Origin::Place(place)))
    }

    /// An issuer whose keys are given, and never fetched.
    ///
    /// # Errors
    ///
    /// If there is no key.
    pub fn given(issuer: &str, keys: impl Into<KeySet>) -> Result<IssuerBuilder, ConfigError> {
        let keys = keys.into();
        if keys.is_empty() {
            return Err(ConfigError::new(
                "keys",
                "there is none",
                "give at least one key",
            ));
        }
        let keys = Keys::Given(Arc::new(keys));
        Ok(IssuerBuilder::new(issuer, Origin::Held(keys)))
    }

    /// A Cognito user pool, by its ARN: `arn:aws:cognito-idp:eu-west-1:111111111111:userpool/eu-west-1_AbCdEf123`.
    ///
    /// Its audiences are ids of app clients: `aud` of ID tokens, `client_id` of access tokens.
    ///
    /// # Errors
    ///
    /// If it is no ARN of a user pool.
    pub fn user_pool(arn: &str) -> Result<IssuerBuilder, ConfigError> {
        Self::discover(&super::cognito::issuer_of(arn)?)
    }

    /// What its tokens say as `iss`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Fetches the keys now: to have them before the first request, or at once after a key was withdrawn.
    /// There is no need to call it.
    ///
    /// # Errors
    ///
    /// If they cannot be fetched. Keys that are held already stay.
    pub async fn refresh(&self) -> Result<(), TokenFault> {
        match &self.keys {
            Keys::Given(_) => Ok(()),
            Keys::Fetched(source) => Arc::clone(source).refresh().await,
        }
    }

    /// Figures about its keys.
    #[must_use]
    pub fn key_stats(&self) -> KeyStats {
        match &self.keys {
            Keys::Given(keys) => KeyStats {
                keys: keys.len(),
                ..KeyStats::default()
            },
            Keys::Fetched(source) => source.stats(),
        }
    }

    /// The same issuer with the same keys, for tokens that are for others.
    #[must_use]
    pub fn for_audiences<T: Into<String>>(&self, audiences: impl IntoIterator<Item = T>) -> Self {
        Self {
            audiences: Some(texts(audiences)),
            ..self.clone()
        }
    }

    /// Begins another issuer of this name, with the same keys and, so far, the same rules.
    ///
    /// ```
    /// use portcullis_auth::jwt::{Algorithm, Issuer};
    ///
    /// let issuer = Issuer::discover("https://id.example.com")?.audience("pets");
    /// let admins = issuer.with_same_keys().require_claim_value("group", "admins").audience("pets");
    /// # let _ = admins;
    /// # Ok::<(), portcullis_auth::ConfigError>(())
    /// ```
    pub fn with_same_keys(&self) -> IssuerBuilder {
        IssuerBuilder {
            rules: (*self.rules).clone(),
            ..IssuerBuilder::new(&self.name, Origin::Held(self.keys.clone()))
        }
    }
}

impl IssuerBuilder {
    fn new(issuer: &str, origin: Origin) -> Self {
        Self {
            name: issuer.into(),
            origin,
            client: None,
            clock: None,
            max_stale: MAX_STALE,
            rules: IssuerRules::default(),
        }
    }

    /// Takes only these algorithms, whatever the keys would serve.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.rules.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Takes only these algorithms, unless [`algorithms`](Self::algorithms) says which.
    pub fn default_algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        match self.rules.algorithms.is_empty() {
            true => self.algorithms(algorithms),
            false => self,
        }
    }

    /// What its tokens say as `iss`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes only tokens of this type: `at+jwt` for access tokens (RFC 9068). By default the header's `typ` is not
    /// looked at.
    pub fn token_type(mut self, name: impl Into<String>) -> Self {
        self.rules.token_type = Some(name.into().into());
        self
    }

    /// Takes tokens that name no key, too, and tries them with every key that serves their algorithm.
    pub const fn key_id_optional(mut self) -> Self {
        self.rules.key_id_optional = true;
        self
    }

    /// Takes only tokens that have this claim.
    pub fn require_claim(self, name: impl Into<String>) -> Self {
        self.claim_rule(name.into(), None, true)
    }

    /// Takes only tokens that have this claim with this text, compared to the letter.
    pub fn require_claim_value(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.claim_rule(name.into(), Some(value.into()), true)
    }

    /// Takes tokens that do not have this claim, or have it with this text.
    pub fn expect_claim_value(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.claim_rule(name.into(), Some(value.into()), false)
    }

    fn claim_rule(mut self, name: String, value: Option<String>, required: bool) -> Self {
        self.rules.claims.push(ClaimRule {
            name: name.into(),
            value: value.map(Into::into),
            required,
        });
        self
    }

    /// Fetches keys through this client. By default there is one of its own.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Takes the age of keys from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Fetches keys through this client and takes their age from this clock, where none was said.
    pub fn client_and_clock_or(mut self, client: Client, clock: Arc<dyn Clock>) -> Self {
        self.client.get_or_insert(client);
        self.clock.get_or_insert(clock);
        self
    }

    /// For how long keys serve after they should have been renewed, while the issuer cannot be reached. The default is a
    /// day; with zero, tokens are refused as soon as keys are too old.
    pub const fn max_stale(mut self, duration: Duration) -> Self {
        self.max_stale = duration;
        self
    }

    /// Completes the issuer: its tokens must be for `audience`.
    #[must_use]
    pub fn audience(self, audience: impl Into<String>) -> Issuer {
        self.audiences([audience.into()])
    }

    /// Completes the issuer: its tokens must be for one of `audiences`. If there is none, no token will do.
    #[must_use]
    pub fn audiences<T: Into<String>>(self, audiences: impl IntoIterator<Item = T>) -> Issuer {
        let audiences = texts(audiences);
        self.complete(Some(audiences))
    }

    /// Completes the issuer: its tokens may be for anybody. Whoever gets a token for another service of this issuer
    /// can then use it here.
    #[must_use]
    pub fn dangerous_any_audience(self) -> Issuer {
        self.complete(None)
    }

    fn complete(self, audiences: Option<Arc<[Box<str>]>>) -> Issuer {
        let keys = match self.origin {
            Origin::Held(keys) => keys,
            Origin::Place(place) => {
                let client = self.client.unwrap_or_default();
                let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
                let fetch = Fetch::new(client, &self.name, place);
                Keys::Fetched(KeySource::new(&self.name, fetch, clock, self.max_stale))
            }
        };
        Issuer {
            name: self.name,
            keys,
            audiences,
            rules: Arc::new(self.rules),
        }
    }
}

impl IssuerRules {
    pub(super) fn check_claims(&self, claims: &Claims) -> Result<(), TokenFault> {
        for rule in &self.claims {
            let found = claims.get(&rule.name);
            let fits = match (found, &rule.value) {
                (None, _) => !rule.required,
                (Some(_), None) => true,
                (Some(found), Some(value)) => found.as_str() == Some(value),
            };
            if !fits {
                return Err(TokenFault::Claim(rule.name.clone()));
            }
        }
        Ok(())
    }
}

fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Arc<[Box<str>]> {
    texts.into_iter().map(|text| text.into().into()).collect()
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("name", &self.name)
            .field("audiences", &self.audiences)
            .field("keys", &self.key_stats())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IssuerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerBuilder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::Claims;

    use super::Issuer;

    #[test]
    fn an_issuer_is_an_address_without_query_and_fragment() {
        assert!(Issuer::discover("https://id.example.com/tenant/").is_ok());
        for wrong in [
            "id.example.com",
            "https://x?a=1",
            "https://x#a",
            "http://x",
            "https://me@x",
        ] {
            let error = Issuer::discover(wrong).map(|_| ()).unwrap_err();
            assert_eq!(error.field(), "issuer", "{wrong}");
        }
    }

    #[test]
    fn claims_are_asked_for_by_name_or_by_value() {
        let issuer = Issuer::with_jwks("me", "https://id.example.com/keys")
            .expect("an address")
            .require_claim("sub")
            .require_claim_value("tenant", "acme")
            .expect_claim_value("tier", "gold")
            .audience("pets");
        let check = |json: &str| issuer.rules.check_claims(&Claims::from_json(json)).is_ok();
        assert!(check(r#"{"sub":1,"tenant":"acme"}"#));
        assert!(check(r#"{"sub":1,"tenant":"acme","tier":"gold"}"#));
        assert!(!check(r#"{"tenant":"acme"}"#));
        assert!(!check(r#"{"sub":1,"tenant":"ACME"}"#));
        assert!(!check(r#"{"sub":1,"tenant":["acme"]}"#));
        assert!(!check(r#"{"sub":1,"tenant":"acme","tier":"tin"}"#));
    }
}
