//! Conditions of a request, compared with what is stored.

use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::date;
use super::directives::Members;

/// What is stored, as far as conditions ask for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Validators<'a> {
    pub(crate) etag: Option<&'a [u8]>,
    pub(crate) last_modified: Option<u64>,
    /// `Date`, or when the response came; in seconds since 1970.
    pub(crate) date: u64,
}

/// The headers that a cache answers by itself, and that it takes out of a request by which it fetches a whole response.
pub(crate) const ANSWERED_HERE: [HeaderName; 4] =
    [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE, IF_RANGE];

/// Whether the client has what is stored already: it is answered 304.
pub(crate) fn is_not_modified(request: &HeaderMap, stored: Validators<'_>) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        // RFC 9110 section 13.2.2: the date does not count where tags are given.
        let mut lines = request.get_all(IF_NONE_MATCH).iter();
        return lines.any(|line| {
            Members(Some(line.as_bytes()))
                .any(|tag| tag == b"*" || stored.etag.is_some_and(|etag| weak(etag) == weak(tag)))
        });
    }
    let Some(since) = request.get(IF_MODIFIED_SINCE).and_then(date::parse) else {
        return false;
    };
    stored.last_modified.unwrap_or(stored.date) <= since
}

/// Whether a part may be sent of what is stored (RFC 9110 section 13.1.5): if it is what the client has the other parts of.
pub(crate) fn may_be_partial(request: &HeaderMap, stored: Validators<'_>) -> bool {
    let Some(condition) = request.get(IF_RANGE) else {
        return true;
    };
    if let Some(date) = date::parse(condition) {
        // A date is strong only if nothing could have changed in the same second.
        return stored.last_modified == Some(date) && date + 60 <= stored.date;
    }
    let tag = condition.as_bytes().trim_ascii();
    stored.etag == Some(tag) && tag.first() == Some(&b'"')
}

/// Makes a request ask whether what is stored still holds. What the client itself asks for is taken out: it is answered from what comes of it.
pub(crate) fn make_conditional(
    request: &mut HeaderMap,
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
) {
    for name in &ANSWERED_HERE {
        request.remove(name);
    }
    if let Some(etag) = etag {
        request.insert(IF_NONE_MATCH, etag);
    }
    if let Some(last_modified) = last_modified {
        request.insert(IF_MODIFIED_SINCE, last_modified);
    }
}

/// The tag without the word that it is weak: so tags are compared here (RFC 9110 section 8.8.3.2).
fn weak(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{
        HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, Validators,
        is_not_modified, may_be_partial,
    };

    const SUNDAY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const SECONDS: u64 = 784_111_777;

    fn stored(etag: Option<&'static str>, last_modified: Option<u64>) -> Validators<'static> {
        Validators {
            etag: etag.map(str::as_bytes),
            last_modified,
            date: SECONDS + 100,
        }
    }

    fn request(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, line)| (name.clone(), HeaderValue::from_static(line)))
            .collect()
    }

    #[track_caller]
    fn check(lines: &[(HeaderName, &'static str)], stored: Validators<'_>, expected: bool) {
        assert_eq!(is_not_modified(&request(lines), stored), expected);
    }

    #[test]
    fn tags_are_compared_weakly() {
        for tag in [
            "\"a\"",
            "W/\"a\"",
            "\"b\", \"a\"",
            "\"a\",\"b\"",
            "*",
            "\"x,y\", \"a\"",
        ] {
            check(&[(IF_NONE_MATCH, tag)], stored(Some("\"a\""), None), true);
            check(&[(IF_NONE_MATCH, tag)], stored(Some("W/\"a\""), None), true);
        }
        check(
            &[(IF_NONE_MATCH, "\"b\"")],
            stored(Some("\"a\""), None),
            false,
        );
        check(
            &[(IF_NONE_MATCH, "\"A\"")],
            stored(Some("\"a\""), None),
            false,
        );
        check(&[(IF_NONE_MATCH, "\"a\"")], stored(None, None), false);
    }

    #[test]
    fn a_date_does_not_count_where_tags_are_given() {
        let both = [(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, SUNDAY)];
        check(&both, stored(Some("\"a\""), Some(SECONDS)), false);
    }

    #[test]
    fn a_response_is_as_old_as_its_last_change_or_else_as_its_date() {
        check(
            &[(IF_MODIFIED_SINCE, SUNDAY)],
            stored(None, Some(SECONDS)),
            true,
        );
        check(
            &[(IF_MODIFIED_SINCE, SUNDAY)],
            stored(None, Some(SECONDS + 1)),
            false,
        );
        check(&[(IF_MODIFIED_SINCE, SUNDAY)], stored(None, None), false);
        check(
            &[(IF_MODIFIED_SINCE, "Mon, 07 Nov 1994 08:49:37 GMT")],
            stored(None, None),
            true,
        );
        check(
            &[(IF_MODIFIED_SINCE, "yesterday")],
            stored(None, Some(0)),
            false,
        );
    }

    #[test]
    fn parts_are_sent_only_of_what_is_the_same_for_sure() {
        let may = |line, stored| may_be_partial(&request(&[(IF_RANGE, line)]), stored);
        assert!(may_be_partial(&HeaderMap::new(), stored(None, None)));
        assert!(may("\"a\"", stored(Some("\"a\""), None)));
        assert!(!may("W/\"a\"", stored(Some("W/\"a\""), None)));
        assert!(!may("\"b\"", stored(Some("\"a\""), None)));
        assert!(may(SUNDAY, stored(None, Some(SECONDS))));
        assert!(!may(SUNDAY, stored(None, Some(SECONDS - 1))));
        let fresh = Validators {
            date: SECONDS + 59,
            ..stored(None, Some(SECONDS))
        };
        assert!(!may(SUNDAY, fresh));
    }
}
