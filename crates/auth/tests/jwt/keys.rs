//! Keys: when they are fetched, kept, renewed and done without.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_auth::jwt::{Conduct, TokenFault};
use portcullis_core::ManualClock;
use portcullis_testkit::{MockIssuer, Signer};
use serde_json::json;

use crate::support::{ISSUER, ask, claims, discovered, layer, status, until};

const HOUR: Duration = Duration::from_secs(60 * 60);

struct World {
    issuer: MockIssuer,
    clock: ManualClock,
    old: Signer,
    new: Signer,
}

impl World {
    async fn new() -> Self {
        let old = Signer::generate("ES256", "old");
        Self {
            issuer: MockIssuer::start(ISSUER, &[&old]).await,
            clock: ManualClock::default(),
            new: Signer::generate("ES256", "new"),
            old,
        }
    }

    fn key_fetches(&self) -> u64 {
        self.issuer.fetches().keys
    }
}

#[tokio::test]
async fn nothing_is_fetched_before_a_token_needs_it_and_then_once_for_all() {
    let world = World::new().await;
    let issuer = discovered(&world.issuer, &world.clock).audience("pets");
    let layer = layer(issuer.clone(), &world.clock);
    assert_eq!(status(&layer, "no.such.token").await, 401);
    assert_eq!(world.key_fetches(), 0);

    let tokens: Vec<_> = (0..100)
        .map(|n| world.old.sign(&claims(json!({ "n": n }))))
        .collect();
    let answers = join_all(tokens.iter().map(|token| status(&layer, token))).await;
    assert_eq!(answers, vec![200; 100]);
    assert_eq!(world.issuer.fetches().discovery, 1);
    assert_eq!(world.key_fetches(), 1);
    assert_eq!(issuer.key_stats().fetches, 1);
    assert_eq!(issuer.key_stats().keys, 1);
}

#[tokio::test]
async fn keys_are_renewed_ahead_of_need_and_nobody_waits_for_it() {
    let world = World::new().await;
    let layer = layer(
        discovered(&world.issuer, &world.clock).audience("pets"),
        &world.clock,
    );
    let token = world.old.sign(&claims(json!({})));
    assert_eq!(status(&layer, &token).await, 200);

    world.clock.advance(HOUR + HOUR / 2);
    assert_eq!(status(&layer, &token).await, 200);
    assert_eq!(world.key_fetches(), 1, "1.5 of 2 hours");
    world.clock.advance(HOUR / 5);
    assert_eq!(status(&layer, &token).await, 200);
    until("a second fetch", || world.key_fetches() == 2).await;
}

#[tokio::test]
async fn the_issuer_may_say_for_how_long_its_keys_are_kept() {
    let world = World::new().await;
    world.issuer.header("cache-control", "max-age=600");
    let layer = layer(
        discovered(&world.issuer, &world.clock).audience("pets"),
        &world.clock,
    );
    let token = world.old.sign(&claims(json!({})));
    assert_eq!(status(&layer, &token).await, 200);
    world.clock.advance(Duration::from_secs(470));
    assert_eq!(status(&layer, &token).await, 200);
    assert_eq!(world.key_fetches(), 1);
    world.clock.advance(Duration::from_secs(20));
    assert_eq!(status(&layer, &token).await, 200);
    until("a second fetch", || world.key_fetches() == 2).await;
}

