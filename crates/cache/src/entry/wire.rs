//! Entries as bytes, for stores outside of this process.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::seal::Keeping;
use super::{Draft, Entry};
use crate::moment::Moment;

impl Entry {
    /// The entry as bytes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let stored = &*self.0;
        out.reserve(128 + stored.buffer.len());
        let confidential = if self.is_confidential() {
            CONFIDENTIAL
        } else {
            0
        };
        out.extend_from_slice(&(stored.status.as_u16() | confidential).to_le_bytes());
        for moment in [stored.stored_at, self.fresh_until(), stored.keep_until] {
            out.extend_from_slice(&moment.as_millis().to_le_bytes());
        }
        let count = u16::try_from(self.header_count()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_le_bytes());
        for (name, value) in self.headers() {
            sized(out, name.as_str().as_bytes());
            sized(out, value.as_bytes());
        }
        let [values, target, tags, meta] = [
            stored.values_end,
            stored.target_end,
            stored.tags_end,
            stored.meta_end,
        ]
        .map(|end| end as usize);
        for part in [values..target, target..tags, tags..meta] {
            sized(out, &stored.buffer[part]);
        }
        out.extend_from_slice(&stored.buffer[meta..]);
    }

    /// The entry in these bytes; none if they are no entry.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let first = u16::from_le_bytes(take(&mut rest)?);
        let status = StatusCode::from_u16(first & !CONFIDENTIAL).ok()?;
        let keeping = match first & CONFIDENTIAL {
            0 => Keeping::Open,
            _ => Keeping::Confidential,
        };
        let mut moment = || Some(Moment::from_millis(u64::from_le_bytes(take(&mut rest)?)));
        let (stored_at, fresh_until, keep_until) = (moment()?, moment()?, moment()?);
        let mut draft = Draft::new(status);
        draft.keeping = keeping;
        draft.times(stored_at, fresh_until, keep_until);
        let count = u16::from_le_bytes(take(&mut rest)?);
        for _ in 0..count {
            let name = HeaderName::from_bytes(item(&mut rest)?).ok()?;
            let value = HeaderValue::from_bytes(item(&mut rest)?).ok()?;
            draft.headers.push((name, value));
        }
        draft.target(item(&mut rest)?);
        let mut tags = item(&mut rest)?;
        while !tags.is_empty() {
            draft.tag(item(&mut tags)?);
        }
        draft.meta(item(&mut rest)?);
        Some(draft.finish(&[Bytes::copy_from_slice(rest)]))
    }
}

/// Stands in the status, which has no such bit, of an entry that must be encrypted.
const CONFIDENTIAL: u16 = 1 << 15;

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (own, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*own)
}

/// What is preceded by its length.
fn item<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(take(rest)?);
    let (item, after) = rest.split_at_checked(length as usize)?;
    *rest = after;
    Some(item)
}

fn sized(out: &mut Vec<u8>, item: &[u8]) {
    let length = u32::try_from(item.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(item);
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, ETAG};
    use http::{HeaderValue, StatusCode};
    use proptest::prelude::*;

    use super::Entry;
    use crate::entry::Draft;
    use crate::moment::Moment;

    fn written() -> Vec<u8> {
        let mut draft = Draft::new(StatusCode::NOT_FOUND);
        draft.header(&CONTENT_TYPE, &HeaderValue::from_static("text/plain"));
        draft.header(&ETAG, &HeaderValue::from_static("\"1\""));
        draft.target(b"/pets");
        draft.tag(b"pets");
        draft.meta(b"gzip");
        draft.confidential();
        draft.times(
            Moment::from_millis(1),
            Moment::from_millis(2),
            Moment::from_millis(3),
        );
        let mut bytes = Vec::new();
        draft.finish(&["body".into()]).write(&mut bytes);
        bytes
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let entry = Entry::read(&written()).expect("an entry");
        assert_eq!(entry.status(), 404);
        assert_eq!(entry.header(&ETAG), Some(&b"\"1\""[..]));
        assert_eq!(entry.target(), b"/pets");
        assert_eq!(entry.tags().collect::<Vec<_>>(), [b"pets"]);
        assert_eq!(entry.meta(), b"gzip");
        assert!(entry.is_confidential());
        assert_eq!(entry.body(), "body");
        assert_eq!(entry.fresh_until(), Moment::from_millis(2));
        assert_eq!(entry.keep_until(), Moment::from_millis(3));
    }

    proptest! {
        #[test]
        fn what_is_no_entry_is_refused_or_harmless(
            at in 0usize..160,
            change in proptest::collection::vec(any::<u8>(), 0..8),
            length in 0usize..200,
        ) {
            let mut bytes = written();
            for (offset, byte) in change.into_iter().enumerate() {
                if let Some(own) = bytes.get_mut(at + offset) {
                    *own = byte;
                }
            }
            bytes.truncate(length);
            if let Some(entry) = Entry::read(&bytes) {
                let _ = entry.to_response::<bytes::Bytes>();
                prop_assert!(entry.tags().count() < 100);
                let _ = (entry.target(), entry.meta(), entry.body());
            }
        }
    }
}
