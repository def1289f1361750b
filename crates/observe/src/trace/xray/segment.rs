//! A segment, as "AWS X-Ray segment documents" describes it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_core::{Release, RequestContext, Trace};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::exchange::{Exchange, Outcome};
use crate::trace::recording::{Call, Recording};

#[derive(Serialize)]
pub(super) struct Segment<'a> {
    id: String,
    name: String,
    trace_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    start_time: f64,
    end_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_arn: Option<&'a str>,
    http: Http<'a>,
    #[serde(flatten)]
    flags: Flags,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    annotations: Map<String, Value>,
    metadata: Value,
    aws: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subsegments: Vec<Subsegment>,
}

#[derive(Serialize)]
struct Http<'a> {
    request: HttpRequest<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<HttpResponse>,
}

#[derive(Serialize)]
struct HttpRequest<'a> {
    method: &'a str,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// Whether the client's address is what a proxy says.
    #[serde(skip_serializing_if = "is_false")]
    x_forwarded_for: bool,
}

#[derive(Serialize)]
struct HttpResponse {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_length: Option<u64>,
}

#[derive(Default, Serialize)]
struct Flags {
    #[serde(skip_serializing_if = "is_false")]
    error: bool,
    #[serde(skip_serializing_if = "is_false")]
    throttle: bool,
    #[serde(skip_serializing_if = "is_false")]
    fault: bool,
}

#[derive(Serialize)]
struct Subsegment {
    id: String,
    name: String,
    namespace: &'static str,
    start_time: f64,
    end_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws: Option<Value>,
    #[serde(flatten)]
    flags: Flags,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Longer texts are cut.
const MAX_TEXT: usize = 1000;

pub(super) fn of<'a>(recording: &'a Recording, exchange: &Exchange<'a>) -> Segment<'a> {
    let context = exchange.context();
    let start = context.received();
    let subject = &*recording.subject;
    Segment {
        id: id(recording.id),
        name: name(&subject.name),
        trace_id: context.trace().map_or("", Trace::root),
        parent_id: recording.parent.map(id),
        start_time: seconds(start),
        end_time: seconds(start + exchange.latency()),
        origin: subject.service_type.as_deref(),
        resource_arn: subject.resource_arn.as_deref(),
        http: Http {
            request: request(context),
            response: exchange.status().map(|status| HttpResponse {
                status: status.as_u16(),
                content_length: recording.length,
            }),
        },
        flags: flags(exchange),
        cause: cause(context),
        annotations: annotations(recording, context),
        metadata: json!({"default": {
            "request_id": context.request_id().as_str(),
            "extended_request_id": context.extended_request_id().as_str(),
        }}),
        aws: aws(recording, context),
        subsegments: recording
            .calls
            .iter()
            .map(|call| subsegment(call, context))
            .collect(),
    }
}

fn request(context: &RequestContext) -> HttpRequest<'_> {
    let connection = context.connection();
    let is_tls = connection.is_some_and(|connection| connection.tls.is_some());
    let scheme = if is_tls { "https" } else { "http" };
    // Without the query, which may have secrets in it.
    let (host, path) = (
        context.authority().unwrap_or_default(),
        context.uri().path(),
    );
    let client = context.client();
    let peer = connection.map(|connection| connection.peer.ip());
    HttpRequest {
        method: context.method().as_str(),
        url: cut(&format!("{scheme}://{host}{path}")).into_owned(),
        client_ip: client,
        user_agent: context.user_agent().map(|agent| cut(agent).into_owned()),
        x_forwarded_for: client != peer,
    }
}

/// X-Ray tells faults of clients, too many requests, and faults of servers.
fn flags(exchange: &Exchange<'_>) -> Flags {
    match (exchange.status(), exchange.outcome()) {
        (_, Outcome::Failed | Outcome::Broken) => Flags {
            fault: true,
            ..Flags::default()
        },
        (Some(status), _) if status.is_client_error() || status.is_server_error() => {
            flags_of(status.as_u16())
        }
        // Nobody waited for it.
        (_, Outcome::Cancelled) => Flags {
            error: true,
            ..Flags::default()
        },
        _ => Flags::default(),
    }
}

fn flags_of(status: u16) -> Flags {
    Flags {
        error: (400..500).contains(&status),
        throttle: status == 429,
        fault: status >= 500,
    }
}

/// Why the request was refused.
fn cause(context: &RequestContext) -> Option<Value> {
    let refusal = context.refusal()?;
    Some(json!({"exceptions": [{
        "id": id(fastrand::u64(1..)),
        "type": refusal.kind().response_type().unwrap_or("DEFAULT"),
        "message": cut(&refusal.to_string()),
    }]}))
}

/// What traces can be searched by.
fn annotations(recording: &Recording, context: &RequestContext) -> Map<String, Value> {
    let mut annotations = Map::new();
    if let Some(stage) = context.stage() {
        annotations.insert("aws:api_id".to_owned(), stage.api_id.as_str().into());
        annotations.insert("aws:api_stage".to_owned(), stage.stage.as_str().into());
    }
    if let Some(route) = recording.route() {
        annotations.insert("route".to_owned(), cut(route).into_owned().into());
    }
    if let Release::Canary(name) = context.release() {
        annotations.insert("canary".to_owned(), cut(&name).into_owned().into());
    }
    annotations
}

fn aws(recording: &Recording, context: &RequestContext) -> Value {
    let mut aws = Map::new();
    if let Some(rule) = recording.rule.as_deref() {
        aws.insert("xray".to_owned(), json!({"sampling_rule_name": rule}));
    }
    if let Some(stage) = context.stage() {
        aws.insert(
            "api_gateway".to_owned(),
            json!({
                "account_id": stage.account_id,
                "rest_api_id": stage.api_id,
                "stage": stage.stage,
                "request_id": context.request_id().as_str(),
            }),
        );
    }
    aws.into()
}

fn subsegment(call: &Call, context: &RequestContext) -> Subsegment {
    let at = |instant: std::time::Instant| {
        let since = instant.saturating_duration_since(context.started());
        seconds(context.received() + since)
    };
    Subsegment {
        id: id(call.id),
        name: name(&call.callee.name),
        namespace: if call.callee.is_aws { "aws" } else { "remote" },
        start_time: at(call.started),
        end_time: at(call.ended),
        http: (call.status).map(|status| json!({"response": {"status": status}})),
        aws: (call.callee.function.as_deref())
            .map(|function| json!({"operation": "Invoke", "function_name": cut(function)})),
        flags: match call.status {
            Some(status) => flags_of(status),
            // What could not be reached has none.
            None => Flags {
                fault: call.has_failed,
                ..Flags::default()
            },
        },
    }
}

fn id(id: u64) -> String {
    format!("{id:016x}")
}

/// Names have letters, digits, white space and some signs.
fn name(name: &str) -> String {
    let allowed =
        |it: char| it.is_alphanumeric() || it.is_whitespace() || "_.:/%&#=+\\-@".contains(it);
    let name: String = name.chars().filter(|it| allowed(*it)).take(200).collect();
    if name.is_empty() {
        "-".to_owned()
    } else {
        name
    }
}

fn seconds(time: SystemTime) -> f64 {
    let since: Duration = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64()
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => Cow::Owned(text[..end].to_owned()),
        None => Cow::Borrowed(text),
    }
}
