//! What a verifier takes.

use std::time::Duration;

use crate::ConfigError;

/// What signatures must be scoped to, and what is taken besides the ordinary.
///
/// ```
/// use portcullis_auth::sigv4::SigV4Rules;
///
/// let rules = SigV4Rules::new("eu-west-1", "execute-api")?;
/// # let _ = rules;
/// # Ok::<(), portcullis_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigV4Rules {
    pub(super) region: Box<str>,
    pub(super) service: Box<str>,
    pub(super) max_skew: Duration,
    pub(super) honour_expires: bool,
    pub(super) normalize_path: bool,
    pub(super) double_encode_path: bool,
    pub(super) allow_unsigned_payload: bool,
    pub(super) allow_chunked_payload: bool,
    pub(super) allow_asymmetric: bool,
    pub(super) show_canonical_request: bool,
}

impl SigV4Rules {
    /// Signatures for this region and service: `eu-west-1` and `execute-api`.
    ///
    /// # Errors
    ///
    /// If one of them is empty or is not made of lower-case letters, digits and dashes, as scopes are.
    pub fn new(
        region: impl Into<Box<str>>,
        service: impl Into<Box<str>>,
    ) -> Result<Self, ConfigError> {
        let (region, service) = (region.into(), service.into());
        for (field, text) in [("region", &region), ("service", &service)] {
            let fine =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if text.is_empty() || !text.bytes().all(fine) {
                return Err(ConfigError::new(
                    field,
                    format!("`{text}` cannot stand in the scope of a signature"),
                    "use lower-case letters, digits and dashes",
                ));
            }
        }
        Ok(Self {
            region,
            service,
            max_skew: Duration::from_secs(300),
            honour_expires: true,
            normalize_path: true,
            double_encode_path: true,
            allow_unsigned_payload: false,
            allow_chunked_payload: false,
            allow_asymmetric: false,
            show_canonical_request: false,
        })
    }

    /// How far the signer's clock may be off, either way. Five minutes by default, as in the service.
    #[must_use]
    pub const fn max_skew(mut self, skew: Duration) -> Self {
        self.max_skew = skew;
        self
    }

    /// Whether a presigned URL lives for as long as its `X-Amz-Expires` says, a week at most. It does by default; API
    /// Gateway itself ignores the parameter and lets such a URL live for the skew of five minutes.
    #[must_use]
    pub const fn honour_expires(mut self, honour: bool) -> Self {
        self.honour_expires = honour;
        self
    }

    /// Signs paths as S3 does: dots and double slashes stay, and what is encoded on the wire is not encoded again.
    #[must_use]
    pub const fn s3_paths(self) -> Self {
        self.normalize_path(false).double_encode_path(false)
    }

    /// Whether `.`, `..` and `//` are resolved before the path is signed. They are by default.
    #[must_use]
    pub const fn normalize_path(mut self, normalize: bool) -> Self {
        self.normalize_path = normalize;
        self
    }

    /// Whether the path of the wire is percent-encoded once more before it is signed. It is by default.
    #[must_use]
    pub const fn double_encode_path(mut self, double: bool) -> Self {
        self.double_encode_path = double;
        self
    }

    /// Takes requests whose signed `x-amz-content-sha256` is `UNSIGNED-PAYLOAD`: whoever can change a body on its way then
    /// can do so unseen. Refused by default, as in API Gateway.
    #[must_use]
    pub const fn dangerously_allow_unsigned_payload(mut self, allow: bool) -> Self {
        self.allow_unsigned_payload = allow;
        self
    }

    /// Takes bodies in signed chunks (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`). Refused by default, as in API Gateway.
    #[must_use]
    pub const fn allow_chunked_payload(mut self, allow: bool) -> Self {
        self.allow_chunked_payload = allow;
        self
    }

    /// Takes signatures of version 4A (`AWS4-ECDSA-P256-SHA256`), too. They hold in every region of the signed `x-amz-region-set`, which this one must
    /// be of, and cost fifty times as much to verify. Refused by default, as in API Gateway.
    #[must_use]
    pub const fn allow_asymmetric(mut self, allow: bool) -> Self {
        self.allow_asymmetric = allow;
        self
    }

    /// Whether a refusal for a wrong signature shows the canonical request, as the service does. It holds the values of signed
    /// headers, and goes to logs, so it is left out by default.
    #[must_use]
    pub const fn show_canonical_request(mut self, show: bool) -> Self {
        self.show_canonical_request = show;
        self
    }

    /// The region that a scope must name.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The service that a scope must name.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_no_slashes_and_no_capitals() {
        assert!(SigV4Rules::new("eu-west-1", "execute-api").is_ok());
        for (region, service) in [("", "s"), ("r", ""), ("EU", "s"), ("r", "a/b")] {
            assert!(
                SigV4Rules::new(region, service).is_err(),
                "{region} {service}"
            );
        }
    }
}
