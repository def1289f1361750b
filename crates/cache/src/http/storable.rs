//! Whether a response may be stored by a cache that several users share (RFC 9111 section 3).

use http::header::SET_COOKIE;
use http::{HeaderMap, Method, StatusCode};

use super::directives::CacheControl;
use super::rules::SetCookie;
use super::vary::Vary;

/// What there is to know of a request when its response is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// It had `no-store`.
    pub(crate) no_store: bool,
    /// It had `Authorization`, or was found to be somebody's.
    pub(crate) authorized: bool,
}

/// Why a response is not stored: the `detail` of its `Cache-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotStored {
    RequestNoStore,
    Status,
    NoStore,
    Private,
    Authorization,
    SetCookie,
    Vary,
    Useless,
    TooLarge,
    StoreAway,
    Conditional,
}

impl NotStored {
    /// A token of RFC 9211 section 2.8.
    pub(crate) const fn token(self) -> &'static str {
        match self {
            Self::RequestNoStore => "request-no-store",
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::Vary => "vary",
            Self::Useless => "not-fresh",
            Self::TooLarge => "too-large",
            Self::StoreAway => "store-away",
            Self::Conditional => "conditional",
        }
    }
}

/// Checks all but whether the response would be of any use.
pub(crate) fn check(
    asked: Asked,
    status: StatusCode,
    headers: &HeaderMap,
    directives: CacheControl,
    set_cookie: SetCookie,
) -> Result<Vary, NotStored> {
    if asked.no_store {
        return Err(NotStored::RequestNoStore);
    }
    // A part or a confirmation is none of the whole, and an upgrade is no response.
    if status.is_informational() || matches!(status.as_u16(), 206 | 304) {
        return Err(NotStored::Status);
    }
    let understood = status.canonical_reason().is_some();
    if directives.must_understand() && !understood {
        return Err(NotStored::Status);
    }
    // RFC 9111 section 5.2.2.3: such a `no-store` is for those who do not understand.
    if directives.no_store() && !directives.must_understand() {
        return Err(NotStored::NoStore);
    }
    if directives.private() {
        return Err(NotStored::Private);
    }
    // RFC 9111 section 3.5.
    let shared =
        directives.public() || directives.must_revalidate() || directives.s_maxage().is_some();
    if asked.authorized && !shared {
        return Err(NotStored::Authorization);
    }
    if set_cookie == SetCookie::Refuse && headers.contains_key(SET_COOKIE) {
        return Err(NotStored::SetCookie);
    }
    match Vary::of(headers) {
        Vary::Everything => Err(NotStored::Vary),
        vary => Ok(vary),
    }
}

/// Whether requests of this method are answered from what is stored.
pub(crate) fn is_answered(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Whether a method changes what is stored under its target: all but those known to be safe (RFC 9111 section 4.4).
pub(crate) fn is_unsafe(method: &Method) -> bool {
    !method.is_safe() && !matches!(method.as_str(), "PROPFIND" | "REPORT" | "SEARCH" | "QUERY")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{CACHE_CONTROL, VARY};

    use super::{
        Asked, CacheControl, HeaderMap, Method, NotStored, SET_COOKIE, SetCookie, StatusCode, Vary,
        check, is_unsafe,
    };

    const ANYBODY: Asked = Asked {
        no_store: false,
        authorized: false,
    };

    const SOMEBODY: Asked = Asked {
        no_store: false,
        authorized: true,
    };

    fn of(asked: Asked, status: u16, cache_control: &'static str) -> Result<Vary, NotStored> {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
        let directives = CacheControl::of(&headers);
        let status = StatusCode::from_u16(status).unwrap();
        check(asked, status, &headers, directives, SetCookie::Refuse)
    }

    #[test]
    fn any_final_status_but_parts_and_confirmations_can_be_stored() {
        for status in [200, 204, 299, 301, 400, 404, 499, 500, 503, 599] {
            assert!(of(ANYBODY, status, "max-age=1").is_ok(), "{status}");
        }
        for status in [101, 206, 304] {
            assert_eq!(of(ANYBODY, status, "max-age=1"), Err(NotStored::Status));
        }
    }

    #[test]
    fn what_has_to_be_understood_is_stored_by_its_status() {
        assert_eq!(
            of(ANYBODY, 599, "max-age=1, must-understand"),
            Err(NotStored::Status)
        );
        assert!(of(ANYBODY, 200, "max-age=1, must-understand, no-store").is_ok());
    }

    #[test]
    fn what_is_for_one_user_or_for_nobody_is_not_stored() {
        assert_eq!(
            of(ANYBODY, 200, "no-store, max-age=1"),
            Err(NotStored::NoStore)
        );
        assert_eq!(
            of(ANYBODY, 200, "private, max-age=1"),
            Err(NotStored::Private)
        );
        assert!(of(ANYBODY, 200, "private=\"a\", max-age=1").is_ok());
        let asked = Asked {
            no_store: true,
            ..ANYBODY
        };
        assert_eq!(of(asked, 200, "max-age=1"), Err(NotStored::RequestNoStore));
    }

    #[test]
    fn what_somebody_asked_for_is_stored_if_the_origin_says_so() {
        assert_eq!(
            of(SOMEBODY, 200, "max-age=1"),
            Err(NotStored::Authorization)
        );
        for cache_control in [
            "public, max-age=1",
            "s-maxage=1",
            "must-revalidate, max-age=1",
        ] {
            assert!(of(SOMEBODY, 200, cache_control).is_ok(), "{cache_control}");
        }
    }

    #[test]
    fn what_sets_a_cookie_is_stored_only_where_that_is_chosen() {
        let mut headers = HeaderMap::new();
        headers.insert(SET_COOKIE, HeaderValue::from_static("a=b"));
        let of = |rule| {
            check(
                ANYBODY,
                StatusCode::OK,
                &headers,
                CacheControl::default(),
                rule,
            )
        };
        assert_eq!(of(SetCookie::Refuse), Err(NotStored::SetCookie));
        assert!(of(SetCookie::Strip).is_ok());
        assert!(of(SetCookie::Replay).is_ok());
    }

    #[test]
    fn what_depends_on_everything_is_not_stored() {
        let mut headers = HeaderMap::new();
        headers.insert(VARY, HeaderValue::from_static("*"));
        let checked = check(
            ANYBODY,
            StatusCode::OK,
            &headers,
            CacheControl::default(),
            SetCookie::Refuse,
        );
        assert_eq!(checked, Err(NotStored::Vary));
    }

    #[test]
    fn methods_that_nobody_knows_are_unsafe() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "X"] {
            assert!(
                is_unsafe(&Method::from_bytes(method.as_bytes()).unwrap()),
                "{method}"
            );
        }
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND"] {
            assert!(
                !is_unsafe(&Method::from_bytes(method.as_bytes()).unwrap()),
                "{method}"
            );
        }
    }
}
