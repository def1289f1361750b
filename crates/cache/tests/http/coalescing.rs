//! Many requests at once, and clients that leave.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use portcullis_core::RequestContext;
use tower::ServiceExt;

use crate::origin::{Scene, Seen, answer, fresh, hello, request};

const SLOW: Duration = Duration::from_millis(50);

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_for_one_cold_target_are_one_for_the_origin() {
    let scene = Scene::new(|_, _| fresh()).slow(SLOW);
    let answers = join_all((0..1000).map(|_| scene.get("/"))).await;
    assert_eq!(scene.calls(), 1);
    assert!(answers.iter().all(|answer| answer.body == "hello"));
    let collapsed = answers
        .iter()
        .filter(|answer| answer.cache() == "fwd=uri-miss; collapsed");
    assert_eq!(collapsed.count(), 999);
}

#[tokio::test(start_paused = true)]
async fn variants_are_coalesced_once_the_first_has_shown_what_they_depend_on() {
    let scene =
        Scene::new(|_, _| hello(&[("cache-control", "max-age=60"), ("vary", "a")])).slow(SLOW);
    join_all((0..100).map(|_| scene.ask("/", &[("a", "1")]))).await;
    assert!(scene.calls() <= 2);
    join_all((0..100).map(|number| {
        let scene = &scene;
        async move {
            scene
                .ask("/", &[("a", if number % 2 == 0 { "2" } else { "3" })])
                .await
        }
    }))
    .await;
    assert_eq!(scene.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_shared_is_fetched_by_each_without_waiting_in_line() {
    let scene = Scene::new(|_, _| hello(&[("cache-control", "no-store")])).slow(SLOW);
    let began = tokio::time::Instant::now();
    join_all((0..100).map(|_| scene.get("/"))).await;
    assert_eq!(scene.calls(), 100);
    assert!(began.elapsed() <= 2 * SLOW);
}

#[tokio::test(start_paused = true)]
async fn a_stale_response_is_served_at_once_and_fetched_anew_by_one() {
    let scene = Scene::new(|number, _| {
        answer(
            200,
            &[("cache-control", "max-age=60, stale-while-revalidate=30")],
            number.to_string(),
        )
    })
    .slow(SLOW);
    scene.get("/").await;
    scene.pass(60);
    let began = tokio::time::Instant::now();
    let answers = join_all((0..100).map(|_| scene.get("/"))).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(
        answers
            .iter()
            .all(|answer| answer.body == "1" && answer.cache() == "hit; ttl=0")
    );
    tokio::time::sleep(2 * SLOW).await;
    assert_eq!(scene.calls(), 2);
    let fresh = scene.get("/").await;
    assert_eq!(
        (fresh.body.as_ref(), fresh.cache()),
        (&b"2"[..], "hit; ttl=60")
    );
    scene.pass(90);
    assert_eq!(scene.get("/").await.cache(), "fwd=stale; stored");
}

#[tokio::test(start_paused = true)]
async fn what_is_fetched_in_the_background_is_the_whole_response() {
    let scene = Scene::new(|number, request| match number {
        1 => hello(&[("cache-control", "max-age=60, stale-while-revalidate=30")]),
        _ => {
            assert_eq!(request.method(), Method::GET);
            assert!(!request.headers().contains_key("range"));
            fresh()
        }
    });
    scene.get("/").await;
    scene.pass(60);
    scene
        .send(request(Method::HEAD, "/", &[("range", "bytes=0-0")]))
        .await
        .unwrap();
    tokio::time::sleep(SLOW).await;
    assert_eq!(scene.get("/").await.cache(), "hit; ttl=60");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_does_not_end_the_fetch() {
    let scene = Scene::new(|_, _| fresh()).slow(SLOW);
    let left = tokio::time::timeout(SLOW / 2, scene.get("/")).await;
    assert!(left.is_err());
    tokio::time::sleep(SLOW).await;
    assert!(scene.get("/").await.is_hit());
    assert_eq!(scene.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_it_waits_for_a_confirmation_does_not_end_that() {
    let scene = Scene::new(|number, _| match number {
        1 => hello(&[("cache-control", "max-age=60"), ("etag", "\"1\"")]),
        _ => answer(304, &[("cache-control", "max-age=60")], ""),
    })
    .slow(SLOW);
    scene.get("/").await;
    scene.pass(60);
    assert!(
        tokio::time::timeout(SLOW / 2, scene.get("/"))
            .await
            .is_err()
    );
    tokio::time::sleep(SLOW).await;
    assert_eq!(scene.get("/").await.cache(), "hit; ttl=60");
    assert_eq!(scene.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_who_wait_for_an_origin_that_fails_are_served_what_is_stale() {
    let scene = Scene::new(|number, _| match number {
        1 => hello(&[
            ("cache-control", "max-age=60, stale-if-error=60"),
            ("etag", "\"1\""),
        ]),
        2 => answer(503, &[], ""),
        _ => None,
    })
    .slow(SLOW);
    scene.get("/").await;
    scene.pass(60);
    for _ in 0..2 {
        let answers = join_all((0..100).map(|_| scene.get("/"))).await;
        assert!(answers.iter().all(|answer| answer.body == "hello"));
    }
    assert_eq!(scene.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_change_while_a_response_is_fetched_keeps_it_from_being_stored() {
    let scene = Scene::new(|_, _| fresh()).slow(SLOW);
    let service = scene.service();
    let get = tokio::spawn(service.oneshot(request(Method::GET, "/", &[])));
    tokio::time::sleep(SLOW / 2).await;
    let quick = scene.clone().slow(Duration::ZERO);
    quick.send(request(Method::PUT, "/", &[])).await.unwrap();
    let fetched = Seen::of(get.await.unwrap().unwrap()).await;
    assert_eq!(fetched.body, "hello");
    assert!(!scene.get("/").await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn what_is_fetched_in_the_background_for_somebody_is_not_for_everybody() {
    let scene = Scene::new(|number, _| match number {
        1 => hello(&[(
            "cache-control",
            "public, max-age=60, stale-while-revalidate=30",
        )]),
        _ => fresh(),
    });
    scene.get("/").await;
    scene.pass(60);
    let mut of_ann = request(Method::GET, "/", &[]);
    RequestContext::of(&mut of_ann).update_identity(|identity| identity.user = Some("ann".into()));
    assert!(scene.send(of_ann).await.unwrap().is_hit());
    tokio::time::sleep(SLOW).await;
    assert_eq!(scene.calls(), 2);
    assert!(!scene.get("/").await.is_hit());
}
