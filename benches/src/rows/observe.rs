//! Metrics and access logs: the recording alone, and the layer round a service.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum_prometheus::PrometheusMetricLayer;
use http::{HeaderValue, Method, Request, StatusCode};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use portcullis_core::{
    ApiStage, Connection, MatchedRoute, Measure, RequestContext, Route, SystemClock, TRACEPARENT,
    Trace,
};
use portcullis_observe::trace::{SamplingRules, Traces};
use portcullis_observe::{
    AccessFormat, AccessLog, Captured, Exchange, LogSink, Metrics, Names, ObserveLayer, Observer,
    Outcome,
};
use tower_http::trace::TraceLayer;
use tower_layer::Layer;
use tracing::dispatcher::{self, Dispatch};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::surroundings::{Body, Hello, answer, bare, pet, request};
use crate::row::{Case, Goal, Who};

pub(super) fn cases() -> Vec<Case> {
    vec![
        recorded(),
        metrics_layer(),
        line(),
        log_layer(),
        trace("trace", |_| {}),
        trace("trace-in", |request| {
            let parent = HeaderValue::from_static(TRACEPARENT_VALUE);
            request.headers_mut().insert(TRACEPARENT, parent);
        }),
        spans(),
    ]
}

/// What a request adds to metrics, by handles that are kept, to a recorder of atomics.
fn recorded() -> Case {
    Case::new("observe", "metrics")
        .row(Who::Bare, || {
            let context = context();
            move || ended(&context).sent()
        })
        .row(Who::Floor, || {
            let context = context();
            let counts: [AtomicU64; 3] = Default::default();
            move || {
                let exchange = ended(&context);
                counts[0].fetch_add(1, Ordering::Relaxed);
                counts[1].fetch_add(exchange.sent(), Ordering::Relaxed);
                counts[2].fetch_add(exchange.latency().subsec_micros().into(), Ordering::Relaxed)
            }
        })
        .row(Who::Portcullis, || {
            let context = context();
            let metrics = Metrics::builder().recorder(Arc::new(Atomics));
            let method = metrics.names(Names::Service).build().method(true);
            move || {
                let exchange = ended(&context);
                method.record(&exchange);
                exchange.sent()
            }
        })
        // Under both sets of names.
        .row(Who::Peer("both-names"), || {
            let context = context();
            let metrics = Metrics::builder().recorder(Arc::new(Atomics)).build();
            let method = metrics.method(true);
            move || {
                let exchange = ended(&context);
                method.record(&exchange);
                exchange.sent()
            }
        })
        .row(Who::Peer("macros"), || {
            let context = context();
            move || {
                let exchange = ended(&context);
                let labels = [
                    ("Method", "GET"),
                    ("Resource", "/pets/{id}"),
                    ("Stage", "prod"),
                    ("ApiName", "pets"),
                ];
                metrics::with_local_recorder(&Atomics, || {
                    metrics::counter!("count", &labels).increment(1);
                    metrics::histogram!("latency", &labels).record(exchange.latency());
                });
                exchange.sent()
            }
        })
        .goal(Goal::OverBare(150.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// The layer, with the exporter that users install.
fn metrics_layer() -> Case {
    // The peer's exporter and ours calibrate a clock, which takes another time in each run.
    Case::new("observe", "metrics-layer")
        .repeat(20)
        .row(Who::Bare, bare)
        .row(Who::Portcullis, || {
            let recorder = PrometheusBuilder::new().build_recorder();
            let metrics = Metrics::builder().recorder(Arc::new(recorder));
            let metrics = metrics.route(|_| Some("/pets/{id}")).build();
            let mut service = ObserveLayer::new(metrics).layer(Hello);
            let uri = pet();
            move || answer(&mut service, request(&uri)).status()
        })
        .row(Who::Peer("axum-prometheus"), || {
            // It records in what is installed for the whole program.
            let recorder = PrometheusBuilder::new().build_recorder();
            let _ = metrics::set_global_recorder(recorder);
            let mut service = PrometheusMetricLayer::new().layer(Hello);
            let uri = pet();
            move || answer(&mut service, request(&uri)).status()
        })
        .goal(Goal::TimesPeerOverBare("axum-prometheus", 0.5))
}

const FORMAT: &str = "$context.identity.sourceIp [$context.requestTime] \"$context.httpMethod $context.path $context.protocol\" $context.status $context.responseLength \"$context.identity.userAgent\" $context.requestId";

/// A line of eight fields, from a request that has ended to the buffer that a thread writes from.
fn line() -> Case {
    Case::new("observe", "line")
        .row(Who::Bare, || {
            let context = context();
            move || ended(&context).sent()
        })
        .row(Who::Floor, || {
            let context = context();
            let buffer = Mutex::new(Vec::with_capacity(256 * 1024));
            move || copied(&ended(&context), &buffer)
        })
        .row(Who::Portcullis, || {
            let context = context();
            let log = AccessLog::new(format(), LogSink::writer(io::sink()));
            move || {
                let exchange = ended(&context);
                log.write(&Captured::default(), &exchange);
                exchange.sent()
            }
        })
        .goal(Goal::OverBare(700.0))
        .goal(Goal::AllocationsOverBare(0.0))
}

/// The layer, beside that which users log by.
fn log_layer() -> Case {
    Case::new("observe", "line-layer")
        .row(Who::Bare, bare)
        .row(Who::Portcullis, || {
            let log = AccessLog::new(format(), LogSink::writer(io::sink()));
            let mut service = ObserveLayer::new(log).layer(Hello);
            let uri = pet();
            move || answer(&mut service, request(&uri)).status()
        })
        .row(Who::Peer("tower-http"), || {
            let subscriber = tracing_subscriber::fmt().json().with_writer(io::sink);
            let dispatch = Dispatch::new(subscriber.finish());
            let layer = TraceLayer::new_for_http()
                .make_span_with(
                    tower_http::trace::DefaultMakeSpan::new().level(tracing::Level::INFO),
                )
                .on_response(
                    tower_http::trace::DefaultOnResponse::new().level(tracing::Level::INFO),
                );
            let mut service = layer.layer(Hello);
            let uri = pet();
            move || {
                dispatcher::with_default(&dispatch, || answer(&mut service, request(&uri)).status())
            }
        })
        .goal(Goal::TimesPeerOverBare("tower-http", 0.5))
}

const TRACEPARENT_VALUE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Who only says in the context where the request stands in a trace, as whoever calls others must.
#[derive(Debug)]
struct Ids;

impl Observer for Ids {
    type Watch = ();

    fn begin<B>(&self, request: &mut Request<B>, context: &RequestContext) {
        let trace = context.trace_or(|| {
            Trace::from_headers(request.headers())
                .unwrap_or_else(|| Trace::generate(context.received()))
        });
        context.set_span(trace.parent_id());
    }

    fn end(&self, _watch: (), _exchange: &Exchange<'_>) {}
}

/// Traces that are to be recorded, where nobody listens to spans.
fn trace(name: &str, prepare: fn(&mut Request<Body>)) -> Case {
    let ask = move || {
        let uri = pet();
        move || {
            let mut request = request(&uri);
            prepare(&mut request);
            request
        }
    };
    Case::new("observe", name)
        .row(Who::Bare, move || {
            let request = ask();
            move || answer(&mut Hello, request()).status()
        })
        .row(Who::Floor, move || {
            let request = ask();
            let mut service = ObserveLayer::new(Ids).layer(Hello);
            move || answer(&mut service, request()).status()
        })
        .row(Who::Portcullis, move || {
            let request = ask();
            let traces = Traces::builder("bench").sampling(SamplingRules::all());
            let mut service = ObserveLayer::new(traces.build()).layer(Hello);
            move || answer(&mut service, request()).status()
        })
        // It looks at no header, and hands no trace on.
        .row(Who::Peer("tower-http"), move || {
            let request = ask();
            let mut service = TraceLayer::new_for_http().layer(Hello);
            move || answer(&mut service, request()).status()
        })
        .goal(Goal::OverFloor(50.0))
        // Those of the context, in which the ids are.
        .goal(Goal::AllocationsOverBare(4.0))
}

/// A span of each request, to a subscriber that only keeps them.
fn spans() -> Case {
    Case::new("observe", "spans")
        .row(Who::Bare, bare)
        .row(Who::Portcullis, || {
            let dispatch = Dispatch::new(tracing_subscriber::registry().with(LevelFilter::INFO));
            let traces = Traces::builder("bench").sampling(SamplingRules::all());
            let mut service = ObserveLayer::new(traces.build()).layer(Hello);
            let uri = pet();
            move || {
                dispatcher::with_default(&dispatch, || answer(&mut service, request(&uri)).status())
            }
        })
        .row(Who::Peer("tower-http"), || {
            let dispatch = Dispatch::new(tracing_subscriber::registry().with(LevelFilter::INFO));
            let layer = TraceLayer::new_for_http().make_span_with(
                tower_http::trace::DefaultMakeSpan::new().level(tracing::Level::INFO),
            );
            let mut service = layer.layer(Hello);
            let uri = pet();
            move || {
                dispatcher::with_default(&dispatch, || answer(&mut service, request(&uri)).status())
            }
        })
        .goal(Goal::TimesPeerOverBare("tower-http", 1.0))
}

fn format() -> AccessFormat {
    AccessFormat::parse(FORMAT).expect("the format is good")
}

/// The floor: eight fields that are there already, copied into a buffer that has room.
fn copied(exchange: &Exchange<'_>, buffer: &Mutex<Vec<u8>>) -> usize {
    let context = exchange.context();
    let mut buffer = buffer.lock().expect("nobody panics");
    if buffer.len() > 128 * 1024 {
        buffer.clear();
    }
    let id = context.request_id();
    for field in [
        "192.0.2.17 ",
        "[14/Nov/2023:22:13:20 +0000] ",
        context.method().as_str(),
        context.uri().path(),
        "HTTP/1.1",
        "200",
        "5",
        "\"bench/1.0\"",
        id.as_str(),
        "\n",
    ] {
        buffer.extend_from_slice(field.as_bytes());
    }
    buffer.len()
}

/// A request as a gateway knows it at its end.
fn context() -> RequestContext {
    let uri = pet();
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri.clone();
    let agent = HeaderValue::from_static("bench/1.0");
    request.headers_mut().insert("user-agent", agent);
    let context = RequestContext::new(&request, &SystemClock::new());
    let peer = "192.0.2.17:4711".parse().expect("an address");
    context.set_connection(Connection::new(peer));
    let mut stage = ApiStage::default();
    stage.api_id = "pets".into();
    stage.stage = "prod".into();
    context.set_stage(stage);
    context.set_route(MatchedRoute::new(Route::new("/pets/{id}"), &uri, 0));
    context.measure(Measure::Status, 200);
    context.measure(Measure::ResponseLength, 5);
    context
}

fn ended(context: &RequestContext) -> Exchange<'_> {
    let latency = Duration::from_micros(1_234);
    Exchange::new(context, Outcome::Complete, Some(StatusCode::OK), 5, latency)
}

/// A recorder whose metrics are atomics: what is measured is what calls it.
#[derive(Debug)]
struct Atomics;

struct Times {
    count: AtomicU64,
    sum: AtomicU64,
}

impl HistogramFn for Times {
    fn record(&self, value: f64) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value as u64, Ordering::Relaxed);
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
        Histogram::from_arc(Arc::new(Times {
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }))
    }
}
