//! What is stored answers requests, as each of them wants it.

use http::{Method, StatusCode};

use crate::origin::{Scene, answer, fresh, hello, request};

#[tokio::test]
async fn a_fresh_response_is_served_without_the_origin() {
    let scene = Scene::new(|_, _| hello(&[("cache-control", "max-age=60"), ("x-own", "1")]));
    let first = scene.get("/pets?type=dog").await;
    assert_eq!(first.cache(), "fwd=uri-miss; stored");
    assert_eq!(first.header("age"), "");
    scene.pass(10);
    let second = scene.get("/pets?type=dog").await;
    assert_eq!(second.cache(), "hit; ttl=50");
    assert_eq!(second.header("age"), "10");
    assert_eq!(second.header("x-own"), "1");
    assert_eq!(second.header("date"), first.header("date"));
    assert_eq!(second.body, "hello");
    assert_eq!(scene.calls(), 1);
}

#[tokio::test]
async fn it_is_fresh_up_to_the_second_and_no_longer() {
    let scene = Scene::new(|_, _| fresh());
    scene.get("/").await;
    scene.pass(59);
    assert!(scene.get("/").await.is_hit());
    scene.pass(1);
    assert_eq!(scene.get("/").await.cache(), "fwd=stale; stored");
    assert_eq!(scene.calls(), 2);
}

#[tokio::test]
async fn queries_and_hosts_are_told_apart() {
    let scene = Scene::new(|_, _| fresh());
    scene.get("/pets?a=1&b=2").await;
    for target in ["/pets", "/pets?b=2&a=1", "/pets?a=1&b=2&", "/Pets?a=1&b=2"] {
        assert!(!scene.get(target).await.is_hit(), "{target}");
    }
    assert!(
        scene
            .ask("http://API.example.com/pets?a=1&b=2", &[])
            .await
            .is_hit()
    );
    assert!(
        !scene
            .ask("http://other.example.com/pets?a=1&b=2", &[])
            .await
            .is_hit()
    );
}

#[tokio::test]
async fn head_is_answered_from_what_get_brought() {
    let scene = Scene::new(|_, _| fresh());
    scene.get("/").await;
    let head = scene.send(request(Method::HEAD, "/", &[])).await.unwrap();
    assert!(head.is_hit() && head.body.is_empty());
    assert_eq!(head.header("content-length"), "5");
}

#[tokio::test]
async fn what_head_brings_is_not_taken_for_the_whole() {
    let scene = Scene::new(|_, _| answer(200, &[("cache-control", "max-age=60")], ""));
    let head = || request(Method::HEAD, "/", &[]);
    scene.send(head()).await.unwrap();
    scene.send(head()).await.unwrap();
    assert!(!scene.get("/").await.is_hit());
    assert_eq!(scene.calls(), 3);
}

