//! What `serde` says of a value, in the words of the configuration.

/// The message in our words, as far as it is of a kind that is known.
pub(super) fn reworded(message: &str) -> String {
    if let Some(rest) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        && let Some((found, expected)) = rest.rsplit_once(", expected ")
    {
        return format!("must be {}, not {}", wanted(expected), given(found));
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return format!("{rest} is missing");
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
        return format!(
            "there is no field {found}; there are: {}",
            expected.replace('`', "")
        );
    }
    message.to_owned()
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
    use super::reworded;

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
            "must be a text (in quotes, if it looks like a number), not `7`",
        );
        check::<bool>("[]", "must be true or false, not a list");
        check::<Vec<u8>>("null", "must be a list, not nothing");
        check::<Pet>("true", "must be an object, not `true`");
        check::<Pet>("{}", "`name` is missing");
        check::<Pet>(r#"{"nam": 1}"#, "there is no field `nam`; there are: name");
        check::<Kind>(r#""cow""#, "`cow` is none of `cat` or `dog`");
        assert_eq!(reworded("as it is"), "as it is");
    }
}
