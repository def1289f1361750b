//! Signing keys, and the cache of them.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::credentials::Secret;

/// A key that signs for one day, region and service.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    /// Derives the key of a secret access key for a day such as `20240229`, a region and a service.
    #[must_use]
    pub fn derive(secret: &Secret, day: &str, region: &str, service: &str) -> Self {
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let mut bytes = Vec::with_capacity(4 + secret.expose().len());
        bytes.extend_from_slice(b"AWS4");
        bytes.extend_from_slice(secret.expose().as_bytes());
        let mut derived = key(&bytes);
        for part in [day, region, service, "aws4_request"] {
            derived = key(hmac::sign(&derived, part.as_bytes()).as_ref());
        }
        Self(derived)
    }

    pub(super) fn sign(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, text)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// The derived keys of a verifier, by access key id and day. Region and service are always the verifier's; keys that hold on every day have none.
pub(super) struct KeyCache<K>(Cache<Day, Derived<K>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Day {
    access_key_id: Box<str>,
    day: Box<str>,
}

#[derive(Hash)]
struct DayRef<'a> {
    access_key_id: &'a str,
    day: &'a str,
}

impl Equivalent<Day> for DayRef<'_> {
    fn equivalent(&self, key: &Day) -> bool {
        *self.access_key_id == *key.access_key_id && *self.day == *key.day
    }
}

struct Derived<K> {
    /// From which secret it was derived: an id can be given another.
    secret: Secret,
    key: Arc<K>,
}

impl<K> Clone for Derived<K> {
    fn clone(&self) -> Self {
        Self {
            secret: self.secret.clone(),
            key: Arc::clone(&self.key),
        }
    }
}

impl<K> KeyCache<K> {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    pub(super) fn key(
        &self,
        access_key_id: &str,
        secret: &Secret,
        day: &str,
        derive: impl FnOnce() -> Option<K>,
    ) -> Option<Arc<K>> {
        let known = self.0.get(&DayRef { access_key_id, day });
        if let Some(derived) = known.filter(|derived| derived.secret == *secret) {
            return Some(derived.key);
        }
        let key = Arc::new(derive()?);
        let day = Day {
            access_key_id: access_key_id.into(),
            day: day.into(),
        };
        let derived = Derived {
            secret: secret.clone(),
            key: Arc::clone(&key),
        };
        self.0.insert(day, derived);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(key: &SigningKey) -> Vec<u8> {
        key.sign(b"text").as_ref().to_vec()
    }

    #[test]
    fn a_key_is_derived_as_the_guide_says() {
        // The guide's own example, whose result it prints.
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let key = SigningKey::derive(&secret, "20150830", "us-east-1", "iam");
        let text = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                    f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let signature: String = (key.sign(text.as_bytes()).as_ref().iter())
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            signature,
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn a_cached_key_is_not_used_for_another_secret() {
        let cache = KeyCache::new(8);
        let derive = |secret: &Secret| Some(SigningKey::derive(secret, "20150830", "r", "s"));
        let (old, new) = (Secret::new("old"), Secret::new("new"));
        let first = cache
            .key("AKID", &old, "20150830", || derive(&old))
            .unwrap();
        let again = cache
            .key("AKID", &old, "20150830", || unreachable!("it is cached"))
            .unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let rotated = cache
            .key("AKID", &new, "20150830", || derive(&new))
            .unwrap();
        assert_ne!(sign(&first), sign(&rotated));
    }

    #[test]
    fn however_many_keys_sign_a_bounded_number_is_remembered() {
        let cache = KeyCache::new(100);
        let secret = Secret::new("secret");
        let key = SigningKey::derive(&secret, "20150830", "r", "s");
        for index in 0..5_000 {
            let id = format!("AKID{index}");
            cache.key(&id, &secret, "20150830", || Some(key.clone()));
        }
        assert!(cache.0.len() <= 100, "{}", cache.0.len());
    }
}
