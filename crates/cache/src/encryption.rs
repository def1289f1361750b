//! Entries that only those can read who have the key.
//!
//! What is sealed is `format ‖ key id ‖ nonce ‖ ciphertext ‖ tag`, by AES-256-GCM-SIV (RFC 8452), which forgives a nonce that comes twice. What it is about,
//! the key of the entry for example, is bound to it: put elsewhere, it does not open.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
#[cfg(feature = "redis")]
use aws_lc_rs::hmac;
use aws_lc_rs::{digest, hkdf, rand};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use portcullis_core::ConfigError;
use zeroize::Zeroizing;

/// Keys to encrypt entries with: the first encrypts, all of them decrypt.
///
/// To change keys, put the new one first and leave the old one until what it encrypted has expired. Cheap to clone. They are not shown, and their memory is
/// overwritten when nobody has them any more.
///
/// ```
/// use portcullis_cache::EncryptionKeys;
///
/// // As `openssl rand -base64 32` prints them.
/// let keys = EncryptionKeys::from_base64(["q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="])?;
/// assert_eq!(format!("{keys:?}"), "EncryptionKeys(1)");
/// assert!(EncryptionKeys::from_base64(["too short"]).is_err());
/// # Ok::<(), portcullis_cache::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct EncryptionKeys(Arc<[Key]>);

struct Key {
    id: [u8; ID],
    seals: LessSafeKey,
    #[cfg(feature = "redis")]
    names: hmac::Key,
}

/// So many bytes a key has.
const LENGTH: usize = 32;

const ID: usize = 8;
const TAG: usize = 16;

/// The first byte of what is sealed. What stores write as it is has another.
const FORMAT: u8 = 2;

/// What something sealed is about: what kind of thing it is, and which one.
#[derive(Clone, Copy)]
pub(crate) enum About<'a> {
    /// The entry of a key.
    Entry(&'a [u8]),
    /// A purge, for a log.
    #[cfg(feature = "redis")]
    Purge,
}

/// What stands before the ciphertext.
const HEAD: usize = 1 + ID + NONCE_LEN;

/// So many keys may be given: for each but the first, an entry that is not there is looked for once more.
const MOST: usize = 4;

impl EncryptionKeys {
    /// Keys of 32 random bytes each.
    ///
    /// # Errors
    ///
    /// There is none, there are more than four, or one stands there twice.
    pub fn new(keys: impl IntoIterator<Item = [u8; LENGTH]>) -> Result<Self, ConfigError> {
        let keys = keys.into_iter().map(Zeroizing::new);
        Self::checked(keys.map(Ok).collect())
    }

