//! The metrics of one method of one stage: handles that are bound once.

use std::sync::OnceLock;

use metrics::{Counter, Histogram, Key, Label};
use portcullis_core::{ApiKind, CacheStatus, Measure, RequestContext};

use super::{Shared, names};
use crate::exchange::{Exchange, Outcome};
use crate::series::{OTHER, OwnLabels};

/// The handles of one method of one stage, and of one release of it.
pub(super) struct Series {
    service: Option<ServiceHandles>,
    /// Of the conventions, by what differs between requests; made when it is first seen.
    durations: [OnceLock<(Ending, Histogram)>; ENDINGS],
    /// For endings of which there are too many.
    other: OnceLock<Histogram>,
    authorizer: [OnceLock<Histogram>; 3],
}

/// What requests with a duration of their own have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ending {
    status: u16,
    outcome: Outcome,
    secure: bool,
}

/// How many endings one method is told apart by. A backend that makes statuses up gets no more.
const ENDINGS: usize = 16;

/// Under the service's names.
struct ServiceHandles {
    count: Counter,
    client_errors: Counter,
    server_errors: Counter,
    latency: Histogram,
    integration_latency: Histogram,
    /// Of REST APIs: hits and misses.
    cache: Option<(Counter, Counter)>,
    /// Of HTTP APIs.
    data_processed: Option<Counter>,
}

impl Series {
    pub(super) fn new(shared: &Shared, labels: &OwnLabels) -> Self {
        let has_service = shared.names.has_service();
        Self {
            service: has_service.then(|| ServiceHandles::new(shared, labels)),
            durations: [const { OnceLock::new() }; ENDINGS],
            other: OnceLock::new(),
            authorizer: [const { OnceLock::new() }; 3],
        }
    }

    /// Records one request. It allocates nothing, unless something is seen for the first time.
    #[inline]
    pub(super) fn record(
        &self,
        shared: &Shared,
        labels: &OwnLabels,
        class: u16,
        exchange: &Exchange<'_>,
    ) {
        let context = exchange.context();
        let seconds = exchange.latency().as_secs_f64();
        if let Some(service) = &self.service {
            service.record(exchange, class, seconds);
        }
        if shared.names.has_conventions() {
            self.record_duration(shared, labels, exchange, seconds);
        }
        if let Some(took) = context.measured(Measure::AuthorizerLatency) {
            self.record_authorizer(shared, labels, context, took);
        }
    }

    fn record_duration(
        &self,
        shared: &Shared,
        labels: &OwnLabels,
        exchange: &Exchange<'_>,
        seconds: f64,
    ) {
        let ending = Ending {
            status: exchange.status().map_or(0, |status| status.as_u16()),
            outcome: exchange.outcome(),
            secure: is_secure(exchange.context()),
        };
        for slot in &self.durations {
            let (own, histogram) =
                slot.get_or_init(|| (ending, duration(shared, labels, Some(ending))));
            if *own == ending {
                return histogram.record(seconds);
            }
        }
        let other = self.other.get_or_init(|| duration(shared, labels, None));
        other.record(seconds);
    }

    fn record_authorizer(
        &self,
        shared: &Shared,
        labels: &OwnLabels,
        context: &RequestContext,
        took: i64,
    ) {
        let status = context.measured(Measure::AuthorizerStatus);
        let (slot, outcome) = match status {
            Some(401 | 403) => (1, "denied"),
            Some(200) | None => (0, "allowed"),
            Some(_) => (2, "failed"),
        };
        let histogram = self.authorizer[slot].get_or_init(|| {
            let labels = vec![
                Label::new("api", labels.api_id.to_string()),
                Label::new("stage", labels.stage.to_string()),
                Label::new("outcome", outcome),
            ];
            shared.histogram(names::AUTHORIZER, labels)
        });
        histogram.record(took as f64 / 1e3);
    }
}

