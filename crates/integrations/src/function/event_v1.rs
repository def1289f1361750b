//! Events of payload format 1.0. The order of their members is the recorded one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use indexmap::IndexMap;
use portcullis_core::{ApiKind, RequestContext};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::function::event::{
    self, body_text, is_text, path_parameters, spelled, stage_variables, visible,
};
use crate::mapping::{BinaryTypes, media_type};
use crate::uri::query_pairs;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    resource: &'a str,
    path: String,
    http_method: &'a str,
    headers: IndexMap<&'a str, Cow<'a, str>>,
    multi_value_headers: IndexMap<&'a str, Vec<Cow<'a, str>>>,
    query_string_parameters: Option<IndexMap<String, String>>,
    multi_value_query_string_parameters: Option<IndexMap<String, Vec<String>>>,
    path_parameters: Option<IndexMap<String, String>>,
    stage_variables: Option<&'a BTreeMap<String, String>>,
    request_context: Context<'a>,
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Map<String, Value>>,
    resource_id: Option<&'a str>,
    resource_path: &'a str,
    http_method: &'a str,
    extended_request_id: String,
    request_time: Option<Value>,
    path: &'a str,
    account_id: Option<&'a str>,
    protocol: Option<Value>,
    stage: Option<&'a str>,
    domain_prefix: Option<&'a str>,
    request_time_epoch: Option<Value>,
    request_id: Option<Value>,
    identity: Identity,
    domain_name: Option<&'a str>,
    deployment_id: Option<&'a str>,
    api_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    cognito_identity_pool_id: Option<Value>,
    account_id: Option<Value>,
    cognito_identity_id: Option<Value>,
    caller: Option<Value>,
    source_ip: Option<Value>,
    principal_org_id: Option<Value>,
    access_key: Option<Value>,
    cognito_authentication_type: Option<Value>,
    cognito_authentication_provider: Option<Value>,
    user_arn: Option<Value>,
    user_agent: Option<Value>,
    user: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_cert: Option<Value>,
}

impl Identity {
    fn of(context: &RequestContext) -> Self {
        let get = |name: &str| context.get(name);
        Self {
            cognito_identity_pool_id: get("identity.cognitoIdentityPoolId"),
            account_id: get("identity.accountId"),
            cognito_identity_id: get("identity.cognitoIdentityId"),
            caller: get("identity.caller"),
            source_ip: get("identity.sourceIp"),
            principal_org_id: get("identity.principalOrgId"),
            access_key: get("identity.accessKey"),
            cognito_authentication_type: get("identity.cognitoAuthenticationType"),
            cognito_authentication_provider: get("identity.cognitoAuthenticationProvider"),
            user_arn: get("identity.userArn"),
            user_agent: get("identity.userAgent"),
            user: get("identity.user"),
            api_key: get("identity.apiKey"),
            api_key_id: get("identity.apiKeyId"),
            client_cert: event::client_cert(context),
        }
    }
}

/// The event of a request.
pub(crate) fn event(
    parts: &Parts,
    body: &Bytes,
    context: &RequestContext,
    (api, binary): (ApiKind, &BinaryTypes),
) -> Result<Bytes, serde_json::Error> {
    let mut headers = IndexMap::new();
    let mut multi_value_headers: IndexMap<_, Vec<_>> = IndexMap::new();
    for (name, value) in visible(&parts.headers) {
        let (name, value) = (spelled(name), event::text(value));
        headers.insert(name, value.clone());
        multi_value_headers.entry(name).or_default().push(value);
    }
    let mut query = IndexMap::new();
    let mut multi_query: IndexMap<_, Vec<_>> = IndexMap::new();
    for (name, value) in query_pairs(parts.uri.query()) {
        let value = String::from_utf8_lossy(&value).into_owned();
        query.insert(name.clone(), value.clone());
        multi_query.entry(name).or_default().push(value);
    }
    let content_type = parts.headers.get(CONTENT_TYPE);
    let is_binary = match api {
        ApiKind::Rest => binary.matches(media_type(content_type)),
        ApiKind::Http => !is_text(content_type),
    };
    let is_http = api == ApiKind::Http;
    let authorizer = event::authorizer(context);
    let resource = context.route().map_or("", |route| &route.route().template);
    let route = context.route().map(|route| route.route());
    let stage = context.stage();
    let host = context.host();
    let event = Event {
        version: is_http.then_some("1.0"),
        resource,
        path: event::path(parts, context),
        http_method: parts.method.as_str(),
        headers,
        multi_value_headers,
        query_string_parameters: (!query.is_empty()).then_some(query),
        multi_value_query_string_parameters: (!multi_query.is_empty()).then_some(multi_query),
        path_parameters: path_parameters(context),
        stage_variables: stage_variables(context),
        request_context: Context {
            authorizer: if is_http {
                Some(authorizer.unwrap_or_default())
            } else {
                authorizer
            },
            resource_id: route.and_then(|route| route.resource_id.as_deref()),
            resource_path: resource,
            http_method: parts.method.as_str(),
            extended_request_id: context.extended_request_id().to_string(),
            request_time: context.get("requestTime"),
            path: context.uri().path(),
            account_id: stage.map(|stage| &*stage.account_id),
            protocol: context.get("protocol"),
            stage: stage.map(|stage| &*stage.stage),
            domain_prefix: host.map(|host| host.split('.').next().unwrap_or(host)),
            request_time_epoch: context.get("requestTimeEpoch"),
            request_id: context.get("requestId"),
            identity: Identity::of(context),
            domain_name: host,
            deployment_id: stage.and_then(|stage| stage.deployment_id.as_deref()),
            api_id: stage.map(|stage| &*stage.api_id),
        },
        body: body_text(body, is_binary),
        is_base64_encoded: is_binary && !body.is_empty(),
    };
    serde_json::to_vec(&event).map(Bytes::from)
}
