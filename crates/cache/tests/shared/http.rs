//! The conduct of RFC 9111 between machines.

use std::time::Duration;

use http::Method;
use portcullis_cache::Purge;
use portcullis_testkit::RedisServer;

use crate::machine::{Conduct, Machine, TIERS, Tiers, World};

/// What may take longer on a busy machine than anybody would wait.
const LONG: Duration = Duration::from_secs(10);

fn two(server: &RedisServer, tiers: Tiers) -> (World, Machine, Machine) {
    let world = World::default();
    let machine = || world.machine(&server.url(), tiers, Conduct::Http, LONG);
    let (one, other) = (machine(), machine());
    (world, one, other)
}

#[tokio::test]
async fn what_one_machine_stores_the_other_serves_as_its_own() {
    let server = RedisServer::start();
    for tiers in TIERS {
        let (world, one, other) = two(&server, tiers);
        let (target, stored) = one.shared_with(&other, &format!("/{tiers:?}")).await;
        let calls = world.calls();
        let seen = other.get(&target).await;
        assert_eq!(seen.cache, "hit; ttl=60", "{tiers:?}");
        assert_eq!(seen.body, stored.body);
        world.clock.advance(Duration::from_secs(20));
        assert_eq!(other.get(&target).await.cache, "hit; ttl=40");
        assert_eq!(world.calls(), calls);
    }
}

#[tokio::test]
async fn what_one_machine_has_confirmed_is_fresh_for_the_other() {
    let server = RedisServer::start();
    for tiers in TIERS {
        let (world, one, other) = two(&server, tiers);
        let (target, stored) = one.shared_with(&other, &format!("/{tiers:?}")).await;
        world.clock.advance(Duration::from_secs(61));
        let seen = one.get(&target).await;
        assert_eq!(seen.cache, "fwd=stale; fwd-status=304; stored", "{tiers:?}");
        assert_eq!(seen.body, stored.body);
        let seen = other.get_until(&target, |seen| seen.is_hit()).await;
        assert_eq!(seen.body, stored.body);
    }
}

#[tokio::test]
async fn each_variant_is_served_by_both() {
    let server = RedisServer::start();
    for tiers in TIERS {
        let (world, one, other) = two(&server, tiers);
        let (target, english) = one.shared_with(&other, &format!("/vary/{tiers:?}")).await;
        let german = one.send(Method::GET, &target, "de").await;
        assert_eq!(german.cache, "fwd=vary-miss; stored", "{tiers:?}");
        for _ in 0..1000 {
            // The other machine may ask before it is in the server, and then both know of its own.
            if other.send(Method::GET, &target, "de").await.is_hit() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let calls = world.calls();
        for machine in [&one, &other] {
            assert!(
                machine
                    .send(Method::GET, &target, "de")
                    .await
                    .body
                    .ends_with("in de")
            );
            assert_eq!(machine.get(&target).await.body, english.body);
        }
        assert_eq!(world.calls(), calls);
    }
}

#[tokio::test]
async fn a_change_on_one_machine_makes_all_variants_invalid_on_the_other() {
    let server = RedisServer::start();
    for tiers in TIERS {
        let (_, one, other) = two(&server, tiers);
        for path in ["/plain", "/vary"] {
            let (target, old) = one.shared_with(&other, &format!("{path}/{tiers:?}")).await;
            one.send(Method::POST, &target, "en").await;
            assert_ne!(one.get(&target).await.body, old.body, "{tiers:?}");
            other.get_until(&target, |seen| seen.body != old.body).await;
        }
    }
}

#[tokio::test]
async fn what_is_purged_softly_on_one_machine_is_asked_about_on_the_other() {
    let server = RedisServer::start();
    for tiers in TIERS {
        let (_, one, other) = two(&server, tiers);
        for (path, by_tag) in [("/a", true), ("/b", false), ("/vary/c", false)] {
            let (target, old) = one.shared_with(&other, &format!("{path}/{tiers:?}")).await;
            let purge = if by_tag {
                Purge::tag("pets")
            } else {
                Purge::prefix(target.clone())
            };
            one.cache.purge(purge.soft()).await.expect("it is there");
            let asked = |seen: &crate::machine::Seen| !seen.is_hit();
            let seen = other.get_until(&target, asked).await;
            assert_eq!(
                seen.cache, "fwd=stale; fwd-status=304; stored",
                "{tiers:?} {path}"
            );
            assert_eq!(seen.body, old.body);
            // Once confirmed it is fresh for both.
            one.get_until(&target, |seen| seen.is_hit()).await;
        }
    }
}
