//! Keys that verify, parsed once.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use super::algorithm::{Algorithm, Family};
use crate::ConfigError;

/// A key that an operator gives, instead of an issuer that publishes some.
///
/// Without an id it serves tokens whatever key they name; with one ([`with_id`](Self::with_id)) only those that name it.
///
/// ```
/// use portcullis_auth::jwt::{Algorithm, Issuer, Key};
///
/// let key = Key::secret(Algorithm::HS256, "a secret of at least thirty-two bytes")?;
/// let issuer = Issuer::given("https://id.example.com", [key])?.audience("pets");
/// # Ok::<(), portcullis_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Key {
    id: Option<Box<str>>,
    pub(super) checks: Vec<(Algorithm, SignatureCheck)>,
}

/// What checks a signature. It belongs to one algorithm.
#[derive(Clone)]
pub(super) enum SignatureCheck {
    Public(ParsedPublicKey),
    /// Boxed, because it is twenty times as large.
    Secret(Box<hmac::Key>),
}

impl SignatureCheck {
    pub(super) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
            // In constant time.
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

impl Key {
    /// A secret shared with the issuer, for `HS256`, `HS384` or `HS512`.
    ///
    /// # Errors
    ///
    /// If the algorithm is another, or the secret is shorter than the algorithm's hash (RFC 7518, 3.2).
    pub fn secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let secret = secret.as_ref();
        match algorithm.family() {
            Family::Hmac {
                algorithm: hash,
                least,
            } if secret.len() >= least => Ok(Self {
                id: None,
                checks: vec![(
                    algorithm,
                    SignatureCheck::Secret(Box::new(hmac::Key::new(hash, secret))),
                )],
            }),
            Family::Hmac { least, .. } => Err(ConfigError::new(
                "key",
                format!(
                    "a secret for {algorithm} has {} bytes of at least {least}",
                    secret.len()
                ),
                "make a longer one at random",
            )),
            _ => Err(ConfigError::new(
                "key",
                format!("{algorithm} verifies with a public key, not with a secret"),
                "use Key::pem",
            )),
        }
    }

    /// A public key for one algorithm: the PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// If it is none, or one that the algorithm does not use (RSA keys have 2,048 to 8,192 bits).
    pub fn pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let fault = |problem: String| {
            ConfigError::new(
                "key",
                problem,
                "give the PEM block `PUBLIC KEY` of a key for the algorithm",
            )
        };
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_ref())
            .map_err(|_| fault("there is no public key in the PEM text".to_owned()))?;
        let check = match algorithm.family() {
            Family::Rsa(parameters) => PublicEncryptingKey::from_der(&der)
                .ok()
                .filter(|key| (2048..=8192).contains(&key.key_size_bits()))
                .and_then(|_| ParsedPublicKey::new(parameters, &der).ok()),
            Family::Curve { algorithm, .. } | Family::Ed25519(algorithm) => {
                ParsedPublicKey::new(algorithm, &der).ok()
            }
            Family::Hmac { .. } => None,
        };
        match check {
            Some(key) => Ok(Self {
                id: None,
                checks: vec![(algorithm, SignatureCheck::Public(key))],
            }),
            None => Err(fault(format!("the PEM text is not a key for {algorithm}"))),
        }
    }

    /// Serves only tokens whose header names this key (`kid`).
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into().into());
        self
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn serves(&self, algorithm: Algorithm) -> bool {
        self.checks.iter().any(|(own, _)| *own == algorithm)
    }

    /// An RSA key from its modulus and exponent, for each of `algorithms`.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8], algorithms: &[Algorithm]) -> Option<Self> {
        let modulus = without_leading_zeros(modulus);
        let exponent = without_leading_zeros(exponent);
        let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
        // An exponent of 1 would make any text its own signature.
        let plausible = matches!(exponent, [.., last] if last % 2 == 1) && exponent != [1];
        if !(2048..=8192).contains(&bits) || !plausible {
            return None;
        }
        let components = RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        };
        let mut checks = Vec::new();
        for algorithm in algorithms {
            if let Family::Rsa(parameters) = algorithm.family() {
                let key = components.to_parsed_public_key(parameters).ok()?;
                checks.push((*algorithm, SignatureCheck::Public(key)));
            }
        }
        (!checks.is_empty()).then_some(Self { id: None, checks })
    }

    /// A key on a curve from its coordinates, which must be on it; no `y` for Ed25519.
    pub(super) fn curve(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Option<Self> {
        let key = match algorithm.family() {
            Family::Curve {
                algorithm, width, ..
            } => {
                if x.len() != width || y.len() != width {
                    return None;
                }
                // Uncompressed (SEC 1, 2.3.3).
                let point = [&[4], x, y].concat();
                ParsedPublicKey::new(algorithm, point).ok()?
            }
            Family::Ed25519(algorithm) if x.len() == 32 => {
                ParsedPublicKey::new(algorithm, x).ok()?
            }
            _ => return None,
        };
        Some(Self {
            id: None,
            checks: vec![(algorithm, SignatureCheck::Public(key))],
        })
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let start = number
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(number.len());
    &number[start..]
}

impl fmt::Debug for Key {
    /// Leaves out the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.checks.iter().map(|(algorithm, _)| algorithm).collect();
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &algorithms)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Key};

    #[test]
    fn a_secret_has_at_least_the_length_of_its_hash() {
        assert!(Key::secret(Algorithm::HS256, [7; 31]).is_err());
        assert!(Key::secret(Algorithm::HS256, [7; 32]).is_ok());
        let error = Key::secret(Algorithm::HS512, "not so secret")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("not so secret"), "{error}");
    }

    #[test]
    fn a_secret_is_never_a_public_key_and_the_other_way_round() {
        assert!(Key::secret(Algorithm::RS256, [7; 64]).is_err());
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        assert!(Key::pem(Algorithm::EdDSA, pem).is_ok());
        assert!(Key::pem(Algorithm::HS256, pem).is_err());
        assert!(Key::pem(Algorithm::ES256, pem).is_err());
        assert!(Key::pem(Algorithm::EdDSA, "nothing").is_err());
    }

    #[test]
    fn weak_rsa_keys_are_none() {
        let modulus = |bytes: usize| {
            let mut modulus = vec![0xff; bytes];
            modulus[0] = 0x80;
            modulus
        };
        let algorithms = [Algorithm::RS256];
        assert!(Key::rsa(&modulus(256), &[1, 0, 1], &algorithms).is_some());
        assert!(
            Key::rsa(&modulus(128), &[1, 0, 1], &algorithms).is_none(),
            "1,024 bits"
        );
        assert!(
            Key::rsa(&modulus(2048), &[1, 0, 1], &algorithms).is_none(),
            "16,384 bits"
        );
        assert!(
            Key::rsa(&modulus(256), &[1], &algorithms).is_none(),
            "exponent 1"
        );
        assert!(
            Key::rsa(&modulus(256), &[2], &algorithms).is_none(),
            "even exponent"
        );
        assert!(Key::rsa(&[], &[1, 0, 1], &algorithms).is_none());
    }

    #[test]
    fn a_secret_is_not_in_debug_output() {
        let key = Key::secret(Algorithm::HS256, [b'x'; 32])
            .expect("a key")
            .with_id("k1");
        let text = format!("{key:?}");
        assert!(text.contains("k1") && !text.contains("xx"), "{text}");
    }
}
