//! Requests signed by `aws-sigv4`, another implementation than the one under test.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use http::{HeaderName, HeaderValue, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Signs requests, by default in the header, for `execute-api` in `eu-west-1`.
///
/// ```
/// use std::time::SystemTime;
/// use http::Request;
/// use portcullis_testkit::SigV4Signer;
///
/// let signer = SigV4Signer::new("AKIDEXAMPLE", "secret").at(SystemTime::UNIX_EPOCH);
/// let request = Request::get("/pets").header("host", "api.example.com").body(Vec::new()).unwrap();
/// let request = signer.sign(request);
/// assert_eq!(request.headers()["x-amz-date"], "19700101T000000Z");
/// ```
#[derive(Clone, Debug)]
pub struct SigV4Signer {
    access_key_id: String,
    secret: String,
    token: Option<String>,
    token_later: bool,
    region: String,
    service: String,
    at: SystemTime,
    expires: Option<u64>,
    named_hash: bool,
    unsigned_payload: bool,
}

impl SigV4Signer {
    /// Signs with this key, at 1970-01-01.
    #[must_use]
    pub fn new(access_key_id: &str, secret: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret: secret.to_owned(),
            token: None,
            token_later: false,
            region: "eu-west-1".to_owned(),
            service: "execute-api".to_owned(),
            at: SystemTime::UNIX_EPOCH,
            expires: None,
            named_hash: false,
            unsigned_payload: false,
        }
    }

    /// With the token of a temporary key.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Leaves it to the caller to add the token after signing.
    #[must_use]
    pub const fn token_later(mut self) -> Self {
        self.token_later = true;
        self
    }

    /// At this time.
    #[must_use]
    pub const fn at(mut self, time: SystemTime) -> Self {
        self.at = time;
        self
    }

    /// In the query, for this many seconds.
    #[must_use]
    pub const fn presigned(mut self, seconds: u64) -> Self {
        self.expires = Some(seconds);
        self
    }

    /// With the body's hash in `x-amz-content-sha256`.
    #[must_use]
    pub const fn named_hash(mut self) -> Self {
        self.named_hash = true;
        self
    }

    /// With `UNSIGNED-PAYLOAD` in `x-amz-content-sha256`: the body is not signed.
    #[must_use]
    pub const fn unsigned_payload(mut self) -> Self {
        self.named_hash = true;
        self.unsigned_payload = true;
        self
    }

    /// For another region and service.
    #[must_use]
    pub fn scope(mut self, region: &str, service: &str) -> Self {
        region.clone_into(&mut self.region);
        service.clone_into(&mut self.service);
        self
    }

    /// The request with a signature; its target stays as it is.
    ///
    /// # Panics
    ///
    /// If it cannot be signed, for want of a host, say.
    #[must_use]
    pub fn sign(&self, mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
        let credentials = Credentials::new(
            &self.access_key_id,
            &self.secret,
            self.token.clone(),
            None,
            "test",
        );
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(self.at)
            .settings(self.settings())
            .build()
            .expect("everything is set")
            .into();
        let host = text(&request.headers()["host"]).to_owned();
        let uri = format!("https://{host}{}", request.uri());
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value).to_owned()))
            .collect();
        let headers = headers.iter().map(|(name, value)| (&**name, &**value));
        let body = match self.unsigned_payload {
            true => SignableBody::UnsignedPayload,
            false => SignableBody::Bytes(request.body()),
        };
        let signable = SignableRequest::new(request.method().as_str(), uri, headers, body)
            .expect("a request that can be signed");
        let signed = sign(signable, &params).expect("a signature");
        let (headers, parameters) = signed.into_parts().0.into_parts();
        for header in headers {
            let name = HeaderName::from_bytes(header.name().as_bytes()).expect("a name");
            let value = HeaderValue::from_str(header.value()).expect("a value");
            request.headers_mut().insert(name, value);
        }
        if !parameters.is_empty() {
            let mut target = request.uri().to_string();
            for (name, value) in parameters {
                target.push(if target.contains('?') { '&' } else { '?' });
                let value = utf8_percent_encode(&value, NON_ALPHANUMERIC);
                target.push_str(&format!("{name}={value}"));
            }
            *request.uri_mut() = target.parse().expect("a target");
        }
        request
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Enabled;
        settings.expires_in = self.expires.map(Duration::from_secs);
        if self.expires.is_some() {
            settings.signature_location = SignatureLocation::QueryParams;
        }
        if self.token_later {
            settings.session_token_mode = SessionTokenMode::Exclude;
        }
        if self.named_hash {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().expect("text")
}
