//! Version 4A: `AWS4-ECDSA-P256-SHA256`, whose signatures hold in a set of regions.
//!
//! The key pair is derived from the secret, so whoever has the secret can verify. As the signers of AWS do it: the counter mode of NIST SP 800-108 with
//! HMAC-SHA256, and a candidate of FIPS 186-5, A.2.2.

use std::fmt;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};

use crate::credentials::Secret;
use crate::iam::matches_wildcards;

/// The algorithm, which is part of the derivation, too.
pub(super) const ALGORITHM: &str = "AWS4-ECDSA-P256-SHA256";

/// The order of P-256 less two: the largest candidate.
const MOST: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
];

/// The public key of an access key, for signatures of version 4A.
#[derive(Clone)]
pub(super) struct VerifyingKey(ParsedPublicKey);

impl VerifyingKey {
    /// Derives it; `None` only if the library fails.
    pub(super) fn derive(secret: &Secret, access_key_id: &str) -> Option<Self> {
        let private = private_key(secret, access_key_id)?;
        let private = PrivateKey::from_private_key(&ECDH_P256, &private).ok()?;
        let public = private.compute_public_key().ok()?;
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public.as_ref())
            .ok()
            .map(Self)
    }

    /// Whether `signature`, DER in lower-case hex, is one of `text`.
    pub(super) fn verify(&self, text: &[u8], signature: &str) -> bool {
        /// Two integers of 33 bytes and what stands round them.
        const MAX_DER: usize = 72;
        let digits = signature.as_bytes();
        if digits.len() > 2 * MAX_DER || !digits.len().is_multiple_of(2) {
            return false;
        }
        let mut der = [0; MAX_DER];
        for (byte, pair) in der.iter_mut().zip(digits.chunks_exact(2)) {
            let (Some(high), Some(low)) = (
                super::verify::lower_hex(pair[0]),
                super::verify::lower_hex(pair[1]),
            ) else {
                return false;
            };
            *byte = high << 4 | low;
        }
        self.0.verify_sig(text, &der[..digits.len() / 2]).is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey(…)")
    }
}

fn private_key(secret: &Secret, access_key_id: &str) -> Option<[u8; 32]> {
    let input = ["AWS4A", secret.expose()].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, input.as_bytes());
    for counter in 1..=254_u8 {
        let mut derivation = hmac::Context::with_key(&key);
        derivation.update(&1_u32.to_be_bytes());
        derivation.update(ALGORITHM.as_bytes());
        derivation.update(&[0]);
        derivation.update(access_key_id.as_bytes());
        derivation.update(&[counter]);
        derivation.update(&256_u32.to_be_bytes());
        let mut candidate: [u8; 32] = derivation.sign().as_ref().try_into().ok()?;
        // Big-endian numbers compare as their bytes do.
        if candidate <= MOST {
            for byte in candidate.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
            return Some(candidate);
        }
    }
    None
}

/// Whether `region` is in a set such as `eu-west-1,us-*`.
pub(super) fn covers(set: &str, region: &str) -> bool {
    set.split(',')
        .map(str::trim)
        .any(|own| own == region || (own.contains('*') && matches_wildcards(own, region)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_derived_as_the_suite_of_aws_says() {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let private = private_key(&secret, "AKIDEXAMPLE").unwrap();
        let private = PrivateKey::from_private_key(&ECDH_P256, &private).unwrap();
        let public: String = (private.compute_public_key().unwrap().as_ref().iter())
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            public,
            "04b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1\
             865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518"
        );
    }

    #[test]
    fn a_set_of_regions_has_names_and_patterns() {
        for (set, expected) in [
            ("eu-west-1", true),
            ("us-east-1,eu-west-1", true),
            ("us-east-1, eu-*", true),
            ("*", true),
            ("eu-west-?", false),
            ("eu-west-10", false),
            ("us-*", false),
            ("", false),
            (",", false),
        ] {
            assert_eq!(covers(set, "eu-west-1"), expected, "{set}");
        }
    }

    #[test]
    fn what_is_no_der_is_no_signature() {
        let key = VerifyingKey::derive(&Secret::new("s"), "AKID").unwrap();
        for wrong in [
            "",
            "3",
            "30",
            "zz",
            "3046022100",
            &"00".repeat(72),
            &"0".repeat(100_000),
        ] {
            assert!(!key.verify(b"text", wrong), "{wrong:.20}");
        }
        assert_eq!(format!("{key:?}"), "VerifyingKey(…)");
    }
}
