//! Guards that read bodies: their layer, and in chains.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use portcullis_core::{
    ApiKind, Body, BodyGuardLayer, BoxAsk, BoxError, BoxRequestBodyLayer, Chain, ChainWalk, Guard,
    GuardLayer, Head, Live, Mode, Never, Rejection, RejectionKind, RequestContext, Verdict,
};
use proptest::prelude::*;
use tower::{Layer, Service, ServiceExt, service_fn};

/// Refuses bodies that have a `!` in them. Those of requests with `skip` it does not look at.
#[derive(Debug)]
struct Calm {
    limit: u64,
    mode: Live<Mode>,
}

impl Calm {
    fn up_to(limit: u64) -> Self {
        Self::with_mode(limit, Mode::Enforce)
    }

    fn with_mode(limit: u64, mode: Mode) -> Self {
        Self {
            limit,
            mode: Live::new(mode),
        }
    }
}

impl Guard for Calm {
    type Ask = Never;
    const READS_BODY: bool = true;

    fn body_limit(&self, head: &Head<'_>) -> Option<u64> {
        (!head.headers().contains_key("skip")).then_some(self.limit)
    }

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        match head.body() {
            Some(body) if body.bytes().contains(&b'!') => {
                Verdict::Refuse(RejectionKind::BadRequestBody.into())
            }
            _ => Verdict::Pass,
        }
    }

    fn mode(&self) -> Mode {
        **self.mode.load()
    }
}

/// Decides as `Calm` does, but somewhere else.
struct CalmElsewhere;

impl Guard for CalmElsewhere {
    type Ask = BoxAsk;
    const READS_BODY: bool = true;

    fn body_limit(&self, _head: &Head<'_>) -> Option<u64> {
        Some(64)
    }

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        let calm = head
            .body()
            .is_some_and(|body| !body.bytes().contains(&b'!'));
        Verdict::Ask(Box::pin(async move {
            tokio::task::yield_now().await;
            match calm {
                true => Ok(()),
                false => Err(RejectionKind::BadRequestBody.into()),
            }
        }))
    }
}

/// A body of unknown length in these pieces, which waits before each; `broken` breaks it.
fn pieces(pieces: &[&str]) -> Body {
    let pieces: Vec<_> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
    Body::new(StreamBody::new(stream::iter(pieces).then(async |piece| {
        tokio::task::yield_now().await;
        match &*piece {
            "broken" => Err(BoxError::from("broken")),
            "trailers" => Ok(Frame::trailers(HeaderMap::new())),
            _ => Ok(Frame::data(Bytes::from(piece))),
        }
    })))
}

fn echo()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone
{
    service_fn(async |request: Request<Body>| Ok(Response::new(request.into_body())))
}

/// The answer of a service behind a guard.
async fn ask<G: Guard>(guard: G, request: Request<Body>) -> (StatusCode, String) {
    let layer = BodyGuardLayer::new(guard);
    let response = layer.layer(echo()).oneshot(request).await;
    let (head, body) = response.expect("never fails").into_parts();
    let body = body.collect().await.expect("not broken").to_bytes();
    (head.status, String::from_utf8(body.to_vec()).expect("text"))
}

fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/").body(body.into()).expect("a request")
}

#[tokio::test]
async fn a_body_that_passes_is_handed_on_as_it_was() {
    for body in ["", "pets"] {
        assert_eq!(
            ask(Calm::up_to(4), post(body)).await,
            (StatusCode::OK, body.to_owned())
        );
    }
    let streamed = post(pieces(&["p", "", "et", "s", "trailers"]));
    assert_eq!(
        ask(Calm::up_to(4), streamed).await,
        (StatusCode::OK, "pets".to_owned())
    );
}

#[tokio::test]
async fn a_body_in_memory_is_not_copied() {
    let bytes = Bytes::from(vec![b'x'; 64]);
    let address = bytes.as_ptr();
    let inner = service_fn(async |request: Request<Body>| {
        let address = request.body().as_bytes().expect("in memory").as_ptr();
        Ok::<_, Infallible>(Response::new(Body::from(format!("{address:?}"))))
    });
    let service = BodyGuardLayer::new(Calm::up_to(64)).layer(inner);
    let response = service.oneshot(post(bytes.clone())).await.expect("passes");
    let told = response.into_body().collect().await.expect("in memory");
    assert_eq!(told.to_bytes(), format!("{address:?}"));
}

