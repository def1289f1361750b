//! The spans of requests, in axum and in hyper, over sockets.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use portcullis_core::{MatchedRoute, RequestContext, Route, Trace};
use portcullis_observe::ObserveLayer;
use portcullis_observe::trace::SamplingRules;
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt, service_fn};

use crate::recorder::Recorder;
use crate::{all, header, sent_on};

async fn get_from(address: SocketAddr, path: &str) -> Response<Bytes> {
    let io = TcpStream::connect(address).await.expect("a connection");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io))
        .await
        .expect("a handshake");
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "orders.example.com");
    let request = request.body(Empty::<Bytes>::new()).expect("a request");
    let answered = sender.send_request(request).await;
    let (parts, body) = answered.expect("a response").into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Response::from_parts(parts, body)
}

#[tokio::test]
async fn in_axum_a_request_is_a_span_with_what_it_came_to() {
    let recorder = Recorder::default();
    let _listening = recorder.listen();
    let app = axum::Router::new()
        .route("/orders/{id}", axum::routing::get(async || "an order"))
        .layer(ObserveLayer::new(all().build()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async { axum::serve(listener, app).await });
    let response = get_from(address, "/orders/7?token=secret").await;
    assert_eq!(response.body(), "an order");

    let spans = recorder.spans();
    let [span] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert!(span.is_closed);
    assert_eq!((span.name, span.parent), ("request", None));
    let expected = [
        ("otel.kind", "server"),
        ("otel.name", "GET"),
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.response.body.size", "8"),
        ("url.path", "/orders/7"),
        ("server.address", "orders.example.com"),
        ("service", "orders"),
        ("sampling_rule", "all"),
    ];
    for (field, value) in expected {
        assert_eq!(
            span.fields.get(field).map(String::as_str),
            Some(value),
            "{field}"
        );
    }
    assert!(
        !format!("{span:?}").contains("secret"),
        "queries are left out"
    );
}

#[tokio::test]
async fn in_axum_a_span_is_named_by_the_route_that_matched() {
    let recorder = Recorder::default();
    let _listening = recorder.listen();
    let traces = all().route(|head| {
        let matched = head.extensions().get::<axum::extract::MatchedPath>();
        matched.map(axum::extract::MatchedPath::as_str)
    });
    let app = axum::Router::new()
        .route("/orders/{id}", axum::routing::get(async || "an order"))
        .layer(ObserveLayer::new(traces.build()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async { axum::serve(listener, app).await });
    get_from(address, "/orders/7").await;
    get_from(address, "/none").await;
    let names = recorder.spans();
    let names: Vec<_> = names
        .iter()
        .map(|span| (&*span.fields["otel.name"], span.fields.get("http.route")))
        .collect();
    let route = "/orders/{id}".to_owned();
    assert_eq!(names, [("GET /orders/{id}", Some(&route)), ("GET", None)]);
}

#[tokio::test]
async fn in_hyper_too_and_a_fault_is_an_error() {
    let recorder = Recorder::default();
    let _listening = recorder.listen();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = ObserveLayer::new(all().build()).layer(service_fn(
        async |mut request: Request<hyper::body::Incoming>| {
            let route = MatchedRoute::new(Route::new("/orders/{id}"), request.uri(), 0);
            RequestContext::of(&mut request).set_route(route);
            let mut response = Response::new(Full::<Bytes>::from("broken"));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            Ok::<_, Infallible>(response)
        },
    ));
    tokio::spawn(async move {
        let (io, _) = listener.accept().await.expect("a connection");
        let service = hyper_util::service::TowerToHyperService::new(service);
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(io), service)
            .await
    });
    let response = get_from(address, "/orders/7").await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);

    let spans = recorder.spans();
    let [span] = &spans[..] else {
        panic!("{spans:?}")
    };
    for (field, value) in [
        ("otel.name", "GET /orders/{id}"),
        ("http.route", "/orders/{id}"),
        ("otel.status_code", "error"),
        ("error.type", "502"),
    ] {
        assert_eq!(
            span.fields.get(field).map(String::as_str),
            Some(value),
            "{field}"
        );
    }
}

#[tokio::test]
async fn the_ids_of_a_span_are_those_that_go_out() {
    let recorder = Recorder::default();
    let _listening = recorder.listen();
    let out = sent_on(&all().build(), Request::new(())).await;
    let sent = Trace::parse_traceparent(header(&out, "traceparent")).expect("a trace");
    let spans = recorder.spans();
    assert_eq!(spans[0].fields["span_id"], sent.parent());
    assert_eq!(spans[0].fields["trace_id"], format!("{:032x}", sent.id()));
}

#[tokio::test]
async fn what_a_service_does_stands_below_its_span() {
    let recorder = Recorder::default();
    let _listening = recorder.listen();
    let service = ObserveLayer::new(all().build()).layer(service_fn(async |_: Request<()>| {
        tokio::task::yield_now().await;
        tracing::info_span!("query").in_scope(|| {});
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    service.oneshot(Request::new(())).await.expect("a response");
    let spans = recorder.spans();
    assert_eq!(spans[1].name, "query");
    assert_eq!(spans[1].parent, Some("request"));
}

#[tokio::test]
async fn a_layer_inside_another_stands_below_it() {
    let recorder = Recorder::default();
    let _listening = recorder.listen();
    let inner = service_fn(async |request: Request<()>| {
        let context = request.extensions().get::<RequestContext>();
        let span = context.and_then(RequestContext::span);
        let span = format!("{:016x}", span.expect("a span"));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(span)))
    });
    let inner = ObserveLayer::new(all().build()).layer(inner);
    let outer = ObserveLayer::new(all().build()).layer(inner);
    let mut request = Request::new(());
    let context = RequestContext::of(&mut request).clone();
    let response = outer.oneshot(request).await.expect("a response");
    let innermost = response.collect().await.expect("a body").to_bytes();

    let spans = recorder.spans();
    assert_eq!(spans[1].parent, Some("request"));
    assert_eq!(spans[0].fields["trace_id"], spans[1].fields["trace_id"]);
    assert_eq!(spans[1].fields["span_id"], innermost);
    let after = context.span().map(|span| format!("{span:016x}"));
    assert_eq!(after.as_ref(), Some(&spans[0].fields["span_id"]));
}

#[tokio::test]
async fn a_request_that_is_not_recorded_makes_no_span() {
    let recorder = Recorder::default();
    let _listening = recorder.listen();
    let rules = SamplingRules::new([]).expect("no rules");
    sent_on(&all().sampling(rules).build(), Request::new(())).await;
    assert!(recorder.spans().is_empty());
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_ends_as_cancelled() {
    let recorder = Recorder::default();
    let _listening = recorder.listen();
    let never = service_fn(async |_: Request<()>| {
        pending::<()>().await;
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let service = ObserveLayer::new(all().build()).layer(never);
    let waiting = Box::pin(service.oneshot(Request::new(())));
    assert!(waiting.now_or_never().is_none());
    let spans = recorder.spans();
    assert!(spans[0].is_closed);
    assert_eq!(spans[0].fields["error.type"], "cancelled");
}
