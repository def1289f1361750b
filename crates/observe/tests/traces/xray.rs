//! Segments, as a daemon of X-Ray gets them.

use std::convert::Infallible;
use std::future::ready;
use std::net::UdpSocket;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use portcullis_core::{Clock, ManualClock, Rejection, RejectionKind, RequestContext};
use portcullis_observe::ObserveLayer;
use portcullis_observe::trace::XrayDaemon;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::all;
use crate::recorder::Recorder;

/// A daemon that listens.
struct Daemon(UdpSocket);

impl Daemon {
    fn start() -> (Self, XrayDaemon) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let deadline = Some(Duration::from_secs(10));
        socket.set_read_timeout(deadline).expect("a deadline");
        let address = socket.local_addr().expect("an address").to_string();
        (Self(socket), XrayDaemon::new(&address).expect("an address"))
    }

    /// The next segment.
    fn receive(&self) -> Value {
        let mut datagram = vec![0; 65_536];
        let length = self.0.recv(&mut datagram).expect("a datagram");
        let text = std::str::from_utf8(&datagram[..length]).expect("text");
        let (header, segment) = text.split_once('\n').expect("two lines");
        assert_eq!(header, r#"{"format":"json","version":1}"#);
        assert!(!segment.contains('\n'));
        serde_json::from_str(segment).expect("JSON")
    }
}

/// Sends the request to a service that answers with this status.
async fn ask(daemon: XrayDaemon, request: Request<()>, status: u16, clock: impl Clock) {
    let inner = service_fn(move |request: Request<()>| {
        if status == 429 {
            let context = request.extensions().get::<RequestContext>();
            let refusal = Rejection::new(RejectionKind::Throttled);
            context.expect("a context").record_refusal(&refusal);
        }
        let response = Response::builder()
            .status(status)
            .header("content-length", "5");
        let response = response.body(Full::<Bytes>::from("hello"));
        ready(Ok::<_, Infallible>(response.expect("a response")))
    });
    let layer = ObserveLayer::with_clock(all().xray(daemon).build(), clock);
    let response = layer.layer(inner).oneshot(request).await;
    let body = response.expect("a response").into_body();
    body.collect().await.expect("a body");
}

#[tokio::test]
async fn a_request_is_a_segment() {
    let (daemon, sender) = Daemon::start();
    let request = Request::get("/orders/7?token=secret")
        .header("host", "api.example.com:8443")
        .header("user-agent", "curl/8")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .body(())
        .expect("a request");
    let clock = ManualClock::at_unix(1_700_000_000);
    let start = clock.wall();
    ask(sender.clone(), request, 200, clock).await;
    let segment = daemon.receive();
    assert_eq!(segment["name"], "orders");
    assert_eq!(segment["trace_id"], "1-4bf92f35-77b34da6a3ce929d0e0e4736");
    assert_eq!(segment["parent_id"], "00f067aa0ba902b7");
    assert_eq!(segment["id"].as_str().map(str::len), Some(16));
    let since = start
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after the epoch");
    assert_eq!(segment["start_time"], json!(since.as_secs_f64()));
    assert_eq!(segment["end_time"], segment["start_time"]);
    assert_eq!(
        segment["http"],
        json!({
            "request": {"method": "GET", "url": "http://api.example.com:8443/orders/7", "user_agent": "curl/8"},
            "response": {"status": 200, "content_length": 5}
        })
    );
    for flag in ["error", "throttle", "fault", "cause"] {
        assert_eq!(segment.get(flag), None);
    }
    assert_eq!(sender.sent(), 1);
}

#[tokio::test]
async fn faults_of_clients_and_of_servers_are_told_apart() {
    let (daemon, sender) = Daemon::start();
    let flags = async |status| {
        ask(
            sender.clone(),
            Request::new(()),
            status,
            ManualClock::at_unix(1_700_000_000),
        )
        .await;
        let segment = daemon.receive();
        let flag = |name| segment[name].as_bool().unwrap_or_default();
        ([flag("error"), flag("throttle"), flag("fault")], segment)
    };
    assert_eq!(flags(404).await.0, [true, false, false]);
    assert_eq!(flags(503).await.0, [false, false, true]);
    let (throttled, segment) = flags(429).await;
    assert_eq!(throttled, [true, true, false]);
    let cause = &segment["cause"]["exceptions"][0];
    assert_eq!(cause["type"], "THROTTLED");
    assert_eq!(cause["message"], "429 Too Many Requests");
    assert_eq!(segment["aws"]["xray"]["sampling_rule_name"], "all");
}

#[tokio::test]
async fn hostile_names_stay_json_and_within_a_datagram() {
    let (daemon, sender) = Daemon::start();
    let agent = format!("\"{}\u{e9}", "x".repeat(70_000));
    let request = Request::get(format!("/{}", "%22".repeat(20_000)))
        .header("user-agent", agent.as_bytes())
        .header("host", "a")
        .body(());
    ask(
        sender,
        request.expect("a request"),
        200,
        ManualClock::at_unix(1_700_000_000),
    )
    .await;
    let segment = daemon.receive();
    let url = segment["http"]["request"]["url"].as_str().expect("a text");
    assert_eq!(url.len(), 1000);
}

#[tokio::test]
async fn a_daemon_that_is_away_costs_nothing_but_a_count_and_a_word_in_each_minute() {
    let recorder = Recorder::default();
    let _listening = recorder.listen();
    let (daemon, sender) = Daemon::start();
    drop(daemon);
    let clock = ManualClock::at_unix(1_700_000_000);
    for _ in 0..4 {
        ask(sender.clone(), Request::new(()), 200, clock.clone()).await;
    }
    // The system learns of each with the one after.
    assert_eq!((sender.dropped(), sender.sent()), (3, 1));
    let said = || {
        let events = recorder.events();
        let lost = |it: &str| it == "segments for X-Ray are lost";
        let all = events
            .iter()
            .filter_map(|event| event.fields.get("message"));
        all.filter(|message| lost(message)).count()
    };
    assert_eq!(said(), 1);
    clock.advance(Duration::from_secs(60));
    ask(sender.clone(), Request::new(()), 200, clock.clone()).await;
    ask(sender.clone(), Request::new(()), 200, clock.clone()).await;
    assert_eq!(said(), 2);
}

#[test]
fn a_wrong_address_is_said_at_once() {
    let error = XrayDaemon::new("127.0.0.1").expect_err("no port");
    let text = error.to_string();
    assert!(
        text.starts_with("X-Ray daemon: `127.0.0.1` is no address"),
        "{text}"
    );
}

#[test]
fn an_address_that_is_none_is_told_as_a_sentence() {
    for (address, problem) in [
        ("", "is no address with a port"),
        ("127.0.0.1", "is no address with a port"),
        ("127.0.0.1:20000000", "is no address with a port"),
        ("http://127.0.0.1", "is no address with a port"),
        ("tcp:127.0.0.1:2000", "`udp:`"),
        ("no.such.host.invalid:2000", "cannot be looked up"),
    ] {
        let error = XrayDaemon::new(address).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    for address in ["127.0.0.1:2000", "tcp:127.0.0.1:2000 udp:127.0.0.2:2001"] {
        assert!(XrayDaemon::new(address).is_ok(), "{address}");
    }
}
