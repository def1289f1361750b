//! Makes a response of what is stored, as the request wants it.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, DATE, ETAG,
    EXPIRES, LAST_MODIFIED, RANGE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::conditional::{self, Validators};
use super::date;
use super::place::Stored;
use super::range::{self, Part};
use super::status::{DIGITS, decimal};
use crate::moment::Moment;

/// What a request wants of a stored response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    /// Whether there are conditions or a range among them.
    pub(crate) particular: bool,
}

/// What a 304 has of the stored fields (RFC 9110 section 15.4.5).
const OF_CONFIRMATIONS: [HeaderName; 6] =
    [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY];

/// Room for the fields that this cache and outer layers add.
const SPARE: usize = 4;

/// The response.
pub(crate) fn from_stored<B: From<Bytes>>(
    want: Want<'_>,
    stored: &Stored,
    now: Moment,
) -> Response<B> {
    let entry = &stored.entry;
    let not_modified = want.particular
        && entry.status() == StatusCode::OK
        && conditional::is_not_modified(want.headers, validators(stored));
    let mut headers = HeaderMap::with_capacity(entry.header_count() + SPARE);
    for (name, value) in entry.headers() {
        if !not_modified || OF_CONFIRMATIONS.contains(name) {
            headers.append(name, value);
        }
    }
    let mut digits = [0; DIGITS];
    let age = decimal(stored.terms.age(now.as_millis()), &mut digits);
    if let Ok(age) = HeaderValue::from_bytes(age) {
        headers.insert(AGE, age);
    }
    let (status, body) = if not_modified {
        // Who compares by date has to be told the date.
        if let (None, Some(modified)) = (entry.header(&ETAG), validators(stored).last_modified) {
            date::insert(&mut headers, LAST_MODIFIED, modified);
        }
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else if want.method == Method::HEAD {
        if entry.status() != StatusCode::NO_CONTENT {
            headers
                .entry(CONTENT_LENGTH)
                .or_insert_with(|| entry.body_len().into());
        }
        (entry.status(), Bytes::new())
    } else if want.particular {
        part(want, stored, &mut headers)
    } else {
        (entry.status(), entry.body())
    };
    let mut response = Response::new(B::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn part(want: Want<'_>, stored: &Stored, headers: &mut HeaderMap) -> (StatusCode, Bytes) {
    let body = stored.entry.body();
    let status = stored.entry.status();
    let (StatusCode::OK, Some(range)) = (status, want.headers.get(RANGE)) else {
        return (status, body);
    };
    if !conditional::may_be_partial(want.headers, validators(stored)) {
        return (status, body);
    }
    match range::part(range.as_bytes(), body.len()) {
        Part::Whole => (status, body),
        Part::Of(range) => {
            let (start, end, length) = (range.start, range.end, body.len());
            set(
                headers,
                CONTENT_RANGE,
                format!("bytes {start}-{}/{length}", end - 1),
            );
            headers.insert(CONTENT_LENGTH, (end - start).into());
            (StatusCode::PARTIAL_CONTENT, body.slice(range))
        }
        Part::Unsatisfiable => {
            set(headers, CONTENT_RANGE, format!("bytes */{}", body.len()));
            headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            headers.insert(CONTENT_LENGTH, 0_u64.into());
            (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new())
        }
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, text: String) {
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(name, value);
    }
}

fn validators(stored: &Stored) -> Validators<'_> {
    let entry = &stored.entry;
    let date = |name| {
        let value = HeaderValue::from_bytes(entry.header(&name)?).ok()?;
        date::parse(&value)
    };
    Validators {
        etag: entry.header(&ETAG),
        last_modified: date(LAST_MODIFIED),
        date: date(DATE).unwrap_or(stored.terms.received / 1000),
    }
}
