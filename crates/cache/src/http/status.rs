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
    let value = match did {
        Did::Hit { ttl } => hit(name, ttl),
        Did::Forwarded(forwarded) => {
            let mut text = Vec::with_capacity(name.len() + 64);
            text.extend_from_slice(name.as_bytes());
            // Writing to memory does not fail.
            let _ = forwarded.write(&mut text);
            HeaderValue::from_maybe_shared(Bytes::from(text)).ok()
        }
    };
    if let Some(value) = value {
        headers.append(CACHE_STATUS, value);
    }
}

/// Written where it takes no memory of its own, for this is what most responses say.
fn hit(name: &str, ttl: i64) -> Option<HeaderValue> {
    const LONGEST: usize = 128;
    let mut digits = [0; DIGITS];
    let parts = [
        name.as_bytes(),
        b"; hit; ttl=",
        if ttl < 0 { b"-" } else { b"" },
        decimal(ttl.unsigned_abs(), &mut digits),
    ];
    let mut line = [0; LONGEST];
    let mut length = 0;
    for part in parts {
        let end = length + part.len();
        let Some(place) = line.get_mut(length..end) else {
            return HeaderValue::from_bytes(&parts.concat()).ok();
        };
        place.copy_from_slice(part);
        length = end;
    }
    HeaderValue::from_bytes(&line[..length]).ok()
}

/// As many as a number has at most.
pub(crate) const DIGITS: usize = 20;

/// A number as it is written.
pub(crate) fn decimal(mut number: u64, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut at = DIGITS;
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
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
        CACHE_STATUS, DIGITS, Did, Forwarded, HeaderMap, HeaderValue, NotStored, StatusCode, Why,
        append, decimal,
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
    fn numbers_and_names_of_any_length_are_written() {
        let mut digits = [0; DIGITS];
        for number in [0, 7, 10, 86_400, u64::MAX] {
            assert_eq!(decimal(number, &mut digits), number.to_string().as_bytes());
        }
        let long = "x".repeat(200);
        let value = super::hit(&long, i64::MIN).unwrap();
        assert_eq!(value, format!("{long}; hit; ttl={}", i64::MIN));
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
