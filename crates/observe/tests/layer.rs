//! How requests end, as an observer is told.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Empty, Full};
use portcullis_core::{ManualClock, Measure, RequestContext};
use portcullis_observe::{Exchange, ObserveLayer, Observer, Outcome};
use tower::{Layer, Service, ServiceExt, service_fn};

#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<End>>>);

#[derive(Clone, Debug, PartialEq)]
struct End {
    outcome: Outcome,
    status: Option<u16>,
    sent: u64,
    latency: Duration,
}

impl Ends {
    fn all(&self) -> Vec<End> {
        self.0.lock().unwrap().clone()
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.all().iter().map(|end| end.outcome).collect()
    }
}

impl Observer for Ends {
    type Watch = ();

    fn begin<B>(&self, _request: &mut Request<B>, _context: &RequestContext) {}

    fn end(&self, _watch: (), exchange: &Exchange<'_>) {
        let status = exchange.status().map(|status| status.as_u16());
        // The context says the same.
        let context = exchange.context();
        assert_eq!(context.measured(Measure::Status), status.map(i64::from));
        assert_eq!(
            context.measured(Measure::ResponseLength),
            Some(exchange.sent() as i64)
        );
        self.0.lock().unwrap().push(End {
            outcome: exchange.outcome(),
            status,
            sent: exchange.sent(),
            latency: exchange.latency(),
        });
    }
}

fn get() -> Request<()> {
    Request::get("/pets").body(()).unwrap()
}

#[tokio::test]
async fn a_request_ends_with_the_last_byte_of_its_response() {
    let (ends, clock) = (Ends::default(), ManualClock::at_unix(1_700_000_000));
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(4);
    let body = Mutex::new(Some(body));
    let service = service_fn(move |_: Request<()>| {
        let body = body.lock().unwrap().take().unwrap();
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    let layer = ObserveLayer::with_clock(ends.clone(), clock.clone());
    let mut service = layer.layer(service);
    let response = service.call(get()).await.unwrap();
    clock.advance(Duration::from_millis(20));
    assert_eq!(ends.all(), []);
    let mut body = response.into_body();
    sender.send_data("some ".into()).await.unwrap();
    body.frame().await.unwrap().unwrap();
    clock.advance(Duration::from_millis(30));
    sender.send(Frame::data("more".into())).await.unwrap();
    drop(sender);
    body.frame().await.unwrap().unwrap();
    assert!(body.frame().await.is_none());
    drop(body);
    let end = End {
        outcome: Outcome::Complete,
        status: Some(200),
        sent: 9,
        latency: Duration::from_millis(50),
    };
    assert_eq!(ends.all(), [end]);
}

#[tokio::test]
async fn a_body_that_fails_is_told_as_broken() {
    let ends = Ends::default();
    let service = service_fn(async |_: Request<()>| {
        let (mut sender, body) = Channel::<Bytes, &str>::new(4);
        sender.send_data("half".into()).await.unwrap();
        sender.abort("the other half is gone");
        Ok::<_, Infallible>(Response::new(body))
    });
    let service = ObserveLayer::new(ends.clone()).layer(service);
    let response = service.oneshot(get()).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(ends.outcomes(), [Outcome::Broken]);
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_told_as_cancelled() {
    let ends = Ends::default();
    let never = service_fn(|_: Request<()>| {
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
    });
    let mut service = ObserveLayer::new(ends.clone()).layer(never);
    assert!(service.call(get()).now_or_never().is_none());
    let end = &ends.all()[0];
    assert_eq!((end.outcome, end.status), (Outcome::Cancelled, None));
}

#[tokio::test]
async fn a_response_that_is_dropped_half_way_is_told_as_cancelled() {
    let ends = Ends::default();
    let service = service_fn(async |_: Request<()>| {
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(4);
        sender.send_data("half".into()).await.unwrap();
        Ok::<_, Infallible>(Response::new(body))
    });
    let service = ObserveLayer::new(ends.clone()).layer(service);
    let response = service.oneshot(get()).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let end = &ends.all()[0];
    assert_eq!((end.outcome, end.sent), (Outcome::Cancelled, 4));
}

#[tokio::test]
async fn an_error_of_the_service_passes_and_is_told() {
    let ends = Ends::default();
    let service =
        service_fn(async |_: Request<()>| Err::<Response<Full<Bytes>>, _>("out of order"));
    let service = ObserveLayer::new(ends.clone()).layer(service);
    assert_eq!(service.oneshot(get()).await.unwrap_err(), "out of order");
    assert_eq!(ends.outcomes(), [Outcome::Failed]);
}

#[tokio::test]
async fn a_response_without_a_body_ends_with_its_head() {
    for (method, status) in [
        (Method::HEAD, 200),
        (Method::GET, 204),
        (Method::GET, 304),
        (Method::GET, 200),
    ] {
        let ends = Ends::default();
        let has_body = method == Method::HEAD;
        let service = service_fn(move |_: Request<()>| async move {
            let text = if has_body { "hello" } else { "" };
            let mut response = Response::new(Full::<Bytes>::from(text));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            Ok::<_, Infallible>(response)
        });
        let service = ObserveLayer::new(ends.clone()).layer(service);
        let request = Request::builder().method(method).body(()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(ends.outcomes(), [Outcome::Complete]);
        drop(response);
        assert_eq!(ends.all().len(), 1);
    }
}

#[tokio::test]
async fn an_inner_layer_and_the_observer_see_one_context() {
    #[derive(Clone)]
    struct Asks;

    impl Observer for Asks {
        type Watch = ();

        fn begin<B>(&self, _request: &mut Request<B>, _context: &RequestContext) {}

        fn end(&self, _watch: (), exchange: &Exchange<'_>) {
            assert_eq!(exchange.context().measured(Measure::WafStatus), Some(7));
        }
    }

    let service = service_fn(async |request: Request<()>| {
        let context = request.extensions().get::<RequestContext>().unwrap();
        context.measure(Measure::WafStatus, 7);
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let layer = ObserveLayer::new((Some(Asks), Arc::new(Ends::default())));
    layer.layer(service).oneshot(get()).await.unwrap();
    assert_eq!(layer.observer().1.outcomes(), [Outcome::Complete]);
}

#[tokio::test]
async fn what_is_done_for_a_request_is_done_within_its_watch() {
    #[derive(Clone, Default)]
    struct Inside(Arc<Mutex<Vec<&'static str>>>);

    impl Observer for Inside {
        type Watch = ();

        fn begin<B>(&self, _request: &mut Request<B>, _context: &RequestContext) {}

        fn work<T>(&self, _watch: &mut (), work: impl FnOnce() -> T) -> T {
            self.0.lock().unwrap().push("in");
            let done = work();
            self.0.lock().unwrap().push("out");
            done
        }

        fn respond<B>(&self, _: &mut (), _: &RequestContext, response: &mut Response<B>) {
            let value = http::HeaderValue::from_static("1");
            response.headers_mut().insert("x-seen", value);
        }

        fn end(&self, _watch: (), _exchange: &Exchange<'_>) {
            self.0.lock().unwrap().push("end");
        }
    }

    let inside = Inside::default();
    let service = service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
    });
    let service = ObserveLayer::new(inside.clone()).layer(service);
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(response.headers()["x-seen"], "1");
    response.into_body().collect().await.unwrap();
    let steps = inside.0.lock().unwrap().clone();
    // The call, the poll of the future, and that of the body.
    assert_eq!(steps, ["in", "out", "in", "out", "in", "out", "end"]);
}
