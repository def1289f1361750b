//! What a function's reply makes of the response.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Response, StatusCode};
use portcullis_core::{ApiKind, Body};
use serde_json::{Map, Value};

use crate::headers::{is_hop_by_hop, remapped};

/// Why a reply is none.
pub(crate) type Malformed = String;

/// The response of payload 1.0. `decodes` says whether the client takes bytes for what is base64-encoded.
pub(crate) fn response_v1(
    payload: &[u8],
    api: ApiKind,
    decodes: bool,
) -> Result<Response<Body>, Malformed> {
    const MEMBERS: [&str; 5] = [
        "statusCode",
        "headers",
        "multiValueHeaders",
        "body",
        "isBase64Encoded",
    ];
    let reply: Map<String, Value> =
        serde_json::from_slice(payload).map_err(|_| "the reply is not a JSON object".to_owned())?;
    if api == ApiKind::Rest
        && let Some(unknown) = reply.keys().find(|key| !MEMBERS.contains(&key.as_str()))
    {
        return Err(format!("the reply has an unknown member `{unknown}`"));
    }
    let mut headers = HeaderMap::new();
    add_multi_value_headers(&mut headers, reply.get("multiValueHeaders"), api)?;
    add_headers(&mut headers, reply.get("headers"), api)?;
    let body = body(&reply, decodes)?;
    Ok(build(status(reply.get("statusCode"))?, headers, body))
}

/// The response of payload 2.0: any JSON, unless it has a `statusCode`.
pub(crate) fn response_v2(payload: &[u8]) -> Result<Response<Body>, Malformed> {
    let value: Value =
        serde_json::from_slice(payload).map_err(|_| "the reply is not JSON".to_owned())?;
    let reply = match value {
        Value::Object(reply) if reply.contains_key("statusCode") => reply,
        Value::String(text) => return Ok(build(StatusCode::OK, HeaderMap::new(), text.into())),
        _ => {
            let body = Bytes::copy_from_slice(payload);
            return Ok(build(StatusCode::OK, HeaderMap::new(), body));
        }
    };
    let mut headers = HeaderMap::new();
    add_headers(&mut headers, reply.get("headers"), ApiKind::Http)?;
    add_cookies(&mut headers, reply.get("cookies"))?;
    let body = body(&reply, true)?;
    Ok(build(status(reply.get("statusCode"))?, headers, body))
}

/// The head of a streamed response. What follows it is the body.
pub(crate) fn head_of_stream(metadata: &[u8]) -> Result<Response<()>, Malformed> {
    let head: Map<String, Value> =
        serde_json::from_slice(metadata).map_err(|_| "the head is not a JSON object".to_owned())?;
    let mut headers = HeaderMap::new();
    add_multi_value_headers(&mut headers, head.get("multiValueHeaders"), ApiKind::Rest)?;
    add_headers(&mut headers, head.get("headers"), ApiKind::Rest)?;
    add_cookies(&mut headers, head.get("cookies"))?;
    // How long it gets is not known yet.
    headers.remove(CONTENT_LENGTH);
    let status = status(head.get("statusCode"))?;
    Ok(build(status, headers, Bytes::new()).map(drop))
}

fn status(value: Option<&Value>) -> Result<StatusCode, Malformed> {
    let number = match value {
        None | Some(Value::Null) => return Ok(StatusCode::OK),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| (200..600).contains(number))
        .and_then(|number| StatusCode::from_u16(number).ok())
        .ok_or_else(|| "`statusCode` is not a status from 200 to 599".to_owned())
}

fn body(reply: &Map<String, Value>, decodes: bool) -> Result<Bytes, Malformed> {
    let text = match reply.get("body") {
        None | Some(Value::Null) => return Ok(Bytes::new()),
        Some(Value::String(text)) => text,
        Some(_) => return Err("`body` is not text".to_owned()),
    };
    let encoded = match reply.get("isBase64Encoded") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(encoded)) => *encoded,
        Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
        Some(_) => return Err("`isBase64Encoded` is not true or false".to_owned()),
    };
    if encoded && decodes {
        return STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(|_| "`body` is not base64".to_owned());
    }
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}

fn add_multi_value_headers(
    headers: &mut HeaderMap,
    values: Option<&Value>,
    api: ApiKind,
) -> Result<(), Malformed> {
    let map = match values {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err("`multiValueHeaders` is not an object".to_owned()),
    };
    for (name, values) in map {
        let values = values
            .as_array()
            .ok_or_else(|| format!("`multiValueHeaders.{name}` is not a list"))?;
        for value in values {
            add(headers, name, value, api)?;
        }
    }
    Ok(())
}

fn add_cookies(headers: &mut HeaderMap, values: Option<&Value>) -> Result<(), Malformed> {
    let cookies = match values {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(cookies)) => cookies,
        Some(_) => return Err("`cookies` is not a list".to_owned()),
    };
    for cookie in cookies {
        let cookie = cookie
            .as_str()
            .and_then(|text| HeaderValue::try_from(text).ok());
        let cookie = cookie.ok_or_else(|| "a cookie is not text".to_owned())?;
        headers.append(SET_COOKIE, cookie);
    }
    Ok(())
}

fn add_headers(
    headers: &mut HeaderMap,
    values: Option<&Value>,
    api: ApiKind,
) -> Result<(), Malformed> {
    match values {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(map)) => map
            .iter()
            .try_for_each(|(name, value)| add(headers, name, value, api)),
        Some(_) => Err("`headers` is not an object".to_owned()),
    }
}

fn add(headers: &mut HeaderMap, name: &str, value: &Value, api: ApiKind) -> Result<(), Malformed> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Null => return Ok(()),
        Value::Array(_) | Value::Object(_) => {
            return Err(format!("the value of the header `{name}` is not text"));
        }
    };
    let bad = || format!("the header `{name}` cannot be sent");
    let name: HeaderName = name.parse().map_err(|_| bad())?;
    let value = HeaderValue::try_from(text).map_err(|_| bad())?;
    let name = match api {
        _ if name == TRANSFER_ENCODING => return Ok(()),
        ApiKind::Rest => match remapped(&name) {
            Some(other) => other,
            None if is_hop_by_hop(&name) => return Ok(()),
            None => name,
        },
        // The length is that of what is sent.
        ApiKind::Http if is_hop_by_hop(&name) || name == CONTENT_LENGTH => return Ok(()),
        ApiKind::Http => name,
    };
    headers.append(name, value);
    Ok(())
}

fn build(status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Response<Body> {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    headers.entry(CONTENT_TYPE).or_insert(JSON);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests;
