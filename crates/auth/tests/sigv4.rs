//! Signatures over the public API: the order of checks with the service's texts, and `aws-sigv4` as the oracle.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Request};
use portcullis_auth::credentials::{Caller, Credential};
use portcullis_auth::iam::Principal;
use portcullis_auth::sigv4::{
    Chunks, ReplayGuard, SigV4Rules, SigV4Verifier, SignedRequest, payload_hash,
};
use portcullis_core::{Rejection, RejectionKind};
use portcullis_testkit::SigV4Signer;
use proptest::prelude::*;

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "FwoGZXIvYXdz//EXAMPLE==";

/// 2024-02-29T23:59:30Z
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_251_170)
}

fn header() -> SigV4Signer {
    SigV4Signer::new(ID, SECRET).at(now())
}

fn query() -> SigV4Signer {
    header().presigned(900)
}

fn rules() -> SigV4Rules {
    SigV4Rules::new("eu-west-1", "execute-api").unwrap()
}

fn key(token: Option<&str>) -> Credential {
    let key = Credential::new(ID, SECRET, Caller::new(Principal::anonymous()));
    match token {
        Some(token) => key.temporary(token, now() + Duration::from_secs(600)),
        None => key,
    }
}

fn verify(
    verifier: &SigV4Verifier,
    request: &Request<Vec<u8>>,
    key: &Credential,
    at: SystemTime,
) -> Result<(), Rejection> {
    let signed = SignedRequest::of(request);
    let signature = verifier.read(&signed, at)?;
    let hash = payload_hash(request.body());
    let known = Some(key).filter(|key| **key.access_key_id() == *signature.access_key_id());
    verifier.verify(&signed, &signature, hash.as_str(), known, at)
}

fn pets() -> Request<Vec<u8>> {
    Request::post("/prod/pets?kind=dog&name=R%20x")
        .header("host", "api.example.com")
        .header("content-type", "application/json")
        .body(b"{\"name\":\"Rex\"}".to_vec())
        .unwrap()
}

#[track_caller]
fn accepted(request: &Request<Vec<u8>>, key: &Credential) {
    let verifier = SigV4Verifier::new(rules());
    if let Err(rejection) = verify(&verifier, request, key, now()) {
        panic!("{rejection}");
    }
}

#[track_caller]
fn refused(request: &Request<Vec<u8>>, key: &Credential, kind: RejectionKind, message: &str) {
    refused_at(request, key, now(), kind, message);
}

#[track_caller]
fn refused_at(
    request: &Request<Vec<u8>>,
    key: &Credential,
    at: SystemTime,
    kind: RejectionKind,
    message: &str,
) {
    let verifier = SigV4Verifier::new(rules());
    let rejection = verify(&verifier, request, key, at).expect_err("it is refused");
    assert_eq!(rejection.message(), Some(message));
    assert_eq!(rejection.kind(), kind);
    assert_eq!(rejection.status(), 403);
    assert!(rejection.decision().is_some(), "every refusal says why");
}

fn authorization(value: &str) -> Request<Vec<u8>> {
    let mut request = pets();
    let value = HeaderValue::from_str(value).unwrap();
    request.headers_mut().insert("authorization", value);
    request
        .headers_mut()
        .insert("x-amz-date", HeaderValue::from_static("20240229T235930Z"));
    request
}

fn credential(credential: &str) -> Request<Vec<u8>> {
    authorization(&format!(
        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={:064x}",
        7
    ))
}

#[test]
fn both_forms_are_accepted_with_and_without_a_token() {
    for how in [header(), query()] {
        accepted(&how.sign(pets()), &key(None));
        accepted(&how.token(TOKEN).sign(pets()), &key(Some(TOKEN)));
    }
}

#[test]
fn a_token_and_a_content_type_that_were_added_after_signing_are_accepted() {
    let mut request = pets();
    let content_type = request.headers_mut().remove("content-type").unwrap();
    let mut request = header().sign(request);
    request.headers_mut().insert("content-type", content_type);
    request
        .headers_mut()
        .insert("x-amz-security-token", HeaderValue::from_static(TOKEN));
    accepted(&request, &key(Some(TOKEN)));
}

