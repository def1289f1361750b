//! The signature algorithms of RFC 7518 and RFC 8037.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, RsaParameters, VerificationAlgorithm};

/// How a token is signed. The key decides which of them it serves, never the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519, also called by its own name.
    EdDSA,
    /// HMAC with SHA-256: only with a secret that was given, never from a key set.
    HS256,
    /// HMAC with SHA-384: only with a secret that was given, never from a key set.
    HS384,
    /// HMAC with SHA-512: only with a secret that was given, never from a key set.
    HS512,
}

/// A kind of key, by what aws-lc calls its algorithms.
#[derive(Clone, Copy)]
pub(crate) enum Family {
    Rsa(&'static RsaParameters),
    Curve {
        algorithm: &'static dyn VerificationAlgorithm,
        /// Bytes of a coordinate.
        width: usize,
    },
    Ed25519(&'static dyn VerificationAlgorithm),
    Hmac {
        algorithm: hmac::Algorithm,
        /// Bytes that a secret must have at least (RFC 7518, 3.2).
        least: usize,
    },
}

impl Algorithm {
    /// Every algorithm that verifies with a public key.
    pub const PUBLIC: &'static [Self] = &[
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// The name in a token's header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "PS256" => Self::PS256,
            "PS384" => Self::PS384,
            "PS512" => Self::PS512,
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "ES512" => Self::ES512,
            "EdDSA" | "Ed25519" => Self::EdDSA,
            "HS256" => Self::HS256,
            "HS384" => Self::HS384,
            "HS512" => Self::HS512,
            _ => return None,
        })
    }

    pub(crate) fn family(self) -> Family {
        let curve = |algorithm, width| Family::Curve { algorithm, width };
        let hmac = |algorithm, least| Family::Hmac { algorithm, least };
        match self {
            Self::RS256 => Family::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::RS384 => Family::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::RS512 => Family::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::PS256 => Family::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Self::PS384 => Family::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Self::PS512 => Family::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Self::ES256 => curve(&signature::ECDSA_P256_SHA256_FIXED, 32),
            Self::ES384 => curve(&signature::ECDSA_P384_SHA384_FIXED, 48),
            Self::ES512 => curve(&signature::ECDSA_P521_SHA512_FIXED, 66),
            Self::EdDSA => Family::Ed25519(&signature::ED25519),
            Self::HS256 => hmac(hmac::HMAC_SHA256, 32),
            Self::HS384 => hmac(hmac::HMAC_SHA384, 48),
            Self::HS512 => hmac(hmac::HMAC_SHA512, 64),
        }
    }

    pub(crate) fn is_secret(self) -> bool {
        matches!(self.family(), Family::Hmac { .. })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = crate::ConfigError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name).ok_or_else(|| {
            crate::ConfigError::new(
                "algorithms",
                format!("`{name}` is not a signature algorithm that is served"),
                "use RS256, PS256, ES256, EdDSA or one of their kin; `none` is never served",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Algorithm;

    #[test]
    fn each_public_algorithm_is_found_by_its_name_and_needs_no_secret() {
        for algorithm in Algorithm::PUBLIC {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(*algorithm));
            assert!(!algorithm.is_secret());
        }
    }

    #[test]
    fn none_is_no_algorithm_in_any_spelling() {
        for name in ["none", "None", "NONE", "nOnE", ""] {
            assert!(name.parse::<Algorithm>().is_err());
        }
    }

    #[test]
    fn ed25519_may_be_called_by_its_own_name() {
        assert_eq!(Algorithm::parse("Ed25519"), Some(Algorithm::EdDSA));
    }
}
