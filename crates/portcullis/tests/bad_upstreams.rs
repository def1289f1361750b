//! Upstreams that are slow, broken, half closed, or lie: what clients get, and what becomes of the connections.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use portcullis::client::{HttpProtocol, UpstreamPool};
use portcullis::serve::{Handle, Server};
use portcullis::{ApiSpec, Gateway};
use portcullis_testkit::wire;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What an upstream does on its first connection, after it has read a request.
#[derive(Clone, Copy, Debug)]
enum Conduct {
    /// Says this, and nothing more.
    Hold(&'static str),
    /// Says this, and then that, again and again.
    Drip(&'static str, &'static str),
    /// Says this, and closes its side; it still listens.
    HalfClose(&'static str),
    /// Says this, and closes.
    Close(&'static str),
    /// Says this, and resets the connection.
    Reset(&'static str),
    /// Says this, and a moment later that, which nobody has asked for.
    Unasked(&'static str, &'static str),
}
use Conduct::{Close, Drip, HalfClose, Hold, Reset, Unasked};

/// What the client of a proxy gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing came in time.
    Late,
    /// What came is no answer.
    Broken,
    /// The answer begins, and breaks off: at once, or when its time is over.
    Cut,
    CutLate,
    /// The answer has more than it may have.
    TooLarge,
    /// An answer, with this body.
    Whole(&'static str),
}
use Outcome::{Broken, Cut, CutLate, Late, TooLarge, Whole};

const SHORT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const GREETING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
const EVIL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";

#[rustfmt::skip]
const CASES: &[(&str, Conduct, Outcome)] = &[
    ("silent",                       Hold(""), Late),
    ("half a status line",           Hold("HTTP/1.1 2"), Late),
    ("a head without an end",        Hold("HTTP/1.1 200 OK\r\nx: 1\r\n"), Late),
    ("a head that drips",            Drip("HTTP/1.1 200 OK\r\n", "x: 1\r\n"), Late),
    ("informational for ever",       Drip("", "HTTP/1.1 100 Continue\r\n\r\n"), Late),
    ("closes without a word",        Close(""), Broken),
    ("resets without a word",        Reset(""), Broken),
    ("half closes without a word",   HalfClose(""), Broken),
    ("closes within the head",       Close("HTTP/1.1 200 OK\r\ncontent-"), Broken),
    ("resets within the head",       Reset("HTTP/1.1 200 OK\r\ncontent-"), Broken),
    ("half closes within the head",  HalfClose("HTTP/1.1 200 OK\r\nx: 1\r\n"), Broken),
    ("garbage",                      Hold("\u{16}\u{3}\u{1}\r\n\r\n"), Broken),
    ("another protocol",             Hold("220 mail ready\r\n"), Broken),
    ("a status that is none",        Hold("HTTP/1.1 abc OK\r\n\r\n"), Broken),
    ("a version that is none",       Hold("HTTP/9.9 200 OK\r\n\r\n"), Broken),
    ("a header without a name",      Hold("HTTP/1.1 200 OK\r\n: 1\r\n\r\n"), Broken),
    ("a header with a NUL",          Hold("HTTP/1.1 200 OK\r\nx: \0\r\n\r\n"), Broken),
    ("two lengths",                  Hold("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"), Broken),
    ("a length below zero",          Hold("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"), Broken),
    ("a length that is none",        Hold("HTTP/1.1 200 OK\r\ncontent-length: 1e3\r\n\r\n"), Broken),
    ("another coding of transfer",   Hold("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n4\r\nhalf"), Broken),
    ("another protocol, unasked",    Hold("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"), Broken),
    ("less than it says",            Close(SHORT), Cut),
    ("less than it says, half open", HalfClose(SHORT), Cut),
    ("reset within the body",        Reset(SHORT), Cut),
    ("stops within the body",        Hold(SHORT), CutLate),
    ("a body that drips",            Drip(CHUNKED, "1\r\nx\r\n"), CutLate),
    ("a chunk that is none",         Hold("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n"), Cut),
    ("a chunk without an end",       Close("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n9\r\nha"), Cut),
    ("a last chunk that is missing", Close("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"), Cut),
    ("chunks without a line's end",  Hold("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalfxx4\r\nhalf\r\n"), Cut),
    ("more than a body may have",    Hold("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"), TooLarge),
    ("more than it says",            Hold("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"), Whole("abc")),
    ("an answer to nothing",         Unasked(GREETING, EVIL), Whole("abc")),
];

/// An upstream that behaves so on its first connection, and well on all others.
struct Upstream {
    address: SocketAddr,
    /// Hears of each bad connection that has ended.
    freed: mpsc::UnboundedReceiver<()>,
}

impl Upstream {
    /// The first `bad` connections are bad.
    async fn start(conduct: Conduct, bad: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (free, freed) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut count = 0;
            while let Ok((stream, _)) = listener.accept().await {
                count += 1;
                if count <= bad {
                    let free = free.clone();
                    tokio::spawn(async move {
                        misbehave(stream, conduct).await;
                        let _ = free.send(());
                    });
                } else {
                    tokio::spawn(behave(stream));
                }
            }
        });
        Self { address, freed }
    }

    async fn freed(&mut self, case: &str) {
        let freed = tokio::time::timeout(wire::PATIENCE, self.freed.recv()).await;
        assert!(freed.is_ok(), "{case}: the connection is still open");
    }
}

async fn misbehave(mut stream: TcpStream, conduct: Conduct) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    let (Hold(said)
    | Drip(said, _)
    | HalfClose(said)
    | Close(said)
    | Reset(said)
    | Unasked(said, _)) = conduct;
    let _ = stream.write_all(said.as_bytes()).await;
    match conduct {
        Close(_) => return,
        Reset(_) => {
            // What was said shall arrive before.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = stream.set_zero_linger();
            return;
        }
        HalfClose(_) => {
            let _ = stream.shutdown().await;
        }
        Unasked(_, more) => {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = stream.write_all(more.as_bytes()).await;
        }
        Drip(_, drop) => {
            // Until the other side is gone.
            while stream.write_all(drop.as_bytes()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            return;
        }
        Hold(_) => {}
    }
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
}

async fn behave(mut stream: TcpStream) {
    let mut request = [0; 4096];
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

struct Running {
    address: SocketAddr,
    handle: Handle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// How an API calls the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    RestProxy,
    HttpProxy,
    /// With mapped responses: an answer is read before the client gets any of it.
    Mapped,
}

/// `/{kind}/patient` has the longest timeout, and `/…/hasty` the least.
async fn running(upstream: SocketAddr, protocol: HttpProtocol) -> Running {
    let integration = |kind: &str, timeout: u32| {
        json!({
            "responses": { "200": { "description": "" } },
            "x-amazon-apigateway-integration": {
                "type": kind, "httpMethod": "GET", "uri": "http://upstream.example.com/",
                "payloadFormatVersion": "1.0", "timeoutInMillis": timeout,
                "responses": { "default": { "statusCode": "200" } },
            },
        })
    };
    let document = |kind: &str, title: &str| {
        let paths = json!({
            "/patient": { "get": integration(kind, 29_000) },
            "/hasty": { "get": integration(kind, 60) },
        });
        json!({ "openapi": "3.0.1", "info": { "title": title, "version": "1" }, "paths": paths })
            .to_string()
    };
    let pool = UpstreamPool::builder()
        .target(format!("http://{upstream}"))
        .protocol(protocol);
    let pool = pool.build().expect("a good pool");
    let gateway = Gateway::builder()
        .api(
            ApiSpec::rest(document("http_proxy", "a"))
                .id("rest")
                .stage_named("prod"),
        )
        .api(
            ApiSpec::http(document("http_proxy", "b"))
                .id("http")
                .stage_named("prod"),
        )
        .api(
            ApiSpec::rest(document("http", "c"))
                .id("mapped")
                .stage_named("prod"),
        );
    // Half of the point is that nothing else is sent, so there are no retries.
    let gateway = match protocol {
        HttpProtocol::Http2 => gateway.upstream("http://upstream.example.com", pool),
        _ => gateway.upstream("http://upstream.example.com", format!("http://{upstream}")),
    };
    let gateway = gateway.build().expect("a good definition");
    let server = Server::builder().listen("127.0.0.1:0").bind();
    let server = server.await.expect("a port");
    let handle = server.handle();
    tokio::spawn(server.run(gateway));
    let address = handle.local_addrs()[0];
    Running { address, handle }
}

fn head(kind: Kind, path: &str) -> String {
    let api = match kind {
        Kind::RestProxy => "rest",
        Kind::HttpProxy => "http",
        Kind::Mapped => "mapped",
    };
    format!("GET /{api}/prod/{path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

fn refusal(kind: Kind, outcome: Outcome) -> (u16, &'static str) {
    match (kind, outcome) {
        (Kind::HttpProxy, TooLarge) => (500, "Internal Server Error"),
        (_, TooLarge) => (500, "Internal server error"),
        (Kind::HttpProxy, _) => (503, "Service Unavailable"),
        (_, Late | CutLate) => (504, "Endpoint request timed out"),
        _ => (504, "Network error communicating with endpoint"),
    }
}

/// An answer that began well, and did not come to its end.
fn is_cut(raw: &[u8]) -> bool {
    let text = String::from_utf8_lossy(raw);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let whole = if head.contains("transfer-encoding: chunked") {
        body.ends_with("0\r\n\r\n")
    } else {
        body.len() >= 10
    };
    head.starts_with("http/1.1 200") && !whole
}

async fn check(name: &str, conduct: Conduct, outcome: Outcome, kind: Kind) {
    let case = format!("{name} ({kind:?})");
    let mut upstream = Upstream::start(conduct, 1).await;
    let running = running(upstream.address, HttpProtocol::Auto).await;
    let path = match outcome {
        Late | CutLate => "hasty",
        _ => "patient",
    };
    let asked = head(kind, path);
    match outcome {
        Whole(body) => {
            let answer = wire::send(running.address, &asked).await;
            assert_eq!((answer.status, &*answer.text()), (200, body), "{case}");
        }
        Cut | CutLate if kind != Kind::Mapped => {
            let raw = wire::send_raw(running.address, &asked).await;
            assert!(is_cut(&raw), "{case}: {}", String::from_utf8_lossy(&raw));
        }
        _ => {
            let answer = wire::send(running.address, &asked).await;
            let (status, message) = refusal(kind, outcome);
            assert_eq!(answer.status, status, "{case}: {}", answer.text());
            assert_eq!(answer.json(), json!({ "message": message }), "{case}");
        }
    }
    upstream.freed(&case).await;
    for _ in 0..2 {
        let next = wire::send(running.address, head(kind, "patient")).await;
        assert_eq!(
            (next.status, &*next.text()),
            (200, "well"),
            "{case}: the next one"
        );
    }
}

#[tokio::test]
async fn a_bad_upstream_is_answered_as_recorded_and_its_connection_freed() {
    for (name, conduct, outcome) in CASES {
        for kind in [Kind::RestProxy, Kind::HttpProxy, Kind::Mapped] {
            check(name, *conduct, *outcome, kind).await;
        }
    }
}

#[tokio::test]
async fn many_at_once_leave_nothing_open() {
    for conduct in [
        Hold(""),
        Drip("HTTP/1.1 200 OK\r\n", "x: 1\r\n"),
        Hold(SHORT),
    ] {
        let mut upstream = Upstream::start(conduct, 32).await;
        let running = running(upstream.address, HttpProtocol::Auto).await;
        let asked = (0..32).map(|_| wire::send(running.address, head(Kind::Mapped, "hasty")));
        for answer in join_all(asked).await {
            assert_eq!(answer.status, 504, "{}", answer.text());
        }
        for _ in 0..32 {
            upstream.freed("many").await;
        }
        let next = wire::send(running.address, head(Kind::Mapped, "patient")).await;
        assert_eq!(next.text(), "well");
    }
}

#[tokio::test]
async fn an_upstream_that_is_to_speak_http2_and_does_not_wedges_nothing() {
    for (conduct, outcome, path) in [
        (Hold(""), Late, "hasty"),
        (Hold(GREETING), Broken, "patient"),
        (Close(""), Broken, "patient"),
        (Reset(""), Broken, "patient"),
    ] {
        let mut upstream = Upstream::start(conduct, usize::MAX).await;
        let running = running(upstream.address, HttpProtocol::Http2).await;
        for _ in 0..2 {
            let answer = wire::send(running.address, head(Kind::RestProxy, path)).await;
            let (status, message) = refusal(Kind::RestProxy, outcome);
            assert_eq!(answer.status, status, "{conduct:?}: {}", answer.text());
            assert_eq!(answer.json(), json!({ "message": message }), "{conduct:?}");
            upstream.freed("h2").await;
        }
    }
}
