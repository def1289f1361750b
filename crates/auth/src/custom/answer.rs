//! The JSON that functions answer, read as the service reads it.

use serde_json::{Map, Value};

use super::function::EventFormat;
use super::reply::{AuthorizerError, AuthorizerReply};
use crate::iam::IdentityPolicy;

/// The longest ARN in a policy that the service takes from an authorizer.
const MAX_RESOURCE: usize = 512;
/// The longest answer.
const MAX_ANSWER: usize = 1024 * 1024;

/// Reads an answer to an event of this format.
pub(super) fn read(json: &[u8], format: EventFormat) -> Result<AuthorizerReply, AuthorizerError> {
    if json.len() > MAX_ANSWER {
        return Err(malformed(format!("it has {} bytes", json.len())));
    }
    let answer: Value = serde_json::from_slice(json)
        .map_err(|error| malformed(format!("it is not JSON, at column {}", error.column())))?;
    let Value::Object(answer) = answer else {
        return Err(malformed("it is no object"));
    };
    let reply = if format.has_simple_responses() {
        simple(&answer)?
    } else {
        policy(&answer)?
    };
    let reply = context(reply, answer, format)?;
    // A policy takes several times its text.
    Ok(reply.with_bytes(json.len() * 4))
}

fn simple(answer: &Map<String, Value>) -> Result<AuthorizerReply, AuthorizerError> {
    match answer.get("isAuthorized") {
        Some(Value::Bool(is_authorized)) => Ok(AuthorizerReply::simple(*is_authorized)),
        Some(_) => Err(malformed("`isAuthorized` is neither true nor false")),
        None => Err(malformed("it has no `isAuthorized`")),
    }
}

fn policy(answer: &Map<String, Value>) -> Result<AuthorizerReply, AuthorizerError> {
    if answer.contains_key("statusCode") && !answer.contains_key("policyDocument") {
        return Err(malformed(
            "it is an HTTP response (`statusCode`), and should have `principalId` and `policyDocument`",
        ));
    }
    let principal = match answer.get("principalId") {
        Some(Value::String(principal)) if !principal.is_empty() => principal.as_str(),
        Some(_) => return Err(malformed("`principalId` is no text, or empty")),
        None => return Err(malformed("it has no `principalId`")),
    };
    let Some(document) = answer.get("policyDocument") else {
        return Err(malformed("it has no `policyDocument`"));
    };
    if let Some(long) = longest_resource(document).filter(|length| *length > MAX_RESOURCE) {
        return Err(malformed(format!(
            "an ARN in its policy has {long} characters, more than {MAX_RESOURCE}"
        )));
    }
    let policy = IdentityPolicy::from_value(document)
        .map_err(|error| malformed(format!("its policy is none: {error}")))?;
    let reply = AuthorizerReply::policy(principal, policy);
    match answer.get("usageIdentifierKey") {
        None | Some(Value::Null) => Ok(reply),
        Some(Value::String(key)) => Ok(reply.with_usage_identifier_key(key.as_str())),
        Some(_) => Err(malformed("`usageIdentifierKey` is no text")),
    }
}

/// Adds what the answer says besides.
fn context(
    mut reply: AuthorizerReply,
    mut answer: Map<String, Value>,
    format: EventFormat,
) -> Result<AuthorizerReply, AuthorizerError> {
    let context = match answer.remove("context") {
        None | Some(Value::Null) => return Ok(reply),
        Some(Value::Object(context)) => context,
        Some(_) => return Err(malformed("`context` is no object")),
    };
    for (name, value) in context {
        if format == EventFormat::HttpV1 && name == "claims" {
            return Err(malformed("`claims` cannot be in its `context`"));
        }
        let value = match value {
            value if format.keeps_types() => value,
            Value::String(text) => Value::String(text),
            Value::Number(number) => Value::String(number.to_string()),
            Value::Bool(flag) => Value::String(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(malformed(format!(
                    "`{}` in its `context` is neither text, number nor boolean",
                    name.chars().take(64).collect::<String>()
                )));
            }
        };
        reply = reply.with_context(name, value);
    }
    Ok(reply)
}

/// The length of the longest text below a `Resource` or `NotResource`.
fn longest_resource(document: &Value) -> Option<usize> {
    let statements = match document.get("Statement")? {
        Value::Array(statements) => statements.as_slice(),
        one => std::slice::from_ref(one),
    };
    let resources = statements
        .iter()
        .flat_map(|statement| [statement.get("Resource"), statement.get("NotResource")])
        .flatten();
    resources
        .flat_map(|resource| match resource {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        })
        .filter_map(Value::as_str)
        .map(|text| text.chars().count())
        .max()
}

