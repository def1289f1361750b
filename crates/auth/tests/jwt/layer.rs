//! What the layer lets through, what it refuses, and what a handler finds.

use std::time::Duration;

use http::{HeaderName, Request, header};
use portcullis_auth::jwt::{
    Algorithm, Conduct, Issuer, JwtLayer, Key, KeySet, TokenFault, Verifier,
};
use portcullis_core::{Guard, Head, ManualClock, Rejection, RequestContext, Verdict};
use portcullis_testkit::Signer;
use serde_json::{Value, json};

use crate::support::{ISSUER, NOW, ask, claims, layer, send, status};

fn given(signers: &[&Signer]) -> Issuer {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    let keys = KeySet::from_jwks(json!({ "keys": keys }).to_string()).expect("keys");
    Issuer::given(ISSUER, keys).expect("keys").audience("pets")
}

fn world() -> (Signer, JwtLayer, ManualClock) {
    let signer = Signer::generate("ES256", "k");
    let clock = ManualClock::default();
    let layer = layer(given(&[&signer]), &clock);
    (signer, layer, clock)
}

#[tokio::test]
async fn tokens_of_every_algorithm_that_others_sign_are_verified() {
    for algorithm in [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ] {
        let signer = Signer::generate(algorithm, "k");
        let layer = layer(given(&[&signer]), &ManualClock::default());
        let token = signer.sign(&claims(json!({})));
        assert_eq!(status(&layer, &token).await, 200, "{algorithm}");
        let mut other = token.clone();
        let flipped = if token.ends_with('A') { "Q" } else { "A" };
        other.replace_range(token.len() - 1.., flipped);
        assert_eq!(status(&layer, &other).await, 401, "{algorithm}");
    }
}

#[tokio::test]
async fn a_handler_finds_the_claims_in_the_context() {
    let (signer, layer, _) = world();
    let answer = ask(&layer, &signer.sign(&claims(json!({})))).await;
    let body = http_body_util::BodyExt::collect(answer.into_body())
        .await
        .expect("a body");
    assert_eq!(body.to_bytes(), "\"me\"");
}

#[tokio::test]
async fn refusals_are_complete_answers_that_say_why() {
    let (signer, layer, _) = world();
    let missing = send(&layer, Request::get("/").body(()).expect("a request")).await;
    assert_eq!(missing.status(), 401);
    assert_eq!(missing.headers()["www-authenticate"], "Bearer");
    assert_eq!(missing.headers()["content-type"], "application/json");

    let late = ask(&layer, &signer.sign(&claims(json!({ "exp": NOW })))).await;
    assert_eq!(
        late.headers()["www-authenticate"],
        r#"Bearer error="invalid_token", error_description="the token has expired""#
    );
    let rejection = late.extensions().get::<Rejection>().expect("a rejection");
    assert_eq!(
        rejection.decision().map(ToString::to_string).as_deref(),
        Some("auth: token-expired (why=the token has expired)")
    );
}

#[tokio::test]
async fn one_scope_of_those_asked_for_suffices_and_none_is_a_403() {
    let (signer, layer, _) = world();
    let token = signer.sign(&claims(json!({})));
    let both = layer.clone().require_scopes(["pets:write", "pets:read"]);
    assert_eq!(status(&both, &token).await, 200);
    let answer = ask(&layer.clone().require_scopes(["pets:write"]), &token).await;
    assert_eq!(answer.status(), 403);
    let list = signer.sign(&claims(json!({"scope": null, "scp": ["pets:write"]})));
    assert_eq!(
        status(&layer.require_scopes(["pets:write"]), &list).await,
        200
    );
}

#[tokio::test]
async fn an_operator_may_ask_for_more() {
    let (signer, layer, _) = world();
    let layer = layer.require(|claims| claims.get("tenant").is_some_and(|tenant| tenant == "acme"));
    let token = |tenant: &str| signer.sign(&claims(json!({ "tenant": tenant })));
    assert_eq!(status(&layer, &token("acme")).await, 200);
    assert_eq!(status(&layer, &token("other")).await, 403);
}

