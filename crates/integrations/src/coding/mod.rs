//! Content codings: which there are, compressed requests, compressed responses.

mod body;
mod compression;
mod decode;
mod layer;

use http::header::{ACCEPT_ENCODING, HeaderMap};

pub use self::compression::Compression;
pub(crate) use self::decode::{decode, decode_known, is_encoded};
pub use self::layer::{CompressionFuture, CompressionLayer, CompressionService};

/// A content coding that responses can have (RFC 9110, 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentCoding {
    /// `gzip`
    Gzip,
    /// `deflate`: the zlib format, not the bare one.
    Deflate,
}

impl ContentCoding {
    /// The coding that a client prefers; `None` if it names none, as `*` does not. Of equals it is `gzip`.
    #[must_use]
    pub fn preferred(request: &HeaderMap) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        let mut identity = 0.0;
        for line in request.get_all(ACCEPT_ENCODING) {
            for entry in line.to_str().unwrap_or_default().split(',') {
                let (name, weight) = weighted(entry);
                let Some(coding) = Self::named(name) else {
                    if name.eq_ignore_ascii_case("identity") {
                        identity = weight;
                    }
                    continue;
                };
                let better = match best {
                    None => weight > 0.0,
                    Some((Self::Deflate, best)) if coding == Self::Gzip => weight >= best,
                    Some((_, best)) => weight > best,
                };
                if better {
                    best = Some((coding, weight));
                }
            }
        }
        let (coding, weight) = best?;
        (weight >= identity).then_some(coding)
    }

    /// The coding of this name.
    fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            Some(Self::Gzip)
        } else if name.eq_ignore_ascii_case("deflate") {
            Some(Self::Deflate)
        } else {
            None
        }
    }

    /// Its name.
    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// `gzip;q=0.5` in its parts. What is no weight counts as 1.
fn weighted(entry: &str) -> (&str, f32) {
    let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
    let weight = parameters
        .trim()
        .strip_prefix(['q', 'Q'])
        .and_then(|rest| rest.trim_start().strip_prefix('='))
        .and_then(|weight| weight.trim().parse().ok())
        .unwrap_or(1.0);
    (name.trim(), weight)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(lines: &[&'static str], expected: Option<ContentCoding>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
        }
        assert_eq!(ContentCoding::preferred(&headers), expected, "{lines:?}");
    }

    #[test]
    fn the_coding_that_a_client_names_and_prefers_is_taken() {
        use ContentCoding::{Deflate, Gzip};
        check(&["gzip"], Some(Gzip));
        check(&["deflate"], Some(Deflate));
        check(&["deflate, gzip"], Some(Gzip));
        check(&["gzip, deflate, br"], Some(Gzip));
        check(&["gzip;q=0.5, deflate"], Some(Deflate));
        check(&["br", "GZIP; q=0.1"], Some(Gzip));
        check(&["x-gzip"], Some(Gzip));
        check(&["gzip;q=0"], None);
        check(&["gzip;q=0.5, identity"], None);
        check(&["gzip, identity"], Some(Gzip));
        check(&["*"], None);
        check(&["identity"], None);
        check(&["br"], None);
        check(&[""], None);
        check(&[], None);
    }
}
