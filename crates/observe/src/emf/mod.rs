//! Metrics as lines of JSON that CloudWatch reads: its embedded metric format.

mod document;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use http::Request;
use portcullis_core::{CacheStatus, Head, Measure, RequestContext};

use crate::error::ConfigError;
use crate::exchange::Exchange;
use crate::observer::Observer;
use crate::series::{Entry, Labels, RouteOf, Seen, Table};
use crate::sink::LogSink;

/// Writes metrics of requests in CloudWatch's embedded metric format: lines of JSON, which the CloudWatch agent, Lambda and Fluent Bit turn into metrics.
///
/// ```
/// use std::time::Duration;
/// use portcullis_observe::{Emf, LogSink, ObserveLayer};
///
/// let emf = Emf::builder().namespace("Shop").service("pets").interval(Duration::from_secs(60)).build(LogSink::stdout())?;
/// let layer = ObserveLayer::new(emf);
/// # let _ = layer;
/// # Ok::<(), portcullis_observe::ConfigError>(())
/// ```
///
/// The metrics and dimensions are those of Amazon API Gateway: `Count`, `4XXError`, `5XXError`, `Latency`, `IntegrationLatency`, `CacheHitCount` and `CacheMissCount` by `ApiName`, `Stage`, `Method` and `Resource` for REST
/// APIs; `Count`, `4xx`, `5xx`, `Latency`, `IntegrationLatency` and `DataProcessed` by `ApiId` and the same for HTTP APIs; a stage's canary is `Stage` `prod/Canary`. Errors and cache hits are samples of 0 and 1, so that `Average` is
/// a rate. Requests that no API served have the dimension `Service`.
///
/// A line has the samples of up to 100 requests to one method, and is written when it is full, or when the [interval](EmfBuilder::interval) is over: a minute unless it is set. How many lines wait is bounded as for any [`LogSink`], and so is the number of methods that are told apart (2,000).
#[derive(Clone)]
pub struct Emf {
    shared: Arc<Shared>,
}

/// Builds [`Emf`].
#[derive(Clone)]
#[must_use]
pub struct EmfBuilder {
    namespace: String,
    service: String,
    detailed: bool,
    interval: Duration,
    route: Option<Arc<RouteOf>>,
}

struct Shared {
    namespace: String,
    service: String,
    detailed: bool,
    route: Option<Arc<RouteOf>>,
    sink: LogSink,
    table: Table<Mutex<Vec<Sample>>>,
}

/// What one request adds.
#[derive(Clone, Copy)]
struct Sample {
    /// Milliseconds since 1970.
    at: u64,
    class: u16,
    /// Milliseconds.
    latency: f64,
    integration_latency: Option<i64>,
    /// Whether the cache served it, where it had a part in it.
    cache_hit: Option<bool>,
    processed: u64,
}

/// As many as the format lets one line have.
const SAMPLES: usize = 100;

impl Emf {
    /// Begins.
    pub fn builder() -> EmfBuilder {
        EmfBuilder {
            namespace: "Portcullis".to_owned(),
            service: "portcullis".to_owned(),
            detailed: true,
            interval: Duration::from_secs(60),
            route: None,
        }
    }

    /// Records a request that has ended, by what its context says. `route` is for requests whose context has none, and `detailed` says whether method and resource are
    /// dimensions, too. For whoever does without [`ObserveLayer`](crate::ObserveLayer).
    pub fn record(&self, route: Option<&str>, detailed: bool, exchange: &Exchange<'_>) {
        let context = exchange.context();
        let seen = Seen::of(exchange);
        let labels = Labels::of(context, route, seen.canary.as_ref(), detailed);
        let entry = self
            .shared
            .table
            .series(&labels, |_| Mutex::new(Vec::with_capacity(SAMPLES)));
        let at = context
            .received()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let sample = Sample {
            at: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            class: seen.class,
            latency: exchange.latency().as_secs_f64() * 1e3,
            integration_latency: context.measured(Measure::IntegrationLatency),
            cache_hit: context.cache_status().and_then(CacheStatus::is_hit),
            processed: exchange.processed(),
        };
        let mut samples = entry.series.lock().unwrap_or_else(PoisonError::into_inner);
        samples.push(sample);
        if samples.len() == SAMPLES {
            self.shared.write(&entry, &mut samples);
        }
    }

