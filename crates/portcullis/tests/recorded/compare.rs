//! Answers beside what was recorded.

use std::collections::BTreeSet;

use portcullis_testkit::wire::Answer;
use regex::Regex;
use serde_json::{Map, Value};

use super::backend::Backend;
use super::gateway::bytes_of;

/// Compares an answer with the `expect` of a step.
pub(crate) fn answer(expect: &Value, answer: &Answer) -> Result<(), String> {
    if expect["any"] == true {
        return Ok(());
    }
    let inferred: BTreeSet<_> = strings(&expect["inferred"]).collect();
    if let Some(status) = expect["status"].as_u64() {
        let class = |status: u64| status / 100 == 2;
        let got = u64::from(answer.status);
        // Where the recording only says whether it was a success, so does the comparison.
        let same = if inferred.contains("status") {
            class(status) == class(got)
        } else {
            status == got
        };
        if !same {
            return Err(format!(
                "status {got} instead of {status}; body {}",
                answer.text()
            ));
        }
    }
    headers(expect, answer)?;
    body(expect, answer)
}

fn headers(expect: &Value, answer: &Answer) -> Result<(), String> {
    let none = Map::new();
    let expected = expect["headers"].as_object().unwrap_or(&none);
    for (name, wanted) in expected {
        let values: Vec<_> = answer.all(name).collect();
        let joined = values.join(", ");
        let fits = match wanted {
            Value::String(text) => values.contains(&text.as_str()) || joined == *text,
            Value::Array(all) => strings(&Value::Array(all.clone())).eq(values.iter().copied()),
            rule if rule["present"] == true => !values.is_empty(),
            rule if rule["absent"] == true => values.is_empty(),
            rule => match (rule["regex"].as_str(), rule["contains"].as_str()) {
                (Some(pattern), _) => found(pattern, &joined)?,
                (None, Some(part)) => joined.contains(part),
                (None, None) => {
                    return Err(format!(
                        "a rule for headers that the runner does not know: {rule}"
                    ));
                }
            },
        };
        if !fits {
            return Err(format!("header {name} is {joined:?} instead of {wanted}"));
        }
    }
    if expect["headersExact"] == true {
        let ignored: Vec<_> = strings(&expect["headersIgnore"]).collect();
        for (name, value) in &answer.headers {
            let known = expected
                .keys()
                .map(String::as_str)
                .chain(ignored.iter().copied());
            if !known
                .into_iter()
                .any(|known| known.eq_ignore_ascii_case(name))
            {
                return Err(format!("header {name} ({value:?}) was not recorded"));
            }
        }
    }
    Ok(())
}

