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
        let mut text = [b'-'; 36];
        let mut shift = 128;
        for (index, place) in text.iter_mut().enumerate() {
            if !matches!(index, 8 | 13 | 18 | 23) {
                shift -= 4;
                *place = b"0123456789abcdef"[(bits >> shift) as usize & 0xf];
            }
        }
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

    /// The id as the value of a header.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or(HeaderValue::from_static("-"))
    }
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
    use super::{ExtendedRequestId, RequestId};

    #[test]
    fn a_new_id_is_a_uuid_of_version_four() {
        let id = RequestId::generate();
        assert_eq!(RequestId::parse(id.as_str().as_bytes()), Some(id));
        assert_eq!(&id.as_str()[14..15], "4");
        assert!(matches!(&id.as_str()[19..20], "8" | "9" | "a" | "b"));
        assert_ne!(id, RequestId::generate());
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
