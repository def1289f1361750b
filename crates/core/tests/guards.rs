//! The shell round a guard, and chains of guards, by their public API.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use portcullis_core::{
    BoxAsk, Chain, ChainWalk, Decision, Guard, GuardLayer, Head, Live, Mode, Never, Rejection,
    RejectionKind, RequestContext, Verdict,
};
use tower::{Layer, Service, ServiceExt, service_fn};

type Reply = Response<Full<Bytes>>;

/// Refuses whoever sends `deny`.
#[derive(Debug, Default)]
struct Deny {
    mode: Live<Mode>,
}

impl Guard for Deny {
    type Ask = Never;

    fn check(&self, head: &Head<'_>) -> Verdict<Never> {
        if head.headers().contains_key("deny") {
            let decision = Decision::new("test", "deny-header");
            Verdict::Refuse(Rejection::new(RejectionKind::AccessDenied).with_decision(decision))
        } else {
            Verdict::Pass
        }
    }

    fn mode(&self) -> Mode {
        **self.mode.load()
    }
}

/// Decides as `Deny` does, but only after having been polled twice.
struct AskElsewhere;

impl Guard for AskElsewhere {
    type Ask = BoxAsk;

    fn check(&self, head: &Head<'_>) -> Verdict<BoxAsk> {
        let denied = head.headers().contains_key("deny");
        Verdict::Ask(Box::pin(async move {
            let mut polled = false;
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::replace(&mut polled, true) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            if denied {
                Err(RejectionKind::Unauthorized.into())
            } else {
                Ok(())
            }
        }))
    }
}

fn ok() -> impl Service<Request<()>, Response = Reply, Error = Infallible, Future: Send> + Clone {
    service_fn(async |_request: Request<()>| {
        Ok(Response::builder()
            .header("x-inner", "1")
            .body(Full::from("inner"))
            .expect("a response"))
    })
}

fn request(headers: &[&str]) -> Request<()> {
    let mut request = Request::builder().uri("/pets");
    for name in headers {
        request = request.header(*name, "1");
    }
    request.body(()).expect("a request")
}

async fn text(response: Reply) -> String {
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("a body in memory")
        .to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::test]
async fn a_request_that_passes_is_answered_by_the_inner_service_unchanged() {
    let response = GuardLayer::new(Deny::default())
        .layer(ok())
        .oneshot(request(&[]))
        .await;
    let response = response.expect("never fails");
    assert_eq!(response.headers().len(), 1);
    assert!(response.extensions().is_empty());
    assert_eq!(text(response).await, "inner");
}

#[tokio::test]
async fn a_refusal_is_a_complete_answer_that_carries_its_reason() {
    let response = GuardLayer::new(Deny::default())
        .layer(ok())
        .oneshot(request(&["deny"]))
        .await;
    let response = response.expect("a refusal is no error");
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "AccessDeniedException"
    );
    assert_eq!(response.headers()["content-type"], "application/json");
    let rejection = response.extensions().get::<Rejection>().expect("it stays");
    assert_eq!(
        rejection.decision().map(Decision::rule),
        Some("deny-header")
    );
    assert_eq!(
        text(response).await,
        r#"{"Message":"User is not authorized to access this resource"}"#
    );
}

#[tokio::test]
async fn an_observed_refusal_passes_and_is_on_the_context() {
    let guard = Deny::default();
    guard.mode.replace(Mode::Observe);
    let mut request = request(&["deny"]);
    let context = RequestContext::of(&mut request).clone();
    let response = GuardLayer::new(guard)
        .layer(ok())
        .oneshot(request)
        .await
        .expect("passes");
    assert_eq!(response.status(), StatusCode::OK);
    let observed = context.observed();
    assert_eq!(observed.len(), 1);
    assert_eq!(observed[0].kind(), RejectionKind::AccessDenied);
    assert!(context.refusal().is_none());
}

#[tokio::test]
async fn a_mode_that_is_changed_counts_for_the_next_request_of_every_clone() {
    let mode = Live::new(Mode::Enforce);
    let layer = GuardLayer::new(Deny { mode: mode.clone() });
    let (one, two) = (layer.layer(ok()), layer.clone().layer(ok()));
    assert_eq!(
        one.clone()
            .oneshot(request(&["deny"]))
            .await
            .expect("ok")
            .status(),
        403
    );
    mode.replace(Mode::Disabled);
    assert_eq!(
        one.oneshot(request(&["deny"])).await.expect("ok").status(),
        200
    );
    assert_eq!(
        two.oneshot(request(&["deny"])).await.expect("ok").status(),
        200
    );
}

