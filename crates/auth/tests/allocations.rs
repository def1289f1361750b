//! What a token costs that was verified before: nothing.

use allocation_counter::measure;
use http::Request;
use portcullis_auth::jwt::{Algorithm, Conduct, Issuer, JwtLayer, Key, Verifier};
use portcullis_core::{Guard, Head, ManualClock, RequestContext, Verdict};
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
