//! Several targets behind one name.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use portcullis_client::{
    Balance, CircuitBreaker, Client, ClientErrorKind, Ejection, HealthCheck, HttpProtocol, Retries,
    UpstreamPool, UpstreamPoolBuilder, UpstreamPoolConfig, Upstreams,
};
use portcullis_core::{Body, BoxError};
use portcullis_testkit::{HyperServer, Recorded, Recorder, request as testkit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::get;

type Answer = fn(&Recorded) -> Response<Full<Bytes>>;

/// A target that is well, and remembers what it got.
struct Good {
    recorder: Recorder<Answer>,
    server: HyperServer,
}

impl Good {
    async fn start() -> Self {
        let recorder = Recorder::new((|_| testkit::answer(200, "pets")) as Answer);
        let server = HyperServer::start(recorder.clone()).await;
        Self { recorder, server }
    }

    fn origin(&self) -> String {
        self.server.url("")
    }

    fn count(&self) -> usize {
        self.recorder.count()
    }
}

/// A target that reads a request, writes some bytes and then closes the connection, or does not.
struct Bad {
    addr: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Bad {
    async fn start(bytes: &'static str, closes: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                count.fetch_add(1, Ordering::Relaxed);
                let _ = stream.write_all(bytes.as_bytes()).await;
                if !closes {
                    kept.push(stream);
                }
            }
        });
        Self { addr, asked }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }

    fn count(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// An origin where nobody listens.
async fn away() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    format!("http://{addr}")
}

fn config(edit: impl FnOnce(&mut UpstreamPoolConfig)) -> UpstreamPoolBuilder {
    let mut config = UpstreamPoolConfig::default();
    edit(&mut config);
    config.into_builder()
}

/// Retries nothing and ejects nothing.
fn plain() -> UpstreamPoolBuilder {
    config(|config| {
        config.retries.attempts = 0;
        config.ejection.failures = 0;
    })
}

fn built(builder: UpstreamPoolBuilder) -> UpstreamPool {
    builder.build().expect("a good configuration")
}

fn request(method: Method, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri("/pets");
    request.body(body.into()).expect("valid")
}

/// What came of a request, its answer read to the end.
async fn outcome(pool: &UpstreamPool, request: Request<Body>) -> Result<u16, ClientErrorKind> {
    match pool.send(request).await {
        Ok(response) => {
            let status = response.status().as_u16();
            response.into_body().collect().await.expect("whole");
            Ok(status)
        }
        Err(error) => Err(error.kind()),
    }
}

async fn fetch(pool: &UpstreamPool) -> Result<u16, ClientErrorKind> {
    outcome(pool, request(Method::GET, "")).await
}

async fn post(pool: &UpstreamPool) -> Result<u16, ClientErrorKind> {
    outcome(pool, request(Method::POST, "a pet")).await
}

/// Lets time pass at once.
async fn pass(duration: Duration) {
    tokio::time::pause();
    tokio::time::advance(duration).await;
    tokio::time::resume();
}

/// Waits until something holds that other tasks bring about.
async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    waited.expect("it comes to that");
}

#[tokio::test]
async fn each_target_has_its_turn() {
    let (one, other) = (Good::start().await, Good::start().await);
    let pool = built(UpstreamPool::builder().targets([one.origin(), other.origin()]));
    for _ in 0..6 {
        assert_eq!(fetch(&pool).await, Ok(200));
    }
    assert_eq!((one.count(), other.count()), (3, 3));
    let got = one.recorder.requests();
    assert_eq!(got[0].uri, "/pets");
    assert_eq!(got[0].header("host"), Some(&*one.server.addr().to_string()));
}

#[tokio::test]
async fn the_least_loaded_target_is_chosen_until_an_answer_has_ended() {
    let (one, other) = (Good::start().await, Good::start().await);
    let builder = UpstreamPool::builder().targets([one.origin(), other.origin()]);
    let pool = built(builder.balance(Balance::LeastLoaded));
    let held = pool
        .send(request(Method::GET, ""))
        .await
        .expect("an answer");
    let busy = if one.count() == 1 { &one } else { &other };
    for _ in 0..20 {
        assert_eq!(fetch(&pool).await, Ok(200));
    }
    assert_eq!(busy.count(), 1);
    assert_eq!(one.count() + other.count(), 21);
    drop(held);
    for _ in 0..100 {
        assert_eq!(fetch(&pool).await, Ok(200));
    }
    assert!(busy.count() > 1, "it has nothing to do any more");
}

