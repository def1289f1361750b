//! The one thing that is kept of a key's value.

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;

use crate::ConfigError;

/// What a text begins with that is the hash of a value.
const PREFIX: &str = "sha256:";

/// The SHA-256 of a key's value. Comparing takes the same time wherever two differ.
///
/// ```
/// use portcullis_auth::api_key::KeyHash;
///
/// let hash = KeyHash::of("0123456789abcdefghij");
/// assert_eq!(hash.to_string().parse::<KeyHash>()?, hash);
/// assert!(hash.to_string().starts_with("sha256:"));
/// # Ok::<(), portcullis_auth::ConfigError>(())
/// ```
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of `value`.
    #[must_use]
    pub fn of(value: &str) -> Self {
        Self::of_bytes(value.as_bytes())
    }

    pub(super) fn of_bytes(value: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, value).as_ref());
        Self(hash)
    }

    /// The hash that `text` is (`sha256:` and 64 digits), or else the hash of `text`.
    #[must_use]
    pub fn of_value_or_hash(text: &str) -> Self {
        text.parse().unwrap_or_else(|_| Self::of(text))
    }

    /// The hash itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for KeyHash {
    fn from(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl FromStr for KeyHash {
    type Err = ConfigError;

    /// Reads `sha256:` and 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        // What may be a value is not repeated.
        let wrong = || {
            ConfigError::new(
                "hash",
                "is no hash of a key",
                "write `sha256:` and 64 hexadecimal digits",
            )
        };
        let digits = text.strip_prefix(PREFIX).ok_or_else(wrong)?;
        let digits: &[u8; 64] = digits.as_bytes().try_into().map_err(|_| wrong())?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            let (high, low) = digit(0).zip(digit(1)).ok_or_else(wrong)?;
            *byte = u8::try_from(high << 4 | low).map_err(|_| wrong())?;
        }
        Ok(Self(hash))
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for KeyHash {}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

impl fmt::Display for KeyHash {
    /// As files have it: `sha256:` and 64 digits in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// Hashes nothing again: what it is given is a part of a SHA-256. (Only the operator puts keys into a map, so nobody can fill one
/// bucket of it.)
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PartHasher(u64);

impl Hasher for PartHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, part: u64) {
        self.0 = part;
    }
}

pub(super) type BuildPartHasher = BuildHasherDefault<PartHasher>;

/// A new value for a key, which nobody can guess: 40 letters and digits, as the service makes them.
///
/// # Errors
///
/// If the system has no randomness to give.
pub fn generate() -> Result<String, ConfigError> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut value = String::with_capacity(40);
    while value.len() < 40 {
        let mut random = [0; 64];
        rand::fill(&mut random).map_err(|_| {
            ConfigError::new("value", "cannot be made without randomness", "try again")
        })?;
        // Bytes that would make some characters more likely than others are left out.
        let fair = random.iter().filter(|byte| **byte < 62 * 4);
        let left = 40 - value.len();
        value.extend(
            fair.take(left)
                .map(|byte| char::from(ALPHABET[usize::from(byte % 62)])),
        );
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::{KeyHash, generate};

    #[test]
    fn the_hash_of_a_known_value_is_the_known_one() {
        assert_eq!(
            KeyHash::of("abc").to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_text_is_a_hash_or_else_a_value() {
        let hash = KeyHash::of("abc");
        assert_eq!(KeyHash::of_value_or_hash(&hash.to_string()), hash);
        let upper = hash.to_string().to_uppercase().replace("SHA256", "sha256");
        assert_eq!(KeyHash::of_value_or_hash(&upper), hash);
        for value in ["abc", "sha256:", "sha256:+a", "sha256:zz"] {
            assert_eq!(KeyHash::of_value_or_hash(value), KeyHash::of(value));
        }
        let mut short = hash.to_string();
        short.pop();
        assert_eq!(KeyHash::of_value_or_hash(&short), KeyHash::of(&short));
    }

    #[test]
    fn a_generated_value_is_long_and_not_the_same_twice() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_eq!(one.len(), 40);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(one, other);
    }

    #[test]
    fn debug_output_shows_no_hash() {
        assert_eq!(format!("{:?}", KeyHash::of("abc")), "KeyHash(…)");
    }
}
