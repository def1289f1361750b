//! Which answers are kept, for how long, and for whom.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_auth::custom::{
    AuthorizerCache, AuthorizerReply, AuthorizerRequest, CustomAuthorizerLayer,
};
use portcullis_core::ManualClock;

use crate::support::{Count, in_stage, layer, request, send, status};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_answer_serves_everybody_with_this_identity_for_its_time() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock);
    for _ in 0..3 {
        assert_eq!(status(&layer, "/pets", "good").await, 200);
        assert_eq!(status(&layer.clone(), "/cats", "good").await, 200);
    }
    count.check(1);
    assert_eq!(status(&layer, "/pets", "good 2").await, 200);
    count.check(2);
    clock.advance(Duration::from_secs(299));
    assert_eq!(status(&layer, "/pets", "good").await, 200);
    count.check(2);
    clock.advance(Duration::from_secs(1));
    assert_eq!(status(&layer, "/pets", "good").await, 200);
    count.check(3);
}

#[tokio::test]
async fn a_denial_is_kept_and_an_error_is_not() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock);
    for _ in 0..3 {
        assert_eq!(status(&layer, "/pets", "bad").await, 403);
    }
    count.check(1);
    for _ in 0..3 {
        assert_eq!(status(&layer, "/pets", "broken").await, 500);
        assert_eq!(status(&layer, "/pets", "nobody").await, 401);
    }
    count.check(7);
}

#[tokio::test]
async fn no_time_and_no_identity_keep_nothing() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let none = layer(&count, &clock).cache_for(Duration::ZERO);
    for _ in 0..3 {
        assert_eq!(status(&none, "/pets", "good").await, 200);
    }
    count.check(3);
    let own = Count::default();
    let asked = own.clone();
    let anybody = CustomAuthorizerLayer::new(move |_: AuthorizerRequest| {
        asked.add();
        async { Ok(AuthorizerReply::allow("any")) }
    })
    .cache_for(MINUTE);
    for _ in 0..3 {
        assert_eq!(status(&anybody, "/pets", "").await, 200);
    }
    own.check(3);
}

#[tokio::test]
async fn an_answer_is_kept_for_an_hour_at_most() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock).cache_for(MINUTE * 600);
    assert_eq!(status(&layer, "/pets", "good").await, 200);
    clock.advance(MINUTE * 60);
    assert_eq!(status(&layer, "/pets", "good").await, 200);
    count.check(2);
}

#[tokio::test]
async fn a_policy_for_one_method_is_no_reason_to_refuse_another() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock);
    for _ in 0..3 {
        for path in ["/pets", "/cats", "/dogs"] {
            assert_eq!(status(&layer, path, "narrow").await, 200, "{path}");
        }
    }
    count.check(3);
    clock.advance(MINUTE * 5);
    assert_eq!(status(&layer, "/cats", "narrow").await, 200);
    count.check(4);
}

#[tokio::test]
async fn under_parity_whoever_comes_first_decides() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock).kept_policies_are_final(true);
    assert_eq!(status(&layer, "/pets", "narrow").await, 200);
    assert_eq!(status(&layer, "/cats", "narrow").await, 403);
    assert_eq!(status(&layer, "/pets", "narrow").await, 200);
    count.check(1);
}

#[tokio::test]
async fn requests_at_once_ask_once_whatever_they_call() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock);
    let answers = join_all((0..100).map(|_| status(&layer, "/pets", "good"))).await;
    assert_eq!(answers, vec![200; 100]);
    count.check(1);
    let paths = ["/a", "/b"];
    let answers = join_all((0..100).map(|n| status(&layer, paths[n % 2], "narrow"))).await;
    assert_eq!(answers, vec![200; 100]);
    count.check(3);
    let answers = join_all((0..100).map(|_| status(&layer, "/pets", "broken"))).await;
    assert_eq!(answers, vec![500; 100]);
    count.check(4);
}

#[tokio::test]
async fn a_client_who_goes_away_takes_no_answer_from_others() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock);
    let mut waiting = Box::pin(status(&layer, "/pets", "good"));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let other = status(&layer, "/pets", "good");
    drop(waiting);
    assert_eq!(other.await, 200);
    count.check(1);
}

#[tokio::test]
async fn a_flush_forgets_the_answers_of_one_stage_or_of_all() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock);
    let ask = async |stage: &str| {
        let request = in_stage(request("/pets", "good"), stage);
        assert_eq!(send(&layer, request).await.status(), 200);
    };
    ask("prod").await;
    ask("test").await;
    ask("prod").await;
    count.check(2);
    layer.kept().flush_stage("prod");
    ask("test").await;
    count.check(2);
    ask("prod").await;
    count.check(3);
    layer.kept().flush();
    ask("prod").await;
    ask("test").await;
    count.check(5);
}

#[tokio::test]
async fn an_answer_that_was_on_its_way_during_a_flush_is_not_kept() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock);
    let mut waiting = Box::pin(send(&layer, in_stage(request("/pets", "good"), "prod")));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    layer.kept().flush_stage("prod");
    assert_eq!(waiting.await.status(), 200);
    count.check(1);
    send(&layer, in_stage(request("/pets", "good"), "prod")).await;
    count.check(2);
}

#[tokio::test]
async fn random_identities_cannot_fill_the_memory() {
    let (count, clock) = (Count::default(), ManualClock::default());
    let layer = layer(&count, &clock).cache(AuthorizerCache::new(64 * 1024));
    for n in 0..2000 {
        assert_eq!(status(&layer, "/pets", &format!("good {n}")).await, 200);
    }
    count.check(2000);
    assert!(layer.kept().len() < 100, "{}", layer.kept().len());
}