#[tokio::test]
async fn a_request_that_may_be_sent_again_finds_a_target_that_is_well() {
    let good = Good::start().await;
    let ejects_nothing = Ejection::default();
    let builder = config(|config| {
        config.ejection = ejects_nothing;
        config.ejection.failures = 0;
    });
    let pool = built(builder.targets([away().await, good.origin()]));
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        for _ in 0..4 {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let sent = outcome(&pool, request(method.clone(), "a pet")).await;
            assert_eq!(sent, Ok(200), "{method}");
        }
    }
    assert_eq!(good.count(), 20);
    assert!(
        good.recorder
            .requests()
            .iter()
            .all(|got| got.text() == "a pet")
    );
}

#[tokio::test]
async fn other_requests_are_sent_once() {
    let bad = Bad::start("", true).await;
    let pool = built(UpstreamPool::builder().target(bad.origin()));
    for method in [Method::POST, Method::PATCH] {
        let sent = outcome(&pool, request(method, "a pet")).await;
        assert_eq!(sent, Err(ClientErrorKind::Closed));
    }
    assert_eq!(bad.count(), 2);
    // Of a body that passes by there is nothing left to send.
    let frames = [Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"pet")))];
    let passing = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    let sent = outcome(&pool, request(Method::PUT, passing)).await;
    assert_eq!(sent, Err(ClientErrorKind::Closed));
    assert_eq!(bad.count(), 3);
    assert_eq!(fetch(&pool).await, Err(ClientErrorKind::Closed));
    assert_eq!(bad.count(), 6, "once, and twice more");
}

#[tokio::test]
async fn nothing_is_sent_again_once_the_head_of_an_answer_is_there() {
    let breaks_off = Bad::start("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", true).await;
    let pool = built(UpstreamPool::builder().target(breaks_off.origin()));
    let response = pool.send(request(Method::GET, "")).await.expect("a head");
    assert!(response.into_body().collect().await.is_err());
    let unavailable = Bad::start("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", true).await;
    let pool = built(UpstreamPool::builder().target(unavailable.origin()));
    assert_eq!(fetch(&pool).await, Ok(503));
    assert_eq!((breaks_off.count(), unavailable.count()), (1, 1));
}

#[tokio::test]
async fn retries_have_a_budget() {
    let bad = Bad::start("", true).await;
    let builder = config(|config| {
        config.retries.budget_percent = 10;
        config.retries.min_per_second = 0;
    });
    let pool = built(builder.target(bad.origin()));
    for _ in 0..30 {
        assert_eq!(fetch(&pool).await, Err(ClientErrorKind::Closed));
    }
    assert_eq!(bad.count(), 33);
}

#[tokio::test]
async fn a_target_that_fails_is_ejected_and_comes_back_on_probation() {
    let (bad, good) = (Bad::start("", true).await, Good::start().await);
    let builder = config(|config| {
        config.ejection.failures = 3;
        config.ejection.for_millis = 60_000;
        config.retries.attempts = 0;
    });
    let pool = built(builder.targets([bad.origin(), good.origin()]));
    for _ in 0..20 {
        let _ = post(&pool).await;
    }
    assert_eq!((bad.count(), good.count()), (3, 17));
    let targets = pool.targets();
    let shown: Vec<_> = targets
        .iter()
        .map(|target| (target.is_available, target.in_flight))
        .collect();
    assert_eq!(shown, [(false, 0), (true, 0)]);
    assert_eq!(targets[0].target, bad.origin());
    pass(Duration::from_secs(59)).await;
    for _ in 0..10 {
        assert_eq!(post(&pool).await, Ok(200));
    }
    pass(Duration::from_secs(1)).await;
    for _ in 0..10 {
        let _ = post(&pool).await;
    }
    assert_eq!(bad.count(), 4, "one more failure, and it is gone again");
}

#[tokio::test]
async fn statuses_of_failure_and_broken_answers_count_as_failures() {
    for answer in [
        "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "220 smtp ready\r\n",
    ] {
        let (bad, good) = (Bad::start(answer, true).await, Good::start().await);
        let builder = config(|config| config.ejection.failures = 2);
        let pool = built(builder.targets([bad.origin(), good.origin()]));
        for _ in 0..20 {
            if let Ok(response) = pool.send(request(Method::POST, "")).await {
                let _ = response.into_body().collect().await;
            }
        }
        assert_eq!(bad.count(), 2, "{answer}");
    }
    let wrong = "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n";
    let (bad, good) = (Bad::start(wrong, true).await, Good::start().await);
    let builder = config(|config| config.ejection.failures = 2);
    let pool = built(builder.targets([bad.origin(), good.origin()]));
    for _ in 0..20 {
        let _ = post(&pool).await;
    }
    assert_eq!(bad.count(), 10, "that is an answer like another");
}

