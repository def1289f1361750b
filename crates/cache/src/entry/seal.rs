//! Entries whose content is encrypted in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::{Draft, Entry, Stored};
use crate::encryption::{About, EncryptionKeys};

/// How the content of an entry is to be kept, and is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// As it is.
    Open,
    /// A store has to encrypt it; here it is as it is.
    Confidential,
    /// Encrypted. Target and tags, by which it is purged, are not.
    Sealed,
}

impl Draft {
    /// Asks stores to keep it encrypted. One that [does not encrypt](crate::Store::encrypts) should not be given it.
    pub const fn confidential(&mut self) {
        self.keeping = Keeping::Confidential;
    }
}

impl Entry {
    /// Whether stores have to keep it encrypted.
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        self.0.keeping != Keeping::Open
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.0.keeping == Keeping::Sealed
    }

    /// The entry with its headers' values, its meta and its body encrypted, so that it opens under `key` alone; none if the system has no random bytes.
    pub(crate) fn seal(&self, keys: &EncryptionKeys, key: &[u8]) -> Option<Self> {
        let own = &*self.0;
        let [values, target, tags, meta] =
            [own.values_end, own.target_end, own.tags_end, own.meta_end].map(|end| end as usize);
        let sealed = keys.seal(About::Entry(key), |out| {
            out.reserve(LENGTHS + own.buffer.len());
            out.extend_from_slice(&own.values_end.to_le_bytes());
            out.extend_from_slice(&(own.meta_end - own.tags_end).to_le_bytes());
            out.extend_from_slice(&own.buffer[..values]);
            out.extend_from_slice(&own.buffer[tags..]);
        })?;
        debug_assert!(target <= tags && tags <= meta, "the parts are in order");
        let mut buffer = Vec::with_capacity(tags - values + sealed.len());
        buffer.extend_from_slice(&own.buffer[values..tags]);
        buffer.extend_from_slice(&sealed);
        let ends = [
            0,
            own.target_end - own.values_end,
            own.tags_end - own.values_end,
        ];
        let [values_end, target_end, tags_end] = ends;
        Some(self.with(
            buffer,
            [values_end, target_end, tags_end, tags_end],
            Keeping::Sealed,
        ))
    }

    /// The entry as it was before it was [sealed](Self::seal) under this key.
    pub(crate) fn open(&self, keys: &EncryptionKeys, key: &[u8]) -> Option<Self> {
        let own = &*self.0;
        let clear = own.tags_end as usize;
        let plain = keys.open(About::Entry(key), &own.buffer[clear..])?;
        let (values_end, rest) = plain.split_first_chunk::<4>()?;
        let (meta, rest) = rest.split_first_chunk::<4>()?;
        let values_end = u32::from_le_bytes(*values_end);
        let (values, rest) = rest.split_at_checked(values_end as usize)?;
        let mut buffer = Vec::with_capacity(clear + plain.len() - LENGTHS);
        buffer.extend_from_slice(values);
        buffer.extend_from_slice(&own.buffer[..clear]);
        buffer.extend_from_slice(rest);
        let tags_end = values_end + own.tags_end;
        let meta_end = tags_end + u32::from_le_bytes(*meta);
        let ends = [values_end, values_end + own.target_end, tags_end, meta_end];
        Some(self.with(buffer, ends, Keeping::Confidential))
    }

    fn with(&self, buffer: Vec<u8>, ends: [u32; 4], keeping: Keeping) -> Self {
        let own = &*self.0;
        let [values_end, target_end, tags_end, meta_end] = ends;
        Self(Arc::new(Stored {
            lines: Arc::clone(&own.lines),
            buffer: Bytes::from(buffer),
            stored_at: own.stored_at,
            fresh_until: AtomicU64::new(own.fresh_until.load(Ordering::Relaxed)),
            keep_until: own.keep_until,
            values_end,
            target_end,
            tags_end,
            meta_end,
            status: own.status,
            keeping,
        }))
    }
}

/// Two numbers stand before what is sealed.
const LENGTHS: usize = 8;

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, ETAG};
    use http::{HeaderValue, StatusCode};

    use crate::encryption::EncryptionKeys;
    use crate::entry::{Draft, Entry};
    use crate::moment::Moment;
    use crate::store::Purge;

    fn entry() -> Entry {
        let mut draft = Draft::new(StatusCode::NOT_FOUND);
        draft.header(&CONTENT_TYPE, &HeaderValue::from_static("text/plain"));
        draft.header(&ETAG, &HeaderValue::from_static("\"secret 1\""));
        draft.target(b"/pets");
        draft.tag(b"pets");
        draft.meta(b"secret 2");
        let [one, two, three] = [1, 2, 3].map(Moment::from_millis);
        draft.times(one, two, three);
        draft.confidential();
        draft.finish(&["secret 3".into()])
    }

    fn holds(entry: &Entry, text: &str) -> bool {
        let bytes = &entry.0.buffer;
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    }

    #[test]
    fn a_sealed_entry_shows_what_it_is_purged_by_and_nothing_else() {
        let keys = EncryptionKeys::random().expect("random bytes");
        let sealed = entry().seal(&keys, b"key").expect("random bytes");
        assert!(sealed.is_sealed() && sealed.is_confidential());
        assert!(holds(&entry(), "secret 1") && !holds(&sealed, "secret"));
        assert!(!holds(&sealed, "text/plain"));
        assert!(Purge::tag("pets").matches(b"key", &sealed));
        assert!(Purge::prefix("/pets").matches(b"key", &sealed));
    }

    #[test]
    fn an_entry_opens_as_it_was_and_under_its_key_alone() {
        let keys = EncryptionKeys::random().expect("random bytes");
        let sealed = entry().seal(&keys, b"key").expect("random bytes");
        sealed.mark_stale();
        let open = sealed.open(&keys, b"key").expect("it opens");
        assert!(open.is_confidential() && !open.is_sealed());
        assert_eq!(open.status(), 404);
        assert_eq!(open.header(&ETAG), Some(&b"\"secret 1\""[..]));
        assert_eq!(open.header(&CONTENT_TYPE), Some(&b"text/plain"[..]));
        assert_eq!(
            (open.target(), open.meta()),
            (&b"/pets"[..], &b"secret 2"[..])
        );
        assert_eq!(open.tags().collect::<Vec<_>>(), [b"pets"]);
        assert_eq!(open.body(), "secret 3");
        assert_eq!(open.fresh_until(), Moment::EPOCH);
        assert!(sealed.open(&keys, b"other").is_none());
        let others = EncryptionKeys::random().expect("random bytes");
        assert!(sealed.open(&others, b"key").is_none());
        assert!(open.to_draft().finish(&[]).is_confidential());
    }
}
