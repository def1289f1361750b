//! Events by payload format 1.0: what REST APIs send to functions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, USER_AGENT};
use http::request::Parts;
use indexmap::IndexMap;
use portcullis_core::{Detail, RequestContext, TRACE_ID, Trace};
use serde::Serialize;
use serde_json::Value;

use crate::forwarded;
use crate::headers::is_invisible;
use crate::uri::query_pairs;

/// The members of an event, in the order in which the service writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    resource: &'a str,
    path: Cow<'a, str>,
    http_method: &'a str,
    headers: IndexMap<Cow<'a, str>, String>,
    multi_value_headers: IndexMap<Cow<'a, str>, Vec<String>>,
    query_string_parameters: Option<IndexMap<String, String>>,
    multi_value_query_string_parameters: Option<IndexMap<String, Vec<String>>>,
    path_parameters: Option<IndexMap<&'a str, &'a str>>,
    stage_variables: Option<&'a BTreeMap<String, String>>,
    request_context: IndexMap<&'static str, Value>,
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

/// The event for a request. `binary` says that its body is to go as Base64; one that is no UTF-8 goes so in any case.
pub(crate) fn event_v1(
    parts: &Parts,
    body: &Bytes,
    binary: bool,
    http_api: bool,
    context: &RequestContext,
) -> Bytes {
    let route = context.route();
    let mut headers = parts.headers.clone();
    add_own_headers(&mut headers, parts, context);
    let names: Vec<_> = headers.keys().filter(|name| !is_invisible(name)).cloned().collect();
    let values = |name: &HeaderName| -> Vec<String> {
        let values = headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    let multi: IndexMap<Cow<'_, str>, Vec<String>> =
        names.iter().map(|name| (spelling(name), values(name))).collect();
    let single = multi
        .iter()
        .map(|(name, values)| (name.clone(), values.last().cloned().unwrap_or_default()))
        .collect();

    let mut query: IndexMap<String, Vec<String>> = IndexMap::new();
    for (name, value) in query_pairs(parts.uri.query()) {
        let value = String::from_utf8_lossy(&value).into_owned();
        query.entry(name).or_default().push(value);
    }
    let last = query
        .iter()
        .map(|(name, values)| (name.clone(), values.last().cloned().unwrap_or_default()))
        .collect();
    let path_parameters: IndexMap<_, _> =
        route.into_iter().flat_map(|route| route.parameters()).collect();
    let stage_variables = context
        .stage()
        .map(|stage| &stage.variables)
        .filter(|variables| !variables.is_empty());

    let (text, encoded) = body_text(body, binary);
    let event = Event {
        version: http_api.then_some("1.0"),
        resource: route.map_or("", |route| &route.route().template),
        path: path(context),
        http_method: parts.method.as_str(),
        headers: single,
        multi_value_headers: multi,
        query_string_parameters: (!query.is_empty()).then_some(last),
        multi_value_query_string_parameters: (!query.is_empty()).then_some(query),
        path_parameters: (!path_parameters.is_empty()).then_some(path_parameters),
        stage_variables,
        request_context: request_context(parts, http_api, context),
        body: text,
        is_base64_encoded: encoded,
    };
    // Maps with text keys and text values always have a JSON form.
    serde_json::to_vec(&event).unwrap_or_default().into()
}

/// The body as text, and whether that is Base64. An empty body is null.
pub(super) fn body_text(body: &Bytes, binary: bool) -> (Option<Cow<'_, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if !binary => (Some(Cow::Borrowed(text)), false),
        _ => (Some(Cow::Owned(STANDARD.encode(body))), true),
    }
}

/// The path with the base path of a custom domain, without a stage; a run of slashes at its start is one.
fn path(context: &RequestContext) -> Cow<'_, str> {
    let path = match context.noted(Detail::BasePathMatched) {
        Some(_) => context.uri().path(),
        None => context.route().map_or_else(|| context.uri().path(), |route| route.path()),
    };
    let trimmed = path.trim_start_matches('/');
    match path.len() - trimmed.len() {
        1 => Cow::Borrowed(path),
        0 => Cow::Owned(format!("/{path}")),
        slashes => Cow::Borrowed(&path[slashes - 1..]),
    }
}

