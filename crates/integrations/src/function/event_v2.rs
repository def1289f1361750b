//! Events by payload format 2.0: what HTTP APIs send to functions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue};
use http::request::Parts;
use indexmap::IndexMap;
use portcullis_core::RequestContext;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::event_v1::{add_own_headers, authorizer, body_text, client_cert};
use crate::headers::is_invisible;
use crate::template::media_type;
use crate::uri::query_pairs;

/// The members of an event; those that have nothing to say are left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: IndexMap<&'a str, String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    query_string_parameters: IndexMap<String, String>,
    request_context: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    path_parameters: IndexMap<&'a str, &'a str>,
    is_base64_encoded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage_variables: Option<&'a BTreeMap<String, String>>,
}

/// The event for a request.
pub(crate) fn event_v2(parts: &Parts, body: &Bytes, context: &RequestContext) -> Bytes {
    let route = context.route();
    let route_key = route
        .and_then(|route| route.route().route_key.as_deref())
        .unwrap_or("$default");
    let mut headers = parts.headers.clone();
    add_own_headers(&mut headers, parts, context);
    let cookies = cookies(&headers);
    let joined = headers
        .keys()
        .filter(|name| !is_invisible(name) && **name != COOKIE)
        .map(|name| (name.as_str(), join(&headers, name)))
        .collect();
    let mut query: IndexMap<String, String> = IndexMap::new();
    for (name, value) in query_pairs(parts.uri.query()) {
        let value = String::from_utf8_lossy(&value).into_owned();
        query
            .entry(name)
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert(value);
    }
    let (text, encoded) = body_text(body, !is_text(headers.get(CONTENT_TYPE)));
    let event = Event {
        version: "2.0",
        route_key,
        raw_path: context.uri().path(),
        raw_query_string: parts.uri.query().unwrap_or_default(),
        cookies,
        headers: joined,
        query_string_parameters: query,
        request_context: request_context(parts, route_key, context),
        body: text,
        path_parameters: route.into_iter().flat_map(|route| route.parameters()).collect(),
        is_base64_encoded: encoded,
        stage_variables: context
            .stage()
            .map(|stage| &stage.variables)
            .filter(|variables| !variables.is_empty()),
    };
    // Maps with text keys and text values always have a JSON form.
    serde_json::to_vec(&event).unwrap_or_default().into()
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| {
            let line = String::from_utf8_lossy(line.as_bytes()).into_owned();
            line.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

fn join(headers: &HeaderMap, name: &http::HeaderName) -> String {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    values.join(",")
}

/// Whether a body of this type goes to the function as it is; all else goes as Base64.
fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let Some(media_type) = media_type(content_type) else {
        return true;
    };
    let media_type = media_type.to_ascii_lowercase();
    media_type.starts_with("text/")
        || matches!(
            &*media_type,
            "application/json" | "application/javascript" | "application/xml"
                | "application/x-www-form-urlencoded"
        )
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
}

fn request_context(parts: &Parts, route_key: &str, context: &RequestContext) -> Map<String, Value> {
    let fact = |name: &str| context.get(name).unwrap_or(Value::Null);
    let mut members = Map::new();
    for name in ["accountId", "apiId", "domainName", "domainPrefix", "requestId", "stage"] {
        members.insert(name.to_owned(), fact(name));
    }
    if let Some(certificate) = client_cert(context) {
        members.insert("authentication".to_owned(), json!({ "clientCert": certificate }));
    }
    let claims = context.claims();
    if !claims.is_empty() {
        let scopes = context.get("authorizer.scopes");
        members.insert("authorizer".to_owned(), json!({ "jwt": { "claims": claims, "scopes": scopes } }));
    } else if let Some(values) = authorizer(context) {
        members.insert("authorizer".to_owned(), json!({ "lambda": values }));
    }
    members.insert(
        "http".to_owned(),
        json!({
            "method": parts.method.as_str(),
            "path": context.uri().path(),
            "protocol": fact("protocol"),
            "sourceIp": fact("identity.sourceIp"),
            "userAgent": fact("identity.userAgent"),
        }),
    );
    members.insert("routeKey".to_owned(), route_key.into());
    members.insert("time".to_owned(), fact("requestTime"));
    members.insert("timeEpoch".to_owned(), fact("requestTimeEpoch"));
    members
}
