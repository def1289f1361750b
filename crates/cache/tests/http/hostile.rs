//! What a client must not be able to do to others.

use http::{Method, Request};
use portcullis_core::Body;

use crate::origin::{Scene, answer, fresh, hello, request};

#[tokio::test]
async fn headers_that_steer_frameworks_do_not_reach_others() {
    for name in [
        "x-forwarded-host",
        "x-original-url",
        "x-rewrite-url",
        "x-forwarded-scheme",
    ] {
        let scene = Scene::new(move |_, request| {
            let said = request
                .headers()
                .get(name)
                .map_or("", |value| value.to_str().unwrap());
            answer(200, &[("cache-control", "max-age=60")], said.to_owned())
        });
        assert_eq!(
            scene.ask("/", &[(name, "evil.example.com")]).await.body,
            "evil.example.com"
        );
        assert_eq!(scene.get("/").await.body, "", "{name}");
    }
}

#[tokio::test]
async fn a_request_that_asks_for_another_method_is_not_answered_and_not_stored() {
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ] {
        let scene = Scene::new(|_, _| fresh());
        let answer = scene.ask("/", &[(name, "DELETE")]).await;
        assert_eq!(answer.cache(), "fwd=bypass");
        assert!(!scene.get("/").await.is_hit());
    }
}

#[tokio::test]
async fn a_request_with_a_body_is_not_answered_and_not_stored() {
    let scene = Scene::new(|_, _| fresh());
    let with_body = || {
        Request::get("/")
            .header("host", "api.example.com")
            .body(Body::from("evil"))
            .unwrap()
    };
    assert_eq!(scene.send(with_body()).await.unwrap().cache(), "fwd=bypass");
    assert!(!scene.get("/").await.is_hit());
    assert_eq!(scene.send(with_body()).await.unwrap().cache(), "fwd=bypass");
}

#[tokio::test]
async fn one_host_is_not_served_what_another_said() {
    let scene = Scene::new(|_, _| fresh());
    let of = |host| {
        Request::get("/")
            .header("host", host)
            .body(Body::empty())
            .unwrap()
    };
    scene.send(of("evil.example.com")).await.unwrap();
    assert!(!scene.get("/").await.is_hit());
    assert!(scene.send(of("EVIL.example.com")).await.unwrap().is_hit());
}

#[tokio::test]
async fn another_origin_s_responses_cannot_be_made_invalid() {
    let scene = Scene::new(|_, request| {
        if request.method() == Method::GET {
            return fresh();
        }
        answer(
            200,
            &[
                ("location", "http://other.example.com/"),
                ("content-location", "//api.example.com:8080/"),
            ],
            "",
        )
    });
    let other = || {
        Request::get("/")
            .header("host", "other.example.com")
            .body(Body::empty())
            .unwrap()
    };
    scene.send(other()).await.unwrap();
    scene.get("/").await;
    scene
        .send(request(Method::POST, "/pets", &[]))
        .await
        .unwrap();
    assert!(scene.send(other()).await.unwrap().is_hit());
    assert!(scene.get("/").await.is_hit());
}

#[tokio::test]
async fn endless_variants_take_no_more_than_their_share() {
    let scene = Scene::new(|_, _| hello(&[("cache-control", "max-age=60"), ("vary", "x-any")]));
    let long = "x".repeat(16 * 1024);
    for number in 0..2048 {
        scene
            .ask("/", &[("x-any", &format!("{long}{number}"))])
            .await;
    }
    assert!(scene.cache.stats().size.bytes <= 16 * 1024 * 1024);
}

#[tokio::test]
async fn a_target_that_is_too_long_to_be_a_key_passes() {
    let scene = Scene::new(|_, _| fresh());
    let target = format!("/{}", "x".repeat(20_000));
    for _ in 0..2 {
        assert_eq!(
            scene.get(&target).await.cache(),
            "fwd=bypass; detail=too-large"
        );
    }
}

#[tokio::test]
async fn a_request_that_names_two_hosts_is_not_answered_and_not_stored() {
    let scene = Scene::new(|_, _| fresh());
    let absolute = "http://api.example.com/";
    assert_eq!(
        scene
            .ask(absolute, &[("host", "evil.example.com")])
            .await
            .cache(),
        "fwd=bypass"
    );
    let differs = Request::get(absolute)
        .header("host", "evil.example.com")
        .body(Body::empty())
        .unwrap();
    assert_eq!(scene.send(differs).await.unwrap().cache(), "fwd=bypass");
    assert_eq!(scene.get("/").await.cache(), "fwd=uri-miss; stored");
}

#[tokio::test]
async fn a_request_for_another_protocol_passes() {
    let scene = Scene::new(|_, _| fresh());
    let answer = scene
        .ask("/", &[("connection", "upgrade"), ("upgrade", "websocket")])
        .await;
    assert_eq!(answer.cache(), "fwd=bypass");
}
