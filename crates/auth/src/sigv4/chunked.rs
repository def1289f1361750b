//! Bodies in signed chunks: `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::{Bytes, BytesMut};
use portcullis_core::Rejection;

use super::key::SigningKey;
use super::refusal;
use super::verify::{PayloadHash, Signature, from_hex, payload_hash};

/// Takes a body in signed chunks apart. Each chunk is signed over the signature of the one before it, the first over that of the request.
#[derive(Debug)]
pub struct Chunks<'a> {
    signature: &'a Signature<'a>,
    key: &'a SigningKey,
}

/// The longest line before a chunk: its size, an extension of fixed length.
const MAX_LINE: usize = 16 + ";chunk-signature=".len() + 64;

impl<'a> Chunks<'a> {
    /// For the body of the request with this signature, which has been checked.
    #[must_use]
    pub const fn new(signature: &'a Signature<'a>, key: &'a SigningKey) -> Self {
        Self { signature, key }
    }

    /// The body without its chunks' lines. `length` is what `x-amz-decoded-content-length` says, if it is there.
    ///
    /// # Errors
    ///
    /// If a chunk is malformed or its signature wrong, if chunks are missing or follow the last one, or if all together are not as long
    /// as was said.
    pub fn decode(&self, body: &[u8], length: Option<u64>) -> Result<Bytes, Rejection> {
        let fault = |rule| refusal::bad_chunk(self.signature.access_key_id(), rule);
        let malformed = || fault("sigv4/bad-chunk");
        let mut decoded = BytesMut::with_capacity(body.len());
        let mut before = self.signature.as_hex().to_owned();
        let mut rest = body;
        loop {
            let head = &rest[..rest.len().min(MAX_LINE + 2)];
            let end = memchr::memmem::find(head, b"\r\n").ok_or_else(malformed)?;
            let line = std::str::from_utf8(&rest[..end]).map_err(|_| malformed())?;
            let (size, signature) = line.split_once(";chunk-signature=").ok_or_else(malformed)?;
            if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(malformed());
            }
            let size = usize::from_str_radix(size, 16).map_err(|_| malformed())?;
            rest = &rest[end + 2..];
            let data = rest.get(..size).ok_or_else(malformed)?;
            let given = from_hex(signature).ok_or_else(malformed)?;
            let expected = self.sign(&before, data);
            if verify_slices_are_equal(expected.as_ref(), &given).is_err() {
                return Err(fault("sigv4/chunk-mismatch"));
            }
            rest = rest[size..].strip_prefix(b"\r\n").ok_or_else(malformed)?;
            decoded.extend_from_slice(data);
            if size == 0 {
                break;
            }
            before.clear();
            before.push_str(signature);
        }
        if !rest.is_empty() || length.is_some_and(|length| length != decoded.len() as u64) {
            return Err(malformed());
        }
        Ok(decoded.freeze())
    }

    fn sign(&self, before: &str, data: &[u8]) -> aws_lc_rs::hmac::Tag {
        const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let hash: PayloadHash = payload_hash(data);
        let text = [
            "AWS4-HMAC-SHA256-PAYLOAD",
            self.signature.date(),
            self.signature.scope(),
            before,
            EMPTY,
            hash.as_str(),
        ]
        .join("\n");
        self.key.sign(text.as_bytes())
    }
}
