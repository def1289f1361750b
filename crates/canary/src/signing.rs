//! Signatures, by which what comes back is known to be ours.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::ConfigError;

/// A secret that signs cookies and testers' tokens (HMAC-SHA256). `Debug` does not show it.
#[derive(Clone)]
pub struct SigningKey {
    mac: Arc<Hmac<Sha256>>,
}

/// The fewest bytes of a key: as many as half of the hash has.
const LEAST: usize = 16;

impl SigningKey {
    /// The key that these bytes are: at least 16 of them, by chance.
    ///
    /// # Errors
    ///
    /// If there are fewer.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let secret = secret.as_ref();
        let short = || {
            let problem = format!(
                "has {} bytes, which can be guessed; give at least {LEAST} by chance",
                secret.len()
            );
            ConfigError::new("signingKey", problem)
        };
        if secret.len() < LEAST {
            return Err(short());
        }
        let mac = Hmac::new_from_slice(secret).map_err(|_| short())?;
        Ok(Self { mac: Arc::new(mac) })
    }

    /// The signature of these parts, in hexadecimal, of which the first `bytes` are kept.
    pub(crate) fn sign(&self, parts: &[&[u8]], bytes: usize) -> String {
        let tag = self.fed(parts).finalize().into_bytes();
        hexadecimal(&tag[..bytes.min(tag.len())])
    }

    /// Whether `signature` is that of these parts. It takes the same time wherever it differs.
    pub(crate) fn verifies(&self, parts: &[&[u8]], signature: &[u8], bytes: usize) -> bool {
        let mut tag = [0; 32];
        let Some(tag) = tag.get_mut(..bytes) else {
            return false;
        };
        from_hexadecimal(signature, tag).is_some()
            && self.fed(parts).verify_truncated_left(tag).is_ok()
    }

    fn fed(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = Hmac::clone(&self.mac);
        for part in parts {
            // What is longer than that does not come in a header.
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            mac.update(&length.to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// Reads small hexadecimal digits, as many as fill `out`.
pub(crate) fn from_hexadecimal(text: &[u8], out: &mut [u8]) -> Option<()> {
    if text.len() != out.len() * 2 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::SigningKey;

    #[test]
    fn a_signature_holds_for_its_parts_alone() {
        let key = SigningKey::new([7; 16]).unwrap();
        let signature = key.sign(&[b"ab", b"c"], 16);
        let holds =
            |parts: &[&[u8]], signature: &str| key.verifies(parts, signature.as_bytes(), 16);
        assert_eq!(signature.len(), 32);
        assert!(holds(&[b"ab", b"c"], &signature));
        assert!(!holds(&[b"a", b"bc"], &signature));
        assert!(!holds(&[b"ab", b"c"], &signature[..30]));
        assert!(!holds(&[b"ab", b"c"], &signature.to_uppercase()));
        let other = SigningKey::new([8; 16]).unwrap();
        assert!(!other.verifies(&[b"ab", b"c"], signature.as_bytes(), 16));
    }

    #[test]
    fn a_key_is_long_and_not_shown() {
        let error = SigningKey::new("hunter2").unwrap_err();
        assert!(error.to_string().starts_with("signingKey: has 7 bytes"));
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(
            format!("{:?}", SigningKey::new([1; 32]).unwrap()),
            "SigningKey(…)"
        );
    }
}
