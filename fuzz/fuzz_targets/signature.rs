//! No request panics the verifier or passes it, whatever its target, its headers and its body are.
//!
//! The first byte chooses how the rest is read: as text, or as pieces that mean something to the reader. Parts are separated by zero bytes: the target,
//! the `Authorization` header, other headers as lines, the body.
#![no_main]

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use portcullis_auth::credentials::{Caller, Credential};
use portcullis_auth::iam::Principal;
use portcullis_auth::sigv4::{Chunks, SigV4Rules, SigV4Verifier, SignedRequest, payload_hash};

const PIECES: &[&str] = &[
    "\0",
    "\n",
    "/",
    "//",
    "/../",
    "/./",
    "?",
    "&",
    "=",
    ";",
    ",",
    ", ",
    " ",
    "  ",
    "\t",
    ":",
    "%",
    "%2F",
    "%2f",
    "%41",
    "%zz",
    "+",
    "a",
    "é",
    "AWS4-HMAC-SHA256",
    "AWS4-HMAC-SHA256 ",
    "AWS4-ECDSA-P256-SHA256",
    "Bearer ",
    "Credential=",
    "SignedHeaders=",
    "Signature=",
    "Credential=AKIDEXAMPLE/20240229/eu-west-1/execute-api/aws4_request, ",
    "SignedHeaders=host;x-amz-date, ",
    "SignedHeaders=host;x-amz-content-sha256;x-amz-date, ",
    "Signature=0000000000000000000000000000000000000000000000000000000000000000",
    "AKIDEXAMPLE",
    "20240229",
    "20240229T235930Z",
    "eu-west-1",
    "execute-api",
    "aws4_request",
    "AKIDEXAMPLE/20240229/eu-west-1/execute-api/aws4_request",
    "AKIDEXAMPLE%2F20240229%2Feu-west-1%2Fexecute-api%2Faws4_request",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&",
    "X-Amz-Credential=",
    "X-Amz-Date=20240229T235930Z&",
    "X-Amz-Expires=",
    "X-Amz-SignedHeaders=host&",
    "X-Amz-Signature=",
    "X-Amz-Security-Token=",
    "host: api.example.com\n",
    "host: other\n",
    "x-amz-date: 20240229T235930Z\n",
    "date: ",
    "x-amz-security-token: t\n",
    "x-amz-content-sha256: UNSIGNED-PAYLOAD\n",
    "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n",
    "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "host",
    "x-amz-date",
    "0",
    "600",
    "604801",
    "5;chunk-signature=",
    ";chunk-signature=",
    "\r\n",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    let rest: Vec<u8> = match choice & 1 {
        0 => rest.to_vec(),
        _ => rest
            .iter()
            .flat_map(|byte| PIECES[usize::from(*byte) % PIECES.len()].bytes())
            .collect(),
    };
    let mut parts = rest.splitn(4, |byte| *byte == 0);
    let target = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let authorization = parts.next().unwrap_or_default();
    let lines = parts.next().unwrap_or_default();
    let body = parts.next().unwrap_or_default();

    let mut headers = HeaderMap::new();
    if choice & 2 == 0 {
        headers.append("host", HeaderValue::from_static("api.example.com"));
        headers.append("x-amz-date", HeaderValue::from_static("20240229T235930Z"));
    }
    if let Ok(value) = HeaderValue::from_bytes(authorization)
        && !authorization.is_empty()
    {
        headers.append("authorization", value);
    }
    for line in lines.split(|byte| *byte == b'\n').take(100) {
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line.get(colon + 1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }

    let rules = SigV4Rules::new("eu-west-1", "execute-api").expect("a scope");
    let rules = match choice & 4 {
        0 => rules,
        _ => rules
            .s3_paths()
            .dangerously_allow_unsigned_payload(true)
            .allow_chunked_payload(true)
            .show_canonical_request(true),
    };
    let verifier = SigV4Verifier::new(rules);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_251_170);
    let request = SignedRequest::new("POST", &target, &headers);
    let signature = match verifier.read(&request, now) {
        Ok(signature) => signature,
        Err(rejection) => {
            assert_eq!(rejection.status(), 403);
            return;
        }
    };
    assert_eq!(signature.day(), "20240229");
    let caller = Caller::new(Principal::anonymous());
    let key = Credential::new(signature.access_key_id(), "nobody guesses this", caller);
    let hash = payload_hash(body);
    let rejection = verifier
        .verify(&request, &signature, hash.as_str(), Some(&key), now)
        .expect_err("nobody can sign");
    assert_eq!(rejection.status(), 403);
    let signing_key = verifier.signing_key(&signature, &key);
    assert!(
        Chunks::new(&signature, &signing_key)
            .decode(body, None)
            .is_err()
    );

    // What was read does not depend on the request that it was read from.
    let canonical = signature.canonical_request(&request, verifier.rules(), hash.as_str());
    let kept = signature.into_owned();
    assert_eq!(
        kept.canonical_request(&request, verifier.rules(), hash.as_str()),
        canonical
    );
});
