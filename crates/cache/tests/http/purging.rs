//! What whoever holds the cache takes away.

use portcullis_cache::Purge;

use crate::origin::{Scene, answer, hello};

fn variants() -> Scene {
    Scene::new(|_, request| {
        if request.headers().contains_key("if-none-match") {
            return answer(304, &[("cache-control", "max-age=60")], "");
        }
        hello(&[
            ("cache-control", "max-age=60"),
            ("vary", "a"),
            ("surrogate-key", "pets dogs"),
            ("etag", "\"1\""),
        ])
    })
}

async fn fill(scene: &Scene) {
    for value in ["1", "2"] {
        scene.ask("/pets", &[("a", value)]).await;
    }
    scene.asked();
}

/// What the two variants are by now: what the cache says of each.
async fn state(scene: &Scene) -> [String; 2] {
    [
        scene.ask("/pets", &[("a", "1")]).await.cache().to_owned(),
        scene.ask("/pets", &[("a", "2")]).await.cache().to_owned(),
    ]
}

#[tokio::test]
async fn a_target_is_purged_with_all_its_variants() {
    let scene = variants();
    fill(&scene).await;
    let key = scene.layer.key("api.example.com", "/pets").unwrap();
    assert_eq!(scene.cache.purge(Purge::key(key)).await.unwrap(), 1);
    assert_eq!(
        state(&scene).await,
        ["fwd=uri-miss; stored", "fwd=vary-miss; stored"]
    );
}

#[tokio::test]
async fn tags_prefixes_and_scopes_are_purged() {
    for purge in [
        Purge::tag("dogs"),
        Purge::prefix("/pe"),
        Purge::scope(b""),
        Purge::everything(),
    ] {
        let scene = variants();
        fill(&scene).await;
        assert!(scene.cache.purge(purge.clone()).await.unwrap() >= 2);
        assert!(
            state(&scene)
                .await
                .iter()
                .all(|state| state.starts_with("fwd=")),
            "{purge:?}"
        );
    }
}

#[tokio::test]
async fn what_is_purged_softly_is_asked_about() {
    for by_key in [false, true] {
        let scene = variants();
        fill(&scene).await;
        let key = scene.layer.key("api.example.com", "/pets").unwrap();
        let purge = if by_key {
            Purge::key(key)
        } else {
            Purge::tag("pets")
        };
        scene.cache.purge(purge.soft()).await.unwrap();
        let first = scene.ask("/pets", &[("a", "1")]).await;
        assert_eq!(first.cache(), "fwd=stale; fwd-status=304; stored");
        assert!(scene.ask("/pets", &[("a", "1")]).await.is_hit());
    }
}
