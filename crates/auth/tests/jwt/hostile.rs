//! Issuers that hang, lie and never end: what they cost, and who suffers.

use std::time::Duration;

use portcullis_core::ManualClock;
use portcullis_testkit::{Conduct, MockIssuer, Signer};
use serde_json::json;

use crate::support::{ISSUER, claims, discovered, layer, status};

/// An issuer behaves so from the start: nobody gets in, nobody waits for long, and it is asked once.
async fn check(conduct: Conduct, discovery: u64, keys: u64) -> MockIssuer {
    let signer = Signer::generate("EdDSA", "k");
    let issuer = MockIssuer::start(ISSUER, &[&signer]).await;
    issuer.behave(conduct.clone());
    let clock = ManualClock::default();
    let layer = layer(discovered(&issuer, &clock).audience("pets"), &clock);
    let token = signer.sign(&claims(json!({})));
    let answers = futures_util::future::join_all((0..50).map(|_| status(&layer, &token))).await;
    assert_eq!(answers, vec![503; 50], "{conduct:?}");
    let fetches = issuer.fetches();
    assert_eq!(
        (fetches.discovery, fetches.keys),
        (discovery, keys),
        "{conduct:?}"
    );
    issuer
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_waited_for_once() {
    let before = tokio::time::Instant::now();
    check(Conduct::Hang, 1, 0).await;
    assert!(
        before.elapsed() < Duration::from_secs(4),
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test]
async fn one_that_never_ends_is_cut_off() {
    let issuer = check(Conduct::Endless, 1, 0).await;
    // What is read is at most 150,000 bytes; the rest is in the sockets' buffers.
    assert!(issuer.sent() < 16 * 1024 * 1024, "{}", issuer.sent());
}

#[tokio::test]
async fn a_gigabyte_that_is_announced_is_not_read() {
    let issuer = check(Conduct::Long(1 << 30), 1, 0).await;
    assert!(issuer.sent() < 16 * 1024 * 1024, "{}", issuer.sent());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    check(Conduct::Loop, 1, 0).await;
}

#[tokio::test]
async fn one_that_speaks_for_another_issuer_is_not_believed() {
    check(Conduct::Lie, 1, 0).await;
}

#[tokio::test]
async fn keys_are_not_fetched_in_the_clear_nor_from_what_is_no_address() {
    for place in [
        "http://id.example.com/jwks",
        "http://127.0.0.1/jwks",
        "file:///etc/passwd",
        "",
        "//x",
    ] {
        check(Conduct::KeysAt(place.to_owned()), 1, 0).await;
    }
}

#[tokio::test]
async fn what_is_no_key_set_is_none() {
    let weak = json!({"keys": [{"kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB"}]}).to_string();
    let secret = json!({"keys": [{"kty": "oct", "kid": "k", "k": "c2VjcmV0"}]}).to_string();
    let nested = "[".repeat(100_000);
    for text in [
        "",
        "null",
        "{}",
        r#"{"keys":[]}"#,
        r#"{"keys":{}}"#,
        &weak,
        &secret,
        &nested,
    ] {
        check(Conduct::KeySet(text.to_owned()), 1, 1).await;
    }
}

#[tokio::test]
async fn one_that_turns_bad_does_not_take_its_good_keys_back() {
    let signer = Signer::generate("EdDSA", "k");
    let issuer = MockIssuer::start(ISSUER, &[&signer]).await;
    let clock = ManualClock::default();
    let pets = discovered(&issuer, &clock).audience("pets");
    let layer = layer(pets.clone(), &clock);
    assert_eq!(status(&layer, &signer.sign(&claims(json!({})))).await, 200);
    for (n, conduct) in [
        Conduct::Status(404),
        Conduct::Loop,
        Conduct::Lie,
        Conduct::Endless,
        Conduct::KeySet(r#"{"keys":[]}"#.to_owned()),
        Conduct::KeySet("<html>".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        issuer.behave(conduct.clone());
        assert!(pets.refresh().await.is_err(), "{conduct:?}");
        assert!(pets.key_stats().away);
        let token = signer.sign(&claims(json!({ "n": n })));
        assert_eq!(status(&layer, &token).await, 200, "{conduct:?}");
    }
}

#[tokio::test]
async fn an_issuer_may_swap_its_keys_and_only_the_new_ones_count() {
    let old = Signer::generate("EdDSA", "same");
    let new = Signer::generate("EdDSA", "same");
    let issuer = MockIssuer::start(ISSUER, &[&old]).await;
    let clock = ManualClock::default();
    let pets = discovered(&issuer, &clock).audience("pets");
    let layer = layer(pets.clone(), &clock);
    let (old_token, new_token) = (old.sign(&claims(json!({}))), new.sign(&claims(json!({}))));
    assert_eq!(status(&layer, &old_token).await, 200);
    issuer.publish(&[&new]);
    pets.refresh().await.expect("the issuer answers");
    assert_eq!(status(&layer, &old_token).await, 401);
    assert_eq!(status(&layer, &new_token).await, 200);
}
