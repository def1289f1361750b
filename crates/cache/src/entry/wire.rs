//! Entries as bytes, for stores outside of this process.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::seal::Keeping;
use super::{Entry, Stored};
use crate::moment::Moment;
use crate::names;

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
        for end in [
            stored.values_end,
            stored.target_end,
            stored.tags_end,
            stored.meta_end,
        ] {
            out.extend_from_slice(&end.to_le_bytes());
        }
        let count = u16::try_from(stored.names.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_le_bytes());
        for name in &*stored.names {
            let name = name.as_str().as_bytes();
            let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(name);
        }
        out.extend_from_slice(&stored.buffer);
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
        let mut end = || Some(u32::from_le_bytes(take(&mut rest)?));
        let (values_end, target_end, tags_end, meta_end) = (end()?, end()?, end()?, end()?);
        let count = u16::from_le_bytes(take(&mut rest)?);
        let mut list = Vec::new();
        for _ in 0..count {
            let length = u16::from_le_bytes(take(&mut rest)?);
            let (name, after) = rest.split_at_checked(length.into())?;
            list.push(HeaderName::from_bytes(name).ok()?);
            rest = after;
        }
        let ends = [values_end, target_end, tags_end, meta_end];
        if !ends.is_sorted() || meta_end as usize > rest.len() {
            return None;
        }
        let values = items(rest.get(..values_end as usize)?)?;
        let all_values = values.len() == list.len()
            && values
                .into_iter()
                .all(|value| HeaderValue::from_bytes(value).is_ok());
        items(rest.get(target_end as usize..tags_end as usize)?)?;
        all_values.then(|| {
            Self(Arc::new(Stored {
                names: names::shared(&list),
                buffer: Bytes::copy_from_slice(rest),
                stored_at,
                fresh_until: AtomicU64::new(fresh_until.as_millis()),
                keep_until,
                values_end,
                target_end,
                tags_end,
                meta_end,
                status,
                keeping,
            }))
        })
    }
}

/// Stands in the status, which has no such bit, of an entry that must be encrypted.
const CONFIDENTIAL: u16 = 1 << 15;

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (own, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*own)
}

/// What is preceded by its length each, up to the end.
fn items(mut rest: &[u8]) -> Option<Vec<&[u8]>> {
    let mut items = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(take(&mut rest)?);
        let (item, after) = rest.split_at_checked(length as usize)?;
        items.push(item);
        rest = after;
    }
    Some(items)
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
            at in 0usize..140,
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
