//! Compressed responses, and who can read them.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::entry::Entry;
use crate::key::KeyBuilder;

/// Which content codings a client accepts, of those that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codings([bool; KNOWN.len()]);

const KNOWN: [&str; 4] = ["gzip", "br", "zstd", "deflate"];

impl Codings {
    /// Those of a request, as RFC 9110, section 12.5.3, has it.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut others = false;
        let mut named = [None; KNOWN.len()];
        for line in headers.get_all(ACCEPT_ENCODING) {
            for item in line.to_str().unwrap_or_default().split(',') {
                let (name, weight) = item.split_once(';').unwrap_or((item, ""));
                let weight = weight.split_once('=').map_or("", |(_, weight)| weight);
                let accepted = weight.trim().parse::<f32>().unwrap_or(1.0) > 0.0;
                let name = name.trim();
                if name == "*" {
                    others = accepted;
                }
                if let Some(at) = position(name.as_bytes()) {
                    named[at] = Some(accepted);
                }
            }
        }
        Self(named.map(|accepted| accepted.unwrap_or(others)))
    }

    /// Whether the client can read an entry, whose meta is the coding of its body.
    pub(crate) fn read(self, entry: &Entry) -> bool {
        let coding = entry.meta();
        coding.is_empty() || position(coding).is_some_and(|at| self.0[at])
    }

    /// Adds them to a key: those who accept the same can read the same.
    pub(crate) fn write(self, key: &mut KeyBuilder) {
        key.part(&self.0.map(u8::from));
    }
}

fn position(coding: &[u8]) -> Option<usize> {
    let coding = if coding.eq_ignore_ascii_case(b"x-gzip") {
        b"gzip"
    } else {
        coding
    };
    KNOWN
        .iter()
        .position(|known| coding.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT_ENCODING;
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::Codings;
    use crate::entry::Draft;

    #[track_caller]
    fn check(accepted: &'static str, coding: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        let mut draft = Draft::new(StatusCode::OK);
        draft.meta(coding.as_bytes());
        let read = Codings::of(&headers).read(&draft.finish(&[]));
        assert_eq!(read, expected, "{accepted}");
    }

    #[test]
    fn a_coding_is_accepted_if_it_is_named_and_has_weight() {
        check("gzip, br", "br", true);
        check("GZIP;q=0.5", "gzip", true);
        check("x-gzip", "gzip", true);
        check("br;q=0, *", "br", false);
        check("*", "zstd", true);
        check("*;q=0", "zstd", false);
        check("deflate", "gzip", false);
        check("", "gzip", false);
        check("lzma", "lzma", false);
        check("", "", true);
    }
}
