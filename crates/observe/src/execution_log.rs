//! Execution logs: what a gateway did with a request, step by step.

use std::fmt::{self, Write as _};

use http::HeaderMap;
use portcullis_core::{Call, CallRecord, CallerKey, Detail, Measure, RequestContext};

use crate::access_log::{Line, Place, Redaction};
use crate::exchange::Exchange;
use crate::sink::LogSink;

/// Writes what was done with a request, step by step, in the words of the service's execution logs.
///
/// ```
/// use portcullis_observe::{ExecutionLog, LogSink, Redaction};
///
/// let log = ExecutionLog::new(LogSink::stdout()).redaction(Redaction::new().hide("x-patient"));
/// # let _ = log;
/// ```
///
/// Each line begins with the id of the request in parentheses, and is cut at 1,024 bytes. Values of [some headers and parameters](Redaction) are not shown. What stands in bodies is: data tracing is for where that is allowed.
#[derive(Clone)]
pub struct ExecutionLog {
    sink: LogSink,
    redaction: Redaction,
}

/// What is logged of requests to a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the service has these, and OFF")]
pub enum ExecutionLevel {
    /// What went wrong: `ERROR`.
    Error,
    /// Every step: `INFO`.
    Info,
}

/// What data tracing adds: the request and the response themselves.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct DataTrace<'a> {
    /// The headers of the request.
    pub request_headers: &'a HeaderMap,
    /// The beginning of the request's body, as far as it has passed.
    pub request_body: &'a [u8],
    /// What was said to the endpoint behind the method, and what it said; absent where nobody wrote that down.
    pub record: Option<&'a CallRecord>,
    /// The headers of the response; absent if there was none.
    pub response_headers: Option<&'a HeaderMap>,
    /// The beginning of the response's body.
    pub response_body: &'a [u8],
}

impl<'a> DataTrace<'a> {
    /// The trace of a request with these headers, of which no more is known.
    #[must_use]
    pub const fn new(request_headers: &'a HeaderMap) -> Self {
        Self {
            request_headers,
            request_body: &[],
            record: None,
            response_headers: None,
            response_body: &[],
        }
    }
}

/// Bodies may be secrets.
impl fmt::Debug for DataTrace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataTrace")
            .field("request_body", &self.request_body.len())
            .field("response_body", &self.response_body.len())
            .finish_non_exhaustive()
    }
}

impl ExecutionLog {
    /// The bytes of a line, and so of a body, that are shown at most.
    pub const MOST: usize = 1_024;

    /// A log whose lines go to `sink`.
    #[must_use]
    pub const fn new(sink: LogSink) -> Self {
        Self {
            sink,
            redaction: Redaction::new(),
        }
    }

    /// Hides other values.
    #[must_use]
    pub fn redaction(mut self, redaction: Redaction) -> Self {
        self.redaction = redaction;
        self
    }

    /// Where the lines go.
    #[must_use]
    pub const fn sink(&self) -> &LogSink {
        &self.sink
    }

    /// Writes the lines of a request that has ended. With a trace every request is logged, whatever the level, as in the service.
    pub fn write(
        &self,
        level: ExecutionLevel,
        trace: Option<&DataTrace<'_>>,
        exchange: &Exchange<'_>,
    ) {
        let context = exchange.context();
        let failed = exchange.class(context.refusal().as_ref()) >= 4;
        if level == ExecutionLevel::Error && trace.is_none() && !failed {
            return;
        }
        let id = context.request_id();
        let say = |text: &str| {
            self.sink.write(|line| {
                line.push(b"(");
                line.push(id.as_str().as_bytes());
                line.push(b") ");
                cut(line, text);
            });
        };
        if level == ExecutionLevel::Info || trace.is_some() {
            say(&format!("Starting execution for request: {}", id.as_str()));
            let path = context.route().map_or("-", |matched| matched.path());
            say(&format!(
                "HTTP Method: {}, Resource Path: {path}",
                context.method()
            ));
            Self::keys(context, &say);
            Self::authorizer(context, &say);
        }
        let record = trace.and_then(|trace| trace.record);
        let call = record.map(CallRecord::call);
        if let Some(trace) = trace {
            self.request(context, trace, &say);
            self.endpoint_request(record, call.as_ref(), &say);
        }
        if level == ExecutionLevel::Info || trace.is_some() {
            Self::integration(context, &say);
        }
        if let Some(trace) = trace {
            self.endpoint_response(record, call.as_ref(), &say);
            self.response(trace, &say);
        }
        Self::end(exchange, failed, &say);
    }

    fn keys(context: &RequestContext, say: &dyn Fn(&str)) {
        if let Some(key) = context.api_key() {
            let shown = key.value().map_or_else(String::new, masked);
            say(&format!("API Key: {shown}"));
            say(&format!("API Key ID: {}", key.id().as_str()));
            if let Some(plan) = CallerKey::usage_plan(key) {
                say(&format!(
                    "Usage Plan check succeeded for API Key {} by {plan}",
                    key.id().as_str()
                ));
            }
        }
    }

    fn authorizer(context: &RequestContext, say: &dyn Fn(&str)) {
        match context.measured(Measure::AuthorizerStatus) {
            None => {}
            Some(200) => say("Successfully completed authorizer execution"),
            Some(status) => {
                let why = context.noted(Detail::AuthorizerError);
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                say(&format!(
                    "Unauthorized request, authorizer status {status}{why}"
                ));
            }
        }
    }

