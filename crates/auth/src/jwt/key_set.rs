//! The keys of an issuer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::{Algorithm, Family};
use super::key::{Key, SignatureCheck};
use crate::ConfigError;

/// Keys of one issuer: a JSON Web Key Set (RFC 7517), or keys that were given one by one.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    /// They come from a set, in which a key is found by its id alone.
    by_id_only: bool,
}

impl KeySet {
    /// Reads a key set: the JSON that an issuer publishes.
    ///
    /// Keys that cannot verify a signature are left out: symmetric ones, those for encryption, weak ones, kinds
    /// that are not known. One broken key does not lose the others.
    ///
    /// # Errors
    ///
    /// If it is no key set, or has no key that can be used.
    pub fn from_jwks(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::read(json.as_ref()).ok_or_else(|| {
            ConfigError::new(
                "keys",
                "there is no key in the key set that verifies signatures",
                "give a JSON Web Key Set with a public key",
            )
        })
    }

    pub(super) fn read(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(json).ok()?;
        let keys: Vec<Key> = set
            .keys
            .iter()
            .take(MAX_KEYS)
            .filter_map(read_key)
            .collect();
        (!keys.is_empty()).then_some(Self {
            keys,
            by_id_only: true,
        })
    }

    /// Whether one of the keys serves this algorithm.
    #[must_use]
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        self.keys.iter().any(|key| key.serves(algorithm))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a key has this id, for whatever algorithm.
    pub(super) fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id() == Some(id))
    }

    /// What checks a token whose header has this key id and algorithm; several, where ids are not unique. With `any`,
    /// a token without an id is tried with every key.
    pub(super) fn find<'a>(
        &'a self,
        id: Option<&'a str>,
        algorithm: Algorithm,
        any: bool,
    ) -> impl Iterator<Item = &'a SignatureCheck> {
        self.keys
            .iter()
            .filter(move |key| match (key.id(), id) {
                (Some(own), Some(id)) => own == id,
                (None, Some(_)) => !self.by_id_only,
                (own, None) => any || (own.is_none() && !self.by_id_only),
            })
            .flat_map(|key| &key.checks)
            .filter(move |(own, _)| *own == algorithm)
            .map(|(_, check)| check)
            // No token may cost more than a few signatures.
            .take(MAX_TRIES)
    }
}

impl FromIterator<Key> for KeySet {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            by_id_only: false,
        }
    }
}

impl<const N: usize> From<[Key; N]> for KeySet {
    fn from(keys: [Key; N]) -> Self {
        keys.into_iter().collect()
    }
}

/// More keys than this are left out. (The service reads 150,000 bytes, which is fewer.)
const MAX_KEYS: usize = 512;
/// More keys of one id than this are not tried.
const MAX_TRIES: usize = 8;

fn read_key(value: &Value) -> Option<Key> {
    let key: Jwk = serde_json::from_value(value.clone()).ok()?;
    let common = &key.common;
    let signs = match &common.public_key_use {
        Some(purpose) => *purpose == PublicKeyUse::Signature,
        None => true,
    };
    let verifies = match &common.key_operations {
        Some(operations) => operations.contains(&KeyOperations::Verify),
        None => true,
    };
    if !signs || !verifies {
        return None;
    }
    // The parsed key does not know every algorithm, and a name that is there must be one that the key fits.
    let named = match value.get("alg") {
        Some(name) => Some(Algorithm::parse(name.as_str()?)?),
        None => None,
    };
    let fits = |own: Algorithm| (named.is_none_or(|named| named == own)).then_some(own);
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let read = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let algorithms: Vec<_> = Algorithm::PUBLIC.iter().copied().filter_map(fits).collect();
            Key::rsa(&decode(&rsa.n)?, &decode(&rsa.e)?, &algorithms)?
        }
        AlgorithmParameters::EllipticCurve(curve) => {
            let algorithm = match curve.curve {
                EllipticCurve::P256 => Algorithm::ES256,
                EllipticCurve::P384 => Algorithm::ES384,
                EllipticCurve::P521 => Algorithm::ES512,
                _ => return None,
            };
            let Family::Curve { width, .. } = algorithm.family() else {
                return None;
            };
            // Some issuers leave the leading zeros of a coordinate out.
            let pad = |number: Vec<u8>| {
                let missing = width.saturating_sub(number.len());
                [vec![0; missing], number].concat()
            };
            Key::curve(
                fits(algorithm)?,
                &pad(decode(&curve.x)?),
                &pad(decode(&curve.y)?),
            )?
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Key::curve(fits(Algorithm::EdDSA)?, &decode(&pair.x)?, &[])?
        }
        // A secret has no place in a set that is published.
        _ => return None,
    };
    Some(match &common.key_id {
        Some(id) => read.with_id(id.as_str()),
        None => read,
    })
}
