//! What `serde` says of a value, in the words of the configuration.

use super::reader::nearest;

/// The message in our words, as far as it is of a kind that is known.
pub(super) fn reworded(message: &str) -> String {
    if let Some(rest) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        && let Some((found, expected)) = rest.rsplit_once(", expected ")
    {
        let wanted = wanted(expected);
        // Where a text is wanted it may be a secret.
        let found = if wanted.starts_with("a text") {
            kind(found)
        } else {
            given(found)
        };
        return format!("must be {wanted}, not {found}");
    }
    if message.starts_with("missing field ") {
        return "is missing".to_owned();
    }
    if let Some((found, expected)) = message
        .strip_prefix("unknown variant ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        let expected = expected.strip_prefix("one of ").unwrap_or(expected);
        return format!("{found} is none of {expected}");
    }
    if let Some((found, expected)) = message
        .strip_prefix("unknown field ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        let expected = expected.strip_prefix("one of ").unwrap_or(expected);
        let expected = expected.replace('`', "").replace(" or ", ", ");
        let known: Vec<_> = expected.split(", ").collect();
        return match nearest(found.trim_matches('`'), &known) {
            Some(near) => format!("no such field; did you mean `{near}`?"),
            None => format!("no such field; there are: {}", known.join(", ")),
        };
    }
    message.to_owned()
}

/// The field that the message is about, where its place is that of the object round it.
pub(super) fn named_field(message: &str) -> Option<&str> {
    let missing = message.strip_prefix("missing field `");
    let rest = missing.or_else(|| message.strip_prefix("unknown field `"))?;
    rest.split('`').next()
}

fn wanted(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "string" | "str" => "a text (in quotes, if it looks like a number)",
        "a boolean" => "true or false",
        "a map" | "map" => "an object",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

fn kind(found: &str) -> &str {
    match found.split(' ').next() {
        Some("integer" | "floating") => "a number",
        Some("boolean") => "true or false",
        _ => given(found),
    }
}

fn given(found: &str) -> &str {
    match found {
        "map" => "an object",
        "sequence" => "a list",
        "null" | "unit value" => "nothing",
        other => {
            let names = ["string ", "integer ", "floating point ", "boolean "];
            let named = names.iter().find_map(|name| other.strip_prefix(name));
            named.unwrap_or(other)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{named_field, reworded};

    #[track_caller]
    fn check<T: serde::de::DeserializeOwned>(json: &str, expected: &str) {
        let error =
            serde_json::from_str::<serde_json::Value>(json).map(serde_json::from_value::<T>);
        let error = error.expect("JSON").err().expect("another type");
        assert_eq!(reworded(&error.to_string()), expected);
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Pet {
        name: String,
    }

    #[derive(Debug, serde::Deserialize)]
    enum Kind {
        #[serde(rename = "cat")]
        Cat,
        #[serde(rename = "dog")]
        Dog,
    }

    #[test]
    fn it_speaks_of_texts_lists_and_objects() {
        check::<u32>(r#""ten""#, "must be a whole number, 0 or more, not \"ten\"");
        check::<u32>("-1", "must be a whole number, 0 or more, not `-1`");
        check::<f64>("{}", "must be a number, not an object");
        check::<String>(
            "7",
            "must be a text (in quotes, if it looks like a number), not a number",
        );
        check::<bool>("[]", "must be true or false, not a list");
        check::<Vec<u8>>("null", "must be a list, not nothing");
        check::<Pet>("true", "must be an object, not `true`");
        check::<Pet>("{}", "is missing");
        check::<Pet>(r#"{"nam": 1}"#, "no such field; did you mean `name`?");
        check::<Pet>(r#"{"x": 1}"#, "no such field; there are: name");
        check::<Kind>(r#""cow""#, "`cow` is none of `cat` or `dog`");
        assert_eq!(reworded("as it is"), "as it is");
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        assert_eq!(named_field("missing field `name`"), Some("name"));
        assert_eq!(
            named_field("unknown field `nam`, expected `name`"),
            Some("nam")
        );
        assert_eq!(named_field("invalid type: map, expected a string"), None);
    }
}