    /// The same, each in Base64 (44 characters).
    ///
    /// # Errors
    ///
    /// Also if one is not Base64, or not of 32 bytes. The error does not show it.
    pub fn from_base64(
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, ConfigError> {
        let keys = keys.into_iter().enumerate();
        Self::checked(keys.map(|(at, key)| decode(at, key.as_ref())).collect())
    }

    fn checked(
        keys: Vec<Result<Zeroizing<[u8; LENGTH]>, ConfigError>>,
    ) -> Result<Self, ConfigError> {
        if keys.is_empty() {
            return Err(ConfigError::new(FIELD, "", "names no key", MAKE_ONE));
        }
        if keys.len() > MOST {
            let fix = "keep the one that encrypts and those whose entries have not expired yet, four at most";
            return Err(ConfigError::new(FIELD, keys.len(), "are too many", fix));
        }
        let mut made: Vec<Key> = Vec::with_capacity(keys.len());
        for (at, key) in keys.into_iter().enumerate() {
            let key = key?;
            let key = Key::new(&key).ok_or_else(|| no_key(at))?;
            if made.iter().any(|own| own.id == key.id) {
                let (field, fix) = (format!("{FIELD}/{at}"), "leave it out");
                return Err(ConfigError::new(field, HIDDEN, "stands there twice", fix));
            }
            made.push(key);
        }
        Ok(Self(made.into()))
    }

    /// A key that nobody knows; none if the system has no random bytes.
    pub(crate) fn random() -> Option<Self> {
        let mut key = Zeroizing::new([0; LENGTH]);
        rand::fill(&mut *key).ok()?;
        Some(Self([Key::new(&key)?].into()))
    }

    /// Seals what `write` writes, about what is said in `about`; none if the system has no random bytes.
    pub(crate) fn seal(
        &self,
        about: About<'_>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Vec<u8>> {
        let key = self.0.first()?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut out = Vec::with_capacity(HEAD);
        out.push(FORMAT);
        out.extend_from_slice(&key.id);
        out.extend_from_slice(&nonce);
        write(&mut out);
        out.reserve_exact(TAG);
        let aad = key.aad(about);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = key
            .seals
            .seal_in_place_separate_tag(nonce, aad, &mut out[HEAD..]);
        out.extend_from_slice(sealed.ok()?.as_ref());
        Some(out)
    }

    /// Opens what was sealed by one of these keys about the same.
    pub(crate) fn open(&self, about: About<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        let rest = sealed.strip_prefix(&[FORMAT])?;
        let (id, rest) = rest.split_first_chunk::<ID>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (text, tag) = rest.split_last_chunk::<TAG>()?;
        let key = self.0.iter().find(|key| key.id == *id)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut plain = vec![0; text.len()];
        let opened = key
            .seals
            .open_separate_gather(nonce, key.aad(about), text, tag, &mut plain);
        opened.ok().map(|()| plain)
    }

    /// What an entry is called where others can read it, by each of the keys: the first one's is what it is stored under.
    #[cfg(feature = "redis")]
    pub(crate) fn names(&self, key: &[u8]) -> impl Iterator<Item = hmac::Tag> {
        self.0.iter().map(|own| hmac::sign(&own.names, key))
    }
}

impl Key {
    /// Keys for each purpose from the one that is given; none if the library has none.
    fn new(key: &[u8; LENGTH]) -> Option<Self> {
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, b"portcullis cache").extract(key);
        let derive = |purpose: &[u8]| -> Option<Zeroizing<[u8; LENGTH]>> {
            let mut own = Zeroizing::new([0; LENGTH]);
            let info = [purpose];
            let derived = secret.expand(&info, hkdf::HKDF_SHA256).ok()?;
            derived.fill(&mut *own).ok()?;
            Some(own)
        };
        let seals = UnboundKey::new(&AES_256_GCM_SIV, &*derive(b"entries")?).ok()?;
        let mut id = [0; ID];
        id.copy_from_slice(&derive(b"id")?[..ID]);
        Some(Self {
            id,
            seals: LessSafeKey::new(seals),
            #[cfg(feature = "redis")]
            names: hmac::Key::new(hmac::HMAC_SHA256, &*derive(b"names")?),
        })
    }

    /// What is bound to what is sealed: a digest, so that nothing is copied that is long.
    fn aad(&self, about: About<'_>) -> Aad<[u8; BOUND]> {
        let (kind, which) = match about {
            About::Entry(key) => (0, key),
            #[cfg(feature = "redis")]
            About::Purge => (1, &[][..]),
        };
        let mut bound = [0; BOUND];
        bound[0] = FORMAT;
        bound[1] = kind;
        bound[2..2 + ID].copy_from_slice(&self.id);
        bound[2 + ID..].copy_from_slice(digest::digest(&digest::SHA256, which).as_ref());
        Aad::from(bound)
    }
}

/// Format, kind, key and a digest.
const BOUND: usize = 2 + ID + digest::SHA256_OUTPUT_LEN;

fn decode(at: usize, text: &str) -> Result<Zeroizing<[u8; LENGTH]>, ConfigError> {
    // A decoder asks for room for whole groups.
    let mut room = Zeroizing::new([0; LENGTH + 1]);
    let length = BASE64_STANDARD.decode_slice(text.trim(), &mut *room);
    if length != Ok(LENGTH) {
        return Err(no_key(at));
    }
    let mut key = Zeroizing::new([0; LENGTH]);
    key.copy_from_slice(&room[..LENGTH]);
    Ok(key)
}

fn no_key(at: usize) -> ConfigError {
    let field = format!("{FIELD}/{at}");
    ConfigError::new(field, HIDDEN, "is no Base64 of 32 bytes", MAKE_ONE)
}