    /// Writes what has been recorded since the last line. It does not wait until the sink has written it.
    pub fn flush(&self) {
        self.shared.flush();
    }

    /// Where the lines go.
    #[must_use]
    pub fn sink(&self) -> &LogSink {
        &self.shared.sink
    }
}

impl EmfBuilder {
    /// The namespace of the metrics. Default: `Portcullis`. Names that begin with `AWS/` are Amazon's own.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// What the dimension `Service` says of requests that no API served. Default: `portcullis`.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = service.into();
        self
    }

    /// Whether method and resource are dimensions, too: detailed metrics, as the service calls them. Default: yes. A gateway does what its definition says instead.
    pub const fn detailed(mut self, detailed: bool) -> Self {
        self.detailed = detailed;
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

    /// How long samples wait for a full line at most. Default: a minute.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Builds them.
    ///
    /// # Errors
    ///
    /// If CloudWatch would not take the namespace.
    pub fn build(self, sink: LogSink) -> Result<Emf, ConfigError> {
        check_namespace(&self.namespace)?;
        let shared = Arc::new(Shared {
            namespace: self.namespace,
            service: self.service,
            detailed: self.detailed,
            route: self.route,
            sink,
            table: Table::new(2_000),
        });
        let weak = Arc::downgrade(&shared);
        let interval = self.interval.max(Duration::from_millis(10));
        let spawned = thread::Builder::new()
            .name("portcullis-emf".to_owned())
            .spawn(move || flush_each(interval, &weak));
        if let Err(error) = spawned {
            tracing::error!(%error, "there is no thread to write metrics in time; they are written when a line is full");
        }
        Ok(Emf { shared })
    }
}

/// "Concepts" of the CloudWatch user guide: which names there may be.
fn check_namespace(namespace: &str) -> Result<(), ConfigError> {
    let fault = |problem: &str| Err(ConfigError::new("namespace", namespace, problem));
    let allowed = |it: char| it.is_ascii_alphanumeric() || ". -_/#:".contains(it);
    if namespace.trim().is_empty() || namespace.len() > 255 {
        return fault("must have 1 to 255 characters");
    }
    if namespace
        .get(..4)
        .is_some_and(|begin| begin.eq_ignore_ascii_case("aws/"))
    {
        return fault(
            "begins with `AWS/`, and such namespaces are Amazon's own; take another, `Portcullis/ApiGateway` say",
        );
    }
    if !namespace.chars().all(allowed) {
        return fault("may have letters, digits, spaces and `.-_/#:`");
    }
    Ok(())
}

/// Until nobody records any more.
fn flush_each(interval: Duration, shared: &Weak<Shared>) {
    loop {
        thread::sleep(interval);
        match shared.upgrade() {
            Some(shared) => shared.flush(),
            None => return,
        }
    }
}

impl Shared {
    fn flush(&self) {
        for entry in self.table.all() {
            let mut samples = entry.series.lock().unwrap_or_else(PoisonError::into_inner);
            self.write(&entry, &mut samples);
        }
    }

    fn write(&self, entry: &Entry<Mutex<Vec<Sample>>>, samples: &mut Vec<Sample>) {
        if !samples.is_empty() {
            self.sink
                .write(|line| document::write(self, &entry.labels, samples, line));
            samples.clear();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Observer for Emf {
    type Watch = Option<Arc<str>>;

    fn begin<B>(&self, request: &mut Request<B>, _context: &RequestContext) -> Self::Watch {
        let route = self.shared.route.as_ref()?(&Head::of(request))?;
        Some(self.shared.table.route(route))
    }

    fn end(&self, route: Self::Watch, exchange: &Exchange<'_>) {
        self.record(route.as_deref(), self.shared.detailed, exchange);
    }
}

impl fmt::Debug for EmfBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmfBuilder")
            .field("namespace", &self.namespace)
            .field("service", &self.service)
            .field("detailed", &self.detailed)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Emf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emf")
            .field("namespace", &self.shared.namespace)
            .field("sink", &self.shared.sink)
            .finish_non_exhaustive()
    }
}