#[tokio::test]
async fn a_body_that_is_refused_does_not_reach_the_service() {
    for body in [Body::from("pets!"), pieces(&["pet", "s!"])] {
        let (status, text) = ask(Calm::up_to(5), post(body)).await;
        assert_eq!(status, 400);
        assert_eq!(text, r#"{"message":"Invalid request body"}"#);
    }
}

#[tokio::test]
async fn a_guard_that_asks_elsewhere_sees_the_body_first() {
    for (body, status) in [("pets", 200), ("pets!", 400)] {
        for body in [Body::from(body), pieces(&[body])] {
            assert_eq!(ask(CalmElsewhere, post(body)).await.0, status);
        }
    }
}

#[tokio::test]
async fn a_body_that_no_guard_wants_streams_through_unread() {
    let endless = StreamBody::new(stream::pending::<Result<Frame<Bytes>, BoxError>>());
    let mut request = post(Body::new(endless));
    request
        .headers_mut()
        .insert("skip", http::HeaderValue::from_static("1"));
    let service = BodyGuardLayer::new(Calm::up_to(4)).layer(echo());
    let response = service.oneshot(request).await.expect("does not wait");
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_and_without_a_length() {
    let declared = Request::post("/")
        .header("content-length", "5")
        .body(pieces(&["broken"]))
        .expect("a request");
    for request in [
        post("12345"),
        post(pieces(&["123", "45"])),
        // Nothing of it is read.
        declared,
    ] {
        let (status, text) = ask(Calm::up_to(4), request).await;
        assert_eq!(status, 413);
        assert_eq!(text, "HTTP content length exceeded 4 bytes.");
    }
}

#[tokio::test]
async fn a_broken_body_is_the_clients_doing_in_every_mode() {
    for mode in [Mode::Enforce, Mode::Observe] {
        let broken = post(pieces(&["12", "broken"]));
        assert_eq!(ask(Calm::with_mode(4, mode), broken).await.0, 400);
    }
}

#[tokio::test]
async fn an_observer_lets_pass_whatever_is_still_whole() {
    let observe = || Calm::with_mode(4, Mode::Observe);
    for (body, kind) in [
        ("ab!", RejectionKind::BadRequestBody),
        ("12345", RejectionKind::RequestTooLarge),
    ] {
        let mut request = post(body);
        let context = RequestContext::of(&mut request).clone();
        let answer = ask(observe(), request).await;
        assert_eq!(answer, (StatusCode::OK, body.to_owned()));
        assert_eq!(context.observed()[0].kind(), kind);
        assert!(context.refusal().is_none());
    }
    // Its first part is gone by the time that it turns out to be too long.
    let mut request = post(pieces(&["123", "45"]));
    let context = RequestContext::of(&mut request).clone();
    assert_eq!(ask(observe(), request).await.0, 413);
    let refusal = context.refusal().expect("it is carried out");
    assert_eq!(refusal.kind(), RejectionKind::RequestTooLarge);
}

#[tokio::test]
async fn a_disabled_guard_reads_nothing() {
    let (status, text) = ask(
        Calm::with_mode(1, Mode::Disabled),
        post(pieces(&["ab", "c!"])),
    )
    .await;
    assert_eq!((status, &*text), (StatusCode::OK, "abc!"));
}

#[test]
fn a_future_that_is_dropped_while_it_reads_calls_nothing() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = {
        let calls = Arc::clone(&calls);
        service_fn(move |_request: Request<Body>| {
            calls.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, Infallible>(Response::new(Body::empty())) }
        })
    };
    let endless = StreamBody::new(stream::pending::<Result<Frame<Bytes>, BoxError>>());
    let service = BodyGuardLayer::new(Calm::up_to(4)).layer(counted);
    let mut future = Box::pin(service.oneshot(post(Body::new(endless))));
    let polled = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    drop(future);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_error_of_the_inner_service_stays_what_it_was() {
    let failing = service_fn(async |_: Request<Body>| Err::<Response<Body>, _>("broken"));
    let service = BodyGuardLayer::new(Calm::up_to(4)).layer(failing);
    let error = service.oneshot(post(pieces(&["a"]))).await;
    assert_eq!(error.expect_err("the inner error"), "broken");
}

#[tokio::test]
async fn back_pressure_of_the_inner_service_is_passed_on() {
    let layer = BodyGuardLayer::new(Calm::up_to(4));
    let (mut service, mut handle) =
        tower_test::mock::spawn_layer::<Request<Body>, Response<Body>, _>(layer);
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
}

#[test]
fn a_request_without_a_body_costs_one_allocation() {
    fn ready(_: Request<Body>) -> std::future::Ready<Result<Response<Body>, Infallible>> {
        std::future::ready(Ok(Response::new(Body::empty())))
    }
    drop(Live::new(()).load());
    let mut service = BodyGuardLayer::new(Calm::up_to(4)).layer(service_fn(ready));
    let request = Request::new(Body::empty());
    let counts = allocation_counter::measure(|| {
        let mut future = pin!(service.call(request));
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready());
    });
    assert!(counts.count_total <= 1, "{}", counts.count_total);
}

