//! Claims as the service shows them in `$context` and in events: always as text.

use std::fmt::Write as _;

use serde_json::Value;

/// In an HTTP API: lists and objects as Go prints them, `[a b]` and `map[a:1 b:2]`.
pub(super) fn http_api(_name: &str, value: &Value) -> Value {
    let mut text = String::new();
    write_go(&mut text, value);
    Value::String(text)
}

/// In a REST API: lists with commas.
pub(super) fn rest_api(_name: &str, value: &Value) -> Value {
    Value::String(match value {
        Value::Array(values) => {
            let texts: Vec<String> = values.iter().map(plain).collect();
            texts.join(",")
        }
        value => plain(value),
    })
}

/// In a Cognito authorizer: the same, with `exp` and `iat` as dates.
pub(super) fn user_pool(name: &str, value: &Value) -> Value {
    if matches!(name, "exp" | "iat")
        && let Some(date) = date(value)
    {
        return Value::String(date);
    }
    rest_api(name, value)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn write_go(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::String(text) => out.push_str(text),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                write_go(out, value);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push_str("map[");
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(name);
                out.push(':');
                write_go(out, value);
            }
            out.push(']');
        }
        Value::Bool(_) | Value::Number(_) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{value}");
        }
    }
}

/// `Fri Jul 29 18:52:53 UTC 2016`
fn date(value: &Value) -> Option<String> {
    let seconds = value.as_i64()?;
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(time.strftime("%a %b %d %H:%M:%S UTC %Y").to_string())
}

#[cfg(test)]
mod tests {
    use portcullis_core::ClaimWording;
    use serde_json::{Value, json};

    use super::{http_api, rest_api, user_pool};

    #[track_caller]
    fn check(wording: ClaimWording, name: &str, value: &Value, expected: &str) {
        assert_eq!(wording(name, value), json!(expected));
    }

    #[test]
    fn an_http_api_prints_lists_in_brackets_without_commas() {
        check(http_api, "exp", &json!(1_787_992_402), "1787992402");
        check(http_api, "email_verified", &json!(true), "true");
        check(http_api, "groups", &json!(["a", "b c", 1]), "[a b c 1]");
        check(
            http_api,
            "address",
            &json!({"b": [1], "a": null}),
            "map[a:<nil> b:[1]]",
        );
    }

    #[test]
    fn a_rest_api_joins_lists_with_commas() {
        check(rest_api, "cognito:groups", &json!(["a", "b"]), "a,b");
        check(rest_api, "exp", &json!(1_469_818_373), "1469818373");
        check(rest_api, "address", &json!({"a": [1]}), r#"{"a":[1]}"#);
    }

    #[test]
    fn a_user_pools_times_are_dates_but_for_the_time_of_the_login() {
        check(
            user_pool,
            "exp",
            &json!(1_469_818_373),
            "Fri Jul 29 18:52:53 UTC 2016",
        );
        check(
            user_pool,
            "iat",
            &json!(1_469_814_773),
            "Fri Jul 29 17:52:53 UTC 2016",
        );
        check(user_pool, "auth_time", &json!(1_469_814_773), "1469814773");
        check(user_pool, "email_verified", &json!(true), "true");
    }
}
