//! What a response cache made of a request.

use std::fmt;

/// What a response cache made of a request.
///
/// The cache writes it into the [`RequestContext`](crate::RequestContext); metrics and access logs read it. A request that met no cache has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum CacheStatus {
    /// Served from the cache, within its time.
    Hit = 1,
    /// Served from the cache, past its time.
    Stale,
    /// Served from the cache, once its origin had confirmed that nothing has changed.
    Revalidated,
    /// Served with what another request of the same moment fetched.
    Collapsed,
    /// Served by the origin, since the cache had nothing for it.
    Miss,
    /// Served by the origin, since what the cache had was past its time.
    Expired,
    /// Served by the origin, since the caller asked for that and may: the cache keeps the new response.
    Refreshed,
    /// Served by the origin, since requests like this one are not looked up.
    Bypass,
}

impl CacheStatus {
    const ALL: [Self; 8] = [
        Self::Hit,
        Self::Stale,
        Self::Revalidated,
        Self::Collapsed,
        Self::Miss,
        Self::Expired,
        Self::Refreshed,
        Self::Bypass,
    ];

    /// Whether the cache served it: what `CacheHitCount` and `CacheMissCount` count. `None` where caching had no part in it.
    ///
    /// ```
    /// use portcullis_core::CacheStatus;
    ///
    /// assert_eq!(CacheStatus::Collapsed.is_hit(), Some(true));
    /// assert_eq!(CacheStatus::Expired.is_hit(), Some(false));
    /// assert_eq!(CacheStatus::Bypass.is_hit(), None);
    /// ```
    #[must_use]
    pub const fn is_hit(self) -> Option<bool> {
        match self {
            Self::Hit | Self::Stale | Self::Revalidated | Self::Collapsed => Some(true),
            Self::Miss | Self::Expired | Self::Refreshed => Some(false),
            Self::Bypass => None,
        }
    }

    /// The status in one word: `hit`, `stale`, `bypass` …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Collapsed => "collapsed",
            Self::Miss => "miss",
            Self::Expired => "expired",
            Self::Refreshed => "refreshed",
            Self::Bypass => "bypass",
        }
    }

    /// The status behind a number that an atomic held; 0 is none.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as u8 == number)
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::CacheStatus;

    #[test]
    fn every_status_survives_its_number() {
        for status in CacheStatus::ALL {
            assert_eq!(CacheStatus::from_number(status as u8), Some(status));
        }
        assert_eq!(CacheStatus::from_number(0), None);
    }
}
