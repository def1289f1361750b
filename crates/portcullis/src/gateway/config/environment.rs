//! `${NAME}` in values.

use serde_json::Value;

use super::reader::{Reader, join};

/// Puts the values of variables into every text of `tree`.
///
/// Only names of capitals, digits and underscores are variables: `${stageVariables.x}` and the like belong to the service.
pub(super) fn expand(
    tree: &mut Value,
    path: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    reader: &mut Reader,
) {
    match tree {
        Value::String(text) if text.contains("${") => match expanded(text, lookup) {
            Ok(expanded) => *text = expanded,
            Err(name) => reader.unset(path, &name),
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                expand(item, &format!("{path}/{index}"), lookup, reader);
            }
        }
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                expand(member, &join(path, name), lookup, reader);
            }
        }
        _ => {}
    }
}

/// The text with its variables filled in, or the name of one that is not set.
fn expanded(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, tail) = rest.split_at(at);
        // A doubled dollar stands for one.
        if let Some(escaped) = before.strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = &tail[2..];
            continue;
        }
        out.push_str(before);
        let inner = &tail[2..];
        let variable = inner.split_once('}').and_then(|(inside, after)| {
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            is_name(name).then_some((name, default, after))
        });
        match variable {
            Some((name, default, after)) => {
                let value = lookup(name).or_else(|| default.map(str::to_owned));
                out.push_str(&value.ok_or_else(|| name.to_owned())?);
                rest = after;
            }
            None => {
                out.push_str("${");
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::expanded;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let lookup = |name: &str| (name == "PORT").then(|| "9000".to_owned());
        let got = expanded(text, &lookup);
        assert_eq!(got.as_deref().map_err(|name| name.as_str()), expected);
    }

    #[test]
    fn variables_are_filled_in() {
        check("http://localhost:${PORT}/x", Ok("http://localhost:9000/x"));
        check("${HOST:-localhost}:${PORT:-1}", Ok("localhost:9000"));
        check("${HOST}", Err("HOST"));
        check("${EMPTY:-}", Ok(""));
    }

    #[test]
    fn what_belongs_to_the_service_stays() {
        for text in [
            "${stageVariables.host}",
            "${",
            "$",
            "${}",
            "${PORT",
            "a$b",
            "${1A}",
        ] {
            check(text, Ok(text));
        }
        check("$${PORT}", Ok("${PORT}"));
    }
}
