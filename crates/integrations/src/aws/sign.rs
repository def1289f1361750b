//! Signature Version 4 on requests that go out.

use std::time::SystemTime;

use aws_credential_types::Credentials as Keys;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign as calculate,
};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use portcullis_core::BoxError;

use super::credentials::Credentials;
use super::endpoint::Endpoint;

/// Signs a request to `endpoint`. What is in it afterwards must stay as it is.
pub(crate) fn sign(
    request: &mut Request<Bytes>,
    endpoint: &Endpoint,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<(), BoxError> {
    let identity = Keys::new(
        credentials.access_key_id(),
        credentials.secret_access_key(),
        credentials.session_token().map(str::to_owned),
        credentials.expires(),
        "portcullis",
    )
    .into();
    let mut settings = SigningSettings::default();
    // Object keys are signed as they are sent, and the service wants to see the body's hash.
    if matches!(&*endpoint.service, "s3" | "s3-object-lambda" | "s3express") {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let params = SigningParams::builder()
        .identity(&identity)
        .region(&endpoint.region)
        .name(&endpoint.service)
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let headers: Vec<_> = request
        .headers()
        .iter()
        // A header that is no text cannot be signed, and need not be.
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let uri = request.uri().to_string();
    let body = SignableBody::Bytes(request.body());
    let signable =
        SignableRequest::new(request.method().as_str(), &uri, headers.into_iter(), body)?;
    let (instructions, _) = calculate(signable, &params)?.into_parts();
    let (headers, _) = instructions.into_parts();
    for header in headers {
        let mut value = HeaderValue::from_str(header.value())?;
        value.set_sensitive(header.sensitive() || header.name() == "authorization");
        request
            .headers_mut()
            .insert(HeaderName::from_static(header.name()), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn signed(service: &str, uri: &str) -> Request<Bytes> {
        let mut request = Request::get(uri).body(Bytes::new()).expect("valid");
        let endpoint = Endpoint::new(service, "us-east-1");
        let credentials =
            Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        sign(&mut request, &endpoint, &credentials, now).expect("it can be signed");
        request
    }

    #[test]
    fn the_signature_is_that_of_the_published_suite() {
        let request = signed("service", "https://example.amazonaws.com/");
        assert_eq!(
            request.headers()["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        assert!(request.headers()["authorization"].is_sensitive());
    }

    #[test]
    fn s3_sees_the_hash_of_the_body() {
        let request = signed("s3", "https://s3.us-east-1.amazonaws.com/bucket/a%20b//c");
        assert_eq!(
            request.headers()["x-amz-content-sha256"],
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert!(
            signed("sqs", "https://x/")
                .headers()
                .get("x-amz-content-sha256")
                .is_none()
        );
    }
}
