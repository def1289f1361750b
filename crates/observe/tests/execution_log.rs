//! Execution logs of failures, of long bodies and of secrets.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, StatusCode};
use portcullis_core::{
    ApiKeyId, CallerKey, Decision, Detail, ManualClock, Measure, Rejection, RejectionKind,
    RequestContext,
};
use portcullis_observe::{DataTrace, Exchange, ExecutionLevel, ExecutionLog, LogSink, Outcome};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn context() -> RequestContext {
    let request = Request::get("/pets?api_key=hidden")
        .header("x-amzn-requestid", "11111111-2222-4333-8444-555555555555")
        .body(())
        .unwrap();
    RequestContext::new(&request, &ManualClock::at_unix(1_700_000_000))
}

fn lines(
    level: ExecutionLevel,
    trace: Option<&DataTrace<'_>>,
    context: &RequestContext,
    status: u16,
) -> Vec<String> {
    let written = Written::default();
    let log = ExecutionLog::new(LogSink::writer(written.clone()));
    let status = StatusCode::from_u16(status).ok();
    let exchange = Exchange::new(context, Outcome::Complete, status, 0, Duration::ZERO);
    log.write(level, trace, &exchange);
    assert!(log.sink().flush(Duration::from_secs(60)));
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let prefix = "(11111111-2222-4333-8444-555555555555) ";
    text.lines()
        .map(|line| line.strip_prefix(prefix).expect(line).to_owned())
        .collect()
}

#[test]
fn a_failure_says_why() {
    let context = context();
    let decision = Decision::new("throttle", "per-client").with("limit", 5);
    context.record_refusal(&Rejection::new(RejectionKind::Throttled).with_decision(decision));
    assert_eq!(
        lines(ExecutionLevel::Error, None, &context, 429),
        [
            "Execution failed due to 429 Too Many Requests (throttle: per-client (limit=5))",
            "Method completed with status: 429"
        ]
    );
    context.note(Detail::IntegrationError, "a timeout\nerror");
    let lines = lines(ExecutionLevel::Error, None, &context, 504);
    assert_eq!(lines[0], "Execution failed due to a timeout\\nerror");
}

#[test]
fn the_steps_of_a_request_are_in_the_services_words() {
    let context = context();
    let key = HeaderValue::from_static("0123456789abcdefghij");
    context.set_api_key(
        CallerKey::new(ApiKeyId::new("key-1"))
            .with_value(key)
            .with_usage_plan("gold"),
    );
    context.measure(Measure::AuthorizerStatus, 200);
    context.measure(Measure::IntegrationStatus, 200);
    context.measure(Measure::IntegrationLatency, 21);
    assert_eq!(
        lines(ExecutionLevel::Info, None, &context, 200),
        [
            "Starting execution for request: 11111111-2222-4333-8444-555555555555",
            "HTTP Method: GET, Resource Path: -",
            "API Key: ************efghij",
            "API Key ID: key-1",
            "Usage Plan check succeeded for API Key key-1 by gold",
            "Successfully completed authorizer execution",
            "Received response. Status: 200, Integration latency: 21 ms",
            "Successfully completed execution",
            "Method completed with status: 200"
        ]
    );
}

#[test]
fn an_error_log_says_nothing_of_what_went_well_unless_it_is_traced() {
    let context = context();
    assert!(lines(ExecutionLevel::Error, None, &context, 200).is_empty());
    let headers = HeaderMap::new();
    let trace = DataTrace::new(&headers);
    let lines = lines(ExecutionLevel::Error, Some(&trace), &context, 200);
    let query = "Method request query string: {api_key=REDACTED}";
    assert!(lines.iter().any(|line| line == query), "{lines:?}");
}

#[test]
fn a_line_is_cut_where_the_services_is() {
    let mut headers = HeaderMap::new();
    headers.insert(
        "x-long",
        HeaderValue::from_maybe_shared("ä".repeat(1_000)).unwrap(),
    );
    let body = [0xff; 1_025];
    let mut trace = DataTrace::new(&headers);
    trace.request_body = &body;
    let lines = lines(ExecutionLevel::Info, Some(&trace), &context(), 200);
    let cut: Vec<_> = lines
        .iter()
        .filter(|line| line.ends_with(" [TRUNCATED]"))
        .collect();
    assert_eq!(cut.len(), 2, "{lines:?}");
    assert!(cut.iter().all(|line| line.len() <= 1_024));
}
