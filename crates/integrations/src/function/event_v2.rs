//! Events of payload format 2.0, of HTTP APIs only. What is not there is left out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE};
use http::request::Parts;
use indexmap::IndexMap;
use percent_encoding::percent_decode_str;
use portcullis_core::RequestContext;
use serde::Serialize;
use serde_json::{Value, json};

use crate::function::event::{
    body_text, client_cert, is_text, path_parameters, scopes, stage_variables, text, visible,
};
use crate::uri::query_pairs;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: Option<&'a str>,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    query_string_parameters: IndexMap<String, String>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_parameters: Option<IndexMap<String, String>>,
    is_base64_encoded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage_variables: Option<&'a BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: Option<&'a str>,
    api_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Value>,
    domain_name: Option<&'a str>,
    domain_prefix: Option<&'a str>,
    http: Http<'a>,
    request_id: Option<Value>,
    route_key: Option<&'a str>,
    stage: Option<&'a str>,
    time: Option<Value>,
    time_epoch: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: Option<Value>,
    source_ip: Option<Value>,
    user_agent: Option<Value>,
}

/// The event of a request.
pub(crate) fn event(
    parts: &Parts,
    body: &Bytes,
    context: &RequestContext,
) -> Result<Bytes, serde_json::Error> {
    let mut cookies = Vec::new();
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in visible(&parts.headers) {
        let value = text(value);
        if *name == COOKIE {
            cookies.extend(value.split(';').map(|cookie| cookie.trim().to_owned()));
            continue;
        }
        join(headers.entry(name.as_str()).or_default(), &value);
    }
    let mut query: IndexMap<String, String> = IndexMap::new();
    for (name, value) in query_pairs(parts.uri.query()) {
        let value = String::from_utf8_lossy(&value).into_owned();
        match query.entry(name) {
            indexmap::map::Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.push(',');
                known.push_str(&value);
            }
            indexmap::map::Entry::Vacant(new) => {
                new.insert(value);
            }
        }
    }
    let path_parameters = path_parameters(context).map(|parameters| {
        let decode = |value: String| percent_decode_str(&value).decode_utf8_lossy().into_owned();
        parameters
            .into_iter()
            .map(|(name, value)| (name, decode(value)))
            .collect()
    });
    let is_binary = !is_text(parts.headers.get(CONTENT_TYPE));
    let stage = context.stage();
    let route = context.route().map(|route| route.route());
    let route_key = route.and_then(|route| route.route_key.as_deref());
    let host = context.host();
    let path = context.uri().path();
    let event = Event {
        version: "2.0",
        route_key,
        raw_path: path,
        raw_query_string: parts.uri.query().unwrap_or_default(),
        cookies,
        headers,
        query_string_parameters: query,
        request_context: Context {
            account_id: stage.map(|stage| &*stage.account_id),
            api_id: stage.map(|stage| &*stage.api_id),
            authentication: client_cert(context).map(|cert| json!({"clientCert": cert})),
            authorizer: authorizer(context),
            domain_name: host,
            domain_prefix: host.map(|host| host.split('.').next().unwrap_or(host)),
            http: Http {
                method: parts.method.as_str(),
                path,
                protocol: context.get("protocol"),
                source_ip: context.get("identity.sourceIp"),
                user_agent: context.get("identity.userAgent"),
            },
            request_id: context.get("requestId"),
            route_key,
            stage: stage.map(|stage| &*stage.stage),
            time: context.get("requestTime"),
            time_epoch: context.get("requestTimeEpoch"),
        },
        body: body_text(body, is_binary),
        path_parameters,
        is_base64_encoded: is_binary && !body.is_empty(),
        stage_variables: stage_variables(context),
    };
    serde_json::to_vec(&event).map(Bytes::from)
}

fn join(known: &mut String, value: &str) {
    if !known.is_empty() {
        known.push(',');
    }
    known.push_str(value);
}

fn authorizer(context: &RequestContext) -> Option<Value> {
    if let Some(claims) = context.claims() {
        let scopes = scopes(&claims);
        return Some(json!({"jwt": {"claims": claims.to_shown(), "scopes": scopes}}));
    }
    let values = context.authorizer();
    if !values.is_empty() {
        return Some(json!({"lambda": values}));
    }
    let caller = context.identity();
    let iam = json!({
        "accessKey": caller.access_key?.as_ref(),
        "accountId": caller.account_id.as_deref(),
        "callerId": caller.caller.as_deref(),
        "cognitoIdentity": null,
        "principalOrgId": caller.principal_org_id.as_deref(),
        "userArn": caller.user_arn.as_deref(),
        "userId": caller.user.as_deref(),
    });
    Some(json!({"iam": iam}))
}
