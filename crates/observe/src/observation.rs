//! A request that is being served.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use portcullis_core::{Clock, Measure, RequestContext};

use crate::exchange::{Exchange, Outcome};
use crate::observer::Observer;

/// What all services of one layer share.
pub(crate) struct Shared<O> {
    pub(crate) observer: O,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The observation of one request. It ends once: when it is told, or when it is dropped.
pub(crate) struct Observation<O: Observer> {
    shared: Arc<Shared<O>>,
    context: RequestContext,
    /// Absent once it has ended.
    watch: Option<O::Watch>,
    status: Option<StatusCode>,
    sent: u64,
    /// How many bytes the response is to have, where that is known before.
    expected: Option<u64>,
}

impl<O: Observer> Observation<O> {
    pub(crate) fn begin<B>(shared: Arc<Shared<O>>, request: &mut Request<B>) -> Self {
        let context = match request.extensions().get::<RequestContext>() {
            Some(context) => context.clone(),
            None => {
                let context = RequestContext::new(request, &*shared.clock);
                request.extensions_mut().insert(context.clone());
                context
            }
        };
        let watch = shared.observer.begin(request, &context);
        Self {
            shared,
            context,
            watch: Some(watch),
            status: None,
            sent: 0,
            expected: None,
        }
    }

    /// The observation of a request that an observer has begun with already.
    pub(crate) const fn resume(
        shared: Arc<Shared<O>>,
        context: RequestContext,
        watch: O::Watch,
    ) -> Self {
        Self {
            shared,
            context,
            watch: Some(watch),
            status: None,
            sent: 0,
            expected: None,
        }
    }

    /// What the observer keeps, until the request has ended.
    pub(crate) const fn watch_mut(&mut self) -> Option<&mut O::Watch> {
        self.watch.as_mut()
    }

    /// The time by the layer's clock.
    pub(crate) fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// Does a piece of the request's work.
    pub(crate) fn work<T>(&mut self, work: impl FnOnce() -> T) -> T {
        match &mut self.watch {
            Some(watch) => self.shared.observer.work(watch, work),
            None => work(),
        }
    }

    /// The response is there.
    pub(crate) fn respond<B: http_body::Body>(&mut self, response: &mut Response<B>) {
        self.status = Some(response.status());
        if let Some(watch) = &mut self.watch {
            self.shared.observer.respond(watch, &self.context, response);
        }
        self.expected = expected(self.context.method(), response);
        // A server does not ask for a body that cannot be there.
        if response.body().is_end_stream() || self.expected == Some(0) {
            self.end(Outcome::Complete);
        }
    }

    /// So many bytes more were handed over.
    pub(crate) const fn sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes as u64);
    }

    /// The request has ended. (What comes after its end changes nothing.)
    pub(crate) fn end(&mut self, outcome: Outcome) {
        let Some(watch) = self.watch.take() else {
            return;
        };
        let now = self.shared.clock.now();
        let latency = now.saturating_duration_since(self.context.started());
        let context = &self.context;
        if let Some(status) = self.status {
            context.measure(Measure::Status, status.as_u16().into());
        }
        context.measure(Measure::ResponseLength, clamp(self.sent.into()));
        context.measure(Measure::ResponseLatency, clamp(latency.as_millis()));
        let exchange = Exchange::new(context, outcome, self.status, self.sent, latency);
        self.shared.observer.end(watch, &exchange);
    }
}

impl<O: Observer> Drop for Observation<O> {
    fn drop(&mut self) {
        // A server that has sent as much as was promised need not ask whether there is more.
        let whole = self.status.is_some() && Some(self.sent) == self.expected;
        self.end(if whole {
            Outcome::Complete
        } else {
            Outcome::Cancelled
        });
    }
}

impl<O: Observer> fmt::Debug for Observation<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observation")
            .field("context", &self.context)
            .field("status", &self.status)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

/// How many bytes of a body will go out, as far as the head of the response says.
fn expected<B: http_body::Body>(method: &Method, response: &Response<B>) -> Option<u64> {
    let status = response.status();
    if method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        return Some(0);
    }
    response
        .body()
        .size_hint()
        .exact()
        .or_else(|| content_length(response.headers()))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn clamp(number: u128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
