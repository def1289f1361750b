//! What responses are filed under: parts of which none can be taken for another.

use std::borrow::Borrow;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

/// What a response is filed under. Cheap to clone.
///
/// The whole key is kept and compared, no digest of it: two keys are one only if all their parts are the same.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// The key with these bytes, as [`KeyBuilder`] wrote them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes, as [`KeyBuilder`] wrote them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key with more parts.
    pub(crate) fn extended(&self, write: impl FnOnce(&mut KeyBuilder)) -> Self {
        let mut key = KeyBuilder {
            bytes: self.0.to_vec(),
        };
        write(&mut key);
        key.to_key()
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    /// Without the parts: what a caller sent may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

/// Writes a key, part by part.
///
/// Each part is preceded by its length, so that no value can end one part and begin the next; a part that is absent differs from one that is empty.
/// The memory is that of the thread: writing a key and looking it up allocates nothing.
///
/// ```
/// use portcullis_cache::KeyBuilder;
///
/// let key = |parts: &[&str]| {
///     let mut key = KeyBuilder::new(b"pets/prod");
///     for part in parts {
///         key.part(part.as_bytes());
///     }
///     key.to_key()
/// };
/// assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
/// ```
pub struct KeyBuilder {
    bytes: Vec<u8>,
}

const ABSENT: u8 = 0;

/// What a thread keeps of the memory of a long key.
const KEPT: usize = 4096;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl KeyBuilder {
    /// Begins a key within a scope: what is flushed as a whole, a stage for example.
    #[must_use]
    pub fn new(scope: &[u8]) -> Self {
        let mut key = Self {
            bytes: SCRATCH.take(),
        };
        key.bytes.clear();
        key.part(scope);
        key
    }

    /// Adds a part.
    pub fn part(&mut self, part: &[u8]) {
        self.head(part.len());
        self.bytes.extend_from_slice(part);
    }

    /// Adds a part that is lowered as it is written.
    pub fn lower_part(&mut self, part: &[u8]) {
        self.head(part.len());
        let at = self.bytes.len();
        self.bytes.extend_from_slice(part);
        self.bytes[at..].make_ascii_lowercase();
    }

    /// Adds a part that has no value.
    pub fn absent(&mut self) {
        self.bytes.push(ABSENT);
    }

    /// Takes away what was written after the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// What is written so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key.
    #[must_use]
    pub fn to_key(&self) -> Key {
        Key::from_bytes(&self.bytes)
    }

    fn head(&mut self, length: usize) {
        // One more than the length, seven bits to a byte, the last one below 128: mostly one byte, and never that of an absent part.
        let mut rest = length as u64 + 1;
        while rest >= 128 {
            self.bytes.push(rest as u8 | 128);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }
}

impl Drop for KeyBuilder {
    fn drop(&mut self) {
        if self.bytes.capacity() <= KEPT {
            SCRATCH.set(std::mem::take(&mut self.bytes));
        }
    }
}

impl fmt::Debug for KeyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBuilder({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Key, KeyBuilder};

    fn key(parts: &[Option<Vec<u8>>]) -> Key {
        let mut key = KeyBuilder::new(b"scope");
        for part in parts {
            match part {
                Some(part) => key.part(part),
                None => key.absent(),
            }
        }
        key.to_key()
    }

    proptest! {
        #[test]
        fn different_parts_are_different_keys(
            one in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..4)), 0..5),
            other in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..4)), 0..5),
        ) {
            prop_assert_eq!(key(&one) == key(&other), one == other);
        }
    }

    #[test]
    fn a_long_part_has_a_long_length() {
        let part = |length: usize| vec![Some(vec![0; length])];
        for length in [126, 127, 128, 255, 16_382, 16_383, 20_000] {
            assert_ne!(key(&part(length)), key(&part(length + 1)));
        }
        assert_ne!(key(&[Some(vec![0; 126])]), key(&[Some(vec![0; 127]), None]));
    }

    #[test]
    fn an_absent_part_is_not_an_empty_one() {
        assert_ne!(key(&[None]), key(&[Some(Vec::new())]));
    }

    #[test]
    fn a_key_does_not_show_its_parts() {
        let key = key(&[Some(b"secret".to_vec())]);
        assert!(!format!("{key:?}").contains("secret"));
    }
}