#[test]
fn a_request_with_two_signatures_or_with_none_is_refused_first() {
    let mut request = query().sign(pets());
    request
        .headers_mut()
        .insert("authorization", HeaderValue::from_static("Bearer x"));
    refused(
        &request,
        &key(None),
        RejectionKind::InvalidSignature,
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    );
    refused(
        &pets(),
        &key(None),
        RejectionKind::MissingAuthenticationToken,
        "Missing Authentication Token",
    );
}

#[test]
fn what_is_no_signature_is_named_by_its_hash() {
    refused(
        &authorization("Bearer xyz"),
        &key(None),
        RejectionKind::IncompleteSignature,
        "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): \
         'zyc3Ntxgrok+f83ynVWygiLlbsRSBgJKn5TLWxgJTvs='.",
    );
    refused(
        &authorization("Basic dXNlcjpwYXNz="),
        &key(None),
        RejectionKind::IncompleteSignature,
        "Authorization header has a parameter that is none of 'Credential', 'SignedHeaders' and 'Signature' \
         (hashed with SHA-256 and encoded with Base64): 'I1N0vsibpuzBhZSBqbVdFN3W8Clpm14WJlz9BnRwTI4='.",
    );
    refused(
        &authorization(""),
        &key(None),
        RejectionKind::IncompleteSignature,
        "Authorization header cannot be empty: ''",
    );
}

#[test]
fn missing_parts_are_all_named() {
    let mut request = authorization("AWS4-HMAC-SHA256");
    request.headers_mut().remove("x-amz-date");
    refused(
        &request,
        &key(None),
        RejectionKind::IncompleteSignature,
        "Authorization header requires 'Credential' parameter. \
         Authorization header requires 'Signature' parameter. \
         Authorization header requires 'SignedHeaders' parameter. \
         Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. \
         Authorization=AWS4-HMAC-SHA256",
    );
    let mut request = pets();
    *request.uri_mut() = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20240229T235930Z"
        .parse()
        .unwrap();
    refused(
        &request,
        &key(None),
        RejectionKind::IncompleteSignature,
        "AWS query-string parameters must include 'X-Amz-Credential'. \
         AWS query-string parameters must include 'X-Amz-Signature'. \
         AWS query-string parameters must include 'X-Amz-SignedHeaders'. \
         Re-examine the query-string parameters.",
    );
}

#[test]
fn dates_are_judged_before_keys() {
    let request = credential("NOBODY/20240229/eu-west-1/execute-api/aws4_request");
    refused_at(
        &request,
        &key(None),
        now() + Duration::from_secs(301),
        RejectionKind::InvalidSignature,
        "Signature expired: 20240229T235930Z is now earlier than 20240229T235931Z (20240301T000431Z - 5 min.)",
    );
    refused_at(
        &request,
        &key(None),
        now() - Duration::from_secs(301),
        RejectionKind::InvalidSignature,
        "Signature not yet current: 20240229T235930Z is still later than 20240229T235929Z (20240229T235429Z + 5 min.)",
    );
    let mut request = credential("NOBODY/20240229/eu-west-1/execute-api/aws4_request");
    request.headers_mut().insert(
        "x-amz-date",
        HeaderValue::from_static("Thu, 29 Feb 2024 23:59:30 GMT"),
    );
    refused(
        &request,
        &key(None),
        RejectionKind::IncompleteSignature,
        "Date must be in ISO-8601 'basic format'. Got 'Thu, 29 Feb 2024 23:59:30 GMT'. \
         See http://en.wikipedia.org/wiki/ISO_8601",
    );
}

#[test]
fn a_presigned_url_lives_as_long_as_it_says_or_as_the_skew() {
    let request = query().sign(pets());
    let later = now() + Duration::from_secs(900);
    let honouring = SigV4Verifier::new(rules());
    assert!(verify(&honouring, &request, &key(None), later).is_ok());
    assert!(
        verify(
            &honouring,
            &request,
            &key(None),
            later + Duration::from_secs(1)
        )
        .is_err()
    );
    let service = SigV4Verifier::new(rules().honour_expires(false));
    assert!(
        verify(
            &service,
            &request,
            &key(None),
            now() + Duration::from_secs(300)
        )
        .is_ok()
    );
    assert!(
        verify(
            &service,
            &request,
            &key(None),
            now() + Duration::from_secs(301)
        )
        .is_err()
    );
}