// Chains.

async fn walk(
    chain: &Chain,
    walk: ChainWalk,
    request: &mut Request<Body>,
) -> Result<(), Rejection> {
    let mut walk = walk;
    poll_fn(|cx| chain.poll_check(&mut walk, request, cx)).await
}

/// Counts how often it is shown a body, and refuses requests with `deny`.
struct Count(Arc<AtomicUsize>);

impl Guard for Count {
    type Ask = Never;

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        self.0
            .fetch_add(usize::from(head.body().is_some()), Ordering::Relaxed);
        if head.headers().contains_key("deny") {
            Verdict::Refuse(RejectionKind::Unauthorized.into())
        } else {
            Verdict::Pass
        }
    }
}

#[tokio::test]
async fn a_chain_reads_a_body_once_for_all_its_guards() {
    let seen = Arc::new(AtomicUsize::new(0));
    let chain = Chain::new()
        .with(Count(Arc::clone(&seen)))
        .with(Calm::up_to(8))
        .with(CalmElsewhere)
        .with(Count(Arc::clone(&seen)));
    let mut request = post(pieces(&["pe", "ts"]));
    walk(&chain, ChainWalk::new(), &mut request)
        .await
        .expect("passes");
    assert_eq!(request.body().as_bytes(), Some(&b"pets"[..]));
    assert_eq!(seen.load(Ordering::Relaxed), 1, "only behind the readers");
}

#[tokio::test]
async fn a_request_that_is_refused_by_its_head_is_not_read() {
    let chain = Chain::new()
        .with(Count(Arc::default()))
        .with(Calm::up_to(8));
    let mut request = post(pieces(&["broken"]));
    request
        .headers_mut()
        .insert("deny", http::HeaderValue::from_static("1"));
    let refusal = walk(&chain, ChainWalk::new(), &mut request).await;
    assert_eq!(
        refusal.expect_err("by its head").kind(),
        RejectionKind::Unauthorized
    );
}

#[tokio::test]
async fn each_guard_of_a_chain_has_its_own_limit() {
    let chain = Chain::new().with(Calm::up_to(8)).with(Calm::up_to(2));
    let refusal = walk(&chain, ChainWalk::new(), &mut post(pieces(&["pe", "ts"]))).await;
    let refusal = refusal.expect_err("too long for the second");
    assert_eq!(
        refusal.message(),
        Some("HTTP content length exceeded 2 bytes.")
    );

    let observer = Calm::with_mode(2, Mode::Observe);
    let chain = Chain::new().with(Calm::up_to(8)).with(observer);
    let mut request = post(pieces(&["pe", "ts"]));
    let context = RequestContext::of(&mut request).clone();
    walk(&chain, ChainWalk::new(), &mut request)
        .await
        .expect("only observed");
    assert_eq!(request.body().as_bytes(), Some(&b"pets"[..]));
    assert_eq!(context.observed().len(), 1);
}

#[tokio::test]
async fn a_walk_has_a_cap_and_words_its_refusals_for_the_api() {
    let chain = Chain::new().with(Calm::up_to(8));
    for body in [Body::from("pets"), pieces(&["pe", "ts"])] {
        let capped = ChainWalk::new().api(ApiKind::Http).max_body(3);
        let refusal = walk(&chain, capped, &mut post(body)).await;
        let refusal = refusal.expect_err("over the cap");
        assert_eq!(refusal.status(), 413);
        assert_eq!(refusal.message(), Some("Request Entity Too Large"));
    }
}

#[test]
fn a_guard_that_is_switched_off_while_its_body_is_read_leaves_the_body_whole() {
    let mode = Live::new(Mode::Enforce);
    let guard = Calm {
        limit: 8,
        mode: mode.clone(),
    };
    let chain = Chain::new().with(guard);
    let mut request = post(pieces(&["a", "!"]));
    let mut walk = ChainWalk::new();
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(chain.poll_check(&mut walk, &mut request, cx).is_pending());
    assert!(walk.is_reading_body());
    mode.replace(Mode::Disabled);
    while chain.poll_check(&mut walk, &mut request, cx).is_pending() {}
    assert_eq!(request.body().as_bytes(), Some(&b"a!"[..]));
}

