//! Purges, and entries with their keys, as bytes.

use crate::encryption::{About, EncryptionKeys};
use crate::entry::Entry;
use crate::key::Key;
use crate::store::{Purge, Selection};

/// The first byte of everything that is written: what another version wrote is not read.
const VERSION: u8 = 1;

/// An entry with its key, and the last purge that whoever wrote it knew of.
pub(super) fn write_entry(epoch: u64, key: &[u8], entry: &Entry) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(&epoch.to_le_bytes());
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(key);
    entry.write(&mut out);
    out
}

/// The same, encrypted; none if the system has no random bytes.
pub(super) fn seal_entry(
    keys: &EncryptionKeys,
    epoch: u64,
    key: &[u8],
    entry: &Entry,
) -> Option<Vec<u8>> {
    keys.seal(About::Entry(key), |out| {
        out.extend_from_slice(&epoch.to_le_bytes());
        entry.write(out);
    })
}

/// The entry in these bytes, if it is one of this key that was encrypted by one of these.
pub(super) fn open_entry(keys: &EncryptionKeys, bytes: &[u8], key: &[u8]) -> Option<(u64, Entry)> {
    let plain = keys.open(About::Entry(key), bytes)?;
    let (epoch, rest) = plain.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*epoch), Entry::read(rest)?))
}

/// The entry in these bytes, if it is one of this key.
pub(super) fn read_entry(bytes: &[u8], key: &[u8]) -> Option<(u64, Entry)> {
    let (epoch, rest) = bytes.strip_prefix(&[VERSION])?.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (own, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    if own != key {
        return None;
    }
    Some((u64::from_le_bytes(*epoch), Entry::read(rest)?))
}

/// A purge, encrypted if there are keys: it may name what a caller sent.
pub(super) fn send_purge(keys: Option<&EncryptionKeys>, purge: &Purge) -> Vec<u8> {
    let bytes = write_purge(purge);
    match keys {
        // A system without random bytes sends what nobody can read, which takes everything away.
        Some(keys) => keys
            .seal(About::Purge, |out| out.extend_from_slice(&bytes))
            .unwrap_or_default(),
        None => bytes,
    }
}

/// What was [sent](send_purge) so. What cannot be read takes everything away.
pub(super) fn receive_purge(keys: Option<&EncryptionKeys>, bytes: &[u8]) -> Purge {
    match keys {
        Some(keys) => keys
            .open(About::Purge, bytes)
            .map_or_else(Purge::everything, |plain| read_purge(&plain)),
        None => read_purge(bytes),
    }
}

fn write_purge(purge: &Purge) -> Vec<u8> {
    let (kind, rest): (u8, &[u8]) = match purge.selection() {
        Selection::Key(key) => (0, key.as_bytes()),
        Selection::Scope(scope) => (1, scope),
        Selection::Prefix(prefix) => (2, prefix),
        Selection::Tag(tag) => (3, tag),
        Selection::Everything => (4, &[]),
    };
    let mut out = vec![VERSION, kind, u8::from(purge.is_soft())];
    out.extend_from_slice(rest);
    out
}

/// The purge in these bytes. What cannot be read takes everything away.
fn read_purge(bytes: &[u8]) -> Purge {
    let [VERSION, kind, soft, rest @ ..] = bytes else {
        return Purge::everything();
    };
    let purge = match kind {
        0 => Purge::key(Key::from_bytes(rest)),
        1 => Purge::written_scope(rest),
        2 => Purge::prefix(rest),
        3 => Purge::tag(rest),
        _ => return Purge::everything(),
    };
    if *soft == 0 { purge } else { purge.soft() }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::{
        open_entry, read_entry, read_purge, receive_purge, seal_entry, send_purge, write_entry,
        write_purge,
    };
    use crate::encryption::EncryptionKeys;
    use crate::entry::Draft;
    use crate::key::Key;
    use crate::store::Purge;

    #[test]
    fn purges_are_read_as_they_were_written() {
        for purge in [
            Purge::key(Key::from_bytes(b"key")),
            Purge::scope(b"api/prod").soft(),
            Purge::prefix("/pets"),
            Purge::tag("pets").soft(),
            Purge::everything(),
        ] {
            assert_eq!(read_purge(&write_purge(&purge)), purge);
        }
        assert_eq!(read_purge(b"\x09?"), Purge::everything());
    }

    #[test]
    fn purges_that_are_encrypted_are_read_by_those_who_have_the_key() {
        let keys = EncryptionKeys::new([[1; 32]]).unwrap();
        let purge = Purge::tag("a secret");
        let sent = send_purge(Some(&keys), &purge);
        assert!(!sent.windows(8).any(|part| part == b"a secret"));
        assert_eq!(receive_purge(Some(&keys), &sent), purge);
        // Who cannot read it forgets everything; so does who is told in the clear what should not be.
        assert_eq!(receive_purge(None, &sent), Purge::everything());
        let clear = send_purge(None, &purge);
        assert_eq!(receive_purge(Some(&keys), &clear), Purge::everything());
        assert_eq!(receive_purge(None, &clear), purge);
        assert_eq!(receive_purge(Some(&keys), &[]), Purge::everything());
    }

    #[test]
    fn an_encrypted_entry_is_read_under_its_key_alone_and_never_from_clear_text() {
        let keys = EncryptionKeys::new([[1; 32]]).unwrap();
        let entry = Draft::new(StatusCode::OK).finish(&["a secret".into()]);
        let bytes = seal_entry(&keys, 7, b"key", &entry).unwrap();
        assert!(!bytes.windows(8).any(|part| part == b"a secret"));
        let (epoch, read) = open_entry(&keys, &bytes, b"key").unwrap();
        assert_eq!((epoch, read.body()), (7, entry.body()));
        assert!(open_entry(&keys, &bytes, b"other").is_none());
        let clear = write_entry(7, b"key", &entry);
        assert!(open_entry(&keys, &clear, b"key").is_none());
        assert!(read_entry(&bytes, b"key").is_none());
    }

    #[test]
    fn an_entry_of_another_key_is_none() {
        let entry = Draft::new(StatusCode::OK).finish(&["x".into()]);
        let bytes = write_entry(7, b"key", &entry);
        assert_eq!(read_entry(&bytes, b"key").map(|(epoch, _)| epoch), Some(7));
        assert!(read_entry(&bytes, b"other").is_none());
        assert!(read_entry(&bytes[1..], b"key").is_none());
    }
}