#[test]
fn the_life_of_a_presigned_url_is_a_week_at_most() {
    for wrong in [
        "604801",
        "0",
        "-1",
        "+5",
        "soon",
        "",
        "99999999999999999999",
    ] {
        let target = query().sign(pets()).uri().to_string();
        let target = target.replace("X-Amz-Expires=900", &format!("X-Amz-Expires={wrong}"));
        let mut request = pets();
        *request.uri_mut() = target.parse().unwrap();
        refused(
            &request,
            &key(None),
            RejectionKind::IncompleteSignature,
            "X-Amz-Expires must be a number of seconds from 1 to 604800.",
        );
    }
}

#[test]
fn everything_that_is_wrong_with_a_scope_is_told_in_order() {
    refused(
        &credential("AKIDEXAMPLE/20240228/us-east-1/s3/aws4"),
        &key(None),
        RejectionKind::InvalidSignature,
        "Credential should be scoped to a valid region, not 'us-east-1'. \
         Credential should be scoped to correct service: 'execute-api'. \
         Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4'. \
         Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
         '20240228' != '20240229', from '20240229T235930Z'.",
    );
    refused(
        &credential("AKIDEXAMPLE/20240229"),
        &key(None),
        RejectionKind::IncompleteSignature,
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, \
         got 'AKIDEXAMPLE/20240229'",
    );
}

#[test]
fn the_host_must_be_signed_and_the_algorithm_known() {
    let scope = "AKIDEXAMPLE/20240229/eu-west-1/execute-api/aws4_request";
    refused(
        &authorization(&format!(
            "AWS4-ECDSA-P256-SHA256 Credential={scope}, SignedHeaders=x-amz-date, Signature=00"
        )),
        &key(None),
        RejectionKind::InvalidSignature,
        "'Host' must be a 'SignedHeader' in the AWS Authorization.",
    );
    refused(
        &authorization(&format!(
            "AWS4-ECDSA-P256-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"
        )),
        &key(None),
        RejectionKind::IncompleteSignature,
        "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.",
    );
    for list in [
        "HOST",
        "host;host",
        "x;host",
        "authorization;host",
        "host;",
        "host; x",
    ] {
        let request = authorization(&format!(
            "AWS4-HMAC-SHA256 Credential={scope},SignedHeaders={list},Signature=00"
        ));
        let verifier = SigV4Verifier::new(rules());
        let rejection = verify(&verifier, &request, &key(None), now()).unwrap_err();
        assert_eq!(
            rejection.kind(),
            RejectionKind::IncompleteSignature,
            "{list}"
        );
    }
}

#[test]
fn keys_and_tokens_that_are_not_known_are_refused_alike() {
    const UNKNOWN: &str = "The security token included in the request is invalid.";
    let kind = RejectionKind::UnrecognizedClient;
    let request = credential("NOBODY/20240229/eu-west-1/execute-api/aws4_request");
    refused(&request, &key(None), kind, UNKNOWN);
    // A long-term key with a token, a temporary one without, and one with another's.
    let token = header().token(TOKEN);
    refused(&token.sign(pets()), &key(None), kind, UNKNOWN);
    refused(&header().sign(pets()), &key(Some(TOKEN)), kind, UNKNOWN);
    refused(&token.sign(pets()), &key(Some("other")), kind, UNKNOWN);
}

