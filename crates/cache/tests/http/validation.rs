//! What is stale is asked about, served while that lasts, or served in place of an error.

use http::{Method, StatusCode};

use crate::origin::{Scene, Silence, answer, fresh, hello, request};

#[tokio::test]
async fn what_is_confirmed_is_served_with_the_newer_fields() {
    let scene = Scene::new(|number, _| match number {
        1 => hello(&[
            ("cache-control", "max-age=60"),
            ("etag", "\"1\""),
            ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("x-own", "1"),
            ("x-old", "1"),
        ]),
        _ => answer(
            304,
            &[
                ("cache-control", "max-age=30"),
                ("etag", "\"1\""),
                ("x-own", "2"),
            ],
            "",
        ),
    });
    scene.get("/").await;
    scene.pass(60);
    let confirmed = scene
        .ask(
            "/",
            &[("if-none-match", "\"other\""), ("range", "bytes=0-1")],
        )
        .await;
    assert_eq!(confirmed.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(confirmed.cache(), "fwd=stale; fwd-status=304; stored");
    assert_eq!(
        (confirmed.header("x-own"), confirmed.header("x-old")),
        ("2", "1")
    );
    assert_eq!(confirmed.header("age"), "0");
    let asked = scene.asked();
    assert_eq!(asked[1].2["if-none-match"], "\"1\"");
    assert_eq!(
        asked[1].2["if-modified-since"],
        "Sun, 06 Nov 1994 08:49:37 GMT"
    );
    assert!(!asked[1].2.contains_key("range"));
    scene.pass(29);
    assert_eq!(scene.get("/").await.cache(), "hit; ttl=1");
    scene.pass(1);
    assert!(!scene.get("/").await.is_hit());
}

#[tokio::test]
async fn no_cache_is_asked_about_before_each_use() {
    let scene = Scene::new(|number, _| match number {
        1 => hello(&[("cache-control", "no-cache"), ("etag", "\"1\"")]),
        _ => answer(304, &[("etag", "\"1\"")], ""),
    });
    for _ in 0..3 {
        assert_eq!(scene.get("/").await.body, "hello");
    }
    assert_eq!(scene.calls(), 3);
}

#[tokio::test]
async fn a_new_response_takes_the_place_of_the_stale_one() {
    let scene = Scene::new(|number, _| {
        answer(
            200,
            &[("cache-control", "max-age=60"), ("etag", "\"x\"")],
            number.to_string(),
        )
    });
    scene.get("/").await;
    scene.pass(60);
    let second = scene.get("/").await;
    assert_eq!(
        (second.body.as_ref(), second.cache()),
        (&b"2"[..], "fwd=stale; stored")
    );
    assert_eq!(scene.get("/").await.body, "2");
}

#[tokio::test]
async fn what_the_origin_no_longer_wants_stored_is_not_served_any_longer() {
    let scene = Scene::new(|number, _| match number {
        1 => hello(&[
            ("cache-control", "max-age=60, stale-while-revalidate=600"),
            ("etag", "\"1\""),
        ]),
        2 => answer(304, &[("cache-control", "no-store")], ""),
        _ => fresh(),
    });
    scene.get("/").await;
    let again = scene.ask("/", &[("cache-control", "no-cache")]).await;
    assert_eq!(
        again.cache(),
        "fwd=request; fwd-status=304; detail=no-store"
    );
    assert_eq!(again.body, "hello");
    assert_eq!(scene.get("/").await.cache(), "fwd=uri-miss; stored");
}

#[tokio::test]
async fn head_confirms_what_is_stored_or_puts_it_in_doubt() {
    let scene = Scene::new(
        |number, request| match (number, request.method() == Method::HEAD) {
            (2, true) => answer(
                200,
                &[
                    ("cache-control", "max-age=60"),
                    ("x-own", "2"),
                    ("content-length", "5"),
                ],
                "",
            ),
            (_, true) => answer(200, &[("content-length", "6")], ""),
            _ => hello(&[("cache-control", "max-age=60"), ("x-own", "1")]),
        },
    );
    scene.get("/").await;
    scene.pass(60);
    let head = || request(Method::HEAD, "/", &[]);
    scene.send(head()).await.unwrap();
    let fresh = scene.get("/").await;
    assert!(fresh.is_hit());
    assert_eq!(
        (fresh.header("x-own"), fresh.body.as_ref()),
        ("2", &b"hello"[..])
    );
    scene.pass(60);
    scene.send(head()).await.unwrap();
    assert_eq!(scene.get("/").await.cache(), "fwd=uri-miss; stored");
}

#[tokio::test]
async fn silence_is_bridged_within_bounds() {
    let silent = |line: &'static str| {
        Scene::new(move |number, _| {
            if number == 1 {
                hello(&[("cache-control", line)])
            } else {
                None
            }
        })
    };
    let scene = silent("max-age=60");
    scene.get("/").await;
    scene.pass(60 + 3599);
    let stale = scene.get("/").await;
    assert_eq!(
        (stale.body.as_ref(), stale.header("age")),
        (&b"hello"[..], "3659")
    );
    assert_eq!(stale.cache(), "fwd=stale");
    scene.pass(1);
    assert_eq!(
        scene
            .send(request(Method::GET, "/", &[]))
            .await
            .unwrap_err(),
        Silence
    );

    for line in [
        "max-age=60, must-revalidate",
        "max-age=60, proxy-revalidate",
        "s-maxage=60",
    ] {
        let scene = silent(line);
        scene.get("/").await;
        scene.pass(60);
        assert_eq!(
            scene
                .send(request(Method::GET, "/", &[]))
                .await
                .unwrap_err(),
            Silence,
            "{line}"
        );
    }
}

