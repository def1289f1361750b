//! Requests signed by `aws-sigv4`.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderName, HeaderValue, Request};

pub(crate) const ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const TOKEN: &str = "FwoGZXIvYXdz//EXAMPLE==";

/// 2024-02-29T23:59:30Z
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_251_170)
}

#[derive(Clone, Debug)]
pub(crate) struct Sign {
    pub(crate) location: SignatureLocation,
    pub(crate) token: Option<&'static str>,
    /// Whether the token is added after signing.
    pub(crate) token_later: bool,
    pub(crate) expires: Option<u64>,
    pub(crate) sha_header: bool,
}

pub(crate) const HEADER: Sign = Sign {
    location: SignatureLocation::Headers,
    token: None,
    token_later: false,
    expires: None,
    sha_header: false,
};

pub(crate) const QUERY: Sign = Sign {
    location: SignatureLocation::QueryParams,
    expires: Some(900),
    ..HEADER
};

/// Signs a request with `aws-sigv4`.
pub(crate) fn signed(mut request: Request<Vec<u8>>, how: &Sign) -> Request<Vec<u8>> {
    let token = how.token.map(str::to_owned);
    let identity = Credentials::new(ID, SECRET, token, None, "test").into();
    let mut settings = SigningSettings::default();
    settings.signature_location = how.location;
    settings.expires_in = how.expires.map(Duration::from_secs);
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Enabled;
    if how.token_later {
        settings.session_token_mode = SessionTokenMode::Exclude;
    }
    if how.sha_header {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("execute-api")
        .time(now())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let uri = format!("https://api.example.com{}", request.uri());
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let headers = headers.iter().map(|(name, value)| (&**name, &**value));
    let signable = SignableRequest::new(
        request.method().as_str(),
        uri.as_str(),
        headers,
        SignableBody::Bytes(request.body()),
    )
    .unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    // Applied by hand, so that the target stays as it is.
    let (new_headers, new_query) = instructions.into_parts();
    for header in new_headers {
        let name = HeaderName::from_bytes(header.name().as_bytes()).unwrap();
        request
            .headers_mut()
            .insert(name, HeaderValue::from_str(header.value()).unwrap());
    }
    if !new_query.is_empty() {
        let mut target = request.uri().to_string();
        for (name, value) in new_query {
            target.push(if target.contains('?') { '&' } else { '?' });
            let encode = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                    .to_string()
            };
            target.push_str(&format!("{name}={}", encode(&value)));
        }
        *request.uri_mut() = target.parse().unwrap();
    }
    request
}