#[test]
fn a_session_that_has_ended_is_refused() {
    let token = header().token(TOKEN);
    let ended =
        Credential::new(ID, SECRET, Caller::new(Principal::anonymous())).temporary(TOKEN, now());
    refused(
        &token.sign(pets()),
        &ended,
        RejectionKind::ExpiredToken,
        "The security token included in the request is expired",
    );
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

#[test]
fn a_wrong_signature_shows_the_canonical_request_only_if_it_may() {
    let mut request = header().sign(pets());
    request.body_mut().push(b' ');
    refused(
        &request,
        &key(None),
        RejectionKind::InvalidSignature,
        MISMATCH,
    );
    let verifier = SigV4Verifier::new(rules().show_canonical_request(true));
    let rejection = verify(&verifier, &request, &key(None), now()).unwrap_err();
    let message = rejection.message().unwrap();
    assert!(
        message.starts_with(&format!(
            "{MISMATCH}\n\nThe Canonical String for this request should have been\n\
             'POST\n/prod/pets\nkind=dog&name=R%20x\ncontent-type:application/json\nhost:api.example.com\n"
        )),
        "{message}"
    );
    assert!(message.contains(
        "\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20240229T235930Z\n"
    ));
}

#[test]
fn an_unsigned_payload_needs_the_option_and_a_signature_over_it() {
    let unsigned = |mut request: Request<Vec<u8>>| {
        request.headers_mut().insert(
            "x-amz-content-sha256",
            HeaderValue::from_static("UNSIGNED-PAYLOAD"),
        );
        request
    };
    // Added on the way: it changes nothing.
    accepted(&unsigned(header().sign(pets())), &key(None));
    let mut changed = unsigned(header().sign(pets()));
    changed.body_mut().push(b' ');
    refused(
        &changed,
        &key(None),
        RejectionKind::InvalidSignature,
        MISMATCH,
    );
    let allowing = SigV4Verifier::new(rules().dangerously_allow_unsigned_payload(true));
    assert!(verify(&allowing, &changed, &key(None), now()).is_err());
}

#[test]
fn a_named_hash_must_be_that_of_the_body() {
    let request = header().named_hash().sign(pets());
    accepted(&request, &key(None));
    let signed_request = SignedRequest::of(&request);
    let verifier = SigV4Verifier::new(rules());
    let signature = verifier.read(&signed_request, now()).unwrap();
    let hash = payload_hash(request.body());
    assert_eq!(
        signature.named_payload_hash(&signed_request),
        Some(hash.as_str())
    );
}

#[test]
fn http2_has_its_host_in_the_authority() {
    let request = header().sign(pets());
    let (mut parts, body) = request.into_parts();
    parts.headers.remove("host");
    let target = format!("https://api.example.com{}", parts.uri);
    parts.uri = target.parse().unwrap();
    accepted(&Request::from_parts(parts, body), &key(None));
}

#[test]
fn a_replay_guard_lets_each_signature_pass_once() {
    let verifier = SigV4Verifier::new(rules()).with_replay_guard(ReplayGuard::new(100));
    let request = header().sign(pets());
    assert!(verify(&verifier, &request, &key(None), now()).is_ok());
    let rejection = verify(&verifier, &request, &key(None), now()).unwrap_err();
    assert_eq!(
        rejection.message(),
        Some("The request signature has been used before.")
    );
}

#[test]
fn a_replay_is_refused_for_as_long_as_the_signature_can_be_used() {
    let second = Duration::from_secs(1);
    let skew = 300 * second;
    let ahead = |signer: SigV4Signer| signer.at(now() + skew);
    for (signer, life) in [
        (ahead(header()), skew),
        (ahead(header().presigned(900)), 900 * second),
        (ahead(header().presigned(604_800)), 604_800 * second),
    ] {
        let verifier = SigV4Verifier::new(rules()).with_replay_guard(ReplayGuard::new(100));
        let request = signer.sign(pets());
        let at = now() + Duration::from_millis(700);
        assert!(verify(&verifier, &request, &key(None), at).is_ok());
        let last = now() + skew + life + Duration::from_millis(999);
        let fresh = SigV4Verifier::new(rules());
        assert!(verify(&fresh, &request, &key(None), last).is_ok());
        let rejection = verify(&verifier, &request, &key(None), last).unwrap_err();
        assert_eq!(rejection.decision().unwrap().rule(), "sigv4/replayed");
    }
}

#[test]
fn a_replay_guard_without_room_refuses() {
    let verifier = SigV4Verifier::new(rules()).with_replay_guard(ReplayGuard::new(1));
    let first = header().sign(pets());
    assert!(verify(&verifier, &first, &key(None), now()).is_ok());
    let second = header().at(now() + Duration::from_secs(1)).sign(pets());
    let rejection = verify(&verifier, &second, &key(None), now()).unwrap_err();
    assert_eq!(rejection.status(), 500);
    let rule = rejection.decision().unwrap().rule().to_owned();
    assert_eq!(rule, "sigv4/replay-guard-full");
}

#[test]
fn a_target_for_one_host_and_a_header_for_another_are_refused() {
    let signed = |uri: &str, host: &str| {
        let mut request = header().sign(pets());
        *request.uri_mut() = format!("{uri}/prod/pets?kind=dog&name=R%20x")
            .parse()
            .unwrap();
        request
            .headers_mut()
            .insert("host", HeaderValue::from_str(host).unwrap());
        request
    };
    accepted(
        &signed("http://API.example.com", "api.example.com"),
        &key(None),
    );
    let other = signed("http://other.example.com", "api.example.com");
    refused(
        &other,
        &key(None),
        RejectionKind::InvalidSignature,
        "The request's target and its 'Host' header name different hosts.",
    );
}

fn wire_text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            4 => "[a-zA-Z0-9._~-]",
            1 => "[!$'()*,;:@]",
            2 => (0_u8..=255).prop_map(|byte| format!("%{byte:02X}")),
        ],
        1..6,
    )
    .prop_map(|parts| parts.concat())
}

