//! No token panics the verifier or passes it, however it stands in a request, and no key set panics who reads it.
//!
//! The first byte chooses what is made of the rest: a header as it is; a token of these three parts, separated by zero bytes, in base64url; a key set.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use portcullis_auth::jwt::{Algorithm, Conduct, Issuer, JwtLayer, Key, KeySet};
use portcullis_core::{Guard, Head, RequestContext, Verdict};

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    if choice & 3 == 3 {
        drop(KeySet::from_jwks(rest));
        return;
    }
    let value = match choice & 3 {
        0 => rest.to_vec(),
        _ => {
            let parts = rest.splitn(3, |byte| *byte == 0);
            let parts: Vec<String> = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
            format!("Bearer {}", parts.join(".")).into_bytes()
        }
    };
    let mut request = Request::get("/?t=x.y.z").body(()).expect("a request");
    let Ok(value) = HeaderValue::from_bytes(&value) else {
        return;
    };
    request.headers_mut().append("authorization", value);
    RequestContext::of(&mut request);

    let key = Key::secret(Algorithm::HS256, [7; 32]).expect("a key");
    let issuer = Issuer::given("me", [key]).expect("a key").audience("pets");
    let conducts = [
        Conduct::Standard,
        Conduct::HttpApi,
        Conduct::RestApi,
        Conduct::UserPool,
    ];
    let conduct = conducts[usize::from(choice >> 2) % conducts.len()];
    let layer = JwtLayer::new(issuer).conduct(conduct);
    let Verdict::Refuse(rejection) = layer.check(&Head::of(&request)) else {
        panic!("nobody knows the secret");
    };
    assert!(matches!(rejection.status().as_u16(), 401 | 403));
    // What is said of a token can be said in a header and a body.
    let response = rejection.into_response::<portcullis_core::Body>();
    assert!(response.headers().len() >= 2);
});
