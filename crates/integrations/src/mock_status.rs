//! The status in a mock's request, which need not be strict JSON.

/// The integer `statusCode` of an object. Keys without quotes, members that make no sense and a comma before the end are
/// borne; a status that is no integer is none.
pub(crate) fn mock_status(text: &[u8]) -> Option<i64> {
    #[derive(serde::Deserialize)]
    struct Strict {
        #[serde(rename = "statusCode")]
        status: i64,
    }
    // A list would do for the fields of a struct, too.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    if let Ok(strict) = serde_json::from_slice::<Strict>(text) {
        return Some(strict.status);
    }
    lenient(std::str::from_utf8(text).ok()?)
}

fn lenient(text: &str) -> Option<i64> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut status = None;
    while !rest.trim_start().is_empty() {
        let (key, value) = key(rest.trim_start())?;
        let (value, after) = split_value(value)?;
        if key == "statusCode" && status.is_none() {
            status = Some(value.trim().parse().ok()?);
        }
        rest = after;
    }
    status
}

/// The key of the first member, and what stands behind its colon.
fn key(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('{') {
        return None;
    }
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            let (key, rest) = inner.split_once(quote)?;
            return Some((key, rest.trim_start().strip_prefix(':')?));
        }
    }
    let (key, rest) = text.split_once(':')?;
    Some((key.trim_end(), rest))
}

/// The value up to the comma that ends it, and what follows. Brackets must close.
fn split_value(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_u32;
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    (depth == 0 && !quoted).then_some((text, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(mock_status(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn a_status_is_found_in_what_is_almost_json() {
        for text in [
            "{\"statusCode\": 200}",
            "{statusCode: 200}",
            " {'statusCode':200}\n",
            "{\"a\": {\"statusCode\": 1}, \"statusCode\": 200}",
            "{\"statusCode\": 200 , }",
            "{\"statusCode\": 200 , null: null }",
            "{statusCode: 200, \" \": \" \"}",
            "{statusCode: 200,super{ f}oo: [ba r]}",
            "{statusCode: 200, foo'}: [ba r]}",
        ] {
            check(text, Some(200));
        }
        check("{\"statusCode\": -1000}", Some(-1000));
    }

    #[test]
    fn what_has_no_integer_status_has_none() {
        for text in [
            "",
            "200",
            "{}",
            "[200]",
            "{\"statusCode\": \"200\"}",
            "{\"statusCode\": 200.5}",
            "{'statusCode: 200 }",
            "{statusCode: 200, {foo: [ba r]}",
            "{\"a\": {\"statusCode\": 200}}",
            "{statusCode}",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ -~]{0,40}") {
            let _ = mock_status(text.as_bytes());
            let _ = mock_status(format!("{{statusCode: 200, {text}}}").as_bytes());
        }
    }
}
