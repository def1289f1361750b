//! What a function's reply means as an HTTP response.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use portcullis_core::Body;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::headers;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A reply by payload format 1.0. `binary` says that the client accepts a type for which Base64 is decoded.
///
/// # Errors
///
/// If the reply is not as the format wants it; the client then gets 502.
pub(crate) fn reply_v1(payload: &[u8], binary: bool) -> Result<Response<Body>, Failure> {
    let Ok(Value::Object(reply)) = serde_json::from_slice(payload) else {
        return Err(malformed("it is no JSON object"));
    };
    let known = ["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"];
    if let Some(unknown) = reply.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(malformed(&format!("it has a member `{unknown}`")));
    }
    let mut headers = HeaderMap::with_capacity(8);
    match reply.get("multiValueHeaders") {
        None | Some(Value::Null) => {}
        Some(Value::Object(multi)) => {
            for (name, values) in multi {
                let values = values
                    .as_array()
                    .ok_or_else(|| malformed("a value of `multiValueHeaders` is no list"))?;
                for value in values {
                    append(&mut headers, name, value)?;
                }
            }
        }
        Some(_) => return Err(malformed("`multiValueHeaders` is no object")),
    }
    single_headers(&reply, &mut headers)?;
    respond(&reply, headers, binary)
}

/// A reply by payload format 2.0: a response if it has a `statusCode`, else the body of one.
///
/// # Errors
///
/// If it has a `statusCode` and the rest is not as the format wants it; the client then gets 500.
pub(crate) fn reply_v2(payload: &[u8]) -> Result<Response<Body>, Failure> {
    let value: Value = serde_json::from_slice(payload).map_err(|_| malformed("it is no JSON"))?;
    let reply = match value {
        Value::Object(reply) if reply.contains_key("statusCode") => reply,
        other => {
            let body = match other {
                Value::String(text) => Body::from(text),
                // As the function wrote it, not as it would be written again.
                _ => Body::from(payload.to_vec()),
            };
            let mut response = Response::new(body);
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            return Ok(response);
        }
    };
    let mut headers = HeaderMap::with_capacity(8);
    single_headers(&reply, &mut headers)?;
    for cookie in reply.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        let cookie = cookie.as_str().and_then(|cookie| HeaderValue::from_str(cookie).ok());
        headers.append(SET_COOKIE, cookie.ok_or_else(|| malformed("a cookie is no text"))?);
    }
    respond(&reply, headers, true)
}

fn malformed(what: &str) -> Failure {
    Failure::BadReply(format!("malformed proxy response: {what}"))
}

fn single_headers(reply: &Map<String, Value>, headers: &mut HeaderMap) -> Result<(), Failure> {
    match reply.get("headers") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(single)) => single
            .iter()
            .try_for_each(|(name, value)| append(headers, name, value)),
        Some(_) => Err(malformed("`headers` is no object")),
    }
}

/// Text as it is; numbers and truth values as they print.
fn append(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), Failure> {
    let bad = || malformed(&format!("the header `{name}` cannot be sent"));
    let name: HeaderName = name.parse().map_err(|_| bad())?;
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Null => return Ok(()),
        Value::Array(_) | Value::Object(_) => return Err(bad()),
    };
    let value = HeaderValue::from_str(&value).map_err(|_| bad())?;
    headers.append(name, value);
    Ok(())
}

fn respond(
    reply: &Map<String, Value>,
    mut headers: HeaderMap,
    decode: bool,
) -> Result<Response<Body>, Failure> {
    let status = match reply.get("statusCode") {
        None | Some(Value::Null) => 200,
        Some(Value::Number(number)) => number
            .as_u64()
            .or_else(|| number.as_f64().filter(|float| float.fract() == 0.0).map(|float| float as u64))
            .ok_or_else(|| malformed("`statusCode` is no whole number"))?,
        Some(Value::String(text)) => {
            text.parse().map_err(|_| malformed("`statusCode` is no number"))?
        }
        Some(_) => return Err(malformed("`statusCode` is no number")),
    };
    let status = u16::try_from(status)
        .ok()
        .filter(|status| (200..600).contains(status))
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or_else(|| malformed("`statusCode` is not from 200 to 599"))?;
    let encoded = reply.get("isBase64Encoded") == Some(&Value::Bool(true));
    let body = match reply.get("body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) if encoded && decode => STANDARD
            .decode(text)
            .map_err(|_| malformed("`body` is no Base64"))?
            .into(),
        Some(Value::String(text)) => Bytes::from(text.clone()),
        Some(other @ (Value::Number(_) | Value::Bool(_))) => Bytes::from(other.to_string()),
        Some(_) => return Err(malformed("`body` is no text")),
    };
    // What speaks of framing is ours to say.
    headers::strip_hop_by_hop(&mut headers, false);
    headers.remove(http::header::CONTENT_LENGTH);
    headers.entry(CONTENT_TYPE).or_insert(JSON);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn v1(reply: &Value) -> Result<Response<Body>, Failure> {
        reply_v1(reply.to_string().as_bytes(), false)
    }

    #[test]
    fn a_reply_without_anything_is_an_empty_answer() {
        let response = v1(&json!({})).expect("a reply");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.body().as_bytes(), Some(&b""[..]));
    }

    #[test]
    fn both_kinds_of_headers_are_sent_multi_values_first() {
        let reply = json!({
            "multiValueHeaders": { "test": ["multi", true] },
            "headers": { "TEST": "solo", "n": 1, "none": null },
        });
        let response = v1(&reply).expect("a reply");
        let values: Vec<_> = response.headers().get_all("test").iter().collect();
        assert_eq!(values, ["multi", "true", "solo"]);
        assert_eq!(response.headers()["n"], "1");
        assert!(!response.headers().contains_key("none"));
    }

    #[test]
    fn a_reply_that_is_not_as_the_format_wants_it_is_refused() {
        for reply in [
            json!("text"),
            json!(null),
            json!({ "statusCode": "test" }),
            json!({ "statusCode": 99 }),
            json!({ "statusCode": 200, "other": 1 }),
            json!({ "multiValueHeaders": { "a": "b" } }),
            json!({ "headers": { "a\n": "b" } }),
            json!({ "headers": { "a": "b\r\nc: d" } }),
            json!({ "body": {} }),
        ] {
            assert!(matches!(v1(&reply), Err(Failure::BadReply(_))), "{reply}");
        }
        assert!(reply_v1(b"{", false).is_err());
        assert_eq!(v1(&json!({ "statusCode": "201" })).expect("a reply").status(), 201);
    }

    #[test]
    fn base64_is_decoded_only_for_clients_that_want_binary() {
        let reply = json!({ "body": "aGk=", "isBase64Encoded": true }).to_string();
        for (binary, expected) in [(false, "aGk="), (true, "hi")] {
            let response = reply_v1(reply.as_bytes(), binary).expect("a reply");
            assert_eq!(response.body().as_bytes(), Some(expected.as_bytes()));
        }
    }

    #[test]
    fn format_two_takes_any_json_for_a_body() {
        for (payload, body) in [
            (r#"{"id": 1}"#, r#"{"id": 1}"#),
            (r#""text""#, "text"),
            ("[1]", "[1]"),
        ] {
            let response = reply_v2(payload.as_bytes()).expect("a reply");
            assert_eq!(response.status(), 200);
            assert_eq!(response.body().as_bytes(), Some(body.as_bytes()));
        }
        let reply = json!({ "statusCode": 201, "cookies": ["a=1", "b=2"], "extra": 1 });
        let response = reply_v2(reply.to_string().as_bytes()).expect("a reply");
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    }
}