#[tokio::test]
async fn a_token_may_stand_in_another_header_or_in_the_query() {
    let (signer, layer, _) = world();
    let token = signer.sign(&claims(json!({})));
    let header = layer
        .clone()
        .token_in_header(HeaderName::from_static("x-token"));
    let request = Request::get("/")
        .header("x-token", &token)
        .body(())
        .expect("a request");
    assert_eq!(send(&header, request).await.status(), 200);
    let query = layer.token_in_query("access_token");
    let uri = format!("/?a=b&access_token={token}");
    assert_eq!(
        send(&query, Request::get(uri).body(()).expect("a request"))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn the_issuer_of_a_token_is_the_one_that_it_names() {
    let (ours, theirs) = (
        Signer::generate("ES256", "same"),
        Signer::generate("ES256", "same"),
    );
    let keys = KeySet::from_jwks(json!({"keys": [theirs.jwk()]}).to_string()).expect("keys");
    let other = Issuer::given("https://other.example.com/", keys)
        .expect("keys")
        .audience("cats");
    let verifier = Verifier::from([given(&[&ours]), other]).clock(ManualClock::default());
    let layer = JwtLayer::new(verifier);
    assert_eq!(status(&layer, &ours.sign(&claims(json!({})))).await, 200);
    let of_other = json!({"iss": "https://other.example.com/", "aud": "cats"});
    assert_eq!(
        status(&layer, &theirs.sign(&claims(of_other.clone()))).await,
        200
    );
    assert_eq!(
        status(&layer, &ours.sign(&claims(of_other))).await,
        401,
        "another's key"
    );
    let crossed = json!({"iss": "https://other.example.com/"});
    assert_eq!(
        status(&layer, &theirs.sign(&claims(crossed))).await,
        401,
        "another's audience"
    );
    let slash = json!({"iss": "https://other.example.com", "aud": "cats"});
    assert_eq!(
        status(&layer, &theirs.sign(&claims(slash))).await,
        401,
        "no slash at the end"
    );
}

#[tokio::test]
async fn a_verified_token_is_not_verified_again_and_yet_expires() {
    let (signer, layer, clock) = world();
    let token = signer.sign(&claims(json!({ "exp": NOW + 60 })));
    assert_eq!(status(&layer, &token).await, 200);
    clock.advance(Duration::from_secs(59));
    assert_eq!(status(&layer, &token).await, 200);
    clock.advance(Duration::from_secs(1));
    assert_eq!(status(&layer, &token).await, 401);
}

#[tokio::test]
async fn a_cached_verdict_is_that_of_the_whole_token() {
    let (signer, layer, _) = world();
    let token = signer.sign(&claims(json!({})));
    assert_eq!(status(&layer, &token).await, 200);
    assert_eq!(status(&layer, &token[..token.len() - 1]).await, 401);
    assert_eq!(status(&layer, &format!("{token}A")).await, 401);
}

#[tokio::test]
async fn without_a_cache_the_verdicts_are_the_same() {
    let (signer, layer, clock) = world();
    let verifier = layer.verifier().clone().cache_bytes(0).clock(clock);
    let layer = JwtLayer::new(verifier);
    let token = signer.sign(&claims(json!({})));
    for _ in 0..3 {
        assert_eq!(status(&layer, &token).await, 200);
    }
}

#[tokio::test]
async fn the_operators_algorithms_and_type_count_whatever_the_key_would_serve() {
    let signer = Signer::generate("RS256", "k");
    let mut key = signer.jwk();
    key.as_object_mut().expect("a key").remove("alg");
    let keys = || KeySet::from_jwks(json!({ "keys": [key] }).to_string()).expect("keys");
    let issuer = |algorithm| {
        Issuer::given(ISSUER, keys())
            .expect("keys")
            .algorithms([algorithm])
    };
    let clock = ManualClock::default();
    let token = signer.sign(&claims(json!({})));
    let rs256 = layer(issuer(Algorithm::RS256).audience("pets"), &clock);
    assert_eq!(status(&rs256, &token).await, 200);
    let ps256 = layer(issuer(Algorithm::PS256).audience("pets"), &clock);
    assert_eq!(status(&ps256, &token).await, 401);

    let typed = layer(
        issuer(Algorithm::RS256)
            .token_type("at+jwt")
            .audience("pets"),
        &clock,
    );
    assert_eq!(status(&typed, &token).await, 401);
    let access = signer.sign_with(&claims(json!({})), |header| {
        header.typ = Some("at+JWT".into())
    });
    assert_eq!(status(&typed, &access).await, 200);
}

#[tokio::test]
async fn a_shared_secret_serves_only_where_it_was_given() {
    let secret = [b's'; 32];
    let key = jsonwebtoken::EncodingKey::from_secret(&secret);
    let token = jsonwebtoken::encode(
        &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256),
        &claims(json!({})),
        &key,
    )
    .expect("a token");
    let clock = ManualClock::default();
    let shared = Key::secret(Algorithm::HS256, secret).expect("a key");
    let issuer = Issuer::given(ISSUER, [shared])
        .expect("a key")
        .audience("pets");
    assert_eq!(status(&layer(issuer, &clock), &token).await, 200);
    let public = layer(given(&[&Signer::generate("ES256", "k")]), &clock);
    assert_eq!(status(&public, &token).await, 401);
}

#[tokio::test]
async fn a_token_that_names_no_key_needs_an_issuer_that_allows_it() {
    let signer = Signer::generate("ES256", "k");
    let nameless = signer.sign_with(&claims(json!({})), |header| header.kid = None);
    let clock = ManualClock::default();
    assert_eq!(
        status(&layer(given(&[&signer]), &clock), &nameless).await,
        401
    );
    let others: Vec<_> = (0..3)
        .map(|n| Signer::generate("ES256", &n.to_string()))
        .collect();
    let keys: Vec<Value> = others.iter().chain([&signer]).map(Signer::jwk).collect();
    let keys = KeySet::from_jwks(json!({ "keys": keys }).to_string()).expect("keys");
    let issuer = Issuer::given(ISSUER, keys)
        .expect("keys")
        .key_id_optional()
        .audience("pets");
    assert_eq!(status(&layer(issuer, &clock), &nameless).await, 200);
}

#[tokio::test]
async fn a_user_pools_methods_tell_by_their_scopes_which_token_they_want() {
    let (signer, layer, _) = world();
    let pool = layer.conduct(Conduct::UserPool);
    let id = signer.sign(&claims(json!({"token_use": "id", "scope": null})));
    let access = signer.sign(&claims(
        json!({"token_use": "access", "aud": null, "client_id": "pets"}),
    ));
    let scoped = pool.clone().require_scopes(["pets:read"]);
    assert_eq!(status(&pool, &id).await, 200);
    assert_eq!(status(&pool, &access).await, 401);
    assert_eq!(status(&scoped, &access).await, 200);
    assert_eq!(status(&scoped, &id).await, 401);
    let other = pool.require_scopes(["pets:write"]);
    assert_eq!(
        status(&other, &access).await,
        401,
        "a missing scope is no 403 here"
    );
}

#[tokio::test]
async fn a_user_pools_validation_expression_is_for_the_audience() {
    let (signer, layer, _) = world();
    let pool = layer
        .conduct(Conduct::UserPool)
        .identity_validation("pe.*")
        .expect("an expression");
    let id = signer.sign(&claims(json!({"token_use": "id"})));
    assert_eq!(status(&pool, &id).await, 200);
    let other = pool
        .identity_validation("cats|dogs")
        .expect("an expression");
    assert_eq!(status(&other, &id).await, 401);
}

#[tokio::test]
async fn claims_are_shown_as_the_conduct_has_them() {
    let (signer, layer, _) = world();
    let token = signer.sign(&claims(json!({"token_use": "id", "groups": ["a", "b"]})));
    let shown = |layer: JwtLayer, name: &str| {
        let mut request = Request::get("/")
            .header(header::AUTHORIZATION, &token)
            .body(())
            .expect("a request");
        let context = RequestContext::of(&mut request).clone();
        assert!(matches!(layer.check(&Head::of(&request)), Verdict::Pass));
        context.get(&format!("authorizer.claims.{name}"))
    };
    assert_eq!(shown(layer.clone(), "groups"), Some(json!(["a", "b"])));
    assert_eq!(
        shown(layer.clone().conduct(Conduct::HttpApi), "groups"),
        Some("[a b]".into())
    );
    assert_eq!(
        shown(layer.clone().conduct(Conduct::UserPool), "groups"),
        Some("a,b".into())
    );
    assert_eq!(
        shown(layer.clone().conduct(Conduct::UserPool), "iat"),
        Some("Wed Jan 01 00:00:00 UTC 2025".into())
    );
    assert_eq!(shown(layer, "iat"), Some(NOW.into()));
}

#[tokio::test]
async fn observed_tokens_pass_and_what_would_be_refused_is_written_down() {
    let (_, layer, _) = world();
    let layer = layer.dangerous_observe();
    let answer = ask(&layer, "no.such.token").await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_token_without_a_request_is_verified_by_the_same_rules() {
    let (signer, layer, _) = world();
    let verifier = layer.verifier();
    let claims_of = verifier
        .verify(&signer.sign(&claims(json!({}))))
        .await
        .expect("a token");
    assert_eq!(claims_of.get("sub"), Some(&json!("me")));
    let other = verifier
        .verify(&signer.sign(&claims(json!({"aud": "cats"}))))
        .await;
    assert_eq!(other.unwrap_err(), TokenFault::Audience);
}
