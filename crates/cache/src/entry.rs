//! A stored response.

#[cfg(feature = "encryption")]
mod seal;
#[cfg(feature = "redis")]
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

#[cfg(feature = "encryption")]
use self::seal::Keeping;
use crate::lines::{self, Lines};
use crate::moment::Moment;

/// A stored response. Cheap to clone; clones are one entry.
///
/// It holds no [`HeaderMap`]: the names, and values that most responses of a service have, are a list that entries share; other values, tags and body lie in one
/// buffer of exactly their size, copied from the message, of which nothing else is held on to.
#[derive(Clone)]
pub struct Entry(Arc<Stored>);

struct Stored {
    lines: Arc<Lines>,
    /// The values that are not among the lines, target, tags, meta and body, in this order. Values and tags are each preceded by their length.
    buffer: Bytes,
    stored_at: Moment,
    /// The moment, in milliseconds. It changes when the entry is marked stale.
    fresh_until: AtomicU64,
    keep_until: Moment,
    values_end: u32,
    target_end: u32,
    tags_end: u32,
    meta_end: u32,
    status: StatusCode,
    #[cfg(feature = "encryption")]
    keeping: Keeping,
}

impl Entry {
    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// When it was stored, or last confirmed.
    #[must_use]
    pub fn stored_at(&self) -> Moment {
        self.0.stored_at
    }

    /// From when on it is stale.
    #[must_use]
    pub fn fresh_until(&self) -> Moment {
        Moment::from_millis(self.0.fresh_until.load(Ordering::Relaxed))
    }

    /// From when on it is as good as gone.
    #[must_use]
    pub fn keep_until(&self) -> Moment {
        self.0.keep_until
    }

    /// Whether it may be served as it is.
    #[must_use]
    pub fn is_fresh(&self, now: Moment) -> bool {
        now < self.fresh_until() && now < self.0.keep_until
    }

    /// Whether it may still serve some purpose: fresh, or stale and to be confirmed.
    #[must_use]
    pub fn is_kept(&self, now: Moment) -> bool {
        now < self.0.keep_until
    }

    /// How long it has been in the cache.
    #[must_use]
    pub fn resident(&self, now: Moment) -> Duration {
        now.since(self.0.stored_at)
    }

    /// Makes it stale: a soft purge. A fresh one is not made of it again.
    pub fn mark_stale(&self) {
        self.0.fresh_until.store(0, Ordering::Relaxed);
    }

    /// How many headers it has.
    #[must_use]
    pub fn header_count(&self) -> usize {
        self.0.lines.len()
    }

    /// The headers, in the order in which they came. The values share the entry's memory.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, HeaderValue)> + '_ {
        let mut at = 0;
        self.0.lines.iter().map(move |(name, value)| {
            if let Some(value) = value {
                return (name, value.clone());
            }
            let (start, end) = sized(&self.0.buffer, at);
            at = end;
            let value = HeaderValue::from_maybe_shared(self.0.buffer.slice(start..end))
                .expect("it was a header's value when it was stored");
            (name, value)
        })
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&[u8]> {
        let mut at = 0;
        for (own, value) in self.0.lines.iter() {
            let value = match value {
                Some(value) => value.as_bytes(),
                None => {
                    let (start, end) = sized(&self.0.buffer, at);
                    at = end;
                    &self.0.buffer[start..end]
                }
            };
            if own == name {
                return Some(value);
            }
        }
        None
    }

    /// The target of the request whose response it is; what [`Purge::prefix`](crate::Purge::prefix) compares.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        &self.0.buffer[self.0.values_end as usize..self.0.target_end as usize]
    }

    /// The tags that it can be purged by.
    pub fn tags(&self) -> impl Iterator<Item = &[u8]> {
        let end = self.0.tags_end as usize;
        let mut at = self.0.target_end as usize;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let (start, end) = sized(&self.0.buffer, at);
                at = end;
                &self.0.buffer[start..end]
            })
        })
    }

    /// What whoever stored it wrote to itself.
    #[must_use]
    pub fn meta(&self) -> &[u8] {
        &self.0.buffer[self.0.tags_end as usize..self.0.meta_end as usize]
    }

    /// The body. It shares the entry's memory.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.0.buffer.slice(self.0.meta_end as usize..)
    }

    /// The length of the body.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.0.buffer.len() - self.0.meta_end as usize
    }

    /// The bytes that it takes, without its key.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Stored>() + self.0.buffer.len()
    }

    /// The response.
    #[must_use]
    pub fn to_response<B: From<Bytes>>(&self) -> Response<B> {
        let mut response = Response::new(B::from(self.body()));
        *response.status_mut() = self.status();
        let mut headers = HeaderMap::with_capacity(self.header_count() + SPARE);
        for (name, value) in self.headers() {
            headers.append(name, value);
        }
        *response.headers_mut() = headers;
        response
    }

    /// The beginning of an entry with the same head: what is changed of it makes a new one, with [`Draft::finish`].
    #[must_use]
    pub fn to_draft(&self) -> Draft {
        let mut draft = Draft::new(self.status());
        for (name, value) in self.headers() {
            draft.header(name, &value);
        }
        draft.target(self.target());
        for tag in self.tags() {
            draft.tag(tag);
        }
        draft.meta(self.meta());
        draft.stored_at = self.stored_at();
        draft.fresh_until = self.fresh_until();
        draft.keep_until = self.keep_until();
        #[cfg(feature = "encryption")]
        if self.is_confidential() {
            draft.confidential();
        }
        draft
    }
}

