//! Connections and servers: how many, for how long, and how they end.

use std::io;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use portcullis::core::Body;
use portcullis::serve::Server;
use portcullis_testkit::wire::{self, Connection};

use crate::{builder, start};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_server_ends() {
    let server = start(builder()).await;
    let mut connection = Connection::open(server.address).await;
    connection.write(WAIT).await;
    server.gates.arrival().await;
    server.handle.shutdown();
    // The listener is closed before the last request is.
    while tokio::net::TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!server.finished.is_finished());
    server.gates.release();
    assert_eq!(connection.answer().await.json()["target"], "/wait");
    assert!(connection.read_to_end().await.is_empty());
    assert_eq!(server.finished.await.expect("an end").cut(), 0);
    assert_eq!(server.handle.connections(), 0);
}

#[tokio::test]
async fn a_request_that_does_not_finish_is_cut() {
    let server = start(builder().graceful_timeout(SHORT)).await;
    let mut connection = Connection::open(server.address).await;
    connection.write(WAIT).await;
    server.gates.arrival().await;
    server.handle.shutdown();
    assert_eq!(server.finished.await.expect("an end").cut(), 1);
    assert!(connection.read_to_end().await.is_empty());
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let server = start(builder()).await;
    let mut used = Connection::open(server.address).await;
    used.exchange(GET).await;
    server.handle.shutdown();
    assert!(used.read_to_end().await.is_empty());
    assert_eq!(server.finished.await.expect("an end").cut(), 0);
}

#[tokio::test]
async fn dropping_the_server_cuts_its_connections() {
    let server = start(builder()).await;
    let mut connection = Connection::open(server.address).await;
    connection.write(WAIT).await;
    server.gates.arrival().await;
    server.finished.abort();
    assert!(connection.read_to_end().await.is_empty());
}

#[tokio::test]
async fn the_health_path_is_the_servers_and_says_when_it_leaves() {
    let health = "GET /healthz HTTP/1.1\r\n\r\n";
    let server = start(
        builder()
            .health_path("/healthz")
            .shutdown_delay(Duration::from_secs(60)),
    )
    .await;
    let answer = wire::send(server.address, health).await;
    assert_eq!(
        (answer.status, answer.text()),
        (200, r#"{"status":"ok"}"#.into())
    );
    let head = wire::send(server.address, "HEAD /healthz HTTP/1.1\r\n\r\n").await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("15"))
    );
    let other = "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        wire::send(server.address, other).await.json()["method"],
        "POST"
    );

    server.handle.shutdown();
    assert_eq!(wire::send(server.address, health).await.status, 503);
    assert_eq!(wire::send(server.address, GET).await.status, 200);
}

#[tokio::test]
async fn a_connection_over_the_cap_waits_for_a_place() {
    let server = start(builder().max_connections(1)).await;
    let mut first = Connection::open(server.address).await;
    first.exchange(GET).await;
    assert_eq!(server.handle.connections(), 1);
    let mut second = Connection::open(server.address).await;
    second.write(GET).await;
    // The first is served for as long as it likes, and the second is not.
    first.exchange(GET).await;
    assert_eq!(server.handle.connections(), 1);
    drop(first);
    assert_eq!(second.answer().await.status, 200);
    assert_eq!(server.handle.connections(), 1);
}

#[tokio::test]
async fn a_slow_head_gives_its_place_back() {
    let server = start(builder().max_connections(1).header_read_timeout(SHORT)).await;
    for beginning in [
        "",
        "G",
        "PRI * HTTP/2.0\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
    ] {
        let mut slow = Connection::open(server.address).await;
        slow.write(beginning).await;
        let mut next = Connection::open(server.address).await;
        assert_eq!(next.exchange(GET).await.status, 200, "{beginning:?}");
        assert!(slow.read_to_end().await.is_empty());
    }
}

#[tokio::test]
async fn a_slow_head_is_noticed_on_a_connection_that_was_used() {
    let server = start(builder().header_read_timeout(SHORT)).await;
    let mut connection = Connection::open(server.address).await;
    connection.exchange(GET).await;
    connection.write("GET / HTTP/1.1\r\nHo").await;
    assert!(connection.read_to_end().await.is_empty());
}

#[tokio::test]
async fn a_slow_service_is_no_slow_head() {
    let server = start(
        builder()
            .header_read_timeout(SHORT)
            .idle_timeout(SHORT)
            .max_connections(2),
    )
    .await;
    let mut waiting = Connection::open(server.address).await;
    waiting.write(WAIT).await;
    server.gates.arrival().await;
    // Another connection sees the time pass.
    let mut idle = Connection::open(server.address).await;
    assert!(idle.read_to_end().await.is_empty());
    server.gates.release();
    assert_eq!(waiting.answer().await.status, 200);
}

#[tokio::test]
async fn an_idle_connection_ends() {
    let server = start(builder().idle_timeout(SHORT)).await;
    let mut connection = Connection::open(server.address).await;
    connection.exchange(GET).await;
    assert!(connection.read_to_end().await.is_empty());
}

#[tokio::test]
async fn one_server_has_several_addresses() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let own = listener.local_addr().expect("an address");
    let server = start(
        builder()
            .listen("localhost:0")
            .std_listener(listener)
            .max_connections(1),
    )
    .await;
    let addresses = server.handle.local_addrs();
    assert_eq!(addresses.len(), 3);
    assert_eq!(addresses[2], own);
    for address in addresses {
        assert_eq!(wire::send(*address, GET).await.status, 200);
    }
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let server = start(builder()).await;
    let error = Server::builder()
        .listen(server.address)
        .bind()
        .await
        .expect_err("it is in use");
    assert!(error.is_in_use());
    let expected = format!("cannot listen on `{}`: ", server.address);
    assert!(error.to_string().starts_with(&expected), "{error}");
    let error = Server::builder().listen("nowhere").bind().await;
    assert_eq!(error.expect_err("no address").address(), "nowhere");
    assert!(Server::builder().bind().await.is_err());
}

#[tokio::test]
async fn a_service_that_fails_is_answered_for() {
    let server = builder().bind().await.expect("a free port");
    let address = server.handle().local_addrs()[0];
    tokio::spawn(
        server.run(tower::service_fn(async |_request: Request<Incoming>| {
            Err::<Response<Body>, _>(io::Error::other("secret"))
        })),
    );
    let answer = wire::send(address, GET).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.text(), r#"{"message":"Internal server error"}"#);
}

#[cfg(unix)]
#[tokio::test]
async fn an_upgraded_connection_keeps_its_place() {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = builder().bind().await.expect("a free port");
    let handle = server.handle();
    tokio::spawn(
        server.run(tower::service_fn(async |mut request: Request<Incoming>| {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut io = TokioIo::new(upgrade.await.expect("an upgrade"));
                let mut word = [0; 4];
                io.read_exact(&mut word).await.expect("a word");
                io.write_all(&word).await.expect("an echo");
            });
            Response::builder()
                .status(101)
                .header("connection", "upgrade")
                .header("upgrade", "echo")
                .body(Body::empty())
        })),
    );
    let mut client = Connection::open(handle.local_addrs()[0]).await;
    let head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    assert_eq!(client.exchange(head).await.status, 101);
    assert_eq!(handle.connections(), 1);
    client.write("ping").await;
    assert_eq!(&client.read(4).await[..], b"ping");
    assert!(client.read_to_end().await.is_empty());
}