#[tokio::test]
async fn no_more_targets_are_ejected_than_may_be() {
    let bad = [
        Bad::start("", true).await,
        Bad::start("", true).await,
        Bad::start("", true).await,
    ];
    for (percent, ejected) in [(0, 0), (34, 1), (67, 2)] {
        let builder = config(|config| {
            config.ejection.failures = 1;
            config.ejection.max_percent = percent;
            config.retries.attempts = 0;
        });
        let pool = built(builder.targets(bad.iter().map(Bad::origin)));
        let before: Vec<_> = bad.iter().map(Bad::count).collect();
        for _ in 0..30 {
            assert_eq!(fetch(&pool).await, Err(ClientErrorKind::Closed));
        }
        let after = bad.iter().map(Bad::count);
        let once = after
            .zip(before)
            .filter(|(after, before)| after - before == 1);
        assert_eq!(once.count(), ejected, "{percent} %");
    }
}

#[tokio::test]
async fn an_open_circuit_answers_at_once_and_closes_when_the_target_is_back() {
    let well = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&well);
    let recorder = Recorder::new(move |_: &Recorded| {
        let status = if seen.load(Ordering::Relaxed) {
            200
        } else {
            503
        };
        testkit::answer(status, "")
    });
    let server = HyperServer::start(recorder.clone()).await;
    let breaker = {
        let mut breaker = CircuitBreaker::default();
        breaker.minimum_requests = 3;
        breaker.open_for_millis = 60_000;
        breaker
    };
    let pool = built(plain().target(server.url("")).circuit_breaker(breaker));
    for _ in 0..3 {
        assert_eq!(fetch(&pool).await, Ok(503));
    }
    for _ in 0..5 {
        assert_eq!(fetch(&pool).await, Err(ClientErrorKind::CircuitOpen));
    }
    assert_eq!(recorder.count(), 3);
    pass(Duration::from_secs(60)).await;
    assert_eq!(fetch(&pool).await, Ok(503), "this one tries");
    assert_eq!(fetch(&pool).await, Err(ClientErrorKind::CircuitOpen));
    pass(Duration::from_secs(60)).await;
    well.store(true, Ordering::Relaxed);
    for _ in 0..5 {
        assert_eq!(fetch(&pool).await, Ok(200));
    }
}

#[tokio::test]
async fn a_target_whose_circuit_is_open_leaves_requests_to_the_others() {
    let (bad, good) = (Bad::start("", true).await, Good::start().await);
    let mut breaker = CircuitBreaker::default();
    breaker.minimum_requests = 2;
    let builder = plain().targets([bad.origin(), good.origin()]);
    let pool = built(builder.circuit_breaker(breaker));
    for _ in 0..20 {
        let _ = post(&pool).await;
    }
    assert_eq!((bad.count(), good.count()), (2, 18));
}

#[tokio::test]
async fn a_trial_whose_caller_leaves_makes_room_for_another() {
    let silent = Bad::start("", false).await;
    let mut breaker = CircuitBreaker::default();
    breaker.minimum_requests = 1;
    breaker.open_for_millis = 60_000;
    let builder = plain().target(silent.origin()).circuit_breaker(breaker);
    let pool = built(builder.response_timeout(Duration::from_millis(20)));
    assert_eq!(fetch(&pool).await, Err(ClientErrorKind::Timeout));
    assert_eq!(fetch(&pool).await, Err(ClientErrorKind::CircuitOpen));
    pass(Duration::from_secs(60)).await;
    let mut left = Box::pin(pool.send(request(Method::GET, "")));
    tokio::select! {
        _ = &mut left => panic!("it is silent"),
        () = until(|| silent.count() == 2) => {}
    }
    assert_eq!(fetch(&pool).await, Err(ClientErrorKind::CircuitOpen));
    drop(left);
    assert_eq!(fetch(&pool).await, Err(ClientErrorKind::Timeout));
}

#[tokio::test]
async fn a_target_that_is_too_slow_leaves_a_request_to_another() {
    let (silent, good) = (Bad::start("", false).await, Good::start().await);
    let builder = UpstreamPool::builder().targets([silent.origin(), good.origin()]);
    let pool = built(builder.response_timeout(Duration::from_millis(50)));
    assert_eq!(fetch(&pool).await, Ok(200));
    assert_eq!(silent.count(), 1);
}