/// Room for the headers that outer layers add, so that a table need not grow for them.
const SPARE: usize = 2;

/// Where the bytes are whose length stands at `at`.
fn sized(buffer: &[u8], at: usize) -> (usize, usize) {
    let start = at + size_of::<u32>();
    let length = buffer[at..start]
        .try_into()
        .map(u32::from_le_bytes)
        .expect("four bytes are as many as a number has");
    (start, start + length as usize)
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("status", &self.status())
            .field("headers", &self.header_count())
            .field("body", &self.body_len())
            .field("stored_at", &self.stored_at())
            .field("fresh_until", &self.fresh_until())
            .field("keep_until", &self.keep_until())
            .finish_non_exhaustive()
    }
}

/// An entry in the making: all but its body.
///
/// ```
/// use std::time::Duration;
///
/// use http::header::CONTENT_TYPE;
/// use http::{HeaderValue, StatusCode};
/// use portcullis_cache::{Draft, Moment};
///
/// let now = Moment::from_millis(1_000);
/// let mut draft = Draft::new(StatusCode::OK);
/// draft.header(&CONTENT_TYPE, &HeaderValue::from_static("text/plain"));
/// draft.tag(b"pets");
/// draft.times(now, now.after(Duration::from_secs(60)), now.after(Duration::from_secs(90)));
/// let entry = draft.finish(&["hel".into(), "lo".into()]);
/// assert_eq!(entry.body(), "hello");
/// assert!(entry.is_fresh(now) && !entry.is_fresh(now.after(Duration::from_secs(60))));
/// assert!(entry.is_kept(now.after(Duration::from_secs(89))));
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    target: Vec<u8>,
    tags: Vec<u8>,
    meta: Vec<u8>,
    stored_at: Moment,
    fresh_until: Moment,
    keep_until: Moment,
    #[cfg(feature = "encryption")]
    keeping: Keeping,
}

impl Draft {
    /// A response with this status, no headers and no time: as it is, it is stale at once.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            target: Vec::new(),
            tags: Vec::new(),
            meta: Vec::new(),
            stored_at: Moment::EPOCH,
            fresh_until: Moment::EPOCH,
            keep_until: Moment::EPOCH,
            #[cfg(feature = "encryption")]
            keeping: Keeping::Open,
        }
    }

    /// Adds a header, after those that are there.
    pub fn header(&mut self, name: &HeaderName, value: &HeaderValue) {
        if self.headers.is_empty() {
            self.headers.reserve(8);
        }
        self.headers.push((name.clone(), value.clone()));
    }

    /// Adds the headers that `keep` says to keep.
    pub fn headers(&mut self, headers: &HeaderMap, mut keep: impl FnMut(&HeaderName) -> bool) {
        for (name, value) in headers {
            if keep(name) {
                self.header(name, value);
            }
        }
    }

    /// Says what was asked for. Replaces what was said before.
    pub fn target(&mut self, target: &[u8]) {
        self.target.clear();
        self.target.extend_from_slice(target);
    }

    /// Adds a tag that the entry can be purged by.
    pub fn tag(&mut self, tag: &[u8]) {
        push(&mut self.tags, tag);
    }

    /// What the one who stores it will want to know. Replaces what was said before.
    pub fn meta(&mut self, meta: &[u8]) {
        self.meta.clear();
        self.meta.extend_from_slice(meta);
    }

    /// When it is stored, from when on it is stale, and from when on it is as good as gone.
    pub const fn times(&mut self, stored_at: Moment, fresh_until: Moment, keep_until: Moment) {
        self.stored_at = stored_at;
        self.fresh_until = fresh_until;
        self.keep_until = keep_until;
    }

    /// The entry with this body, which is copied into memory of exactly its size.
    #[must_use]
    pub fn finish(self, body: &[Bytes]) -> Entry {
        let Self {
            status,
            headers,
            target,
            tags,
            meta,
            stored_at,
            fresh_until,
            keep_until,
            #[cfg(feature = "encryption")]
            keeping,
        } = self;
        #[cfg(feature = "encryption")]
        let open = keeping == Keeping::Open;
        #[cfg(not(feature = "encryption"))]
        let open = true;
        let lines = lines::shared(&headers, open);
        let own = headers.iter().zip(lines.iter());
        let own = own.filter_map(|((_, value), (_, shared))| match shared {
            Some(_) => None,
            None => Some(value.as_bytes()),
        });
        let values_end = own
            .clone()
            .map(|value| size_of::<u32>() + value.len())
            .sum::<usize>();
        let target_end = values_end + target.len();
        let tags_end = target_end + tags.len();
        let meta_end = tags_end + meta.len();
        let length = meta_end + body.iter().map(Bytes::len).sum::<usize>();
        let mut buffer = Vec::with_capacity(length);
        for value in own {
            push(&mut buffer, value);
        }
        for part in [&target, &tags, &meta] {
            buffer.extend_from_slice(part);
        }
        for part in body {
            buffer.extend_from_slice(part);
        }
        let offset = |at: usize| u32::try_from(at).expect("a message's head has no 4 GiB");
        Entry(Arc::new(Stored {
            lines,
            buffer: buffer.into(),
            stored_at,
            fresh_until: AtomicU64::new(fresh_until.as_millis()),
            keep_until,
            values_end: offset(values_end),
            target_end: offset(target_end),
            tags_end: offset(tags_end),
            meta_end: offset(meta_end),
            status,
            #[cfg(feature = "encryption")]
            keeping,
        }))
    }
}