/// What the service tells a function besides what the client said.
pub(super) fn add_own_headers(headers: &mut HeaderMap, parts: &Parts, context: &RequestContext) {
    if !headers.contains_key(HOST)
        && let Some(authority) = parts.uri.authority()
        && let Ok(host) = authority.as_str().parse()
    {
        headers.insert(HOST, host);
    }
    let trace = context.trace_or(|| {
        let sent = headers.get(TRACE_ID).and_then(|trace| trace.to_str().ok());
        sent.and_then(Trace::parse).unwrap_or_else(|| Trace::generate(context.received()))
    });
    let trace = trace.to_header();
    headers.insert(TRACE_ID, trace);
    forwarded::add_x_forwarded(headers, context);
}

/// How a header's name is spelt in an event. The server has put names in lower case; these the service spells by itself.
fn spelling(name: &HeaderName) -> Cow<'static, str> {
    let own = [
        (AUTHORIZATION, "Authorization"),
        (USER_AGENT, "User-Agent"),
        (HOST, "Host"),
        (TRACE_ID, "X-Amzn-Trace-Id"),
        (forwarded::FOR, "X-Forwarded-For"),
        (forwarded::PORT, "X-Forwarded-Port"),
        (forwarded::PROTO, "X-Forwarded-Proto"),
    ];
    match own.iter().find(|(own, _)| own == name) {
        Some((_, spelling)) => Cow::Borrowed(*spelling),
        None => Cow::Owned(name.as_str().to_owned()),
    }
}

/// Members of `requestContext` that are null where nothing is known, and those of `identity`.
const IDENTITY: &[&str] = &[
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "sourceIp",
    "user",
    "userAgent",
    "userArn",
];

fn request_context(
    parts: &Parts,
    http_api: bool,
    context: &RequestContext,
) -> IndexMap<&'static str, Value> {
    let fact = |name: &str| context.get(name).unwrap_or(Value::Null);
    let mut members = IndexMap::new();
    let authorizer = authorizer(context);
    if http_api || authorizer.is_some() {
        members.insert("authorizer", authorizer.unwrap_or_else(|| serde_json::Map::new().into()));
    }
    for name in ["resourceId", "resourcePath", "accountId", "apiId", "deploymentId", "domainName", "domainPrefix", "extendedRequestId"] {
        members.insert(name, fact(name));
    }
    // A stage that was never deployed by hand still has a deployment.
    if members["deploymentId"].is_null() {
        members.insert("deploymentId", "local".into());
    }
    members.insert("httpMethod", parts.method.as_str().into());
    let mut identity: serde_json::Map<String, Value> = IDENTITY
        .iter()
        .map(|name| ((*name).to_owned(), fact(&format!("identity.{name}"))))
        .collect();
    let known = context.identity();
    if let Some(key) = known.api_key {
        identity.insert("apiKey".to_owned(), key.as_ref().into());
    }
    if let Some(id) = known.api_key_id {
        identity.insert("apiKeyId".to_owned(), id.as_str().into());
    }
    if let Some(certificate) = client_cert(context) {
        identity.insert("clientCert".to_owned(), certificate);
    }
    members.insert("identity", identity.into());
    for name in ["path", "protocol", "requestId", "requestTime", "requestTimeEpoch", "stage"] {
        members.insert(name, fact(name));
    }
    members
}

/// What an authorizer gave: claims, or its own values with the principal.
pub(super) fn authorizer(context: &RequestContext) -> Option<Value> {
    let mut members = context.authorizer();
    let claims = context.claims();
    if !claims.is_empty() {
        members.insert("claims".to_owned(), claims.into());
    }
    if let Some(principal) = context.get("authorizer.principalId") {
        members.insert("principalId".to_owned(), principal);
    }
    (!members.is_empty()).then(|| members.into())
}

/// The certificate of mutual TLS, if the client sent one.
pub(super) fn client_cert(context: &RequestContext) -> Option<Value> {
    let fact = |name: &str| context.get(&format!("identity.clientCert.{name}"));
    let mut members = serde_json::Map::new();
    for name in ["clientCertPem", "subjectDN", "issuerDN", "serialNumber"] {
        members.insert(name.to_owned(), fact(name)?);
    }
    let validity = serde_json::json!({
        "notBefore": fact("validity.notBefore")?,
        "notAfter": fact("validity.notAfter")?,
    });
    members.insert("validity".to_owned(), validity);
    Some(members.into())
}