fn malformed(why: impl Into<String>) -> AuthorizerError {
    AuthorizerError::Malformed(why.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{EventFormat, read};

    const SIMPLE: EventFormat = EventFormat::HttpV2 {
        simple_responses: true,
    };
    const V2: EventFormat = EventFormat::HttpV2 {
        simple_responses: false,
    };

    fn good(other: &Value) -> Value {
        let mut answer = json!({
            "principalId": "me",
            "policyDocument": { "Version": "2012-10-17", "Statement": [
                { "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "arn:aws:execute-api:*:*:*" }
            ] },
        });
        for (name, value) in other.as_object().expect("an object") {
            match value {
                Value::Null => drop(answer.as_object_mut().expect("an object").remove(name)),
                value => answer[name] = value.clone(),
            }
        }
        answer
    }

    #[track_caller]
    fn wrong(answer: &Value, format: EventFormat, expected: &str) {
        let error = read(answer.to_string().as_bytes(), format).expect_err("it is no answer");
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[track_caller]
    fn context(answer: &Value, format: EventFormat) -> Value {
        let reply = read(answer.to_string().as_bytes(), format).expect("an answer");
        Value::Object(reply.context().clone())
    }

    #[test]
    fn what_is_no_answer_is_said_to_be_none() {
        let rest = EventFormat::Token;
        wrong(&json!(null), rest, "no object");
        wrong(&json!("Unauthorized"), rest, "no object");
        wrong(
            &good(&json!({ "principalId": null })),
            rest,
            "no `principalId`",
        );
        wrong(&good(&json!({ "principalId": 7 })), rest, "no text");
        wrong(&good(&json!({ "principalId": "" })), rest, "empty");
        wrong(
            &good(&json!({ "policyDocument": null })),
            rest,
            "no `policyDocument`",
        );
        wrong(
            &good(&json!({ "policyDocument": "{}" })),
            rest,
            "its policy is none",
        );
        wrong(
            &good(&json!({ "policyDocument": { "Statement": [{ "Effect": "Allow" }] } })),
            rest,
            "its policy is none",
        );
        wrong(
            &json!({ "statusCode": 401, "body": "" }),
            rest,
            "HTTP response",
        );
        wrong(
            &good(&json!({ "context": [] })),
            rest,
            "`context` is no object",
        );
        wrong(
            &good(&json!({ "context": { "a": {} } })),
            rest,
            "`a` in its",
        );
        wrong(
            &good(&json!({ "context": { "a": [1] } })),
            rest,
            "`a` in its",
        );
        wrong(&good(&json!({ "usageIdentifierKey": 1 })), rest, "no text");
        wrong(&good(&json!({})), SIMPLE, "no `isAuthorized`");
        wrong(
            &json!({ "isAuthorized": "true" }),
            SIMPLE,
            "neither true nor false",
        );
        wrong(&json!({ "isAuthorized": true }), V2, "no `principalId`");
        wrong(
            &good(&json!({ "context": { "claims": "x" } })),
            EventFormat::HttpV1,
            "`claims`",
        );
        assert!(read(b"", rest).is_err());
        assert!(read(&[b' '; 2 * 1024 * 1024], rest).is_err());
        assert!(read("[".repeat(100_000).as_bytes(), rest).is_err());
    }

    #[test]
    fn a_null_in_the_context_is_no_value() {
        let mut answer = good(&json!({ "context": {} }));
        answer["context"]["a"] = Value::Null;
        wrong(&answer, EventFormat::Request, "`a` in its");
    }

    #[test]
    fn an_arn_may_have_512_characters() {
        let arn = |length: usize| {
            let arn = format!("arn:aws:execute-api:*:*:a/{}", "x".repeat(length - 26));
            good(&json!({ "policyDocument": { "Statement": {
                "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": ["*", arn]
            } } }))
        };
        assert!(read(arn(512).to_string().as_bytes(), EventFormat::Token).is_ok());
        wrong(&arn(513), EventFormat::Token, "513 characters");
    }

    #[test]
    fn values_become_text_except_in_payload_2() {
        let values = json!({ "s": "x", "n": 1.5, "b": true });
        let text = json!({ "s": "x", "n": "1.5", "b": "true" });
        let answer = good(&json!({ "context": values }));
        assert_eq!(context(&answer, EventFormat::Token), text);
        assert_eq!(context(&answer, EventFormat::HttpV1), text);
        assert_eq!(context(&answer, V2), values);
        let nested = json!({ "isAuthorized": true, "context": { "a": [1, { "b": null }] } });
        assert_eq!(context(&nested, SIMPLE), nested["context"]);
    }
}
