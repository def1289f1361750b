//! Verification of a signed request with a body of 1 KiB. The signing key is cached.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use portcullis_auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis_auth::iam::Principal;
use portcullis_auth::sigv4::{SigV4Rules, SigV4Verifier, SignedRequest, payload_hash};

use crate::row::{Case, Goal, Who};

pub(super) const ID: &str = "AKIDEXAMPLE";
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2024-02-29T23:59:30Z
pub(super) const NOW: u64 = 1_709_251_170;
const SCOPE: &str = "20240229/eu-west-1/execute-api/aws4_request";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");

pub(super) fn cases() -> Vec<Case> {
    let case = Case::new("sigv4", "verify-1k")
        .row(Who::Bare, || {
            let sample = Sample::new();
            move || sample.request()
        })
        // What cannot be left out: a hash of the body, one of what is signed, and one HMAC, by the same library.
        .row(Who::Floor, || {
            let sample = Sample::new();
            let canonical = sample.canonical();
            let signed = Sample::string_to_sign(&canonical);
            let key = signing_key();
            let signature = hmac::sign(&key, signed.as_bytes());
            move || {
                let request = sample.request();
                black_box(digest::digest(&digest::SHA256, request.body()));
                black_box(digest::digest(
                    &digest::SHA256,
                    black_box(canonical.as_bytes()),
                ));
                let tag = hmac::sign(&key, black_box(signed.as_bytes()));
                let same = verify_slices_are_equal(tag.as_ref(), signature.as_ref());
                same.expect("it is the same");
                request
            }
        })
        .row(Who::Portcullis, || {
            let sample = Sample::new();
            let rules = SigV4Rules::new("eu-west-1", "execute-api").expect("a scope");
            let verifier = SigV4Verifier::new(rules);
            let caller = Caller::new(Principal::anonymous());
            let keys = MemoryCredentials::new([Credential::new(ID, SECRET, caller)]);
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
            move || {
                let request = sample.request();
                let signed = SignedRequest::of(&request);
                let signature = verifier.read(&signed, now).expect("a good form");
                let hash = payload_hash(request.body());
                let key = keys.get(signature.access_key_id());
                let outcome =
                    verifier.verify(&signed, &signature, hash.as_str(), key.as_ref(), now);
                outcome.expect("it is signed");
                request
            }
        })
        .goal(Goal::TimesFloorInTime(2.3));
    #[cfg(feature = "auth-peers")]
    let case = case
        .row(Who::Peer("scratchstack-aws-signature"), || {
            super::auth_peers::signature(Sample::new())
        })
        .goal(Goal::TimesPeerInTime("scratchstack-aws-signature", 0.4));
    vec![case]
}

/// A request with a signature.
pub(super) struct Sample {
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Sample {
    pub(super) fn new() -> Self {
        let mut sample = Self {
            uri: Uri::from_static("/prod/pets/42/photos?kind=dog&name=Rex&size=big"),
            headers: vec![
                (
                    HOST,
                    HeaderValue::from_static("a1b2c3.execute-api.eu-west-1.amazonaws.com"),
                ),
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (DATE, HeaderValue::from_static("20240229T235930Z")),
            ],
            body: vec![b'x'; 1024].into(),
        };
        let signed = Self::string_to_sign(&sample.canonical());
        let signature = hex(hmac::sign(&signing_key(), signed.as_bytes()).as_ref());
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={ID}/{SCOPE}, \
             SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
        );
        let value = HeaderValue::try_from(value).expect("ASCII");
        sample.headers.push((AUTHORIZATION, value));
        sample
    }

    pub(super) fn request(&self) -> Request<Bytes> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        request
    }

    fn canonical(&self) -> String {
        let body = hex(digest::digest(&digest::SHA256, &self.body).as_ref());
        format!(
            "POST\n/prod/pets/42/photos\nkind=dog&name=Rex&size=big\n\
             content-type:application/json\n\
             host:a1b2c3.execute-api.eu-west-1.amazonaws.com\n\
             x-amz-date:20240229T235930Z\n\n\
             content-type;host;x-amz-date\n{body}"
        )
    }

    fn string_to_sign(canonical: &str) -> String {
        let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        format!("AWS4-HMAC-SHA256\n20240229T235930Z\n{SCOPE}\n{hash}")
    }
}

fn signing_key() -> hmac::Key {
    let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let first = key(format!("AWS4{SECRET}").as_bytes());
    SCOPE.split('/').fold(first, |derived, part| {
        key(hmac::sign(&derived, part.as_bytes()).as_ref())
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
