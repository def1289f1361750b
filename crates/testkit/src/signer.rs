//! Keys that sign tokens.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde_json::Value;

/// A key pair, made anew, that signs JSON Web Tokens and publishes its public half.
///
/// ```
/// use portcullis_testkit::Signer;
/// use serde_json::json;
///
/// let signer = Signer::generate("ES256", "k1");
/// let token = signer.sign(&json!({"iss": "me", "exp": 4102444800_u64}));
/// assert_eq!(token.split('.').count(), 3);
/// assert_eq!(signer.jwk()["kid"], "k1");
/// ```
#[derive(Clone)]
pub struct Signer {
    id: String,
    algorithm: Algorithm,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    /// A new key for `RS256` and its kin, `ES256`, `ES384` or `EdDSA`. RSA keys take a moment to make.
    ///
    /// # Panics
    ///
    /// If the algorithm is another.
    #[must_use]
    #[track_caller]
    pub fn generate(algorithm: &str, id: &str) -> Self {
        let known: Algorithm = algorithm.parse().expect("an algorithm");
        let random = SystemRandom::new();
        let key = match algorithm {
            "ES256" | "ES384" => {
                let curve = match algorithm {
                    "ES256" => &ECDSA_P256_SHA256_FIXED_SIGNING,
                    _ => &ECDSA_P384_SHA384_FIXED_SIGNING,
                };
                let pair = EcdsaKeyPair::generate_pkcs8(curve, &random).expect("a key");
                EncodingKey::from_ec_der(pair.as_ref())
            }
            "EdDSA" => {
                let pair = Ed25519KeyPair::generate_pkcs8v1(&random).expect("a key");
                EncodingKey::from_ed_der(pair.as_ref())
            }
            _ if algorithm.starts_with(['R', 'P']) => {
                let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
                let der: Pkcs8V1Der<'_> = pair.as_der().expect("its encoding");
                let pem = format!(
                    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
                    STANDARD.encode(der.as_ref())
                );
                EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key")
            }
            _ => panic!("no keys are made for {algorithm}"),
        };
        let mut jwk = Jwk::from_encoding_key(&key, known).expect("a public key");
        jwk.common.key_id = Some(id.to_owned());
        Self {
            id: id.to_owned(),
            algorithm: known,
            key,
            jwk: serde_json::to_value(jwk).expect("JSON"),
        }
    }

    /// The public key as an issuer publishes it.
    #[must_use]
    pub fn jwk(&self) -> Value {
        self.jwk.clone()
    }

    /// A token with these claims, whose header names the key.
    ///
    /// # Panics
    ///
    /// If the claims are no JSON.
    #[must_use]
    pub fn sign(&self, claims: &impl Serialize) -> String {
        self.sign_with(claims, |_| {})
    }

    /// A token with these claims, and a header of which `change` may change what it likes.
    ///
    /// # Panics
    ///
    /// If the claims are no JSON.
    #[must_use]
    pub fn sign_with(&self, claims: &impl Serialize, change: impl FnOnce(&mut Header)) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        change(&mut header);
        jsonwebtoken::encode(&header, claims, &self.key).expect("a token")
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
