//! What is stored, and what is not.

use http::{Method, StatusCode};
use portcullis_cache::http::{HttpCacheRules, SetCookie};
use portcullis_core::{Identity, RequestContext};

use crate::origin::{Scene, answer, fresh, hello, request};

/// Asks twice, and says how the first answer describes itself and whether the second one came from the cache.
async fn twice(scene: &Scene, headers: &[(&str, &str)]) -> (String, bool) {
    let first = scene.ask("/", headers).await;
    let second = scene.ask("/", headers).await;
    (first.cache().to_owned(), second.is_hit())
}

#[tokio::test]
async fn the_reason_is_told_why_a_response_is_not_stored() {
    for (line, detail) in [
        ("no-store, max-age=60", "no-store"),
        ("private, max-age=60", "private"),
        ("max-age=0", "not-fresh"),
        ("", "not-fresh"),
    ] {
        let scene = Scene::new(move |_, _| hello(&[("cache-control", line)]));
        let expected = (format!("fwd=uri-miss; detail={detail}"), false);
        assert_eq!(twice(&scene, &[]).await, expected, "{line}");
    }
}

#[tokio::test]
async fn what_somebody_asked_for_is_not_for_everybody() {
    let scene = Scene::new(|_, _| fresh());
    let (first, again) = twice(&scene, &[("authorization", "Bearer x")]).await;
    assert_eq!(
        (first.as_str(), again),
        ("fwd=uri-miss; detail=authorization", false)
    );
    let scene = Scene::new(|_, _| hello(&[("cache-control", "public, max-age=60")]));
    assert!(twice(&scene, &[("authorization", "Bearer x")]).await.1);
}

#[tokio::test]
async fn what_a_layer_found_to_be_somebody_s_is_not_for_everybody() {
    let scene = Scene::new(|_, _| fresh());
    let mut of_ann = request(Method::GET, "/", &[]);
    RequestContext::of(&mut of_ann)
        .update_identity(|identity: &mut Identity| identity.user = Some("ann".into()));
    let answer = scene.send(of_ann).await.unwrap();
    assert_eq!(answer.cache(), "fwd=uri-miss; detail=authorization");
    assert!(!scene.get("/").await.is_hit());
}

#[tokio::test]
async fn cookies_are_not_handed_to_others_unless_that_is_chosen() {
    let with = |rule| {
        let rules = HttpCacheRules::builder().set_cookie(rule);
        Scene::with(rules, |_, _| {
            hello(&[("cache-control", "max-age=60"), ("set-cookie", "a=b")])
        })
    };
    let refusing = with(SetCookie::Refuse);
    assert_eq!(
        twice(&refusing, &[]).await,
        ("fwd=uri-miss; detail=set-cookie".to_owned(), false)
    );
    for (rule, expected) in [(SetCookie::Strip, ""), (SetCookie::Replay, "a=b")] {
        let scene = with(rule);
        assert_eq!(scene.get("/").await.header("set-cookie"), "a=b");
        let second = scene.get("/").await;
        assert!(second.is_hit());
        assert_eq!(second.header("set-cookie"), expected);
    }
}

#[tokio::test]
async fn fields_of_the_connection_and_named_ones_are_left_out() {
    let scene = Scene::new(|_, _| {
        hello(&[
            ("cache-control", "max-age=60, no-cache=\"x-secret\""),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("x-own", "1"),
        ])
    });
    scene.get("/").await;
    let second = scene.get("/").await;
    assert!(second.is_hit());
    for name in ["connection", "x-hop", "x-secret", "keep-alive"] {
        assert_eq!(second.header(name), "", "{name}");
    }
    assert_eq!(second.header("x-own"), "1");
}

