//! A server that is killed, stands still, loses what it had, is slow, or cannot be reached, while requests come.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use portcullis_cache::{Purge, ResponseCache};
use portcullis_testkit::RedisServer;

use crate::machine::{Conduct, Machine, TIERS, Tiers, World};
use crate::relay::Relay;

const ALL: [(Tiers, Conduct); 4] = [
    (Tiers::Redis, Conduct::Settings),
    (Tiers::Redis, Conduct::Http),
    (Tiers::Both, Conduct::Settings),
    (Tiers::Both, Conduct::Http),
];

/// What a command may take where it is to fail.
const SHORT: Duration = Duration::from_millis(100);

/// What it may take on a busy machine where it is not.
const LONG: Duration = Duration::from_secs(5);

/// Sends from many clients at once, for things that are stored and for ever new ones. Each is answered, and nothing is left of them.
async fn load(machine: &Machine, name: &str) {
    let clients = (0..32).map(|client| async move {
        for number in 0..4 {
            for target in [
                format!("/{name}/same/{number}"),
                format!("/{name}/new/{client}/{number}"),
            ] {
                assert_eq!(machine.get(&target).await.status, 200);
            }
        }
        // A change is answered, too.
        let target = format!("/{name}/same/{client}");
        assert_eq!(machine.send(Method::POST, &target, "en").await.status, 200);
    });
    join_all(clients).await;
}

/// Nothing is under way any more once what was sent to the server has been given up.
async fn settles(machine: &Machine) {
    for _ in 0..1000 {
        if machine.cache.stats().filling == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", machine.cache.stats());
}

#[tokio::test]
async fn a_server_that_is_killed_under_load_takes_no_request_with_it_and_is_used_again() {
    let mut server = RedisServer::start();
    let world = World::default();
    for (tiers, conduct) in ALL {
        let machine = || world.machine(&server.url(), tiers, conduct, LONG);
        let (one, other) = (machine(), machine());
        let name = format!("{tiers:?}-{conduct:?}");
        one.shared_with(&other, &format!("/{name}")).await;
        let (under, ()) = tokio::join!(load(&one, &name), async {
            tokio::task::yield_now().await;
            server.kill();
        });
        let () = under;
        load(&one, &name).await;
        assert!(one.cache.stats().store_errors > 0, "{name}");
        settles(&one).await;
        server.restart();
        one.shared_with(&other, &format!("/{name}/again")).await;
    }
}

#[tokio::test]
async fn a_server_that_stands_still_holds_nobody_up_for_longer_than_the_deadline() {
    let server = RedisServer::start();
    let world = World::default();
    for (tiers, conduct) in ALL {
        let machine = || world.machine(&server.url(), tiers, conduct, SHORT);
        let (one, other) = (machine(), machine());
        let name = format!("{tiers:?}-{conduct:?}");
        one.shared_with(&other, &format!("/{name}")).await;
        server.pause();
        load(&one, &name).await;
        assert!(one.cache.stats().store_errors > 0, "{name}");
        settles(&one).await;
        server.resume();
        one.shared_with(&other, &format!("/{name}/again")).await;
    }
}

#[tokio::test]
async fn a_slow_way_to_the_server_is_waited_for_up_to_the_deadline() {
    let server = RedisServer::start();
    let relay = Relay::to(server.addr()).await;
    let world = World::default();
    for (tiers, conduct) in ALL {
        let near = world.machine(&server.url(), tiers, conduct, LONG);
        let far = world.machine(&relay.url(), tiers, conduct, 5 * SHORT);
        let name = format!("{tiers:?}-{conduct:?}");
        relay.delay(SHORT / 4);
        near.shared_with(&far, &format!("/{name}/slow")).await;
        relay.delay(10 * SHORT);
        load(&far, &name).await;
        assert!(far.cache.stats().store_errors > 0, "{name}");
        relay.open();
        near.shared_with(&far, &format!("/{name}/again")).await;
    }
}

#[tokio::test]
async fn a_purge_that_a_machine_did_not_hear_of_is_made_good_when_it_is_connected_again() {
    let server = RedisServer::start();
    let world = World::default();
    for conduct in [Conduct::Settings, Conduct::Http] {
        let relay = Relay::to(server.addr()).await;
        let near = world.machine(&server.url(), Tiers::Both, conduct, LONG);
        let far = world.machine(&relay.url(), Tiers::Both, conduct, LONG);
        let (kept, same) = near.shared_with(&far, &format!("/{conduct:?}/kept")).await;
        let (target, old) = near.shared_with(&far, &format!("/{conduct:?}/gone")).await;
        // So that there is something that says where the far one had got to.
        near.cache.purge(Purge::tag("else")).await.expect("there");
        relay.cut();
        let purge = Purge::prefix(format!("/{conduct:?}/gone"));
        near.cache.purge(purge).await.expect("it is there");
        relay.open();
        far.get_until(&target, |seen| seen.body != old.body).await;
        // What was not meant is where it was: the log has told all that was missed.
        assert_eq!(far.get(&kept).await.body, same.body, "{conduct:?}");
    }
}

#[tokio::test]
async fn a_purge_by_a_machine_that_is_cut_off_holds_there_and_reaches_the_others_later() {
    let server = RedisServer::start();
    for tiers in TIERS {
        for by_change in [false, true] {
            let relay = Relay::to(server.addr()).await;
            let world = World::default();
            let near = world.machine(&server.url(), tiers, Conduct::Http, LONG);
            let far = world.machine(&relay.url(), tiers, Conduct::Http, LONG);
            let path = format!("/{tiers:?}/{by_change}");
            let (target, old) = near.shared_with(&far, &path).await;
            relay.cut();
            if by_change {
                far.send(Method::POST, &target, "en").await;
            } else {
                let purge = Purge::prefix(path);
                far.cache.purge(purge).await.expect_err("nobody hears it");
            }
            assert_ne!(far.get(&target).await.body, old.body);
            relay.open();
            // From the first moment on, it serves nothing from before.
            let new = far.get_until(&target, |seen| {
                assert_ne!(seen.body, old.body, "{tiers:?} {by_change}");
                seen.is_hit()
            });
            new.await;
            near.get_until(&target, |seen| seen.body != old.body).await;
        }
    }
}

#[tokio::test]
async fn what_waits_for_a_server_that_stands_still_is_bounded_in_bytes() {
    let server = RedisServer::start();
    let world = World::default();
    // Room for no entry at all.
    let builder = ResponseCache::builder().max_filling_bytes(1);
    let machine = world.machine_with(
        &server.url(),
        Tiers::Redis,
        Conduct::Settings,
        LONG,
        builder,
    );
    for number in 0..10 {
        let body = machine.get("/pets").await.body;
        assert_eq!(body, (number + 1).to_string());
    }
    assert_eq!(machine.cache.stats().stored, 0);
}
