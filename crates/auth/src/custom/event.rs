//! The events that functions get, in the service's shapes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use portcullis_core::RequestContext;
use serde_json::{Map, Value, json};

use super::authorizer::AuthorizerRequest;
use super::function::EventFormat;

/// The event of a request.
pub(super) fn event(request: &AuthorizerRequest, format: EventFormat) -> Bytes {
    let event = match format {
        EventFormat::Token => json!({
            "type": "TOKEN",
            "authorizationToken": request.identity.first(),
            "methodArn": request.method_arn,
        }),
        EventFormat::Request => rest(request),
        EventFormat::HttpV1 => {
            let mut event = rest(request);
            let identity = Value::from(request.identity.join(","));
            event["version"] = "1.0".into();
            event["identitySource"] = identity.clone();
            event["authorizationToken"] = identity;
            event
        }
        EventFormat::HttpV2 { .. } => http_v2(request),
    };
    Bytes::from(event.to_string())
}

/// A `REQUEST` event. Empty maps stay in it, unlike in events of integrations.
fn rest(request: &AuthorizerRequest) -> Value {
    let context = &request.context;
    let (mut headers, mut all_headers) = (Map::new(), Map::new());
    for (name, value) in &request.headers {
        add(
            &mut headers,
            &mut all_headers,
            spelled(name),
            text(value).into_owned(),
        );
    }
    let (mut query, mut all_query) = (Map::new(), Map::new());
    for (name, value) in pairs(request) {
        add(&mut query, &mut all_query, &name, value);
    }
    let template = context.route().map(|route| &*route.route().template);
    let route_path = context.route().map(|route| route.path());
    let mut identity = json!({ "sourceIp": context.get("identity.sourceIp") });
    if let Some(key) = request.headers.get("x-api-key") {
        identity["apiKey"] = text(key).into();
    }
    if let Some(certificate) = certificate(context) {
        identity["clientCert"] = certificate;
    }
    json!({
        "type": "REQUEST",
        "methodArn": request.method_arn,
        "resource": template,
        "path": route_path.unwrap_or_else(|| request.uri.path()),
        "httpMethod": request.method.as_str(),
        "headers": headers,
        "multiValueHeaders": all_headers,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": all_query,
        "pathParameters": path_parameters(context, Cow::Borrowed),
        "stageVariables": stage_variables(context),
        "requestContext": {
            "path": context.uri().path(),
            "accountId": context.get("accountId"),
            "resourceId": context.get("resourceId"),
            "stage": context.get("stage"),
            "requestId": context.get("requestId"),
            "identity": identity,
            "resourcePath": template,
            "httpMethod": request.method.as_str(),
            "apiId": context.get("apiId"),
        },
    })
}

fn http_v2(request: &AuthorizerRequest) -> Value {
    let context = &request.context;
    let (mut headers, mut cookies) = (BTreeMap::<&str, String>::new(), Vec::new());
    for (name, value) in &request.headers {
        let value = text(value);
        if *name == header::COOKIE {
            cookies.extend(value.split(';').map(|cookie| cookie.trim().to_owned()));
        } else {
            join(headers.entry(name.as_str()).or_default(), &value);
        }
    }
    let mut query = BTreeMap::<String, String>::new();
    for (name, value) in pairs(request) {
        join(query.entry(name).or_default(), &value);
    }
    let decode = |value| percent_decode_str(value).decode_utf8_lossy();
    let path = context.uri().path();
    json!({
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": request.method_arn,
        "identitySource": request.identity,
        "routeKey": context.get("routeKey"),
        "rawPath": path,
        "rawQueryString": request.uri.query().unwrap_or_default(),
        "cookies": cookies,
        "headers": headers,
        "queryStringParameters": query,
        "requestContext": {
            "accountId": context.get("accountId"),
            "apiId": context.get("apiId"),
            "authentication": certificate(context).map(|own| json!({ "clientCert": own })),
            "domainName": context.get("domainName"),
            "domainPrefix": context.get("domainPrefix"),
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": context.get("protocol"),
                "sourceIp": context.get("identity.sourceIp"),
                "userAgent": context.get("identity.userAgent"),
            },
            "requestId": context.get("requestId"),
            "routeKey": context.get("routeKey"),
            "stage": context.get("stage"),
            "time": context.get("requestTime"),
            "timeEpoch": context.get("requestTimeEpoch"),
        },
        "pathParameters": path_parameters(context, decode),
        "stageVariables": stage_variables(context),
    })
}

/// The last value under `last`, and all under `all`.
fn add(last: &mut Map<String, Value>, all: &mut Map<String, Value>, name: &str, value: String) {
    if let Value::Array(values) = all.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
        values.push(value.clone().into());
    }
    last.insert(name.to_owned(), value.into());
}

fn join(known: &mut String, value: &str) {
    if !known.is_empty() {
        known.push(',');
    }
    known.push_str(value);
}

/// The name of a header as clients write it, as far as that is known: on the way here it was put in lower case.
fn spelled(name: &HeaderName) -> &str {
    match *name {
        header::AUTHORIZATION => "Authorization",
        header::HOST => "Host",
        header::USER_AGENT => "User-Agent",
        _ => name.as_str(),
    }
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// The parameters of the query, decoded; `+` is a space.
fn pairs(request: &AuthorizerRequest) -> impl Iterator<Item = (String, String)> + '_ {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let query = request.uri.query().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn path_parameters<'a>(
    context: &'a RequestContext,
    decode: impl Fn(&'a str) -> Cow<'a, str>,
) -> Map<String, Value> {
    let parameters = context
        .route()
        .into_iter()
        .flat_map(|route| route.parameters());
    parameters
        .map(|(name, value)| (name.to_owned(), decode(value).into()))
        .collect()
}

fn stage_variables(context: &RequestContext) -> Map<String, Value> {
    let stage = context.stage().into_iter();
    stage
        .flat_map(|stage| &stage.variables)
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect()
}

/// The certificate of mutual TLS, if the client showed one.
fn certificate(context: &RequestContext) -> Option<Value> {
    let own = context.client_certificate()?;
    Some(json!({
        "clientCertPem": own.pem,
        "subjectDN": own.subject_dn,
        "issuerDN": own.issuer_dn,
        "serialNumber": own.serial_number,
        "validity": { "notBefore": own.not_before, "notAfter": own.not_after },
    }))
}