/// Text for queries: encoded UTF-8, which is what the oracle can decode.
fn query_text() -> impl Strategy<Value = String> {
    "[ -~é☃]{0,6}".prop_map(|text| {
        percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string()
    })
}

prop_compose! {
    fn requests()(
        method in prop_oneof![Just("GET"), Just("POST"), Just("DELETE"), Just("PATCH")],
        segments in prop::collection::vec(prop_oneof![8 => wire_text(), 1 => Just(String::new()), 1 => Just("..".to_owned()), 1 => Just(".".to_owned())], 0..5),
        query in prop::collection::vec((query_text(), query_text()), 0..5),
        values in prop::collection::vec("[!-~]{1,4}( {1,3}[!-~]{1,4}){0,2}", 0..3),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) -> Request<Vec<u8>> {
        let mut target = format!("/{}", segments.join("/"));
        for (index, (name, value)) in query.iter().filter(|(name, _)| !name.is_empty()).enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.push_str(&format!("{name}={value}"));
        }
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "api.example.com");
        for value in values {
            request = request.header("x-many", value);
        }
        request.body(body).unwrap()
    }
}

fn ways() -> impl Strategy<Value = (SigV4Signer, Option<&'static str>)> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(in_query, token, named_hash)| {
        let mut how = if in_query { query() } else { header() };
        if named_hash {
            how = how.named_hash();
        }
        match token {
            true => (how.token(TOKEN), Some(TOKEN)),
            false => (how, None),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_aws_sigv4_signs_is_accepted(request in requests(), (how, token) in ways()) {
        let request = how.sign(request);
        let verifier = SigV4Verifier::new(rules());
        let outcome = verify(&verifier, &request, &key(token), now());
        prop_assert!(outcome.is_ok(), "{request:?}: {outcome:?}");
    }

    #[test]
    fn what_is_signed_without_its_payload_needs_the_option(mut request in requests(), body in prop::collection::vec(any::<u8>(), 0..20)) {
        request = header().unsigned_payload().sign(request);
        let refusing = SigV4Verifier::new(rules());
        prop_assert!(verify(&refusing, &request, &key(None), now()).is_err());
        let allowing = SigV4Verifier::new(rules().dangerously_allow_unsigned_payload(true));
        prop_assert!(verify(&allowing, &request, &key(None), now()).is_ok());
        *request.body_mut() = body;
        prop_assert!(verify(&allowing, &request, &key(None), now()).is_ok());
        // The rest is signed all the same.
        request.headers_mut().append("x-amz-date", HeaderValue::from_static("20240229T235930Z"));
        prop_assert!(verify(&allowing, &request, &key(None), now()).is_err());
    }

    #[test]
    fn a_changed_request_is_refused(request in requests(), (how, token) in ways(), change in 0..6) {
        let mut request = how.sign(request);
        match change {
            0 => request.body_mut().push(0),
            1 => *request.method_mut() = http::Method::PUT,
            2 => {
                let host = HeaderValue::from_static("other.example.com");
                request.headers_mut().insert("host", host);
            }
            3 => {
                let separator = if request.uri().query().is_some() { '&' } else { '?' };
                let target = format!("{}{separator}admin=1", request.uri());
                *request.uri_mut() = target.parse().unwrap();
            }
            4 => {
                let (path, query) = (request.uri().path(), request.uri().query());
                let target = format!("{path}x?{}", query.unwrap_or_default());
                *request.uri_mut() = target.parse().unwrap();
            }
            _ => {
                let verifier = SigV4Verifier::new(rules());
                let other = Credential::new(ID, "another secret", Caller::new(Principal::anonymous()));
                prop_assert!(verify(&verifier, &request, &other, now()).is_err());
                return Ok(());
            }
        }
        let verifier = SigV4Verifier::new(rules());
        prop_assert!(verify(&verifier, &request, &key(token), now()).is_err());
    }

    #[test]
    fn no_authorization_header_breaks_the_reader(value in "(AWS4-HMAC-SHA256 )?[ -~]{0,80}", query in "[ -~&&[^#\"<>`{}|\\\\^]]{0,60}") {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(&value).unwrap());
        let target = format!("/?{query}");
        let verifier = SigV4Verifier::new(rules());
        prop_assert!(verifier.read(&SignedRequest::new("GET", &target, &headers), now()).is_err());
        let target = format!("/?X-Amz-Algorithm={query}");
        let none = HeaderMap::new();
        prop_assert!(verifier.read(&SignedRequest::new("GET", &target, &none), now()).is_err());
    }
}