#[tokio::test]
async fn a_target_is_to_blame_for_a_caller_whose_time_is_over_and_not_for_one_that_left() {
    let (silent, good) = (Bad::start("", false).await, Good::start().await);
    let builder = config(|config| config.ejection.failures = 1);
    let pool = built(builder.targets([silent.origin(), good.origin()]));
    let client = Client::builder().build().expect("the defaults");
    let client = client.through(pool.clone().into());
    for (patience, asked) in [(Duration::from_secs(60), 1), (Duration::ZERO, 2)] {
        // It has its turn at every other request.
        let mut sent = Box::pin(client.send_until(
            get("http://pets.example/"),
            (Instant::now() + patience).into_std(),
        ));
        tokio::select! {
            answered = &mut sent => panic!("it is silent: {answered:?}"),
            () = until(|| silent.count() == asked) => {}
        }
        drop(sent);
        assert_eq!(fetch(&pool).await, Ok(200));
    }
    for _ in 0..10 {
        assert_eq!(fetch(&pool).await, Ok(200));
    }
    assert_eq!(silent.count(), 2, "it is ejected");
}

#[tokio::test]
async fn health_checks_decide_who_gets_requests() {
    let well = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&well);
    let checks = Arc::new(AtomicUsize::new(0));
    let checked = Arc::clone(&checks);
    let ailing = Recorder::new(move |got: &Recorded| {
        if got.uri != "/healthz?deep" {
            return testkit::answer(200, "pets");
        }
        checked.fetch_add(1, Ordering::Relaxed);
        let well = seen.load(Ordering::Relaxed);
        testkit::answer(if well { 204 } else { 500 }, "")
    });
    let (server, good) = (
        HyperServer::start(ailing.clone()).await,
        Good::start().await,
    );
    let mut check = HealthCheck::new("/healthz?deep");
    check.interval_in_millis = 600_000;
    check.unhealthy_threshold = 2;
    check.healthy_threshold = 1;
    let builder = plain().targets([server.url(""), good.origin()]);
    let pool = built(builder.health_check(check));
    let asked = || ailing.count() - checks.load(Ordering::Relaxed);
    let checked = async |times| {
        until(|| checks.load(Ordering::Relaxed) == times).await;
        // The answer has to come in, too.
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let ten_requests = async || {
        for _ in 0..10 {
            assert_eq!(fetch(&pool).await, Ok(200));
        }
    };
    checked(1).await;
    ten_requests().await;
    assert_eq!(asked(), 5, "one bad check is not enough");
    pass(Duration::from_secs(600)).await;
    checked(2).await;
    ten_requests().await;
    assert_eq!(asked(), 5, "two are");
    well.store(true, Ordering::Relaxed);
    pass(Duration::from_secs(600)).await;
    checked(3).await;
    ten_requests().await;
    assert_eq!(asked(), 10);

    drop(pool);
    pass(Duration::from_secs(6_000)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(checks.load(Ordering::Relaxed), 3, "they end with the pool");
}

#[tokio::test]
async fn where_no_target_is_well_requests_are_sent_all_the_same() {
    let server = HyperServer::start(Recorder::new(|got: &Recorded| {
        testkit::answer(if got.uri == "/" { 500 } else { 200 }, "")
    }))
    .await;
    let mut check = HealthCheck::default();
    check.interval_in_millis = 1;
    check.unhealthy_threshold = 1;
    let pool = built(plain().target(server.url("")).health_check(check));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(fetch(&pool).await, Ok(200));
}

#[test]
fn health_checks_begin_anew_in_another_runtime() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    };
    let mut check = HealthCheck::default();
    check.interval_in_millis = 600_000;
    // Outside any runtime.
    let unused = plain()
        .target("http://127.0.0.1:1")
        .health_check(check.clone());
    drop(built(unused));
    let first = runtime();
    let (pool, good) = first.block_on(async {
        let good = Good::start().await;
        let pool = built(plain().target(good.origin()).health_check(check.clone()));
        until(|| good.count() == 1).await;
        (pool, good)
    });
    drop(first);
    let second = runtime();
    second.block_on(async {
        let again = Good::start().await;
        let _ = fetch(&pool).await;
        drop(again);
        tokio::time::sleep(Duration::from_millis(20)).await;
    });
    assert_eq!(good.count(), 1, "its server went with the first runtime");
    assert!(format!("{pool:?}").contains("UpstreamPool"));
}

