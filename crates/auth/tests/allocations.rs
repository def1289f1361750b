//! What a token costs that was verified before, and what a key costs that is in memory: nothing.

use allocation_counter::measure;
use http::Request;
use portcullis_auth::api_key::{ApiKey, ApiKeyLayer, MemoryKeys, UsagePlans};
use portcullis_auth::jwt::{Algorithm, Conduct, Issuer, JwtLayer, Key, Verifier};
use portcullis_core::{ApiStage, Guard, Head, ManualClock, RequestContext, Verdict};
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
