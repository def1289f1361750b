//! What a request wants of a cache.

use http::HeaderMap;
use http::header::{
    CACHE_CONTROL, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
    PRAGMA, RANGE, UPGRADE,
};

use super::directives::CacheControl;

/// What a request wants of a cache, read in one walk through its headers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    /// Its directives, as far as they count.
    pub(crate) directives: CacheControl,
    /// It has conditions that a cache can decide, or a range.
    pub(crate) particular: bool,
    /// It has conditions that only the origin may decide (RFC 9111 section 4.3.2).
    pub(crate) for_the_origin: bool,
    /// It asks for another protocol, or names two hosts, of which nobody knows which one the origin takes.
    pub(crate) unclear: bool,
}

impl Wish {
    pub(crate) fn of(headers: &HeaderMap, obeyed: bool) -> Self {
        let mut wish = Self::default();
        let mut directs = false;
        let mut hosts = 0;
        for (name, _) in headers {
            if *name == HOST {
                hosts += 1;
            } else if *name == CACHE_CONTROL || *name == PRAGMA {
                directs = true;
            } else if [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE, IF_RANGE].contains(name) {
                wish.particular = true;
            } else if *name == IF_MATCH || *name == IF_UNMODIFIED_SINCE {
                wish.for_the_origin = true;
            } else if *name == UPGRADE {
                wish.unclear = true;
            }
        }
        wish.unclear |= hosts > 1;
        if directs {
            let directives = CacheControl::of_request(headers);
            wish.directives = if obeyed {
                directives
            } else {
                directives.that_cost_nothing()
            };
        }
        wish
    }

    /// Whether what another request fetches at the moment is good enough.
    pub(crate) fn takes_what_others_fetch(&self) -> bool {
        !self.directives.no_cache() && self.directives.max_age() != Some(0)
    }
}

#[cfg(test)]
mod tests {
    use http::header::{CACHE_CONTROL, IF_MATCH, RANGE};
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::Wish;

    fn wish(name: HeaderName, value: &'static str, obeyed: bool) -> Wish {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        Wish::of(&headers, obeyed)
    }

    #[test]
    fn conditions_and_ranges_are_told_apart_from_those_of_the_origin() {
        assert!(wish(RANGE, "bytes=0-1", true).particular);
        assert!(wish(IF_MATCH, "*", true).for_the_origin);
    }

    #[test]
    fn a_request_that_is_not_obeyed_costs_the_origin_nothing() {
        let line = "no-cache, max-age=0, no-store, only-if-cached, max-stale=5";
        let obeyed = wish(CACHE_CONTROL, line, true).directives;
        assert!(obeyed.no_cache() && obeyed.max_age() == Some(0));
        let other = wish(CACHE_CONTROL, line, false);
        assert_eq!(
            other.directives.to_string(),
            "no-store, only-if-cached, max-stale=5"
        );
        assert!(other.takes_what_others_fetch());
    }
}