#[tokio::test]
async fn however_often_an_issuer_wants_to_be_asked_it_is_asked_once_in_a_minute() {
    let world = World::new().await;
    world.issuer.header("cache-control", "no-store");
    let layer = layer(
        discovered(&world.issuer, &world.clock).audience("pets"),
        &world.clock,
    );
    let token = world.old.sign(&claims(json!({})));
    for _ in 0..40 {
        assert_eq!(status(&layer, &token).await, 200);
        world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(world.key_fetches(), 1);
}

#[tokio::test]
async fn after_an_idle_time_a_request_waits_for_fresh_keys() {
    let world = World::new().await;
    let layer = layer(
        discovered(&world.issuer, &world.clock).audience("pets"),
        &world.clock,
    );
    let withdrawn = world.old.sign(&claims(json!({})));
    assert_eq!(status(&layer, &withdrawn).await, 200);
    world.issuer.publish(&[&world.new]);
    world.clock.advance(HOUR * 3);
    assert_eq!(status(&layer, &withdrawn).await, 401, "its key is gone");
}

#[tokio::test]
async fn a_new_key_is_fetched_once_when_tokens_name_it() {
    let world = World::new().await;
    let layer = layer(
        discovered(&world.issuer, &world.clock).audience("pets"),
        &world.clock,
    );
    let old = world.old.sign(&claims(json!({})));
    assert_eq!(status(&layer, &old).await, 200);

    world.issuer.publish(&[&world.old, &world.new]);
    let tokens: Vec<_> = (0..100)
        .map(|n| world.new.sign(&claims(json!({ "n": n }))))
        .collect();
    let answers = join_all(tokens.iter().map(|token| status(&layer, token))).await;
    assert_eq!(answers, vec![200; 100]);
    assert_eq!(world.key_fetches(), 2);
    assert_eq!(
        world.issuer.fetches().discovery,
        1,
        "the description is known"
    );
    assert_eq!(status(&layer, &old).await, 200, "its key is still there");
}

#[tokio::test]
async fn a_token_whose_key_was_withdrawn_is_refused_though_it_was_verified_before() {
    let world = World::new().await;
    let issuer = discovered(&world.issuer, &world.clock).audience("pets");
    let layer = layer(issuer.clone(), &world.clock);
    let old = world.old.sign(&claims(json!({})));
    assert_eq!(status(&layer, &old).await, 200);
    world.issuer.publish(&[&world.new]);
    assert_eq!(status(&layer, &old).await, 200, "nobody knows yet");
    issuer.refresh().await.expect("the issuer answers");
    assert_eq!(status(&layer, &old).await, 401);
}

#[tokio::test]
async fn random_key_ids_cause_five_fetches_and_then_one_in_half_a_minute() {
    let world = World::new().await;
    let layer = layer(
        discovered(&world.issuer, &world.clock).audience("pets"),
        &world.clock,
    );
    let good = world.old.sign(&claims(json!({})));
    assert_eq!(status(&layer, &good).await, 200);
    let forged = |n: u32| {
        let id = format!("random-{n}");
        world
            .new
            .sign_with(&claims(json!({})), |header| header.kid = Some(id))
    };
    for n in 0..1000 {
        assert_eq!(status(&layer, &forged(n)).await, 401);
    }
    assert_eq!(world.key_fetches(), 1 + 5);
    world.clock.advance(Duration::from_secs(31));
    for n in 0..100 {
        assert_eq!(status(&layer, &forged(n)).await, 401);
    }
    assert_eq!(world.key_fetches(), 1 + 5 + 1);
    assert_eq!(status(&layer, &good).await, 200);
}

#[tokio::test]
async fn a_bad_signature_is_no_reason_to_fetch() {
    let world = World::new().await;
    let layer = layer(
        discovered(&world.issuer, &world.clock).audience("pets"),
        &world.clock,
    );
    let good = world.old.sign(&claims(json!({})));
    assert_eq!(status(&layer, &good).await, 200);
    let forged = world
        .new
        .sign_with(&claims(json!({})), |header| header.kid = Some("old".into()));
    for _ in 0..10 {
        assert_eq!(status(&layer, &forged).await, 401);
    }
    assert_eq!(world.key_fetches(), 1);
}

#[tokio::test]
async fn while_the_issuer_is_away_its_keys_serve_for_a_day_and_no_longer() {
    let world = World::new().await;
    let layer = layer(
        discovered(&world.issuer, &world.clock).audience("pets"),
        &world.clock,
    );
    let token = |n: u32| world.old.sign(&claims(json!({ "n": n })));
    assert_eq!(status(&layer, &token(0)).await, 200);
    world
        .issuer
        .behave(portcullis_testkit::Conduct::Status(503));
    for hour in 1..26 {
        world.clock.advance(HOUR);
        assert_eq!(
            status(&layer, &token(hour)).await,
            200,
            "after {hour} hours"
        );
        assert_eq!(
            status(&layer, &token(0)).await,
            200,
            "after {hour} hours, verified before"
        );
    }
    world.clock.advance(HOUR);
    assert_eq!(status(&layer, &token(30)).await, 503);
    assert_eq!(
        status(&layer, &token(0)).await,
        503,
        "though it was verified before"
    );

    world.issuer.behave(portcullis_testkit::Conduct::Good);
    world.clock.advance(HOUR);
    assert_eq!(status(&layer, &token(31)).await, 200);
}

#[tokio::test]
async fn without_an_issuer_each_conduct_says_so_in_its_own_way_and_asks_seldom() {
    let world = World::new().await;
    world
        .issuer
        .behave(portcullis_testkit::Conduct::Status(500));
    let issuer = discovered(&world.issuer, &world.clock).audience("pets");
    let layer = layer(issuer.clone(), &world.clock);
    let token = world.old.sign(&claims(json!({})));
    let answer = ask(&layer, &token).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");

    let http = ask(&layer.clone().conduct(Conduct::HttpApi), &token).await;
    assert_eq!(http.status(), 401);
    let challenge = http.headers()["www-authenticate"].to_str().expect("text");
    assert!(
        challenge.contains("OIDC discovery endpoint communication error"),
        "{challenge}"
    );
    let pool = ask(&layer.clone().conduct(Conduct::UserPool), &token).await;
    assert_eq!(pool.status(), 500);
    assert_eq!(
        pool.headers()["x-amzn-errortype"],
        "AuthorizerConfigurationException"
    );

    // One second, two, four …
    assert_eq!(world.issuer.fetches().discovery, 1);
    for _ in 0..100 {
        assert_eq!(status(&layer, &token).await, 503);
    }
    assert_eq!(world.issuer.fetches().discovery, 1);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(status(&layer, &token).await, 503);
    assert_eq!(world.issuer.fetches().discovery, 2);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(status(&layer, &token).await, 503);
    assert_eq!(world.issuer.fetches().discovery, 2);
    assert_eq!(
        issuer.refresh().await,
        Err(TokenFault::DiscoveryUnavailable)
    );
}

#[tokio::test]
async fn clients_who_go_away_take_no_fetch_with_them() {
    let world = World::new().await;
    let layer = layer(
        discovered(&world.issuer, &world.clock).audience("pets"),
        &world.clock,
    );
    let token = world.old.sign(&claims(json!({})));
    {
        let mut waiting = std::pin::pin!(ask(&layer, &token));
        assert!(futures_util::poll!(&mut waiting).is_pending());
    }
    until("the fetch", || world.key_fetches() == 1).await;
    assert_eq!(status(&layer, &token).await, 200);
    assert_eq!(world.key_fetches(), 1);
}