#[tokio::test]
async fn a_guard_that_asks_is_waited_for() {
    let service = GuardLayer::new(AskElsewhere).layer(ok());
    assert_eq!(
        service
            .clone()
            .oneshot(request(&[]))
            .await
            .expect("ok")
            .status(),
        200
    );
    assert_eq!(
        service
            .oneshot(request(&["deny"]))
            .await
            .expect("ok")
            .status(),
        401
    );
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    /// Fails if it is called without having been made ready.
    #[derive(Debug)]
    struct Strict {
        ready: bool,
    }
    impl Clone for Strict {
        fn clone(&self) -> Self {
            Self { ready: false }
        }
    }
    impl Service<Request<()>> for Strict {
        type Response = Reply;
        type Error = &'static str;
        type Future = std::future::Ready<Result<Reply, &'static str>>;
        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            self.ready = true;
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _request: Request<()>) -> Self::Future {
            let ready = std::mem::take(&mut self.ready);
            std::future::ready(if ready {
                Ok(Response::default())
            } else {
                Err("not ready")
            })
        }
    }
    let mut service = GuardLayer::new(AskElsewhere).layer(Strict { ready: false });
    for _ in 0..2 {
        let ready = service.ready().await.expect("ready");
        ready
            .call(request(&[]))
            .await
            .expect("the ready service was called");
    }
}

#[tokio::test]
async fn an_error_of_the_inner_service_stays_what_it_was() {
    let failing = service_fn(async |_request: Request<()>| Err::<Reply, _>("broken"));
    let error = GuardLayer::new(Deny::default())
        .layer(failing)
        .oneshot(request(&[]))
        .await;
    assert_eq!(error.expect_err("the inner error"), "broken");
}

#[tokio::test]
async fn back_pressure_of_the_inner_service_is_passed_on() {
    let layer = GuardLayer::new(Deny::default());
    let (mut service, mut handle) = tower_test::mock::spawn_layer::<Request<()>, Reply, _>(layer);
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
}

#[test]
fn a_future_that_is_dropped_while_it_asks_calls_nothing() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = {
        let calls = Arc::clone(&calls);
        service_fn(move |_request: Request<()>| {
            calls.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, Infallible>(Reply::default()) }
        })
    };
    let future = GuardLayer::new(AskElsewhere)
        .layer(counted)
        .oneshot(request(&[]));
    let mut future = Box::pin(future);
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    drop(future);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

async fn walk(chain: &Chain, request: Request<()>) -> Result<(), Rejection> {
    let mut walk = ChainWalk::new();
    let mut request = request.map(|()| Full::<Bytes>::default());
    poll_fn(|cx| chain.poll_check(&mut walk, &mut request, cx)).await
}

#[tokio::test]
async fn a_chain_stops_at_the_first_refusal() {
    let chain = Chain::new().with(Deny::default()).with(AskElsewhere);
    assert_eq!(chain.len(), 2);
    assert!(walk(&chain, request(&[])).await.is_ok());
    let refusal = walk(&chain, request(&["deny"])).await.expect_err("refused");
    assert_eq!(refusal.kind(), RejectionKind::AccessDenied);
}

#[tokio::test]
async fn a_chain_goes_on_after_a_refusal_that_is_only_observed() {
    let observer = Deny::default();
    observer.mode.replace(Mode::Observe);
    let chain = Chain::new().with(observer).with(AskElsewhere);
    let mut request = request(&["deny"]);
    let context = RequestContext::of(&mut request).clone();
    let refusal = walk(&chain, request)
        .await
        .expect_err("the second guard refuses");
    assert_eq!(refusal.kind(), RejectionKind::Unauthorized);
    assert_eq!(context.observed().len(), 1);
    assert_eq!(
        context.refusal().map(|refusal| refusal.kind()),
        Some(RejectionKind::Unauthorized)
    );
}

#[test]
fn layers_services_and_futures_can_be_sent_and_shared() {
    fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn send<T: Send>(_: Pin<&mut T>) {}
    let layer = GuardLayer::new(AskElsewhere);
    check(&layer);
    let mut service = layer.layer(ok());
    send(pin!(service.call(request(&[]))));
}
