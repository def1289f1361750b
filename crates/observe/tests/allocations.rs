//! What a log line allocates: nothing.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::Full;
use portcullis_core::{ApiKind, Connection, RequestContext};
use portcullis_observe::{AccessFormat, AccessLog, LogSink, ObserveLayer, Observer};
use tower::{Layer, Service, service_fn};

fn answer(_: Request<()>) -> Ready<Result<Response<Full<Bytes>>, Infallible>> {
    ready(Ok(Response::new(Full::from("hello"))))
}

fn request() -> Request<()> {
    let mut request = Request::new(());
    let agent = HeaderValue::from_static("Mozilla/5.0 (X11; Linux x86_64)");
    request.headers_mut().insert("user-agent", agent);
    let context = RequestContext::of(&mut request);
    context.set_connection(Connection::new(
        "192.0.2.17:80".parse().expect("an address"),
    ));
    request
}

/// The allocations of one request, from its arrival to the last byte of its response.
fn allocations<O: Observer>(layer: &ObserveLayer<O>) -> u64 {
    let mut service = layer.layer(service_fn(answer));
    let request = request();
    let counts = measure(|| {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut future = pin!(service.call(request));
        let Poll::Ready(Ok(response)) = future.as_mut().poll(cx) else {
            panic!("it is ready at once");
        };
        let mut body = pin!(response.into_body());
        assert!(matches!(body.as_mut().poll_frame(cx), Poll::Ready(Some(_))));
    });
    counts.count_total
}

#[test]
fn a_line_costs_no_allocation() {
    for format in [
        AccessFormat::clf(ApiKind::Rest),
        AccessFormat::json(ApiKind::Rest),
        AccessFormat::xml(ApiKind::Rest),
        AccessFormat::csv(ApiKind::Rest),
        AccessFormat::parse(
            "$context.requestId [$context.requestTime] \"$context.httpMethod $context.path\" $context.status $context.responseLatency \"$context.identity.userAgent\"",
        )
        .expect("a format"),
    ] {
        let sink = LogSink::writer(io::sink());
        let layer = ObserveLayer::new(AccessLog::new(format, sink.clone()));
        // The first lines make the buffers.
        for _ in 0..3 {
            allocations(&layer);
            assert!(sink.flush(Duration::from_secs(60)));
        }
        for _ in 0..100 {
            assert_eq!(allocations(&layer), 0);
        }
    }
}

#[test]
fn headers_cost_one_allocation_to_keep_them() {
    let format = "$context.requestId $request.header.user-agent $request.header.referer";
    let format = AccessFormat::parse(format).expect("a format");
    let layer = ObserveLayer::new(AccessLog::new(format, LogSink::writer(io::sink())));
    allocations(&layer);
    assert_eq!(allocations(&layer), 1);
}

#[test]
fn a_hundred_thousand_lines_leave_nothing_in_memory() {
    let format = AccessFormat::json(ApiKind::Rest);
    let sink = LogSink::writer(io::sink());
    let layer = ObserveLayer::new(AccessLog::new(format, sink.clone()));
    for _ in 0..3 {
        allocations(&layer);
        assert!(sink.flush(Duration::from_secs(60)));
    }
    let counts = measure(|| {
        for _ in 0..100_000 {
            let mut service = layer.layer(service_fn(answer));
            let mut future = pin!(service.call(request()));
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(future.as_mut().poll(cx).is_ready());
        }
    });
    // What requests are made of comes and goes; nothing stays.
    assert_eq!(counts.bytes_current, 0);
}

#[cfg(feature = "metrics")]
mod recorded {
    //! A recorder of atomics, which allocates nothing by itself.

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use metrics::{
        Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString,
        Unit,
    };

    #[derive(Debug)]
    pub(super) struct Atomics;

    struct Times(AtomicU64);

    impl HistogramFn for Times {
        fn record(&self, value: f64) {
            self.0.fetch_add(value as u64, Ordering::Relaxed);
        }
    }

    impl Recorder for Atomics {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(Arc::new(AtomicU64::new(0)))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(Arc::new(AtomicU64::new(0)))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(Arc::new(Times(AtomicU64::new(0))))
        }
    }
}

#[cfg(feature = "metrics")]
#[test]
fn metrics_of_a_request_cost_no_allocation() {
    let metrics = portcullis_observe::Metrics::builder()
        .recorder(std::sync::Arc::new(recorded::Atomics))
        .route(|head| Some(head.uri().path()))
        .build();
    let layer = ObserveLayer::new(metrics);
    allocations(&layer);
    for _ in 0..100 {
        assert_eq!(allocations(&layer), 0);
    }
}

#[test]
fn lines_of_embedded_metrics_cost_nothing_until_they_are_full() {
    let sink = LogSink::writer(io::sink());
    let layer = ObserveLayer::new(portcullis_observe::Emf::builder().build(sink).unwrap());
    allocations(&layer);
    for _ in 0..98 {
        assert_eq!(allocations(&layer), 0);
    }
}
