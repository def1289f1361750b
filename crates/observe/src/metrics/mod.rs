//! Metrics of requests, through the `metrics` facade.

mod names;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
mod refusals;
mod series;

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::{Method, Request};
use metrics::{Gauge, Key, Label, Recorder};
use portcullis_core::{Head, RequestContext};

use crate::exchange::Exchange;
use crate::observer::Observer;
use crate::series::{Entry, Labels, METHODS, RouteOf, Seen, Table, name_at, place_of};
use refusals::Refusals;
use series::{Series, is_secure, scheme};

#[cfg(feature = "opentelemetry")]
pub use self::opentelemetry::OpenTelemetryRecorder;

/// Counts and times requests, by API, stage, method, route and canary: under the names of Amazon API Gateway and under those of the OpenTelemetry conventions.
///
/// ```
/// use axum::extract::MatchedPath;
/// use axum::{Router, routing::get};
/// use portcullis_observe::{Metrics, ObserveLayer};
///
/// let metrics = Metrics::builder()
///     .route(|head| head.extensions().get::<MatchedPath>().map(MatchedPath::as_str))
///     .build();
/// let router: Router = Router::new()
///     .route("/pets/{id}", get(async || "a cat"))
///     .layer(ObserveLayer::new(metrics));
/// ```
///
/// # Names
///
/// | name | is | labels |
/// | --- | --- | --- |
/// | `apigateway.Count` | counter: requests | `ApiName` (REST), `ApiId`, `Stage`; with details `Method`, `Resource` |
/// | `apigateway.4XXError`, `apigateway.5XXError` | counters: requests that failed, of REST APIs; those of HTTP APIs are `apigateway.4xx`, `apigateway.5xx` | the same |
/// | `apigateway.Latency` | histogram: milliseconds from the request's arrival to the end of its response | the same |
/// | `apigateway.IntegrationLatency` | histogram: milliseconds that what stands behind the method took, where it was called | the same |
/// | `apigateway.CacheHitCount`, `apigateway.CacheMissCount` | counters: requests that the cache served, or did not, of REST APIs | the same |
/// | `apigateway.DataProcessed` | counter: bytes of bodies, of HTTP APIs | the same |
/// | `http.server.request.duration` | histogram: seconds from the request's arrival to the end of its response | `http.request.method`, `http.route`, `http.response.status_code`, `url.scheme`, `error.type`, and `portcullis.api`, `portcullis.stage`, `portcullis.canary` |
/// | `http.server.active_requests` | gauge: requests in flight | `http.request.method`, `url.scheme` |
/// | `portcullis.refusals` | counter: what refused requests, or would have | `api`, `stage`, `layer`, `type`, `enforced`, and `rule` of throttles |
/// | `portcullis.limit.used` | histogram: percent of a limit or quota that was used when a request counted against it, where `RateLimit` headers are asked for | `limit` |
/// | `portcullis.limit.store.available` | gauge: whether the store of [shared limits](Metrics::limit_store) answered when it was last asked | |
/// | `portcullis.limit.store.asked`, `.leased`, `.decided_away` | counters: questions to that store, decisions by tokens taken ahead, decisions without it because it did not answer | |
/// | `portcullis.quota.used`, `portcullis.quota.keys`, `portcullis.quota.exhausted` | gauges: requests of a plan's keys in their periods, how many keys sent some, how many have none left, as [said](Metrics::quota) last | `plan` |
/// | `portcullis.authorizer.duration` | histogram: seconds that an authorizer took | `api`, `stage`, `outcome`: `allowed`, `denied`, `failed` |
/// | `portcullis.upstream.available`, `portcullis.upstream.in_flight` | gauges: whether requests go to a target, and how many are on their way, as [said](Metrics::upstream) last | `upstream`, `target` |
///
/// Prometheus has underscores for the dots. A canary is `Stage="prod/Canary"`, as in the service. A refusal that is worded with another status is counted by its own. A request whose client went
/// away before there was a response has a duration, with `error.type="cancelled"`, and is no error.
///
/// # Cardinality
///
/// Labels hold routes as they are declared, never paths. A method that HTTP does not know is `_OTHER`; so are routes past the [most](MetricsBuilder::max_series), and statuses of one method past the sixteenth.
///
/// # Cost
///
/// Handles are made when a method is first called, with the recorder that is installed then, and kept.
#[derive(Clone)]
pub struct Metrics {
    shared: Arc<Shared>,
}

