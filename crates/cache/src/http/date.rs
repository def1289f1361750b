//! Dates, as seconds since 1970.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{DATE, EXPIRES, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::moment::Moment;

/// `Date`, if it is there and one.
pub(crate) fn date(headers: &HeaderMap) -> Option<u64> {
    headers.get(DATE).and_then(parse)
}

/// `Last-Modified`, if it is there and a date.
pub(crate) fn last_modified(headers: &HeaderMap) -> Option<u64> {
    headers.get(LAST_MODIFIED).and_then(parse)
}

/// `Expires`. What is no date lies in the past (RFC 9111 section 5.3).
pub(crate) fn expires(headers: &HeaderMap) -> Option<u64> {
    headers.get(EXPIRES).map(|value| parse(value).unwrap_or(0))
}

/// A date of any of the three forms (RFC 9110 section 5.6.7). Those before 1970 are none.
pub(crate) fn parse(value: &HeaderValue) -> Option<u64> {
    let date = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// Adds a `Date` to a response that has none (RFC 9110 section 6.6.1).
pub(crate) fn ensure(headers: &mut HeaderMap, now: Moment) {
    if !headers.contains_key(DATE) {
        insert(headers, DATE, now.as_millis() / 1000);
    }
}

/// Writes a date.
pub(crate) fn insert(headers: &mut HeaderMap, name: HeaderName, seconds: u64) {
    // The last day that the form has: years have four digits.
    const LAST: u64 = 253_402_300_799;
    let date = UNIX_EPOCH + Duration::from_secs(seconds.min(LAST));
    if let Ok(value) = HeaderValue::try_from(httpdate::fmt_http_date(date)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::{EXPIRES, HeaderMap, HeaderValue, expires, insert, parse};

    fn read(text: &'static str) -> Option<u64> {
        parse(&HeaderValue::from_static(text))
    }

    #[test]
    fn all_three_forms_are_read() {
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(read("Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(read("Sun Nov  6 08:49:37 1994"), Some(784_111_777));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 UTC"), None);
    }

    #[test]
    fn an_expiry_that_is_no_date_has_passed() {
        let mut headers = HeaderMap::new();
        assert_eq!(expires(&headers), None);
        headers.insert(EXPIRES, HeaderValue::from_static("0"));
        assert_eq!(expires(&headers), Some(0));
    }

    #[test]
    fn what_is_written_is_read_and_nothing_is_too_far() {
        let mut headers = HeaderMap::new();
        insert(&mut headers, EXPIRES, 784_111_777);
        assert_eq!(expires(&headers), Some(784_111_777));
        insert(&mut headers, EXPIRES, u64::MAX);
        assert_eq!(headers[EXPIRES], "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
