//! Signatures of recorded requests, checked.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::Recorded;

/// What a request was signed as.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// The id of the key.
    pub access_key_id: String,
    /// The region of the scope.
    pub region: String,
    /// The service of the scope.
    pub service: String,
}

/// Signs what came on the wire once more with this secret, by the time and the headers that it names, and compares.
///
/// # Panics
///
/// If the request is not signed, or by another signature.
#[must_use]
#[track_caller]
pub fn signed(got: &Recorded, secret: &str) -> Signed {
    let authorization = got.header("authorization").expect("the request is signed");
    let part = |name: &str| {
        let (_, rest) = authorization
            .split_once(name)
            .unwrap_or_else(|| panic!("`{name}` is missing: {authorization}"));
        rest.split(',').next().unwrap_or_default().trim()
    };
    let scope: Vec<_> = part("Credential=").split('/').collect();
    let [id, _, region, service, "aws4_request"] = scope[..] else {
        panic!("the scope is none: {scope:?}");
    };
    let is_s3 = service == "s3";
    let mut settings = SigningSettings::default();
    settings.excluded_headers = None;
    if is_s3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let token = got.header("x-amz-security-token").map(str::to_owned);
    let identity = Credentials::new(id, secret, token, None, "tests").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(time(
            got.header("x-amz-date")
                .expect("a signed request has a date"),
        ))
        .settings(settings)
        .build()
        .expect("all is there")
        .into();
    let names: Vec<_> = part("SignedHeaders=").split(';').collect();
    let added = ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];
    let headers: Vec<_> = names
        .iter()
        .filter(|name| !added.contains(*name))
        .map(|name| (*name, got.header(name).unwrap_or_default()))
        .collect();
    let uri = format!("http://{}{}", got.header("host").unwrap_or("-"), got.uri);
    let body = SignableBody::Bytes(&got.body);
    let request = SignableRequest::new(got.method.as_str(), uri, headers.into_iter(), body);
    let (_, signature) = sign(request.expect("a request"), &params)
        .expect("it can be signed")
        .into_parts();
    assert_eq!(part("Signature="), signature, "of {got:#?}");
    Signed {
        access_key_id: id.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    }
}

/// The time in `20150830T123600Z`.
fn time(text: &str) -> SystemTime {
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", text).expect("a date as signatures have it");
    let time = TimeZone::UTC
        .to_timestamp(time)
        .expect("a time of this era");
    let seconds = u64::try_from(time.as_second()).expect("a time after 1970");
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn a_date_is_read() {
        for (text, seconds) in [
            ("19700101T000000Z", 0),
            ("20150830T123600Z", 1_440_938_160),
            ("20240301T000001Z", 1_709_251_201),
        ] {
            let read = time(text).duration_since(std::time::UNIX_EPOCH);
            assert_eq!(read.expect("later").as_secs(), seconds, "{text}");
        }
    }
}
