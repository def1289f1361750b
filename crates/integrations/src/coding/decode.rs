//! Compressed requests: a mapping reads what a client has compressed.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::header::{CONTENT_ENCODING, HeaderMap};

use super::ContentCoding;
use crate::failure::Failure;

/// The most that a body may become where no cap is set: the service's largest payload.
const LARGEST: u64 = 10 << 20;

/// Whether a body has a coding.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    codings(headers).next().is_some()
}

fn codings(headers: &HeaderMap) -> impl DoubleEndedIterator<Item = &str> {
    let lines = headers.get_all(CONTENT_ENCODING).into_iter();
    lines
        .flat_map(|line| line.to_str().unwrap_or("?").split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
}

/// The body without its codings. A body that becomes larger than `limit` is too large, one with a coding that is not
/// known is of no media type that could be mapped.
pub(crate) fn decode(
    body: Bytes,
    headers: &HeaderMap,
    limit: Option<u64>,
) -> Result<Bytes, Failure> {
    // Nothing is nothing, whatever its coding.
    if body.is_empty() {
        return Ok(body);
    }
    // The last coding was applied last.
    codings(headers).rev().try_fold(body, |body, name| {
        let coding = ContentCoding::named(name).ok_or(Failure::MediaType)?;
        inflate(&body, coding, limit.unwrap_or(LARGEST))
    })
}

/// The same for those who take a body in any coding: one in a coding that is not known stays as it is.
pub(crate) fn decode_known(
    body: Bytes,
    headers: &HeaderMap,
    limit: Option<u64>,
) -> Result<Bytes, Failure> {
    match decode(body.clone(), headers, limit) {
        Err(Failure::MediaType) => Ok(body),
        decoded => decoded,
    }
}

fn inflate(body: &[u8], coding: ContentCoding, limit: u64) -> Result<Bytes, Failure> {
    match coding {
        ContentCoding::Gzip => read(MultiGzDecoder::new(body), limit),
        ContentCoding::Deflate if is_zlib(body) => read(ZlibDecoder::new(body), limit),
        // Some clients leave the header of the format out.
        ContentCoding::Deflate => read(DeflateDecoder::new(body), limit),
    }
}

fn read(decoder: impl Read, limit: u64) -> Result<Bytes, Failure> {
    let mut out = Vec::new();
    decoder
        .take(limit.saturating_add(1))
        .read_to_end(&mut out)
        .map_err(|error| Failure::BadRequest(format!("the body cannot be decoded: {error}")))?;
    if out.len() as u64 > limit {
        return Err(Failure::TooLarge { limit });
    }
    Ok(out.into())
}

/// Whether a body begins as one in the zlib format does (RFC 1950, 2.2).
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("a vector takes all");
        encoder.finish().expect("a vector takes all")
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("a vector takes all");
        encoder.finish().expect("a vector takes all")
    }

    fn bare(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("a vector takes all");
        encoder.finish().expect("a vector takes all")
    }

    fn decoded(body: Vec<u8>, coding: &'static str, limit: u64) -> Result<Bytes, Failure> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))]);
        decode(body.into(), &headers, Some(limit))
    }

    #[test]
    fn a_body_is_read_through_its_codings() {
        let text = b"{\"pets\": [1, 2, 3]}";
        for (body, coding) in [
            (gzip(text), "gzip"),
            (gzip(text), "X-GZip"),
            (zlib(text), "deflate"),
            (bare(text), "deflate"),
            (gzip(&zlib(text)), "deflate, gzip"),
            (text.to_vec(), "identity"),
            (text.to_vec(), ""),
        ] {
            let got = decoded(body, coding, 100).expect(coding);
            assert_eq!(got, &text[..], "{coding}");
        }
        let twice = [gzip(b"ab"), gzip(b"c")].concat();
        assert_eq!(decoded(twice, "gzip", 100).expect("two members"), "abc");
        assert_eq!(decoded(Vec::new(), "gzip", 100).expect("nothing"), "");
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let bomb = gzip(&vec![b'0'; 1 << 20]);
        assert!(bomb.len() < 2000);
        for limit in [0, 1000, (1 << 20) - 1] {
            let got = decoded(bomb.clone(), "gzip", limit);
            assert!(matches!(got, Err(Failure::TooLarge { .. })), "{limit}");
        }
        assert!(decoded(bomb.clone(), "gzip", 1 << 20).is_ok());
        let nested = gzip(&bomb);
        let got = decoded(nested, "gzip, gzip", 100_000);
        assert!(matches!(got, Err(Failure::TooLarge { .. })));
    }

    #[test]
    fn what_cannot_be_decoded_is_the_clients_fault() {
        let mut broken = gzip(b"text");
        broken.truncate(broken.len() - 4);
        for (body, coding) in [
            (broken, "gzip"),
            (b"text".to_vec(), "gzip"),
            (b"\xff\xff".to_vec(), "deflate"),
        ] {
            let got = decoded(body, coding, 100);
            assert!(matches!(got, Err(Failure::BadRequest(_))), "{coding}");
        }
        let got = decoded(b"text".to_vec(), "br", 100);
        assert!(matches!(got, Err(Failure::MediaType)));
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("br"))]);
        let got = decode_known(Bytes::from_static(b"text"), &headers, None);
        assert_eq!(got.expect("it stays"), "text");
    }
}