const FIELD: &str = "encryptionKeys";
const HIDDEN: &str = "…";
const MAKE_ONE: &str = "make one with `openssl rand -base64 32`";

impl fmt::Debug for EncryptionKeys {
    /// Says how many there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{About, BASE64_STANDARD, EncryptionKeys, Engine};

    fn keys(numbers: &[u8]) -> EncryptionKeys {
        EncryptionKeys::new(numbers.iter().map(|number| [*number; 32])).expect("good keys")
    }

    fn sealed(keys: &EncryptionKeys, about: &[u8], text: &[u8]) -> Vec<u8> {
        let sealed = keys.seal(About::Entry(about), |out| out.extend_from_slice(text));
        sealed.expect("there are random bytes")
    }

    fn open(keys: &EncryptionKeys, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        keys.open(About::Entry(about), sealed)
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_for_the_same_and_nothing_else(
            text in proptest::collection::vec(any::<u8>(), 0..200),
            about in proptest::collection::vec(any::<u8>(), 0..20),
            at in any::<proptest::sample::Index>(),
            change in 1_u8..,
        ) {
            let keys = keys(&[1]);
            let mut sealed = sealed(&keys, &about, &text);
            prop_assert_eq!(open(&keys, &about, &sealed), Some(text));
            prop_assert_eq!(open(&keys, b"something else that is long", &sealed), None);
            let length = sealed.len();
            prop_assert_eq!(open(&keys, &about, &sealed[..at.index(length)]), None);
            sealed[at.index(length)] ^= change;
            prop_assert_eq!(open(&keys, &about, &sealed), None);
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, both, new) = (keys(&[1]), keys(&[2, 1]), keys(&[2]));
        let by_old = sealed(&old, b"", b"text");
        assert_eq!(open(&both, b"", &by_old).as_deref(), Some(&b"text"[..]));
        assert_eq!(open(&new, b"", &by_old), None);
        let by_both = sealed(&both, b"", b"text");
        assert!(open(&new, b"", &by_both).is_some() && open(&old, b"", &by_both).is_none());
    }

    #[cfg(feature = "redis")]
    #[test]
    fn an_entry_is_not_taken_for_a_purge() {
        let keys = keys(&[1]);
        assert_eq!(keys.open(About::Purge, &sealed(&keys, b"", b"text")), None);
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let keys = keys(&[1]);
        assert_ne!(sealed(&keys, b"", b"text"), sealed(&keys, b"", b"text"));
    }

    #[cfg(feature = "redis")]
    #[test]
    fn names_tell_nothing_without_the_key_and_are_the_same_with_it() {
        let names = |numbers: &[u8]| -> Vec<_> {
            let names = keys(numbers);
            let names = names.names(b"key");
            names.map(|name| name.as_ref().to_vec()).collect()
        };
        assert_eq!(names(&[1]), names(&[1]));
        assert_eq!(names(&[2, 1])[1..], names(&[1])[..]);
        assert_ne!(names(&[1]), names(&[2]));
    }

    #[test]
    fn keys_that_are_none_are_told_and_not_shown() {
        let key = |number: u8| BASE64_STANDARD.encode([number; 32]);
        let short = BASE64_STANDARD.encode([7; 31]);
        let fix = "make one with `openssl rand -base64 32`";
        for (keys, expected) in [
            (vec![], format!("encryptionKeys: `` names no key; {fix}")),
            (
                vec![key(1), short.clone()],
                format!("encryptionKeys/1: `…` is no Base64 of 32 bytes; {fix}"),
            ),
            (
                vec!["secret!".to_owned()],
                format!("encryptionKeys/0: `…` is no Base64 of 32 bytes; {fix}"),
            ),
            (
                vec![key(1), key(1)],
                "encryptionKeys/1: `…` stands there twice; leave it out".to_owned(),
            ),
        ] {
            let error = EncryptionKeys::from_base64(keys).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(!format!("{error:?}").contains(&short));
        }
        let many = EncryptionKeys::new((0..5).map(|number| [number; 32])).unwrap_err();
        assert!(many.to_string().contains("four at most"), "{many}");
    }
}
