//! What stands behind a gateway: an HTTP server and a function, with the conduct that a case names.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use portcullis::core::{Function, FunctionReply, Invocation};
use portcullis_testkit::{HyperServer, Recorded};
use serde::Serialize;
use serde_json::ser::Formatter;
use serde_json::{Map, Value, json};

use super::services::Service;

pub(crate) struct Backend {
    server: HyperServer,
    calls: Arc<Mutex<Vec<Invocation>>>,
    service: Arc<Mutex<Service>>,
}

impl Backend {
    pub(crate) async fn start(description: &Value) -> Self {
        let description = Arc::new(description.clone());
        let aws = Arc::new(Mutex::new(Service::new(&description)));
        let aws_service = Arc::clone(&aws);
        let service = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
            let description = Arc::clone(&description);
            let aws = Arc::clone(&aws);
            async move {
                let (parts, body) = request.into_parts();
                let body = match body.collect().await {
                    Ok(body) => body.to_bytes(),
                    Err(error) => Bytes::from(format!("broken body: {error}")),
                };
                let is_aws = matches!(
                    description["kind"].as_str(),
                    Some("object-store" | "aws-service")
                );
                Ok::<_, Infallible>(if is_aws {
                    let mut aws = aws.lock().expect("nothing panics in here");
                    aws.answer(&description, Recorded::new(parts, body))
                } else {
                    answer(&description, &parts, &body)
                })
            }
        });
        Self {
            server: HyperServer::start(service).await,
            calls: Arc::default(),
            service: aws_service,
        }
    }

    pub(crate) fn host(&self) -> String {
        self.server.addr().to_string()
    }

    /// The AWS service behind it.
    pub(crate) fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock().expect("nothing panics in here")
    }

    /// The calls of the function so far.
    pub(crate) fn calls(&self) -> Vec<Invocation> {
        self.calls.lock().expect("nothing panics in here").clone()
    }

    /// The function of the case.
    pub(crate) fn function(&self, behaviour: &Value) -> impl Function + use<> {
        let behaviour = behaviour.clone();
        let calls = Arc::clone(&self.calls);
        move |call: Invocation| {
            let reply = behave(&behaviour, &call.payload);
            calls.lock().expect("nothing panics in here").push(call);
            async move { Ok(reply) }
        }
    }
}

fn behave(behaviour: &Value, payload: &[u8]) -> FunctionReply {
    let event: Value = match serde_json::from_slice(payload) {
        Ok(event) => event,
        Err(error) => return failure(&format!("the event is no JSON: {error}")),
    };
    match behaviour["op"].as_str() {
        Some("echo-event") => success(&event),
        Some("echo-event-as-proxy-response") => success(&json!({
            "statusCode": 200,
            "body": event.to_string(),
            "isBase64Encoded": false,
        })),
        Some("return") => success(&behaviour["value"]),
        Some("return-parsed-body") => match parsed_body(&event) {
            Some(value) => success(&value),
            None => failure("the JSON object must be str, bytes or bytearray, not NoneType"),
        },
        Some("by-field") => {
            let path = behaviour["path"].as_str().unwrap_or("$");
            let field = super::compare::at(&event, path)
                .cloned()
                .unwrap_or_default();
            let text = field
                .as_str()
                .map_or_else(|| field.to_string(), str::to_owned);
            let entry = if behaviour.get("compare").is_some() {
                let high = text.parse::<i64>().is_ok_and(|number| number >= 400);
                &behaviour[if high { "then" } else { "else" }]
            } else {
                behaviour["cases"]
                    .get(&text)
                    .unwrap_or_else(|| &behaviour["default"])
            };
            match entry.get("raise") {
                Some(raised) => FunctionReply::failure(raised.to_string()),
                None => success(&entry["return"]),
            }
        }
        op => failure(&format!(
            "a behaviour that the runner does not know: {op:?}"
        )),
    }
}

