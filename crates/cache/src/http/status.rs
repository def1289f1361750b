//! `Cache-Status` (RFC 9211): what the cache did, for whoever looks at the response.

use std::io::Write;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::storable::NotStored;

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What the cache did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// It answered by itself; the response stays fresh for so many seconds, or has been stale for as many.
    Hit { ttl: i64 },
    /// It asked the origin.
    Forwarded(Forwarded),
}

/// A request that went to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forwarded {
    pub(crate) why: Why,
    /// What the origin answered, where the client gets another status.
    pub(crate) status: Option<StatusCode>,
    pub(crate) stored: bool,
    /// The answer was another request's too.
    pub(crate) collapsed: bool,
    pub(crate) detail: Option<NotStored>,
}

/// Why a request went to the origin (RFC 9211 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Bypass,
    Method,
    UriMiss,
    VaryMiss,
    /// Nobody says which of both.
    Miss,
    Request,
    Stale,
}

impl Why {
    const fn token(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

impl Forwarded {
    pub(crate) const fn new(why: Why) -> Self {
        Self {
            why,
            status: None,
            stored: false,
            collapsed: false,
            detail: None,
        }
    }
}

/// Adds what this cache did to what others before it did. `name` is how it calls itself, as a structured field writes it.
pub(crate) fn append(headers: &mut HeaderMap, name: &str, did: Did) {
    let mut text = Vec::with_capacity(name.len() + 64);
    text.extend_from_slice(name.as_bytes());
    // Writing to memory does not fail.
    let _ = match did {
        Did::Hit { ttl } => write!(text, "; hit; ttl={ttl}"),
        Did::Forwarded(forwarded) => forwarded.write(&mut text),
    };
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
        headers.append(CACHE_STATUS, value);
    }
}

impl Forwarded {
    fn write(&self, text: &mut Vec<u8>) -> std::io::Result<()> {
        write!(text, "; fwd={}", self.why.token())?;
        if let Some(status) = self.status {
            write!(text, "; fwd-status={}", status.as_u16())?;
        }
        if self.stored {
            text.extend_from_slice(b"; stored");
        }
        if self.collapsed {
            text.extend_from_slice(b"; collapsed");
        }
        if let Some(detail) = self.detail {
            write!(text, "; detail={}", detail.token())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        CACHE_STATUS, Did, Forwarded, HeaderMap, HeaderValue, NotStored, StatusCode, Why, append,
    };

    fn written(did: Did) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_STATUS, HeaderValue::from_static("Origin; fwd=miss"));
        append(&mut headers, "Portcullis", did);
        headers
    }

    fn last(did: Did) -> String {
        let headers = written(did);
        let mut lines = headers.get_all(CACHE_STATUS).iter();
        assert_eq!(lines.next().unwrap(), "Origin; fwd=miss");
        lines.next().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn what_was_done_stands_behind_what_others_did() {
        assert_eq!(last(Did::Hit { ttl: -3 }), "Portcullis; hit; ttl=-3");
        let forwarded = Forwarded::new(Why::UriMiss);
        assert_eq!(
            last(Did::Forwarded(Forwarded {
                stored: true,
                ..forwarded
            })),
            "Portcullis; fwd=uri-miss; stored"
        );
        let refused = Forwarded {
            why: Why::Stale,
            status: Some(StatusCode::NOT_MODIFIED),
            collapsed: true,
            detail: Some(NotStored::NoStore),
            ..forwarded
        };
        assert_eq!(
            last(Did::Forwarded(refused)),
            "Portcullis; fwd=stale; fwd-status=304; collapsed; detail=no-store"
        );
    }
}
