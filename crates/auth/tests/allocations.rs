//! What a token costs that was verified before, and what a key costs that is in memory: nothing. A signature costs the texts that are signed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use allocation_counter::measure;
use http::Request;
use portcullis_auth::access::{ApiArn, Authorization};
use portcullis_auth::api_key::{ApiKey, ApiKeyLayer, MemoryKeys, UsagePlans};
use portcullis_auth::credentials::{Caller, Credential, MemoryCredentials};
use portcullis_auth::iam::{CallerPolicies, IdentityPolicy, Principal, ResourcePolicy};
use portcullis_auth::jwt::{Algorithm, Conduct, Issuer, JwtLayer, Key, Verifier};
use portcullis_auth::sigv4::{SigV4Layer, SigV4Rules, SigV4Verifier, SignedRequest, payload_hash};
use portcullis_core::{ApiStage, Guard, Head, ManualClock, RequestBody, RequestContext, Verdict};
use portcullis_testkit::SigV4Signer;
use serde_json::json;

#[test]
fn a_token_that_comes_again_allocates_nothing() {
    let secret = [7; 32];
    let token = jsonwebtoken::encode(
        &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256),
        &json!({"iss": "me", "aud": "pets", "exp": 4_102_444_800_u64, "scope": "a b", "sub": "x"}),
        &jsonwebtoken::EncodingKey::from_secret(&secret),
    )
    .expect("a token");
    let key = Key::secret(Algorithm::HS256, secret).expect("a key");
    let issuer = Issuer::given("me", [key]).expect("a key").audience("pets");
    let layer = JwtLayer::new(Verifier::from(issuer).clock(ManualClock::default()))
        .require_scopes(["b"])
        .conduct(Conduct::HttpApi);

    let mut request = Request::get("/")
        .header("authorization", format!("Bearer {token}"))
        .body(())
        .expect("a request");
    RequestContext::of(&mut request);
    let check = || {
        let verdict = layer.check(&Head::of(&request));
        assert!(matches!(verdict, Verdict::Pass));
    };
    check();
    assert_eq!(measure(check).count_total, 0);
}

#[test]
fn a_key_in_memory_allocates_nothing() {
    let value = "0123456789abcdefghijklmnopqrstuvwxyz0123";
    let plans = UsagePlans::new()
        .with_stage("gold", "pets", "prod")
        .with_key("gold", "one");
    let layer = ApiKeyLayer::new(MemoryKeys::new([ApiKey::new("one", value)])).usage_plans(plans);

    let request = || {
        let mut request = Request::get("/")
            .header("x-api-key", value)
            .body(())
            .expect("a request");
        let mut stage = ApiStage::default();
        stage.api_id = "pets".to_owned();
        stage.stage = "prod".to_owned();
        RequestContext::of(&mut request).set_stage(stage);
        // What a server reads is shared already.
        let shared = request.headers()["x-api-key"].clone();
        request.headers_mut().insert("x-api-key", shared);
        request
    };
    let check = |request: &Request<()>| {
        let verdict = layer.check(&Head::of(request));
        assert!(matches!(verdict, Verdict::Pass));
    };
    check(&request());
    let request = request();
    assert_eq!(measure(|| check(&request)).count_total, 0);
    let context = RequestContext::of(&mut { request }).clone();
    assert!(context.api_key().is_some());
}

#[test]
fn a_signature_costs_the_texts_that_are_signed_and_a_policy_the_arn() {
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    /// 2024-02-29T23:59:30Z
    const NOW: u64 = 1_709_251_170;
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    let signer = SigV4Signer::new("AKIDEXAMPLE", SECRET).at(now);
    let request = Request::post("/prod/pets/42?kind=dog&name=Rex")
        .header("host", "api.example.com")
        .header("content-type", "application/json");
    let mut request = signer.sign(request.body(vec![b'x'; 1024]).expect("a request"));

    let own = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:*/prod/*/pets/*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:username": "eve"}}}
    ]}"#;
    let api_policy =
        r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}"#;
    let policies = CallerPolicies::new().with_identity(IdentityPolicy::parse(own).expect("good"));
    let tom = Principal::from_arn("arn:aws:iam::123456789012:user/tom").expect("a user");
    let tom = Caller::new(tom).with_policies(policies);
    let keys = MemoryCredentials::new([Credential::new("AKIDEXAMPLE", SECRET, tom)]);
    let verifier =
        || SigV4Verifier::new(SigV4Rules::new("eu-west-1", "execute-api").expect("good"));

    // The canonical request, the query and its order, the string to sign.
    let functions = verifier();
    let signed = SignedRequest::of(&request);
    let verify = || {
        let signature = functions.read(&signed, now).expect("a good form");
        let hash = payload_hash(request.body());
        let key = keys.get(signature.access_key_id());
        let outcome = functions.verify(&signed, &signature, hash.as_str(), key.as_ref(), now);
        outcome.expect("it is signed");
    };
    verify();
    assert_eq!(measure(verify).count_total, 4);

    // One more, the ARN, however many policies there are.
    let api = ApiArn::new("eu-west-1", "123456789012", "a1b2c3")
        .expect("an ARN")
        .stage("prod");
    let policy = ResourcePolicy::parse(api_policy).expect("a policy");
    let layer = SigV4Layer::new(verifier(), keys.clone())
        .authorize(Authorization::for_api(api).resource_policy(policy))
        .clock(Arc::new(ManualClock::at_unix(NOW)));
    let body = RequestBody::new(request.body().clone().into());
    RequestContext::of(&mut request);
    let check = || {
        let verdict = layer.check(&Head::of(&request).with_body(&body));
        assert!(matches!(verdict, Verdict::Pass));
    };
    check();
    assert_eq!(measure(check).count_total, 5);
}

#[test]
fn a_hundred_thousand_keys_take_less_than_200_bytes_each() {
    let count = 100_000;
    let values: Vec<String> = (0..count).map(|index| format!("{index:040}")).collect();
    let mut kept = None;
    let taken = measure(|| {
        let keys = values.iter().enumerate();
        let keys = keys.map(|(index, value)| ApiKey::new(format!("key-{index}"), value));
        kept = Some(MemoryKeys::new(keys));
    });
    let each = taken.bytes_current / i64::from(count);
    assert!(each > 0 && each < 200, "{each} bytes a key");
}