    fn request(&self, context: &RequestContext, trace: &DataTrace<'_>, say: &dyn Fn(&str)) {
        let mut path = Pairs::new("Method request path: ");
        for (name, value) in context.route().iter().flat_map(|route| route.parameters()) {
            path.add(name, value);
        }
        say(&path.end());
        let mut query = Pairs::new("Method request query string: ");
        for (name, value) in parameters(context.uri().query().unwrap_or_default()) {
            query.add(name, self.shown(name, value.unwrap_or_default()));
        }
        say(&query.end());
        say(&self.headers("Method request headers: ", trace.request_headers));
        let body = String::from_utf8_lossy(trace.request_body);
        say(&format!(
            "Method request body before transformations: {body}"
        ));
    }

    fn endpoint_request(
        &self,
        record: Option<&CallRecord>,
        call: Option<&Call>,
        say: &dyn Fn(&str),
    ) {
        let (Some(record), Some(call)) = (record, call) else {
            return;
        };
        let Some(uri) = &call.uri else {
            return;
        };
        let uri = self.address(uri);
        say(&format!("Endpoint request URI: {uri}"));
        say(&self.headers("Endpoint request headers: ", &call.request_headers));
        let body = record.request_body().read();
        let body = String::from_utf8_lossy(&body);
        say(&format!(
            "Endpoint request body after transformations: {body}"
        ));
        say(&format!("Sending request to {uri}"));
    }

    fn endpoint_response(
        &self,
        record: Option<&CallRecord>,
        call: Option<&Call>,
        say: &dyn Fn(&str),
    ) {
        let headers = call.and_then(|call| call.response_headers.as_ref());
        let (Some(record), Some(headers)) = (record, headers) else {
            return;
        };
        say(&self.headers("Endpoint response headers: ", headers));
        let body = record.response_body().read();
        let body = String::from_utf8_lossy(&body);
        say(&format!(
            "Endpoint response body before transformations: {body}"
        ));
    }

    /// An address without the secrets in its query.
    fn address(&self, uri: &str) -> String {
        let Some((path, query)) = uri.split_once('?') else {
            return uri.to_owned();
        };
        let shown = parameters(query).map(|(name, value)| match value {
            Some(value) => format!("{name}={}", self.shown(name, value)),
            None => name.to_owned(),
        });
        format!("{path}?{}", shown.collect::<Vec<_>>().join("&"))
    }

    fn integration(context: &RequestContext, say: &dyn Fn(&str)) {
        let status = context
            .measured(Measure::IntegrationStatus)
            .or_else(|| context.measured(Measure::IntegrationServiceStatus));
        // A mock has none, and neither has what did not answer.
        if let (Some(took), Some(status)) = (context.measured(Measure::IntegrationLatency), status)
        {
            say(&format!(
                "Received response. Status: {status}, Integration latency: {took} ms"
            ));
        }
    }

    fn response(&self, trace: &DataTrace<'_>, say: &dyn Fn(&str)) {
        let Some(headers) = trace.response_headers else {
            return;
        };
        let body = String::from_utf8_lossy(trace.response_body);
        say(&format!(
            "Method response body after transformations: {body}"
        ));
        say(&self.headers("Method response headers: ", headers));
    }

    fn end(exchange: &Exchange<'_>, failed: bool, say: &dyn Fn(&str)) {
        let context = exchange.context();
        if failed {
            let noted = context.noted(Detail::IntegrationError);
            let why = match (noted, context.refusal()) {
                (Some(noted), _) => noted.to_string(),
                (None, Some(refusal)) => refusal.to_string(),
                (None, None) => "the status of the response".to_owned(),
            };
            say(&format!("Execution failed due to {why}"));
        } else if exchange.status().is_some() {
            say("Successfully completed execution");
        }
        match exchange.status() {
            Some(status) => say(&format!(
                "Method completed with status: {}",
                status.as_u16()
            )),
            None => say(&format!(
                "Execution ended without a response: {}",
                exchange.outcome().as_str()
            )),
        }
    }

    fn headers(&self, begin: &'static str, headers: &HeaderMap) -> String {
        let mut pairs = Pairs::new(begin);
        for name in headers.keys() {
            let values = headers.get_all(name).iter();
            let values: Vec<_> = values
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            pairs.add(name.as_str(), self.shown(name.as_str(), &values.join(",")));
        }
        pairs.end()
    }

    fn shown<'a>(&self, name: &str, value: &'a str) -> &'a str {
        if self.redaction.hides(name) {
            "REDACTED"
        } else {
            value
        }
    }
}

/// The names of a query with their values.
fn parameters(query: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| match pair.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (pair, None),
    })
}

/// Writes a text without what could end the line, as much of it as one has.
fn cut(line: &mut Line<'_>, text: &str) {
    let most = ExecutionLog::MOST;
    if text.len() <= most {
        return Place::Message.text(line, text);
    }
    const MARK: &str = " [TRUNCATED]";
    Place::Message.text(line, &text[..text.floor_char_boundary(most - MARK.len())]);
    line.push(MARK.as_bytes());
}

/// A key as the service shows it: its last six characters.
fn masked(key: &str) -> String {
    let shown = key.len().saturating_sub(6).max(key.len() / 2);
    let start = (shown..=key.len()).find(|at| key.is_char_boundary(*at));
    format!("{}{}", "*".repeat(12), &key[start.unwrap_or(key.len())..])
}

/// `{name=value, name=value}`
struct Pairs {
    text: String,
    any: bool,
}

impl Pairs {
    fn new(begin: &str) -> Self {
        Self {
            text: format!("{begin}{{"),
            any: false,
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        let separator = if self.any { ", " } else { "" };
        self.any = true;
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{separator}{name}={value}");
    }

    fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

impl fmt::Debug for ExecutionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutionLog")
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn of_a_key_only_the_end_is_shown_and_never_more_than_half() {
        assert_eq!(masked("0123456789abcdefghij"), "************efghij");
        assert_eq!(masked("abcd"), "************cd");
        assert_eq!(masked(""), "************");
    }
}