#[tokio::test]
async fn targeted_fields_go_before_all_others() {
    for (targeted, cache_control, hit) in [
        ("max-age=60", "no-store", true),
        ("no-store", "max-age=60", false),
        ("private", "max-age=60", false),
        ("max-age=60, &&&&", "no-store", false),
        ("max-age=\"60\"", "no-store", false),
        ("MAX-AGE=60", "no-store", false),
        ("", "max-age=60", true),
    ] {
        let scene = Scene::new(move |_, _| {
            hello(&[
                ("cdn-cache-control", targeted),
                ("cache-control", cache_control),
            ])
        });
        assert_eq!(
            twice(&scene, &[]).await.1,
            hit,
            "{targeted:?} {cache_control:?}"
        );
    }
    let rules = HttpCacheRules::builder().targeted_fields(["edge-control", "cdn-cache-control"]);
    let scene = Scene::with(rules, |_, _| {
        hello(&[
            ("cdn-cache-control", "max-age=60"),
            ("edge-control", "max-age=5"),
        ])
    });
    scene.get("/").await;
    scene.pass(5);
    assert!(!scene.get("/").await.is_hit());
}

#[tokio::test]
async fn a_surrogate_says_so_and_reads_what_is_meant_for_it() {
    let rules = HttpCacheRules::builder().surrogate("edge");
    let scene = Scene::with(rules, |_, _| {
        hello(&[
            ("surrogate-control", "max-age=60;edge"),
            ("cache-control", "no-store"),
        ])
    });
    assert!(twice(&scene, &[]).await.1);
    let (_, _, headers) = &scene.asked()[0];
    assert_eq!(headers["surrogate-capability"], "edge=\"Surrogate/1.0\"");
}

#[tokio::test]
async fn a_body_that_is_too_long_passes() {
    let rules = HttpCacheRules::builder().max_body(4);
    let scene = Scene::with(rules, |_, _| fresh());
    scene.get("/").await;
    let second = scene.get("/").await;
    assert_eq!(
        (second.body.as_ref(), second.is_hit()),
        (&b"hello"[..], false)
    );
}

#[tokio::test]
async fn a_response_to_post_is_stored_that_says_to_be_the_one_of_get() {
    let scene = Scene::new(|_, _| {
        hello(&[
            ("cache-control", "max-age=60"),
            ("content-location", "/pets"),
        ])
    });
    let post = |target| request(Method::POST, target, &[]);
    scene.send(post("/pets")).await.unwrap();
    assert!(scene.get("/pets").await.is_hit());
    scene.send(post("/cats")).await.unwrap();
    assert!(!scene.get("/cats").await.is_hit());
}

#[tokio::test]
async fn parts_and_answers_to_conditions_are_not_stored() {
    let scene = Scene::new(|_, request| {
        let headers = request.headers();
        let fresh = [("cache-control", "max-age=60"), ("etag", "\"1\"")];
        if headers.contains_key("if-none-match") {
            answer(304, &fresh, "")
        } else if headers.contains_key("range") {
            answer(206, &[fresh[0], ("content-range", "bytes 0-1/5")], "he")
        } else {
            hello(&fresh)
        }
    });
    let same = scene.ask("/", &[("if-none-match", "\"1\"")]).await;
    assert_eq!(
        (same.status, same.cache()),
        (StatusCode::NOT_MODIFIED, "fwd=uri-miss; detail=status")
    );
    let part = scene.ask("/", &[("range", "bytes=0-1")]).await;
    assert_eq!(
        (part.status, part.cache()),
        (StatusCode::PARTIAL_CONTENT, "fwd=uri-miss; detail=status")
    );
    assert_eq!(scene.get("/").await.cache(), "fwd=uri-miss; stored");
}

#[tokio::test]
async fn a_whole_response_to_a_particular_request_is_stored() {
    let scene = Scene::new(|_, _| fresh());
    scene.ask("/", &[("if-none-match", "\"1\"")]).await;
    assert!(scene.get("/").await.is_hit());
    let (_, _, headers) = &scene.asked()[0];
    assert_eq!(headers["if-none-match"], "\"1\"");
}