/// Builds [`Metrics`].
#[derive(Clone, Default)]
#[must_use]
pub struct MetricsBuilder {
    recorder: Option<SharedRecorder>,
    names: Names,
    summary: bool,
    route: Option<Arc<RouteOf>>,
    max_series: Option<usize>,
}

/// Which names requests are recorded under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two sets of names")]
pub enum Names {
    /// Those of the service and those of the conventions.
    #[default]
    Both,
    /// Those of Amazon API Gateway: `apigateway.Count` …
    Service,
    /// Those of the OpenTelemetry conventions: `http.server.request.duration` …
    Conventions,
}

impl Names {
    const fn has_service(self) -> bool {
        matches!(self, Self::Both | Self::Service)
    }

    const fn has_conventions(self) -> bool {
        matches!(self, Self::Both | Self::Conventions)
    }
}

type SharedRecorder = Arc<dyn Recorder + Send + Sync>;

/// What all handles on the metrics share.
struct Shared {
    recorder: Option<SharedRecorder>,
    names: Names,
    detailed: bool,
    route: Option<Arc<RouteOf>>,
    table: Table<Series>,
    refusals: Refusals,
    in_flight: [[OnceLock<Gauge>; 2]; METHODS.len() + 1],
    described: OnceLock<()>,
}

impl Metrics {
    /// Metrics under both sets of names, by whatever recorder the program installs.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Begins metrics.
    pub fn builder() -> MetricsBuilder {
        MetricsBuilder::default()
    }

    /// The bounds of buckets that the conventions advise for `http.server.request.duration`, in seconds.
    pub const DURATION_BUCKETS: [f64; 14] = [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ];

    /// The same with bounds below 5 ms, from 50 µs on: for services that answer faster, whose percentiles [`LivePage`](crate::LivePage) reads off the buckets.
    pub const FINE_DURATION_BUCKETS: [f64; 24] = [
        0.000_05, 0.000_1, 0.000_2, 0.000_3, 0.000_5, 0.000_75, 0.001, 0.001_5, 0.002, 0.003,
        0.005, 0.007_5, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0,
    ];

    /// The same bounds for `apigateway.Latency` and `apigateway.IntegrationLatency`, in milliseconds.
    pub const LATENCY_BUCKETS: [f64; 14] = [
        5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0,
        10_000.0,
    ];

    /// The metrics of one method of one stage, whose handles are looked up once. For whoever knows the method before its requests come, as a gateway does.
    #[must_use]
    pub fn method(&self, detailed: bool) -> MethodMetrics {
        MethodMetrics {
            shared: Arc::clone(&self.shared),
            detailed,
            series: Default::default(),
        }
    }

    /// Begins to count a request as one in flight. For whoever does without [`ObserveLayer`](crate::ObserveLayer).
    #[must_use]
    pub fn enter(&self, method: &Method, context: &RequestContext) -> InFlight {
        let place = (place_of(method), is_secure(context));
        if let Some(gauge) = self.shared.in_flight(place) {
            gauge.increment(1.0);
        }
        InFlight {
            shared: Arc::clone(&self.shared),
            place,
        }
    }

    /// Says how a target of an upstream is at the moment. Gauges do not change by themselves: whoever shows them calls this before.
    pub fn upstream(&self, upstream: &str, target: &str, is_available: bool, in_flight: usize) {
        let labels = vec![
            Label::new("upstream", upstream.to_owned()),
            Label::new("target", target.to_owned()),
        ];
        let set = |name, value| self.shared.set(name, &labels, value);
        set(names::UPSTREAM_AVAILABLE, f64::from(u8::from(is_available)));
        set(names::UPSTREAM_IN_FLIGHT, in_flight as f64);
    }

