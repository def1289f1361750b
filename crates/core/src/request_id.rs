//! Ids of requests.

use std::fmt;
use std::str;

use http::{HeaderName, HeaderValue};

/// The header that carries a [`RequestId`] to the client, and from a client that chose its own.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// The header that carries an [`ExtendedRequestId`] to clients of REST APIs.
pub const EXTENDED_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
/// The header that carries an [`ExtendedRequestId`] to clients of HTTP APIs.
pub const HTTP_API_REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// The id of a request: a UUID (version 4 in layout), kept inline.
///
/// It comes from a fast generator, not from a cryptographic one: it tells requests apart and is no secret.
/// In a REST API the client may choose it, so it is no key for anything either.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 36]);

impl RequestId {
    /// A new id.
    #[must_use]
    pub fn generate() -> Self {
        let bits = fastrand::u128(..);
        let bits = bits & !(0xf << 76) | (0x4 << 76);
        let bits = bits & !(0x3 << 62) | (0x2 << 62);
        let [first, second, third, fourth] =
            [96, 64, 32, 0].map(|shift| hexadecimal((bits >> shift) as u32));
        let mut text = [b'-'; 36];
        text[..8].copy_from_slice(&first);
        text[9..13].copy_from_slice(&second[..4]);
        text[14..18].copy_from_slice(&second[4..]);
        text[19..23].copy_from_slice(&third[..4]);
        text[24..28].copy_from_slice(&third[4..]);
        text[28..].copy_from_slice(&fourth);
        Self(text)
    }

    /// The id that `text` is, if it is a UUID.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let id: [u8; 36] = text.try_into().ok()?;
        let uuid = id.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        uuid.then_some(Self(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The id as text, without a check that it is.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The id as the value of a header.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or(HeaderValue::from_static("-"))
    }
}

/// The eight digits of `bits`, all at once: one in each byte of a word. (A loop over 32 digits costs five times that.)
pub(crate) const fn hexadecimal(bits: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Each step halves the groups of bits and moves the upper half away: 16 bits, 8, 4.
    let word = bits as u64;
    let word = (word | word << 16) & 0x0000_ffff_0000_ffff;
    let word = (word | word << 8) & 0x00ff_00ff_00ff_00ff;
    let word = (word | word << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Adding six carries out of four bits for ten and above: those become letters.
    let letters = ((word + 6 * ONES) >> 4) & ONES;
    (word + b'0' as u64 * ONES + letters * (b'a' - b'0' - 10) as u64).to_be_bytes()
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The gateway's own id of a request, which a client cannot choose: sixteen characters of Base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtendedRequestId([u8; 16]);

impl ExtendedRequestId {
    /// A new id.
    #[must_use]
    pub fn generate() -> Self {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bits = fastrand::u128(..);
        let mut text = [b'='; 16];
        for (index, place) in text[..15].iter_mut().enumerate() {
            // The last of eleven bytes fills only four of its six bits.
            let mask = if index == 14 { 0x3c } else { 0x3f };
            *place = ALPHABET[(bits >> (index * 6)) as usize & mask];
        }
        Self(text)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The id as text, without a check that it is.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The id as the value of a header.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or(HeaderValue::from_static("-"))
    }
}

impl fmt::Display for ExtendedRequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ExtendedRequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{ExtendedRequestId, RequestId, hexadecimal};

    #[test]
    fn a_new_id_is_a_uuid_of_version_four() {
        let id = RequestId::generate();
        assert_eq!(RequestId::parse(id.as_str().as_bytes()), Some(id));
        assert_eq!(&id.as_str()[14..15], "4");
        assert!(matches!(&id.as_str()[19..20], "8" | "9" | "a" | "b"));
        assert_ne!(id, RequestId::generate());
    }

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for bits in [0, 0x0123_4567, 0x89ab_cdef, 0x9a0f_f0a9, u32::MAX] {
            assert_eq!(hexadecimal(bits), *format!("{bits:08x}").as_bytes());
        }
    }

    #[test]
    fn what_is_no_uuid_is_no_id() {
        assert_eq!(RequestId::parse(b"42"), None);
        assert_eq!(
            RequestId::parse(b"11111111-2222-3333-4444-55555555555\n"),
            None
        );
    }

    #[test]
    fn an_extended_id_has_sixteen_characters() {
        assert_eq!(ExtendedRequestId::generate().as_str().len(), 16);
    }
}