#[tokio::test]
async fn a_pool_stands_for_an_origin_and_its_targets_read_that_as_the_host() {
    let good = Good::start().await;
    let pool = built(UpstreamPool::builder().target(good.origin()));
    let upstreams = Upstreams::default()
        .with("https://api.example.com", pool.into())
        .expect("an origin");
    let client = Client::builder().upstreams(upstreams);
    let client = client.build().expect("good settings");
    let sent = client.send(get("https://API.example.com/v1?a=1")).await;
    assert_eq!(sent.expect("an answer").status(), StatusCode::OK);
    let got = good.recorder.only();
    assert_eq!(got.uri, "/v1?a=1");
    assert_eq!(got.header("host"), Some("API.example.com"));
}

#[tokio::test]
async fn a_pool_speaks_http2_in_the_clear_where_it_is_told_to() {
    let good = Good::start().await;
    let builder = UpstreamPool::builder().target(good.origin());
    let pool = built(builder.protocol(HttpProtocol::Http2));
    assert_eq!(fetch(&pool).await, Ok(200));
    assert_eq!(good.recorder.only().version, Version::HTTP_2);
}

#[tokio::test]
async fn a_pool_has_its_own_connect_timeout() {
    // Its handshake never ends.
    let silent = Bad::start("", false).await;
    let builder = plain().target(format!("https://{}", silent.addr));
    let pool = built(builder.connect_timeout(Duration::from_millis(20)));
    assert_eq!(fetch(&pool).await, Err(ClientErrorKind::Timeout));
}

#[test]
fn a_fault_names_its_field() {
    let origin = "http://127.0.0.1:1".to_owned();
    #[rustfmt::skip]
    let cases: &[(&str, fn(&mut UpstreamPoolConfig))] = &[
        ("/targets", |config| config.targets.clear()),
        ("/targets/1", |config| config.targets.push("127.0.0.1:9000".into())),
        ("/targets/1", |config| config.targets.push("http://127.0.0.1:9000/v1".into())),
        ("/targets/1", |config| config.targets.push("http://127.0.0.1:1/".into())),
        ("/connectTimeoutInMillis", |config| config.connect_timeout_in_millis = Some(0)),
        ("/responseTimeoutInMillis", |config| config.response_timeout_in_millis = Some(0)),
        ("/ejection/maxPercent", |config| config.ejection.max_percent = 101),
        ("/ejection/forMillis", |config| config.ejection.for_millis = 0),
        ("/retries/attempts", |config| config.retries.attempts = 11),
        ("/retries/budgetPercent", |config| config.retries.budget_percent = 1001),
        ("/retries/minPerSecond", |config| config.retries.min_per_second = 1_000_001),
        ("/health/path", |config| config.health = Some(HealthCheck::new("healthz"))),
        ("/circuitBreaker/failurePercent", |config| {
            let mut breaker = CircuitBreaker::default();
            breaker.failure_percent = 101;
            config.circuit_breaker = Some(breaker);
        }),
        ("/circuitBreaker/trials", |config| {
            let mut breaker = CircuitBreaker::default();
            breaker.trials = 0;
            config.circuit_breaker = Some(breaker);
        }),
        ("/failureStatuses/0", |config| config.failure_statuses = vec![200]),
    ];
    for (field, edit) in cases {
        let builder = config(|config| {
            config.targets.push(origin.clone());
            edit(config);
        });
        let error = builder.build().expect_err(field);
        assert_eq!(error.field(), *field);
        assert!(error.to_string().contains(error.problem()));
    }
    let allowed = Retries::default();
    assert_eq!(allowed.attempts, 2);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().expect("the log").clone();
        String::from_utf8(bytes).expect("text")
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn it_is_logged_when_a_target_goes_and_when_it_is_back() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (bad, good) = (Bad::start("", true).await, Good::start().await);
    let mut breaker = CircuitBreaker::default();
    breaker.minimum_requests = 1;
    let builder = config(|config| config.ejection.failures = 1);
    let builder = builder.targets([bad.origin(), good.origin()]);
    let pool = built(builder.circuit_breaker(breaker));
    assert_eq!(fetch(&pool).await, Ok(200));
    let gone = format!("a target is ejected target={}", bad.origin());
    assert!(log.text().contains(&gone), "{}", log.text());
    assert!(log.text().contains("the circuit of a target is open"));
    pass(Duration::from_secs(30)).await;
    assert_eq!(fetch(&pool).await, Ok(200));
    let back = format!("an ejected target is back target={}", bad.origin());
    assert!(log.text().contains(&back), "{}", log.text());
}
