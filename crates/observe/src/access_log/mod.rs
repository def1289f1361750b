//! Access logs: a line for each request.

mod escape;
mod format;
mod line;
mod parse;
mod redaction;
mod standard;

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use portcullis_core::{Live, RequestContext};

use crate::exchange::Exchange;
use crate::observer::Observer;
use crate::sink::LogSink;

pub(crate) use {escape::Place, line::Line};
pub use {format::AccessFormat, redaction::Redaction};

/// Writes a line for each request, in a format of `$context` variables, off the request's path.
///
/// ```
/// use portcullis_core::ApiKind;
/// use portcullis_observe::{AccessFormat, AccessLog, LogSink, ObserveLayer};
///
/// let format = AccessFormat::parse(
///     r#"{"id": "$context.requestId", "path": "$context.path", "agent": "$request.header.user-agent", "ms": $context.responseLatency}"#,
/// )?;
/// let log = AccessLog::new(format, LogSink::stdout());
/// let layer = ObserveLayer::new(log.clone());
///
/// // Another format from the next request on.
/// log.set_format(AccessFormat::clf(ApiKind::Rest));
/// # let _ = layer;
/// # Ok::<(), portcullis_observe::ConfigError>(())
/// ```
///
/// A line is written when the request ends. It allocates nothing, unless the format names headers or parameters, which are kept until then. Clones are handles on one log.
#[derive(Clone)]
pub struct AccessLog {
    format: Live<AccessFormat>,
    sink: LogSink,
    canary: Option<LogSink>,
}

impl AccessLog {
    /// A log of lines in `format` that go to `sink`.
    #[must_use]
    pub fn new(format: AccessFormat, sink: LogSink) -> Self {
        Self {
            format: Live::new(format),
            sink,
            canary: None,
        }
    }

    /// Writes the lines of requests to a canary here, too: in the service they are in both groups.
    #[must_use]
    pub fn canary_sink(mut self, sink: LogSink) -> Self {
        self.canary = Some(sink);
        self
    }

    /// Writes lines in this format from the next request on.
    pub fn set_format(&self, format: AccessFormat) {
        self.format.replace(format);
    }

    /// Where the lines go.
    #[must_use]
    pub const fn sink(&self) -> &LogSink {
        &self.sink
    }

    /// Keeps what the format will want to know of a request. For whoever calls [`write`](Self::write).
    #[must_use]
    pub fn capture(&self, uri: &Uri, headers: &HeaderMap) -> Captured {
        let format = self.format.load_full();
        let (request, response) = format.captures();
        let mut captured = Captured::default();
        if !request.is_empty() {
            captured.request = request
                .iter()
                .map(|wanted| wanted.of(uri, headers))
                .collect();
        }
        captured.response.reserve_exact(response.len());
        captured.format = Some(format);
        captured
    }

    /// The same, and nothing where the format names nothing but variables of the context: [`Captured::default`] does then.
    #[must_use]
    pub fn capture_beyond_context(&self, uri: &Uri, headers: &HeaderMap) -> Option<Captured> {
        let wants_more = {
            let format = self.format.load();
            let (request, response) = format.captures();
            !request.is_empty() || !response.is_empty()
        };
        wants_more.then(|| self.capture(uri, headers))
    }

    /// Writes the line of a request. [`ObserveLayer`](crate::ObserveLayer) does so by itself.
    pub fn write(&self, captured: &Captured, exchange: &Exchange<'_>) {
        let own;
        let format = match &captured.format {
            Some(format) => &**format,
            None => {
                own = self.format.load();
                &**own
            }
        };
        self.sink
            .write(|line| format.render(exchange, captured, line));
        if let Some(canary) = &self.canary
            && exchange.context().release().is_canary() == Some(true)
        {
            canary.write(|line| format.render(exchange, captured, line));
        }
    }
}

impl Observer for AccessLog {
    type Watch = Captured;

    fn begin<B>(&self, request: &mut Request<B>, _context: &RequestContext) -> Captured {
        self.capture(request.uri(), request.headers())
    }

    fn respond<B>(
        &self,
        captured: &mut Captured,
        _context: &RequestContext,
        response: &mut Response<B>,
    ) {
        captured.respond(response.headers());
    }

    fn end(&self, captured: Captured, exchange: &Exchange<'_>) {
        self.write(&captured, exchange);
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("format", &self.format)
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

/// What an [`AccessLog`] keeps of a request until its line is written: the headers and parameters that its format names.
#[derive(Clone, Default)]
pub struct Captured {
    /// The format that was asked what to keep: a line is in one format, whatever comes in between.
    format: Option<Arc<AccessFormat>>,
    request: Vec<Option<HeaderValue>>,
    response: Vec<Option<HeaderValue>>,
}

impl Captured {
    /// Keeps what the format wants to know of a response.
    pub fn respond(&mut self, headers: &HeaderMap) {
        if let Some(format) = &self.format {
            let (_, wanted) = format.captures();
            self.response
                .extend(wanted.iter().map(|name| headers.get(name).cloned()));
        }
    }

    pub(crate) fn of_request(&self, slot: usize) -> Option<&HeaderValue> {
        self.request.get(slot)?.as_ref()
    }

    pub(crate) fn of_response(&self, slot: usize) -> Option<&HeaderValue> {
        self.response.get(slot)?.as_ref()
    }
}

/// Values are left out: they may be secrets.
impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("request", &self.request.len())
            .field("response", &self.response.len())
            .finish_non_exhaustive()
    }
}