#[test]
fn a_walk_that_reads_no_body_allocates_nothing() {
    let chain = Chain::new()
        .with(Count(Arc::default()))
        .with(Calm::up_to(8))
        .with(Count(Arc::default()));
    drop(Live::new(()).load());
    let mut request = post(Bytes::from_static(b"pets"));
    request
        .headers_mut()
        .insert("skip", http::HeaderValue::from_static("1"));
    let counts = allocation_counter::measure(|| {
        let mut walk = ChainWalk::new();
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(matches!(
            chain.poll_check(&mut walk, &mut request, cx),
            Poll::Ready(Ok(()))
        ));
    });
    assert_eq!(counts.count_total, 0);
}

proptest! {
    #[test]
    fn how_a_body_is_cut_changes_no_verdict(
        body in "[a!]{0,12}",
        cuts in proptest::collection::vec(0usize..12, 0..6),
        limit in 0u64..12,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let cut: Vec<_> = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
        let whole = runtime.block_on(ask(Calm::up_to(limit), post(body.clone())));
        let layered = runtime.block_on(ask(Calm::up_to(limit), post(pieces(&cut))));
        prop_assert_eq!(&whole, &layered);
        let mut request = post(pieces(&cut));
        let chain = Chain::new().with(Calm::up_to(limit));
        let chained = runtime.block_on(walk(&chain, ChainWalk::new(), &mut request));
        prop_assert_eq!(chained.is_ok(), whole.0 == 200);
        if chained.is_ok() {
            prop_assert_eq!(request.body().as_bytes(), Some(body.as_bytes()));
        }
    }
}

// Over servers.

#[tokio::test]
async fn an_axum_router_can_be_layered() {
    let router = axum::Router::new()
        .route("/", axum::routing::post(async |body: String| body))
        .layer(BodyGuardLayer::new(Calm::up_to(8)))
        .layer(GuardLayer::new(Count(Arc::default())));
    for (body, status, text) in [
        ("pets", 200, "pets"),
        ("pets!", 400, r#"{"message":"Invalid request body"}"#),
        ("123456789", 413, "HTTP content length exceeded 8 bytes."),
    ] {
        let request = Request::post("/").body(axum::body::Body::from(body));
        let response = router
            .clone()
            .oneshot(request.expect("a request"))
            .await
            .expect("never fails");
        assert_eq!(response.status(), status);
        let body = response.into_body().collect().await.expect("in memory");
        assert_eq!(body.to_bytes(), text);
    }
}

/// Sends bytes to a hyper server that echoes calm bodies of up to 8 bytes, and reads until it closes.
async fn exchange(sent: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let service = (
            BoxRequestBodyLayer::new(),
            BodyGuardLayer::new(Calm::up_to(8)),
        )
            .layer(echo());
        hyper::server::conn::http1::Builder::new()
            .half_close(true)
            .serve_connection(
                hyper_util::rt::TokioIo::new(stream),
                hyper_util::service::TowerToHyperService::new(service),
            )
            .await
    });
    let mut client = tokio::net::TcpStream::connect(address)
        .await
        .expect("the server listens");
    client.write_all(sent.as_bytes()).await.expect("sent");
    client.shutdown().await.expect("half closed");
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("text");
    let _ = server.await.expect("no panic");
    answer
}

#[tokio::test]
async fn a_hyper_server_guards_bodies_with_and_without_a_length() {
    const HEAD: &str = "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
    for (framing, status, end) in [
        ("content-length: 4\r\n\r\npets", "200 OK", "pets"),
        (
            "content-length: 5\r\n\r\npets!",
            "400 Bad Request",
            "body\"}",
        ),
        // Answered before the body comes: nothing of it is sent.
        (
            "content-length: 9\r\n\r\n",
            "413 Payload Too Large",
            "8 bytes.",
        ),
        (
            "transfer-encoding: chunked\r\n\r\n2\r\npe\r\n2\r\nts\r\n0\r\nx: 1\r\n\r\n",
            "200 OK",
            "pets",
        ),
        (
            "transfer-encoding: chunked\r\n\r\n5\r\n12345\r\n4\r\n6789\r\n0\r\n\r\n",
            "413 Payload Too Large",
            "8 bytes.",
        ),
        (
            "transfer-encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n",
            "400 Bad Request",
            "\"Bad Request\"}",
        ),
        // The client hangs up half-way.
        (
            "content-length: 4\r\n\r\npe",
            "400 Bad Request",
            "\"Bad Request\"}",
        ),
    ] {
        let answer = exchange(&format!("{HEAD}{framing}")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{framing:?}: {answer}"
        );
        assert!(answer.ends_with(end), "{framing:?}: {answer}");
    }
}

#[test]
fn layers_services_and_futures_can_be_sent_and_shared() {
    fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn send<T: Send>(_: Pin<&mut T>) {}
    let layer = BodyGuardLayer::new(CalmElsewhere);
    check(&layer);
    let mut service = layer.layer(echo());
    send(pin!(service.call(post("pets"))));
}
