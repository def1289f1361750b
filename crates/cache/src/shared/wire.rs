//! Purges, and entries with their keys, as bytes.

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

pub(super) fn write_purge(purge: &Purge) -> Vec<u8> {
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
pub(super) fn read_purge(bytes: &[u8]) -> Purge {
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

    use super::{read_entry, read_purge, write_entry, write_purge};
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
    fn an_entry_of_another_key_is_none() {
        let entry = Draft::new(StatusCode::OK).finish(&["x".into()]);
        let bytes = write_entry(7, b"key", &entry);
        assert_eq!(read_entry(&bytes, b"key").map(|(epoch, _)| epoch), Some(7));
        assert!(read_entry(&bytes, b"other").is_none());
        assert!(read_entry(&bytes[1..], b"key").is_none());
    }
}
