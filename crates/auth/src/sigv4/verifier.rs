//! Rules, cached keys and remembered signatures together.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_core::{Rejection, RejectionKind};

use super::asymmetric::VerifyingKey;
use super::key::{KeyCache, SigningKey};
use super::refusal;
use super::replay::{ReplayGuard, Use};
use super::rules::SigV4Rules;
use super::verify::{Claim, Signature, SignedRequest};
use crate::credentials::Credential;

/// How many signing keys are remembered.
const KEYS: usize = 10_000;
/// How long a signature can be used at most.
const WEEK: Duration = Duration::from_secs(604_800);
const SECOND: Duration = Duration::from_secs(1);

/// Verifies signatures by a set of rules, and remembers the keys that it derived. See the [module's front page](super) for an example.
pub struct SigV4Verifier {
    rules: SigV4Rules,
    keys: KeyCache<SigningKey>,
    public_keys: KeyCache<VerifyingKey>,
    replay: Option<ReplayGuard>,
}

impl SigV4Verifier {
    /// A verifier by these rules.
    #[must_use]
    pub fn new(rules: SigV4Rules) -> Self {
        Self {
            rules,
            keys: KeyCache::new(KEYS),
            public_keys: KeyCache::new(KEYS),
            replay: None,
        }
    }

    /// Remembers this many signing keys, one a day for each access key, and as many public keys of version 4A. Default: 10,000.
    #[must_use]
    pub fn with_key_capacity(mut self, capacity: usize) -> Self {
        self.keys = KeyCache::new(capacity);
        self.public_keys = KeyCache::new(capacity);
        self
    }

    /// Lets each signature pass once.
    #[must_use]
    pub fn with_replay_guard(mut self, guard: ReplayGuard) -> Self {
        self.replay = Some(guard);
        self
    }

    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &SigV4Rules {
        &self.rules
    }

    /// Reads the signature of `request`: [`Signature::read`] by these rules.
    ///
    /// # Errors
    ///
    /// The refusal that the service gives, in its words.
    pub fn read<'a>(
        &self,
        request: &SignedRequest<'a>,
        now: SystemTime,
    ) -> Result<Signature<'a>, Rejection> {
        Signature::read(request, &self.rules, now)
    }

    /// Verifies a signature that was read, with the key that it names (`None`: there is none) and the hash of the body.
    ///
    /// # Errors
    ///
    /// The refusal that the service gives, in its words: an unknown key, a wrong signature, a session token that is wrong or has expired.
    pub fn verify(
        &self,
        request: &SignedRequest<'_>,
        signature: &Signature<'_>,
        payload_hash: &str,
        credential: Option<&Credential>,
        now: SystemTime,
    ) -> Result<(), Rejection> {
        let claim = signature.claim(request, &self.rules, payload_hash);
        self.settle(&claim, signature, credential, now)
    }

    /// As [`verify`](Self::verify), without the request.
    pub(super) fn settle(
        &self,
        claim: &Claim,
        signature: &Signature<'_>,
        credential: Option<&Credential>,
        now: SystemTime,
    ) -> Result<(), Rejection> {
        let id = signature.access_key_id();
        let Some(credential) = credential.filter(|own| **own.access_key_id() == *id) else {
            return Err(refusal::unknown_key(id));
        };
        if signature.is_asymmetric() {
            let secret = credential.secret();
            let key = self
                .public_keys
                .key(id, secret, "", || VerifyingKey::derive(secret, id));
            // A library that fails verifies nothing.
            let key = key.ok_or(RejectionKind::AuthorizerFailure)?;
            claim.check_asymmetric(signature, &key)?;
        } else {
            let key = self.signing_key(signature, credential);
            claim.check(signature, &key)?;
        }
        match (credential.session_token(), signature.session_token()) {
            (None, None) => {}
            (Some(own), Some(given)) if own.is(given) => {}
            _ => return Err(refusal::bad_token(id)),
        }
        if credential.has_expired(now) {
            return Err(refusal::expired_token(id));
        }
        if let Some(replay) = &self.replay
            && let Some(bytes) = claim.replayed(signature)
        {
            // It may be dated ahead by the skew, and lives from then on. Dates have whole seconds.
            let life = if signature.is_presigned() && self.rules.honour_expires {
                WEEK.max(self.rules.max_skew)
            } else {
                self.rules.max_skew
            };
            let life = life
                .saturating_add(self.rules.max_skew)
                .saturating_add(SECOND);
            match replay.note(bytes, now, life) {
                Use::First => {}
                Use::Again => return Err(refusal::replayed(id)),
                Use::NoRoom => return Err(refusal::no_room(id)),
            }
        }
        Ok(())
    }

    /// The key that `credential` signs with in the scope of `signature`: derived once a day, then remembered.
    #[must_use]
    pub fn signing_key(
        &self,
        signature: &Signature<'_>,
        credential: &Credential,
    ) -> Arc<SigningKey> {
        let (secret, day) = (credential.secret(), signature.day());
        let derive = || SigningKey::derive(secret, day, &self.rules.region, &self.rules.service);
        let known = self
            .keys
            .key(credential.access_key_id(), secret, day, || Some(derive()));
        known.unwrap_or_else(|| Arc::new(derive()))
    }
}

impl fmt::Debug for SigV4Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigV4Verifier")
            .field("rules", &self.rules)
            .field("replay", &self.replay)
            .finish_non_exhaustive()
    }
}