#[tokio::test]
async fn errors_are_bridged_where_the_origin_says_so() {
    let failing = |line: &'static str| {
        Scene::new(move |number, _| match number {
            1 => hello(&[("cache-control", line)]),
            _ => answer(503, &[], "no"),
        })
    };
    let scene = failing("max-age=60, stale-if-error=30");
    scene.get("/").await;
    scene.pass(89);
    let stale = scene.get("/").await;
    assert_eq!(
        (stale.status, stale.cache()),
        (StatusCode::OK, "fwd=stale; fwd-status=503")
    );
    scene.pass(1);
    assert_eq!(scene.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE);

    let scene = failing("max-age=60");
    scene.get("/").await;
    scene.pass(60);
    assert_eq!(scene.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(scene.calls(), 2);
}

#[tokio::test]
async fn what_was_changed_is_fetched_anew() {
    let scene = Scene::new(|_, request| {
        if request.method() == Method::GET {
            fresh()
        } else if request.headers().contains_key("fail") {
            answer(500, &[], "")
        } else {
            answer(
                201,
                &[
                    ("location", "/pets/1"),
                    ("content-location", "http://api.example.com/owners"),
                ],
                "",
            )
        }
    });
    let targets = ["/pets", "/pets/1", "/owners", "/else"];
    for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"] {
        for target in targets {
            scene.get(target).await;
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        scene
            .send(request(method.clone(), "/pets", &[("fail", "1")]))
            .await
            .unwrap();
        assert!(scene.get("/pets").await.is_hit());
        let answer = scene.send(request(method, "/pets", &[])).await.unwrap();
        assert_eq!(answer.cache(), "fwd=method");
        for target in targets {
            assert_eq!(
                scene.get(target).await.is_hit(),
                target == "/else",
                "{target}"
            );
        }
    }
}

#[tokio::test]
async fn all_variants_of_what_was_changed_are_fetched_anew() {
    let scene = Scene::new(|_, _| hello(&[("cache-control", "max-age=60"), ("vary", "a")]));
    for value in ["1", "2"] {
        scene.ask("/", &[("a", value)]).await;
    }
    scene.send(request(Method::DELETE, "/", &[])).await.unwrap();
    for value in ["1", "2"] {
        assert!(!scene.ask("/", &[("a", value)]).await.is_hit(), "{value}");
    }
}

#[tokio::test]
async fn safe_methods_change_nothing() {
    let scene = Scene::new(|_, _| fresh());
    scene.get("/").await;
    for method in ["OPTIONS", "TRACE", "QUERY"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = scene.send(request(method, "/", &[])).await.unwrap();
        assert_eq!(answer.cache(), "fwd=method");
    }
    assert!(scene.get("/").await.is_hit());
}