fn push(list: &mut Vec<u8>, item: &[u8]) {
    let length = u32::try_from(item.len()).expect("a header or a tag has no 4 GiB");
    list.extend_from_slice(&length.to_le_bytes());
    list.extend_from_slice(item);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
    use http::{HeaderValue, StatusCode};

    use super::{Draft, Entry};
    use crate::moment::Moment;

    fn entry() -> Entry {
        let mut draft = Draft::new(StatusCode::NOT_FOUND);
        draft.header(&CONTENT_TYPE, &HeaderValue::from_static("text/plain"));
        draft.header(&CACHE_CONTROL, &HeaderValue::from_static("a"));
        draft.header(&CACHE_CONTROL, &HeaderValue::from_static("b"));
        draft.target(b"/pets?type=dog");
        draft.tag(b"pets");
        draft.tag(b"");
        draft.meta(b"mine");
        draft.times(
            Moment::from_millis(5),
            Moment::from_millis(10),
            Moment::from_millis(20),
        );
        draft.finish(&[Bytes::from("no "), Bytes::from("pets")])
    }

    #[test]
    fn an_entry_gives_back_what_was_stored() {
        let entry = entry();
        let response = entry.to_response::<Bytes>();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
        let all: Vec<_> = response.headers().get_all(CACHE_CONTROL).iter().collect();
        assert_eq!(all, ["a", "b"]);
        assert_eq!(response.body(), "no pets");
        assert_eq!(entry.header(&CACHE_CONTROL), Some(&b"a"[..]));
        assert_eq!(entry.header(&ETAG), None);
        assert_eq!(entry.target(), b"/pets?type=dog");
        assert_eq!(entry.tags().collect::<Vec<_>>(), [&b"pets"[..], b""]);
        assert_eq!(entry.meta(), b"mine");
    }

    #[test]
    fn a_draft_of_an_entry_makes_the_same_entry() {
        let entry = entry();
        let mut draft = entry.to_draft();
        draft.header(&ETAG, &HeaderValue::from_static("\"1\""));
        let copy = draft.finish(&[entry.body()]);
        assert_eq!(copy.header(&ETAG), Some(&b"\"1\""[..]));
        assert_eq!(copy.header_count(), entry.header_count() + 1);
        assert_eq!(copy.target(), entry.target());
        assert_eq!(copy.tags().count(), 2);
        assert_eq!(copy.meta(), entry.meta());
        assert_eq!(copy.body(), entry.body());
        assert_eq!(copy.fresh_until(), entry.fresh_until());
    }

    #[test]
    fn an_entry_that_is_marked_stale_is_kept() {
        let entry = entry();
        let now = Moment::from_millis(7);
        assert!(entry.is_fresh(now));
        entry.mark_stale();
        assert!(!entry.is_fresh(now) && entry.is_kept(now));
    }

    #[test]
    fn time_is_up_to_the_millisecond() {
        let entry = entry();
        assert!(entry.is_fresh(Moment::from_millis(9)));
        assert!(!entry.is_fresh(Moment::from_millis(10)));
        assert!(entry.is_kept(Moment::from_millis(19)));
        assert!(!entry.is_kept(Moment::from_millis(20)));
    }
}
