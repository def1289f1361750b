//! What the events of both payload formats share.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use indexmap::IndexMap;
use portcullis_core::{ApiKind, Claims, RequestContext, TRACE_ID};
use serde_json::{Map, Value, json};

use crate::forwarded;
use crate::headers::is_invisible;
use crate::mapping::media_type;

/// Whether an HTTP API gives a body of this type to a function as text.
pub(crate) fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let Some(media_type) = media_type(content_type) else {
        return true;
    };
    let media_type = media_type.to_ascii_lowercase();
    media_type.starts_with("text/")
        || matches!(
            &*media_type,
            "application/json" | "application/javascript" | "application/xml"
        )
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
}

/// A body as it stands in an event; `None` if there is none.
pub(crate) fn body_text(body: &Bytes, binary: bool) -> Option<Cow<'_, str>> {
    if body.is_empty() {
        None
    } else if binary {
        Some(Cow::Owned(STANDARD.encode(body)))
    } else {
        Some(String::from_utf8_lossy(body))
    }
}

/// The headers that a function sees, in their order.
pub(crate) fn visible(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    headers.iter().filter(|(name, _)| !is_invisible(name))
}

/// The name of a header as the service spells it. The names that a client chose come in lower case.
pub(crate) fn spelled(name: &HeaderName) -> &str {
    match *name {
        header::AUTHORIZATION => "Authorization",
        header::HOST => "Host",
        header::USER_AGENT => "User-Agent",
        _ if *name == TRACE_ID => "X-Amzn-Trace-Id",
        _ if *name == forwarded::FOR => "X-Forwarded-For",
        _ if *name == forwarded::PORT => "X-Forwarded-Port",
        _ if *name == forwarded::PROTO => "X-Forwarded-Proto",
        _ => name.as_str(),
    }
}

pub(crate) fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// The parameters of the path; `None` without any.
pub(crate) fn path_parameters(context: &RequestContext) -> Option<IndexMap<String, String>> {
    let parameters: IndexMap<_, _> = context
        .route()?
        .parameters()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    (!parameters.is_empty()).then_some(parameters)
}

/// The stage variables; `None` without any.
pub(crate) fn stage_variables(context: &RequestContext) -> Option<&BTreeMap<String, String>> {
    let variables = &context.stage()?.variables;
    (!variables.is_empty()).then_some(variables)
}

/// The path as the route saw it, or, on a custom domain, with the base path.
pub(crate) fn path(parts: &Parts, context: &RequestContext) -> String {
    use portcullis_core::Detail::BasePathMatched;
    let path = match context.route() {
        Some(route) if context.noted(BasePathMatched).is_none() => route.path(),
        Some(_) => context.uri().path(),
        None => parts.uri.path(),
    };
    // Slashes between the stage and the path are one.
    format!("/{}", path.trim_start_matches('/'))
}

/// The scopes of a token; null where the route asks for none.
pub(crate) fn scopes(claims: &Claims) -> Value {
    match claims.is_on_scoped_route() {
        true => claims.scopes().collect(),
        false => Value::Null,
    }
}

/// What an authorizer said, in the shape of payload 1.0; `None` if none did.
pub(crate) fn authorizer(context: &RequestContext) -> Option<Map<String, Value>> {
    use portcullis_core::Detail::AuthorizerPrincipalId;
    use portcullis_core::Measure::AuthorizerIntegrationLatency;
    let mut authorizer = context.authorizer();
    let is_http = context
        .stage()
        .is_some_and(|stage| stage.kind == ApiKind::Http);
    if let Some(claims) = context.claims() {
        authorizer.insert("claims".to_owned(), Value::Object(claims.to_shown()));
        if is_http {
            authorizer.insert("scopes".to_owned(), scopes(&claims));
        }
    }
    if let Some(principal) = context.noted(AuthorizerPrincipalId) {
        authorizer.insert("principalId".to_owned(), Value::from(&*principal));
        if let Some(latency) = context.measured(AuthorizerIntegrationLatency)
            && !is_http
        {
            authorizer.insert("integrationLatency".to_owned(), latency.into());
        }
    }
    (!authorizer.is_empty()).then_some(authorizer)
}

/// The certificate of mutual TLS, if the client sent one.
pub(crate) fn client_cert(context: &RequestContext) -> Option<Value> {
    let certificate = context.client_certificate()?;
    Some(json!({
        "clientCertPem": certificate.pem,
        "subjectDN": certificate.subject_dn,
        "issuerDN": certificate.issuer_dn,
        "serialNumber": certificate.serial_number,
        "validity": {
            "notBefore": certificate.not_before,
            "notAfter": certificate.not_after,
        },
    }))
}

/// Adds the name of the host where the protocol has no header for it.
pub(crate) fn add_host(parts: &mut Parts, context: &RequestContext) {
    if !parts.headers.contains_key(header::HOST)
        && let Some(host) = context.host()
        && let Ok(host) = HeaderValue::try_from(host)
    {
        parts.headers.insert(header::HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_api_sends_forms_and_images_as_bytes() {
        for (media_type, expected) in [
            ("application/json; charset=utf-8", true),
            ("application/vnd.api+json", true),
            ("text/csv", true),
            ("image/png", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
        ] {
            let value = HeaderValue::from_static(media_type);
            assert_eq!(is_text(Some(&value)), expected, "{media_type}");
        }
        assert!(is_text(None));
    }
}