#[tokio::test]
async fn parts_are_cut_out_of_the_whole() {
    let scene = Scene::new(|_, _| {
        answer(
            200,
            &[("cache-control", "max-age=60"), ("etag", "\"1\"")],
            "0123456789",
        )
    });
    scene.get("/").await;
    for (range, body, place) in [
        ("bytes=0-1", "01", "bytes 0-1/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
    ] {
        let part = scene
            .ask("/", &[("range", range), ("if-range", "\"1\"")])
            .await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(
            (part.body.as_ref(), part.header("content-range")),
            (body.as_bytes(), place)
        );
        assert_eq!(part.header("content-length"), body.len().to_string());
    }
    let whole = scene
        .ask("/", &[("range", "bytes=0-1"), ("if-range", "\"0\"")])
        .await;
    assert_eq!((whole.status, whole.body.len()), (StatusCode::OK, 10));
    let none = scene.ask("/", &[("range", "bytes=10-")]).await;
    assert_eq!(none.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(none.header("content-range"), "bytes */10");
    assert_eq!(scene.calls(), 1);
}

#[tokio::test]
async fn a_client_that_has_it_is_told_so() {
    let scene = Scene::new(|_, _| {
        hello(&[
            ("cache-control", "max-age=60"),
            ("etag", "\"1\""),
            ("x-own", "1"),
            ("vary", "accept"),
        ])
    });
    scene.get("/").await;
    let same = scene.ask("/", &[("if-none-match", "\"0\", W/\"1\"")]).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    assert!(same.is_hit() && same.body.is_empty());
    assert_eq!(same.header("etag"), "\"1\"");
    assert_eq!(same.header("vary"), "accept");
    assert_eq!(same.header("x-own"), "");
    assert_eq!(
        scene.ask("/", &[("if-none-match", "\"2\"")]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_request_is_answered_from_the_cache_or_not_at_all() {
    let scene = Scene::new(|_, _| fresh());
    let only = [("cache-control", "only-if-cached")];
    let none = scene.ask("/", &only).await;
    assert_eq!(none.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(none.cache(), "fwd=uri-miss");
    assert_eq!(scene.calls(), 0);
    scene.get("/").await;
    assert!(scene.ask("/", &only).await.is_hit());
}

#[tokio::test]
async fn each_variant_is_for_those_who_ask_alike() {
    let scene = Scene::new(|_, request| {
        let language = request
            .headers()
            .get("accept-language")
            .map_or("", |l| l.to_str().unwrap());
        answer(
            200,
            &[("cache-control", "max-age=60"), ("vary", "Accept-Language")],
            language.to_owned(),
        )
    });
    let ask = async |language| scene.ask("/", &[("accept-language", language)]).await;
    assert_eq!(ask("de").await.cache(), "fwd=uri-miss; stored");
    assert_eq!(ask("en").await.cache(), "fwd=vary-miss; stored");
    assert_eq!(scene.get("/").await.cache(), "fwd=vary-miss; stored");
    assert_eq!(ask("de").await.body, "de");
    assert_eq!(ask("EN;q=1").await.body, "en");
    assert!(scene.get("/").await.is_hit());
    assert_eq!(scene.calls(), 3);
}

#[tokio::test]
async fn what_a_response_depends_on_may_change() {
    let scene = Scene::new(|number, _| match number {
        1 => hello(&[("cache-control", "max-age=60"), ("vary", "a")]),
        2 => hello(&[("cache-control", "max-age=60"), ("vary", "a, b")]),
        _ => fresh(),
    });
    scene.ask("/", &[("a", "1")]).await;
    scene.ask("/", &[("a", "2"), ("b", "1")]).await;
    assert!(scene.ask("/", &[("a", "2"), ("b", "1")]).await.is_hit());
    assert!(!scene.ask("/", &[("a", "2"), ("b", "2")]).await.is_hit());
    // The last one depends on nothing.
    assert!(scene.ask("/", &[("a", "9")]).await.is_hit());
    assert_eq!(scene.calls(), 3);
}

#[tokio::test]
async fn what_a_request_says_counts_unless_the_rules_say_otherwise() {
    let strict = Scene::new(|_, _| fresh());
    let rules = portcullis_cache::http::HttpCacheRules::builder().obey_requests(false);
    let deaf = Scene::with(rules, |_, _| fresh());
    for (line, obeyed) in [
        ("no-cache", false),
        ("max-age=0", false),
        ("max-age=5", false),
        ("min-fresh=55", false),
        ("no-store", false),
        ("max-age=10", true),
        ("max-stale", true),
    ] {
        for (scene, expected) in [(&strict, obeyed), (&deaf, true)] {
            scene
                .cache
                .purge(portcullis_cache::Purge::everything())
                .await
                .unwrap();
            scene.get("/").await;
            scene.pass(10);
            let answer = scene.ask("/", &[("cache-control", line)]).await;
            assert_eq!(answer.is_hit(), expected, "{line}");
        }
    }
}

#[tokio::test]
async fn rules_are_replaced_for_the_next_request() {
    let scene = Scene::new(|_, _| fresh());
    scene.get("/").await;
    let quiet = portcullis_cache::http::HttpCacheRules::builder()
        .without_status()
        .build()
        .unwrap();
    scene.layer.rules().replace(quiet);
    let answer = scene.get("/").await;
    assert_eq!(answer.header("cache-status"), "");
    assert_eq!(answer.header("age"), "0");
}

#[tokio::test]
async fn what_others_said_of_themselves_stays() {
    let scene = Scene::new(|_, _| {
        hello(&[
            ("cache-control", "max-age=60"),
            ("cache-status", "Origin; hit"),
        ])
    });
    let first = scene.get("/").await;
    let lines: Vec<_> = first.headers.get_all("cache-status").iter().collect();
    assert_eq!(lines, ["Origin; hit", "Portcullis; fwd=uri-miss; stored"]);
    let second = scene.get("/").await;
    let lines: Vec<_> = second.headers.get_all("cache-status").iter().collect();
    assert_eq!(lines, ["Origin; hit", "Portcullis; hit; ttl=60"]);
}

#[tokio::test]
async fn a_context_knows_what_the_cache_did() {
    use portcullis_core::{CacheStatus, RequestContext};
    let scene = Scene::new(|_, _| fresh());
    for expected in [CacheStatus::Miss, CacheStatus::Hit] {
        let mut request = request(Method::GET, "/", &[]);
        let context = RequestContext::of(&mut request).clone();
        scene.send(request).await.unwrap();
        assert_eq!(context.cache_status(), Some(expected));
    }
    let stats = scene.cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.stored), (1, 1, 1));
}
