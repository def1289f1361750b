//! The recorded cases of signatures: AWS's suites, five stock signers, mutations of what they signed.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use portcullis_auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis_auth::iam::Principal;
use portcullis_auth::sigv4::{Chunks, SigV4Rules, SigV4Verifier, SignedRequest, payload_hash};
use portcullis_core::Rejection;
use portcullis_testkit::cases::{self, ExpectedFailures, Tally};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    must: bool,
    request: CaseRequest,
    config: Config,
    keys: Vec<Key>,
    now: Moment,
    expect: Expect,
}

#[derive(Deserialize)]
struct CaseRequest {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body_b64: String,
}

#[derive(Deserialize)]
struct Config {
    region: String,
    service: String,
    normalize_path: bool,
    double_encode_path: bool,
    max_skew_s: u64,
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    unsigned: bool,
    streaming: bool,
}

#[derive(Deserialize)]
struct Key {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Moment(SystemTime);

impl TryFrom<String> for Moment {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>()
            .and_then(|time| Ok(Self(time.try_into()?)))
    }
}

#[derive(Deserialize)]
struct Expect {
    outcome: String,
    status: u16,
    access_key_id: Option<String>,
}

/// The id of the key that signed, or the refusal.
fn verify(case: &Case) -> Result<String, Rejection> {
    let config = &case.config;
    let rules = SigV4Rules::new(config.region.as_str(), config.service.as_str())
        .expect("a scope")
        .normalize_path(config.normalize_path)
        .double_encode_path(config.double_encode_path)
        .max_skew(std::time::Duration::from_secs(config.max_skew_s))
        .dangerously_allow_unsigned_payload(config.payload.unsigned)
        .allow_chunked_payload(config.payload.streaming);
    let verifier = SigV4Verifier::new(rules);
    let later = case.now.0 + std::time::Duration::from_secs(1_000_000_000);
    let keys = MemoryCredentials::new(case.keys.iter().map(|key| {
        let caller = Caller::new(Principal::anonymous());
        let own = Credential::new(
            key.access_key_id.as_str(),
            key.secret_access_key.as_str(),
            caller,
        );
        match &key.session_token {
            Some(token) => own.temporary(token.as_str(), later),
            None => own,
        }
    }));
    let mut headers = HeaderMap::new();
    for (name, value) in &case.request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(
            name,
            HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
        );
    }
    let body = BASE64.decode(&case.request.body_b64).expect("base64");
    let request = SignedRequest::new(&case.request.method, &case.request.target, &headers);
    let now = case.now.0;
    let signature = verifier.read(&request, now)?;
    let key = keys.get(signature.access_key_id());
    let hash = payload_hash(&body);
    verifier.verify(&request, &signature, hash.as_str(), key.as_ref(), now)?;
    if signature.is_chunked() {
        let length = headers.get("x-amz-decoded-content-length");
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let key = key.expect("the key was found");
        Chunks::new(&signature, &verifier.signing_key(&signature, &key)).decode(&body, length)?;
    }
    Ok(signature.access_key_id().to_owned())
}

fn check(case: &Case) -> Result<(), String> {
    match (verify(case), case.expect.outcome.as_str()) {
        (Ok(id), "accept") if case.expect.access_key_id.as_ref() == Some(&id) => Ok(()),
        (Err(rejection), "reject") if rejection.status() == case.expect.status => Ok(()),
        (Ok(id), expected) => Err(format!("accepted for {id}, expected {expected}")),
        (Err(rejection), expected) => Err(format!("{rejection}, expected {expected}")),
    }
}

#[test]
fn signatures_are_judged_as_the_cases_say() {
    let Some(dir) = cases::dir() else { return };
    for file in ["suite", "clients", "mutations", "edge"] {
        let all: Vec<Case> = cases::load_jsonl(dir.join(format!("sigv4/{file}.jsonl")));
        let mut tally = Tally::new(&format!("sigv4 {file}"), &ExpectedFailures::none());
        for case in &all {
            match check(case) {
                Err(why) if !case.must => tally.leave_out(&case.id, &why),
                outcome => tally.record(&case.id, outcome),
            }
        }
        tally.finish();
    }
}