    /// Says how a store of limits is at the moment that several machines share: whether it answered when it was last asked, how often it was asked since the start, how often tokens taken
    /// ahead decided in its place, and how often the process went on without it. Like [`upstream`](Self::upstream), whoever shows metrics calls this before.
    ///
    /// ```
    /// # use portcullis_observe::Metrics;
    /// # let metrics = Metrics::new();
    /// // The numbers of `portcullis_throttle::StoreStats`.
    /// let (away, asked, leased, decided_away) = (false, 12, 800, 0);
    /// metrics.limit_store(!away, asked, leased, decided_away);
    /// ```
    pub fn limit_store(&self, is_available: bool, asked: u64, leased: u64, decided_away: u64) {
        let available = f64::from(u8::from(is_available));
        self.shared.set(names::STORE_AVAILABLE, &[], available);
        for (name, count) in [
            (names::STORE_ASKED, asked),
            (names::STORE_LEASED, leased),
            (names::STORE_AWAY, decided_away),
        ] {
            self.shared.counter(name, Vec::new()).absolute(count);
        }
    }

    /// Says what the keys of a plan have used of its quota at the moment: their requests in this period, how many keys have sent some, and how many have nothing left. Whoever shows metrics
    /// calls this before.
    ///
    /// ```
    /// # use portcullis_observe::Metrics;
    /// # let metrics = Metrics::new();
    /// // The numbers of `portcullis_throttle::QuotaUse`.
    /// let (used, keys, exhausted) = (1200, 3, 1);
    /// metrics.quota("gold", used, keys, exhausted);
    /// ```
    pub fn quota(&self, plan: &str, used: u64, keys: u64, exhausted: u64) {
        let labels = [Label::new("plan", plan.to_owned())];
        self.shared.set(names::QUOTA_USED, &labels, used as f64);
        self.shared.set(names::QUOTA_KEYS, &labels, keys as f64);
        let exhausted = exhausted as f64;
        self.shared.set(names::QUOTA_EXHAUSTED, &labels, exhausted);
    }

    /// Records a request that has ended, by what its context says. `route` is for requests whose context has none.
    pub fn record(&self, route: Option<&str>, exchange: &Exchange<'_>) {
        let seen = Seen::of(exchange);
        let detailed = self.shared.detailed;
        let labels = Labels::of(exchange.context(), route, seen.canary.as_ref(), detailed);
        let entry = self.shared.series(&labels);
        entry.record_in(&self.shared, &seen, exchange);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn series(&self, labels: &Labels<'_>) -> Arc<Entry<Series>> {
        self.table.series(labels, |own| Series::new(self, own))
    }

    /// The gauge of requests with this method and scheme, unless those names are not wanted.
    fn in_flight(&self, (method, secure): (usize, bool)) -> Option<&Gauge> {
        if !self.names.has_conventions() {
            return None;
        }
        let slot = &self.in_flight[method][usize::from(secure)];
        Some(slot.get_or_init(|| {
            let labels = vec![
                Label::new("http.request.method", name_at(method)),
                scheme(secure),
            ];
            let key = Key::from_parts(names::ACTIVE, labels);
            self.with_recorder(|recorder| recorder.register_gauge(&key, &names::METADATA))
        }))
    }

    fn set(&self, name: &'static str, labels: &[Label], value: f64) {
        let key = Key::from_parts(name, labels.to_vec());
        let gauge = self.with_recorder(|recorder| recorder.register_gauge(&key, &names::METADATA));
        gauge.set(value);
    }

    fn with_recorder<T>(&self, work: impl FnOnce(&dyn Recorder) -> T) -> T {
        let work = |recorder: &dyn Recorder| {
            self.described
                .get_or_init(|| names::describe(recorder, self.names));
            work(recorder)
        };
        match &self.recorder {
            Some(recorder) => work(&**recorder),
            None => metrics::with_recorder(work),
        }
    }
}

impl MetricsBuilder {
    /// Records here instead of in the recorder that the program installs.
    pub fn recorder(mut self, recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// The names that requests are recorded under. Default: both sets.
    pub const fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Whether the service's names have labels for method and resource: its detailed metrics. Default: yes. A gateway does what its definition says instead.
    pub const fn detailed(mut self, detailed: bool) -> Self {
        self.summary = !detailed;
        self
    }

    /// How the route of a request is found that has none in its context: its declaration, never its path.
    pub fn route(
        mut self,
        route: impl for<'a> Fn(&Head<'a>) -> Option<&'a str> + Send + Sync + 'static,
    ) -> Self {
        self.route = Some(Arc::new(route));
        self
    }

