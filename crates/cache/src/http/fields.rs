//! Which header fields of a response belong to it, and which to the connection that it came by.

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName};

use super::directives::Members;

/// Fields that are never stored (RFC 9111 section 3.1).
const OF_THE_CONNECTION: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Fields that describe the stored body itself, which a confirmation cannot change (RFC 9111 section 3.2).
const OF_THE_BODY: [HeaderName; 5] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    CONTENT_RANGE,
    ETAG,
];

/// Whether `name` belongs to the response, so that it is stored with it.
pub(crate) fn is_stored(name: &HeaderName) -> bool {
    !OF_THE_CONNECTION.contains(name)
}

/// Whether a confirmation replaces `name` in what is stored.
pub(crate) fn is_updated(name: &HeaderName) -> bool {
    is_stored(name) && !OF_THE_BODY.contains(name)
}

/// The fields that `Connection` names.
pub(crate) fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut named = Vec::new();
    for line in headers.get_all(CONNECTION) {
        named.extend(Members(Some(line.as_bytes())).filter_map(|m| HeaderName::from_bytes(m).ok()));
    }
    named
}

/// Takes out the fields that `Connection` names.
pub(crate) fn remove_named_by_connection(headers: &mut HeaderMap) {
    for name in named_by_connection(headers) {
        headers.remove(name);
    }
}

/// Puts the fields of a confirmation in the place of those stored (RFC 9111 section 3.2).
pub(crate) fn update(stored: &mut HeaderMap, confirmation: &HeaderMap) {
    for name in confirmation.keys() {
        if is_updated(name) {
            stored.remove(name);
            for value in confirmation.get_all(name) {
                stored.append(name, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{
        CONNECTION, ETAG, HeaderMap, is_stored, is_updated, remove_named_by_connection, update,
    };

    #[test]
    fn what_the_connection_names_goes_with_it() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("a, b"));
        for name in ["a", "b", "c"] {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        remove_named_by_connection(&mut headers);
        assert!(!headers.contains_key("a") && !headers.contains_key("b"));
        assert!(headers.contains_key("c"));
    }

    #[test]
    fn a_tag_is_stored_and_not_updated() {
        assert!(is_stored(&ETAG) && !is_updated(&ETAG));
        assert!(!is_stored(&CONNECTION) && !is_updated(&CONNECTION));
    }

    #[test]
    fn a_confirmation_replaces_fields_and_leaves_others() {
        let map = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            headers
        };
        let mut stored = map(&[("a", "1"), ("a", "2"), ("b", "1"), ("etag", "\"1\"")]);
        update(
            &mut stored,
            &map(&[("a", "3"), ("c", "1"), ("etag", "\"2\""), ("te", "x")]),
        );
        let expected = map(&[("a", "3"), ("b", "1"), ("etag", "\"1\""), ("c", "1")]);
        assert_eq!(stored, expected);
    }
}