/// The recorded functions were written in Python, whose JSON has spaces behind commas and colons; lengths were recorded, too.
fn success(value: &Value) -> FunctionReply {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Spaced);
    value
        .serialize(&mut serializer)
        .expect("JSON can be written");
    FunctionReply::success(text)
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

fn failure(message: &str) -> FunctionReply {
    FunctionReply::failure(json!({ "errorMessage": message, "errorType": "TypeError" }).to_string())
}

fn parsed_body(event: &Value) -> Option<Value> {
    use base64::Engine;
    let text = event["body"].as_str()?;
    if event["isBase64Encoded"] == true {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .ok()?;
        return serde_json::from_slice(&bytes).ok();
    }
    serde_json::from_str(text).ok()
}

fn answer(description: &Value, parts: &http::request::Parts, body: &[u8]) -> Response<Full<Bytes>> {
    let mut response = match description["style"].as_str() {
        Some("httpbin") => httpbin(parts, body),
        Some("lambda-url-echo") => lambda_url_echo(parts, body),
        Some("body-echo") => {
            let mut response = Response::new(Full::from(body.to_vec()));
            if let Some(content_type) = parts.headers.get("content-type") {
                response
                    .headers_mut()
                    .insert("content-type", content_type.clone());
            }
            response
        }
        style => {
            let message = format!("a backend that the runner does not know: {style:?}");
            let mut response = Response::new(Full::from(message));
            *response.status_mut() = http::StatusCode::NOT_IMPLEMENTED;
            response
        }
    };
    for (name, value) in description["responseHeaders"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let name = http::HeaderName::try_from(name.as_str()).expect("a header's name");
        let value = value.as_str().unwrap_or_default();
        response
            .headers_mut()
            .insert(name, value.parse().expect("a header's value"));
    }
    response
}

fn json_response(value: &Value) -> Response<Full<Bytes>> {
    Response::builder()
        .header("content-type", "application/json")
        .body(Full::from(value.to_string()))
        .expect("a response")
}

fn httpbin(parts: &http::request::Parts, body: &[u8]) -> Response<Full<Bytes>> {
    let host = parts
        .headers
        .get("host")
        .and_then(|host| host.to_str().ok())
        .unwrap_or("-");
    // The service of this name keeps what its own proxies add to itself.
    let mut seen = parts.headers.clone();
    for name in [
        "via",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
    ] {
        seen.remove(name);
    }
    json_response(&json!({
        "args": arguments(parts.uri.query(), false),
        "data": String::from_utf8_lossy(body),
        "files": {},
        "form": {},
        "headers": headers(&seen, title_case),
        "json": serde_json::from_slice::<Value>(body).ok(),
        "origin": "127.0.0.1",
        "url": format!("http://{host}{}", parts.uri),
    }))
}

fn lambda_url_echo(parts: &http::request::Parts, body: &[u8]) -> Response<Full<Bytes>> {
    json_response(&json!({
        "args": arguments(parts.uri.query(), true),
        "data": String::from_utf8_lossy(body),
        "domain": parts.headers.get("host").and_then(|host| host.to_str().ok()),
        "headers": headers(&parts.headers, str::to_owned),
        "method": parts.method.as_str(),
        "origin": "127.0.0.1",
        "path": parts.uri.path(),
    }))
}

fn headers(headers: &HeaderMap, spell: fn(&str) -> String) -> Map<String, Value> {
    let mut printed = Map::new();
    for name in headers.keys() {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        printed.insert(spell(name.as_str()), values.join(",").into());
    }
    printed
}

fn title_case(name: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
            .unwrap_or_default()
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

pub(crate) fn arguments(query: Option<&str>, joined: bool) -> Map<String, Value> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            percent_encoding::percent_decode_str(&text)
                .decode_utf8_lossy()
                .into_owned()
        };
        values.entry(decode(name)).or_default().push(decode(value));
    }
    values
        .into_iter()
        .map(|(name, values)| match &*values {
            _ if joined => (name, values.join(",").into()),
            [one] => (name, one.as_str().into()),
            _ => (name, values.into()),
        })
        .collect()
}