    /// How many methods of stages are told apart at most. Default: 2,000.
    pub const fn max_series(mut self, most: usize) -> Self {
        self.max_series = Some(most);
        self
    }

    /// Builds them.
    #[must_use]
    pub fn build(self) -> Metrics {
        Metrics {
            shared: Arc::new(Shared {
                recorder: self.recorder,
                names: self.names,
                detailed: !self.summary,
                route: self.route,
                table: Table::new(self.max_series.unwrap_or(2_000)),
                refusals: Refusals::default(),
                in_flight: Default::default(),
                described: OnceLock::new(),
            }),
        }
    }
}

impl Entry<Series> {
    fn record_in(&self, shared: &Shared, seen: &Seen, exchange: &Exchange<'_>) {
        if seen.notable {
            let context = exchange.context();
            context.facts(|facts| refusals::record(shared, &self.labels, facts));
        }
        self.series
            .record(shared, &self.labels, seen.class, exchange);
    }
}

/// A request in flight, until it is dropped.
pub struct InFlight {
    shared: Arc<Shared>,
    place: (usize, bool),
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(gauge) = self.shared.in_flight(self.place) {
            gauge.decrement(1.0);
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InFlight")
    }
}

/// What [`Metrics`] keep of a request while it is served.
#[derive(Debug)]
pub struct MetricsWatch {
    route: Option<Arc<str>>,
    place: (usize, bool),
}

impl Observer for Metrics {
    type Watch = MetricsWatch;

    fn begin<B>(&self, request: &mut Request<B>, context: &RequestContext) -> MetricsWatch {
        let shared = &self.shared;
        let route = shared
            .route
            .as_ref()
            .and_then(|route| route(&Head::of(request)))
            .map(|route| shared.table.route(route));
        let place = (place_of(request.method()), is_secure(context));
        if let Some(gauge) = shared.in_flight(place) {
            gauge.increment(1.0);
        }
        MetricsWatch { route, place }
    }

    fn end(&self, watch: MetricsWatch, exchange: &Exchange<'_>) {
        if let Some(gauge) = self.shared.in_flight(watch.place) {
            gauge.decrement(1.0);
        }
        self.record(watch.route.as_deref(), exchange);
    }
}

/// The metrics of one method or route of one stage, with its handles bound to it.
pub struct MethodMetrics {
    shared: Arc<Shared>,
    detailed: bool,
    /// For requests that went to no canary, by verb: `ANY` has several.
    series: [OnceLock<Arc<Entry<Series>>>; METHODS.len() + 1],
}

impl MethodMetrics {
    /// Records a request that has ended. Its context must name this method and this stage: handles are bound by the first.
    pub fn record(&self, exchange: &Exchange<'_>) {
        let context = exchange.context();
        let shared = &*self.shared;
        let slot = &self.series[place_of(context.method())];
        if context.is_ordinary()
            && let Some(bound) = slot.get()
        {
            let class = exchange.class(None);
            return bound.series.record(shared, &bound.labels, class, exchange);
        }
        self.record_slowly(slot, exchange);
    }

    /// Of a request that something became of, or that is the first.
    #[cold]
    fn record_slowly(&self, slot: &OnceLock<Arc<Entry<Series>>>, exchange: &Exchange<'_>) {
        let context = exchange.context();
        let shared = &*self.shared;
        let seen = Seen::of(exchange);
        if let (None, Some(bound)) = (&seen.canary, slot.get()) {
            return bound.record_in(shared, &seen, exchange);
        }
        let labels = Labels::of(context, None, seen.canary.as_ref(), self.detailed);
        let entry = shared.series(&labels);
        if seen.canary.is_none() {
            let _ = slot.set(Arc::clone(&entry));
        }
        entry.record_in(shared, &seen, exchange);
    }
}

impl fmt::Debug for MethodMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MethodMetrics")
            .field("detailed", &self.detailed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("names", &self.shared.names)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MetricsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsBuilder")
            .field("names", &self.names)
            .field("detailed", &!self.summary)
            .field("max_series", &self.max_series)
            .finish_non_exhaustive()
    }
}