fn body(expect: &Value, answer: &Answer) -> Result<(), String> {
    let wanted = &expect["body"];
    if let Some(text) = wanted["text"].as_str() {
        return equal(text, &answer.text());
    }
    if wanted["base64"].is_string() {
        let wanted = bytes_of(wanted);
        return if wanted == answer.body {
            Ok(())
        } else {
            Err(format!("other bytes: {:?}", answer.text()))
        };
    }
    if wanted["empty"] == true {
        return equal("", &answer.text());
    }
    for pattern in strings(&wanted["matches"]) {
        if !found(pattern, &answer.text())? {
            return Err(format!("no {pattern} in {}", answer.text()));
        }
    }
    let Some(wanted) = wanted.get("json") else {
        return Ok(());
    };
    let mut got: Value = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("the body is no JSON ({error}): {}", answer.text()))?;
    let mut wanted = wanted.clone();
    for path in strings(&expect["parse"]) {
        for value in [&mut wanted, &mut got] {
            if let Some(place) = at_mut(value, path)
                && let Some(parsed) = place
                    .as_str()
                    .and_then(|text| serde_json::from_str(text).ok())
            {
                *place = parsed;
            }
        }
    }
    for path in strings(&expect["caseInsensitiveKeys"]) {
        for value in [&mut wanted, &mut got] {
            if let Some(Value::Object(members)) = at_mut(value, path) {
                *members = std::mem::take(members)
                    .into_iter()
                    .map(|(name, member)| (name.to_ascii_lowercase(), member))
                    .collect();
            }
        }
    }
    for (path, pattern) in expect["bodyMatches"].as_object().into_iter().flatten() {
        let text = at_any_case(&got, path)
            .map(Value::to_string)
            .unwrap_or_default();
        let text = text.trim_matches('"');
        if !found(pattern.as_str().unwrap_or_default(), text)? {
            return Err(format!(
                "{path} is {text:?}, which does not match {pattern}"
            ));
        }
    }
    for pair in expect["equal"].as_array().into_iter().flatten() {
        let path = pair[0].as_str().unwrap_or("$");
        if at_any_case(&got, path) != Some(&pair[1]) {
            return Err(format!(
                "{path} is {:?} instead of {}",
                at_any_case(&got, path),
                pair[1]
            ));
        }
    }
    for path in strings(&expect["present"]) {
        if at_any_case(&got, path).is_none() {
            return Err(format!("{path} is missing in {got}"));
        }
        remove(&mut got, path);
        remove(&mut wanted, path);
    }
    for path in strings(&expect["ignore"]) {
        remove(&mut got, path);
        remove(&mut wanted, path);
    }
    let fits = if expect["bodyMatch"] == "subset" {
        is_subset(&wanted, &got)
    } else {
        same(&wanted, &got)
    };
    if fits {
        Ok(())
    } else {
        Err(format!("\n  recorded {wanted}\n  answered {got}"))
    }
}

/// Compares what the backend got with what it must have got.
pub(crate) fn backend(expect: &Value, backend: &Backend) -> Result<(), String> {
    backend.service().holds(&expect["stored"])?;
    let Some(wanted) = expect.get("backend") else {
        return Ok(());
    };
    if wanted["invocationType"] == "Event" {
        return match backend.calls().last() {
            Some(call) if call.asynchronous => Ok(()),
            call => Err(format!(
                "the function was not called asynchronously: {call:?}"
            )),
        };
    }
    backend.service().got(wanted)
}

fn equal(wanted: &str, got: &str) -> Result<(), String> {
    if wanted == got {
        Ok(())
    } else {
        Err(format!("the body is {got:?} instead of {wanted:?}"))
    }
}

fn found(pattern: &str, text: &str) -> Result<bool, String> {
    let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
    Ok(pattern.is_match(text))
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Equal as JSON: `1` and `1.0` are one number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, member)| other.get(name).is_some_and(|other| same(member, other)))
        }
        _ => one == other,
    }
}

fn is_subset(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => wanted
            .iter()
            .all(|(name, member)| got.get(name).is_some_and(|got| is_subset(member, got))),
        _ => same(wanted, got),
    }
}

/// The steps of `$.headers.Host`. (No recorded name has a dot in it.)
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.trim_start_matches('$')
        .split('.')
        .filter(|step| !step.is_empty())
}

pub(crate) fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    steps(path).try_fold(value, |value, step| value.get(step))
}

fn at_mut<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    steps(path).try_fold(value, |value, step| value.get_mut(step))
}

/// `at`, whose last steps may be spelt in other letter case: paths name headers as they were recorded.
fn at_any_case<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    steps(path).try_fold(value, |value, step| {
        let members = value.as_object()?;
        members.get(step).or_else(|| {
            members
                .iter()
                .find_map(|(name, member)| name.eq_ignore_ascii_case(step).then_some(member))
        })
    })
}

fn remove(value: &mut Value, path: &str) {
    let mut steps: Vec<_> = steps(path).collect();
    let Some(last) = steps.pop() else { return };
    let parent = steps
        .into_iter()
        .try_fold(value, |value, step| value.get_mut(step));
    if let Some(Value::Object(members)) = parent {
        members.retain(|name, _| !name.eq_ignore_ascii_case(last));
    }
}