/// The example of a chunked upload in the guide to S3, whose signatures it prints.
#[test]
fn a_body_in_signed_chunks_is_taken_apart_where_it_is_allowed() {
    let chunk = |size: usize, signature: &str| {
        let line = format!("{size:x};chunk-signature={signature}\r\n");
        [line.into_bytes(), vec![b'a'; size], b"\r\n".to_vec()].concat()
    };
    let body = [
        chunk(
            65536,
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        ),
        chunk(
            1024,
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        ),
        chunk(
            0,
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ),
    ]
    .concat();
    let request = Request::put("/examplebucket/chunkObject.txt")
        .header("host", "s3.amazonaws.com")
        .header("x-amz-date", "20130524T000000Z")
        .header("x-amz-storage-class", "REDUCED_REDUNDANCY")
        .header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", "66560")
        .header("content-length", "66824")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;\
             x-amz-decoded-content-length;x-amz-storage-class,\
             Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        )
        .body(body)
        .unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600);
    let caller = Caller::new(Principal::anonymous());
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let key = Credential::new("AKIAIOSFODNN7EXAMPLE", secret, caller);
    let rules = SigV4Rules::new("us-east-1", "s3").unwrap().s3_paths();

    let refusing = SigV4Verifier::new(rules.clone());
    assert!(verify(&refusing, &request, &key, at).is_err());

    let verifier = SigV4Verifier::new(rules.allow_chunked_payload(true));
    let signed_request = SignedRequest::of(&request);
    let signature = verifier.read(&signed_request, at).unwrap();
    assert!(signature.is_chunked());
    verifier
        .verify(&signed_request, &signature, "", Some(&key), at)
        .unwrap();
    let signing_key = verifier.signing_key(&signature, &key);
    let chunks = Chunks::new(&signature, &signing_key);
    let body = request.body();
    assert_eq!(chunks.decode(body, Some(66560)).unwrap().len(), 66560);

    assert!(chunks.decode(body, Some(66559)).is_err());
    for wrong in [
        &body[..body.len() - 1],
        &body[..66000],
        &body[65536 + 5 + 17 + 64 + 4..],
        b"",
        b"zz;chunk-signature=\r\n",
        b"ffffffffffffffffffff;chunk-signature=00\r\n",
    ] {
        assert!(chunks.decode(wrong, None).is_err());
    }
    let mut trailing = body.clone();
    trailing.push(b'x');
    assert!(chunks.decode(&trailing, None).is_err());
    let mut changed = body.clone();
    changed[70_000 - 4_000] ^= 1;
    assert!(chunks.decode(&changed, None).is_err());
}