#[cold]
fn duration(shared: &Shared, own: &OwnLabels, ending: Option<Ending>) -> Histogram {
    let mut labels = vec![Label::new("http.request.method", own.method)];
    if let Some(route) = &own.route {
        labels.push(Label::new("http.route", route.to_string()));
    }
    if own.has_stage {
        labels.push(Label::new("portcullis.api", own.api_id.to_string()));
        labels.push(Label::new("portcullis.stage", own.stage.to_string()));
    }
    if let Some(canary) = &own.canary {
        labels.push(Label::new("portcullis.canary", canary.to_string()));
    }
    match ending {
        Some(ending) => {
            labels.push(scheme(ending.secure));
            let status = ending.status.to_string();
            if ending.status != 0 {
                labels.push(Label::new("http.response.status_code", status.clone()));
            }
            match ending.outcome {
                Outcome::Complete if ending.status >= 500 => {
                    labels.push(Label::new("error.type", status));
                }
                Outcome::Complete => {}
                other => labels.push(Label::new("error.type", other.as_str())),
            }
        }
        None => labels.push(Label::new("http.response.status_code", OTHER)),
    }
    shared.histogram(names::DURATION, labels)
}

pub(super) fn scheme(secure: bool) -> Label {
    Label::new("url.scheme", if secure { "https" } else { "http" })
}

pub(super) fn is_secure(context: &RequestContext) -> bool {
    context
        .connection()
        .is_some_and(|connection| connection.tls.is_some())
}

impl ServiceHandles {
    #[cold]
    fn new(shared: &Shared, labels: &OwnLabels) -> Self {
        let own = service_labels(labels);
        let counter = |name| shared.counter(name, own.clone());
        let histogram = |name| shared.histogram(name, own.clone());
        let rest = labels.kind == ApiKind::Rest;
        let (client_errors, server_errors) = if rest {
            (names::CLIENT_ERRORS, names::SERVER_ERRORS)
        } else {
            (names::HTTP_CLIENT_ERRORS, names::HTTP_SERVER_ERRORS)
        };
        Self {
            count: counter(names::COUNT),
            client_errors: counter(client_errors),
            server_errors: counter(server_errors),
            latency: histogram(names::LATENCY),
            integration_latency: histogram(names::INTEGRATION_LATENCY),
            cache: rest.then(|| (counter(names::CACHE_HITS), counter(names::CACHE_MISSES))),
            data_processed: (!rest).then(|| counter(names::DATA_PROCESSED)),
        }
    }

    #[inline]
    fn record(&self, exchange: &Exchange<'_>, class: u16, seconds: f64) {
        let context = exchange.context();
        self.count.increment(1);
        self.latency.record(seconds * 1e3);
        match class {
            4 => self.client_errors.increment(1),
            5.. => self.server_errors.increment(1),
            _ => {}
        }
        if let Some(took) = context.measured(Measure::IntegrationLatency) {
            self.integration_latency.record(took as f64);
        }
        if let Some((hits, misses)) = &self.cache
            && let Some(hit) = context.cache_status().and_then(CacheStatus::is_hit)
        {
            let count = if hit { hits } else { misses };
            count.increment(1);
        }
        if let Some(data) = &self.data_processed {
            data.increment(exchange.processed());
        }
    }
}

/// The dimensions of the service, and the API's id beside its name, since two APIs may have one name.
fn service_labels(labels: &OwnLabels) -> Vec<Label> {
    let mut own = Vec::with_capacity(5);
    if labels.has_stage {
        if labels.kind == ApiKind::Rest {
            own.push(Label::new("ApiName", labels.api_name.to_string()));
        }
        own.push(Label::new("ApiId", labels.api_id.to_string()));
        own.push(Label::new("Stage", labels.stage_dimension()));
    }
    if labels.detailed {
        own.push(Label::new("Method", labels.method));
        if let Some(route) = &labels.route {
            own.push(Label::new("Resource", route.to_string()));
        }
    }
    own
}

impl Shared {
    pub(super) fn counter(&self, name: &'static str, labels: Vec<Label>) -> Counter {
        let key = Key::from_parts(name, labels);
        self.with_recorder(|recorder| recorder.register_counter(&key, &names::METADATA))
    }

    pub(super) fn histogram(&self, name: &'static str, labels: Vec<Label>) -> Histogram {
        let key = Key::from_parts(name, labels);
        self.with_recorder(|recorder| recorder.register_histogram(&key, &names::METADATA))
    }
}
