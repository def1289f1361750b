//! What is wrong with a value, in the words of the service.

use std::fmt::Write as _;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::Value;

use super::recursion::Alternatives;

/// The list of what is wrong with `value`, which does not fit.
///
/// It is complete for values of ordinary size. How much is said, and how much work goes into it, is bounded: the value is the client's.
pub(super) fn describe(validator: &Validator, alternatives: Alternatives, value: &Value) -> String {
    let errors: Vec<_> = match alternatives {
        Alternatives::Recursive => Vec::new(),
        _ if is_small(value) => validator.iter_errors(value).take(MAX_ERRORS).collect(),
        Alternatives::None => validator.validate(value).err().into_iter().collect(),
        Alternatives::Finite => Vec::new(),
    };
    if errors.is_empty() {
        return "[instance does not fit the model]".to_owned();
    }
    let mut text = "[".to_owned();
    let mut rest = &*errors;
    while let Some((first, others)) = rest.split_first() {
        // The service names the properties that one object lacks together.
        let together = others
            .iter()
            .take_while(|other| is_same_object(first, other));
        let (same, next) = others.split_at(together.count());
        if text.len() > 1 {
            text.push_str(", ");
        }
        if text.len() > MAX_TEXT {
            text.push('…');
            break;
        }
        say(first, same, &mut text);
        rest = next;
    }
    text.push(']');
    text
}

fn is_same_object(one: &ValidationError<'_>, other: &ValidationError<'_>) -> bool {
    matches!(one.kind(), Kind::Required { .. })
        && matches!(other.kind(), Kind::Required { .. })
        && one.instance_path() == other.instance_path()
        && one.schema_path() == other.schema_path()
}

/// Writes one violation; `same` are others of required properties that belong to it.
fn say(error: &ValidationError<'_>, same: &[ValidationError<'_>], text: &mut String) {
    let instance = error.instance();
    // Writing to a text does not fail.
    let _ = match error.kind() {
        Kind::AdditionalItems { limit } => write!(
            text,
            "schema only allows {limit} elements in array but instance has {} elements",
            length(instance)
        ),
        Kind::AdditionalProperties { unexpected } => write!(
            text,
            "object instance has properties which are not allowed by the schema: {}",
            names(unexpected.iter().map(String::as_str))
        ),
        Kind::AnyOf { context } => write!(
            text,
            "instance failed to match at least one required schema among {}",
            context.len()
        ),
        Kind::OneOfNotValid { context } => write!(
            text,
            "instance failed to match exactly one schema (matched 0 out of {})",
            context.len()
        ),
        Kind::OneOfMultipleValid { context } => write!(
            text,
            "instance failed to match exactly one schema (matched {} out of {})",
            context.iter().filter(|errors| errors.is_empty()).count(),
            context.len()
        ),
        Kind::Not { .. } => write!(text, "instance matched a schema which it should not have"),
        Kind::Enum { options } => write!(
            text,
            "instance value ({}) not found in enum (possible values: {})",
            short(&instance.to_string()),
            short(&options.to_string())
        ),
        Kind::Maximum { limit } => write!(
            text,
            "numeric instance is greater than the required maximum (maximum: {limit}, found: {instance})"
        ),
        Kind::Minimum { limit } => write!(
            text,
            "numeric instance is lower than the required minimum (minimum: {limit}, found: {instance})"
        ),
        Kind::ExclusiveMaximum { limit } => write!(
            text,
            "numeric instance is not strictly lower than the required maximum {limit}"
        ),
        Kind::ExclusiveMinimum { limit } => write!(
            text,
            "numeric instance is not strictly greater than the required minimum {limit}"
        ),
        Kind::MultipleOf { multiple_of } => write!(
            text,
            "remainder of division is not zero ({instance} / {multiple_of})"
        ),
        Kind::MaxItems { limit } => write!(
            text,
            "array is too long: must have at most {limit} elements but instance has {} elements",
            length(instance)
        ),
        Kind::MinItems { limit } => write!(
            text,
            "array is too short: must have at least {limit} elements but instance has {} elements",
            length(instance)
        ),
        Kind::UniqueItems => write!(text, "array must not contain duplicate elements"),
        Kind::MaxLength { limit } => write!(
            text,
            "string \"{}\" is too long (length: {}, maximum allowed: {limit})",
            string(instance),
            characters(instance)
        ),
        Kind::MinLength { limit } => write!(
            text,
            "string \"{}\" is too short (length: {}, required minimum: {limit})",
            string(instance),
            characters(instance)
        ),
        Kind::MaxProperties { limit } => write!(
            text,
            "object has too many properties (found {} but schema requires at most {limit})",
            length(instance)
        ),
        Kind::MinProperties { limit } => write!(
            text,
            "object has too few properties (found {} but schema requires at least {limit})",
            length(instance)
        ),
        Kind::Pattern { pattern } => write!(
            text,
            "ECMA 262 regex \"{}\" does not match input string \"{}\"",
            short(pattern),
            string(instance)
        ),
        Kind::Required { .. } => {
            let missing = std::iter::once(error).chain(same);
            let missing = missing.filter_map(|error| match error.kind() {
                Kind::Required { property } => property.as_str(),
                _ => None,
            });
            write!(
                text,
                "object has missing required properties ({})",
                names(missing)
            )
        }
        Kind::Type { kind } => write!(
            text,
            "instance type ({}) does not match any allowed primitive type (allowed: {})",
            type_of(instance),
            allowed(kind)
        ),
        Kind::Format { format } => say_format(format, instance, text),
        // Keywords that draft 4 does not have, and patterns that had to be given up.
        other => write!(text, "instance does not fit `{}`", other.keyword()),
    };
}

fn say_format(format: &str, instance: &Value, text: &mut String) -> std::fmt::Result {
    let string = string(instance);
    let what = match format {
        "date-time" => {
            return write!(
                text,
                "string \"{string}\" is invalid against requested date format(s) [yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{{1,12}}Z]"
            );
        }
        "email" => "email address",
        "hostname" => "hostname",
        "ipv4" => "IPv4 address",
        "ipv6" => "IPv6 address",
        "uri" => "URI",
        "regex" => "ECMA 262 regular expression",
        other => other,
    };
    write!(text, "string \"{string}\" is not a valid {what}")
}

/// Names as a JSON list, in alphabetical order.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    short(&Value::from(names).to_string())
}

fn allowed(kind: &TypeKind) -> String {
    let mut allowed: Vec<JsonType> = match kind {
        TypeKind::Single(one) => vec![*one],
        TypeKind::Multiple(several) => several.iter().collect(),
    };
    // Whole numbers are numbers, and the service says so.
    if allowed.contains(&JsonType::Number) && !allowed.contains(&JsonType::Integer) {
        allowed.push(JsonType::Integer);
    }
    names(allowed.iter().map(|kind| kind.as_str()))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    }
}

fn characters(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

fn string(value: &Value) -> String {
    short(value.as_str().unwrap_or_default())
}

/// A text of the client's, as far as it is worth repeating.
fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_PART) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Whether a value has few enough parts to list all that is wrong with it.
fn is_small(value: &Value) -> bool {
    fn count(value: &Value, left: &mut usize) -> bool {
        let Some(less) = left.checked_sub(1) else {
            return false;
        };
        *left = less;
        match value {
            Value::Array(items) => items.iter().all(|item| count(item, left)),
            Value::Object(members) => members.values().all(|member| count(member, left)),
            _ => true,
        }
    }
    count(value, &mut { MAX_PARTS })
}

/// Up to how many parts a value may have for all that is wrong with it to be listed.
const MAX_PARTS: usize = 1000;
const MAX_ERRORS: usize = 100;
/// Beyond so many bytes nothing is added to a list.
const MAX_TEXT: usize = 16 * 1024;
/// How many characters of one text are repeated.
const MAX_PART: usize = 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::validation::Model;

    #[track_caller]
    fn check(schema: serde_json::Value, value: &serde_json::Value, expected: &str) {
        let model = Model::new("M", schema).expect("a model");
        let violations = model.check(value).expect_err("it does not fit");
        assert_eq!(violations, format!("[{expected}]"));
    }

    #[test]
    fn violations_are_worded_as_the_service_words_them() {
        for (schema, value, expected) in [
            (
                json!({ "type": "number" }),
                json!("a"),
                r#"instance type (string) does not match any allowed primitive type (allowed: ["integer","number"])"#,
            ),
            (
                json!({ "type": ["string", "null"] }),
                json!(1.5),
                r#"instance type (number) does not match any allowed primitive type (allowed: ["null","string"])"#,
            ),
            (
                json!({ "type": "integer" }),
                json!(1.0),
                r#"instance type (number) does not match any allowed primitive type (allowed: ["integer"])"#,
            ),
            (
                json!({ "required": ["b", "a"] }),
                json!({}),
                r#"object has missing required properties (["a","b"])"#,
            ),
            (
                json!({ "properties": { "a": {} }, "additionalProperties": false }),
                json!({ "c": 1, "a": 1, "b": 1 }),
                r#"object instance has properties which are not allowed by the schema: ["b","c"]"#,
            ),
            (
                json!({ "enum": ["dog", "cat"] }),
                json!("bird"),
                r#"instance value ("bird") not found in enum (possible values: ["dog","cat"])"#,
            ),
            (
                json!({ "minimum": 25 }),
                json!(10),
                "numeric instance is lower than the required minimum (minimum: 25, found: 10)",
            ),
            (
                json!({ "maximum": 2.5 }),
                json!(3),
                "numeric instance is greater than the required maximum (maximum: 2.5, found: 3)",
            ),
            (
                json!({ "maximum": 3, "exclusiveMaximum": true }),
                json!(3),
                "numeric instance is not strictly lower than the required maximum 3",
            ),
            (
                json!({ "minimum": 3, "exclusiveMinimum": true }),
                json!(3),
                "numeric instance is not strictly greater than the required minimum 3",
            ),
            (
                json!({ "multipleOf": 2 }),
                json!(3),
                "remainder of division is not zero (3 / 2)",
            ),
            (
                json!({ "maxLength": 2 }),
                json!("höh"),
                r#"string "höh" is too long (length: 3, maximum allowed: 2)"#,
            ),
            (
                json!({ "minLength": 2 }),
                json!(""),
                r#"string "" is too short (length: 0, required minimum: 2)"#,
            ),
            (
                json!({ "pattern": "^[a-z]+$" }),
                json!("A1"),
                r#"ECMA 262 regex "^[a-z]+$" does not match input string "A1""#,
            ),
            (
                json!({ "maxItems": 1 }),
                json!([1, 2]),
                "array is too long: must have at most 1 elements but instance has 2 elements",
            ),
            (
                json!({ "minItems": 1 }),
                json!([]),
                "array is too short: must have at least 1 elements but instance has 0 elements",
            ),
            (
                json!({ "uniqueItems": true }),
                json!([1, 1]),
                "array must not contain duplicate elements",
            ),
            (
                json!({ "items": [{}], "additionalItems": false }),
                json!([1, 2]),
                "schema only allows 1 elements in array but instance has 2 elements",
            ),
            (
                json!({ "maxProperties": 1 }),
                json!({ "a": 1, "b": 2 }),
                "object has too many properties (found 2 but schema requires at most 1)",
            ),
            (
                json!({ "minProperties": 1 }),
                json!({}),
                "object has too few properties (found 0 but schema requires at least 1)",
            ),
            (
                json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
                json!(1),
                "instance failed to match at least one required schema among 2",
            ),
            (
                json!({ "oneOf": [{ "minimum": 1 }, { "minimum": 2 }, { "minimum": 9 }] }),
                json!(5),
                "instance failed to match exactly one schema (matched 2 out of 3)",
            ),
            (
                json!({ "oneOf": [{ "type": "string" }, { "type": "null" }] }),
                json!(5),
                "instance failed to match exactly one schema (matched 0 out of 2)",
            ),
            (
                json!({ "not": { "type": "string" } }),
                json!(""),
                "instance matched a schema which it should not have",
            ),
            (
                json!({ "format": "date-time" }),
                json!("today"),
                r#"string "today" is invalid against requested date format(s) [yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,12}Z]"#,
            ),
            (
                json!({ "format": "email" }),
                json!("me"),
                r#"string "me" is not a valid email address"#,
            ),
        ] {
            check(schema, &value, expected);
        }
    }

    #[test]
    fn violations_in_several_places_are_listed() {
        let schema = json!({ "properties": {
            "kind": { "enum": ["dog"] }, "price": { "minimum": 25 }
        } });
        check(
            schema,
            &json!({ "kind": "cat", "price": 10 }),
            r#"instance value ("cat") not found in enum (possible values: ["dog"]), numeric instance is lower than the required minimum (minimum: 25, found: 10)"#,
        );
    }

    #[test]
    fn a_model_that_is_an_alternative_of_itself_is_judged_in_no_time() {
        let branch = |kind: &str| {
            json!({
                "properties": { "kind": { "enum": [kind] }, "child": { "$ref": "#" } },
                "required": ["kind"]
            })
        };
        let schema = json!({ "anyOf": [branch("a"), branch("b"), { "properties": { "child": { "$ref": "#" } } }] });
        let mut value = json!(null);
        for _ in 0..100 {
            value = json!({ "kind": "c", "child": value });
        }
        let model = Model::new("Tree", schema.clone()).expect("a model");
        assert_eq!(model.check(&value), Ok(()));
        let mut strict = schema;
        strict["anyOf"][2] = json!({ "type": "string" });
        check(strict, &value, "instance does not fit the model");
    }

    #[test]
    fn of_a_large_value_only_the_first_violation_is_said() {
        let texts = json!({ "items": { "type": "string" } });
        let numbers = json!(vec![0; 100_000]);
        let first = r#"instance type (integer) does not match any allowed primitive type (allowed: ["string"])"#;
        check(texts.clone(), &numbers, first);
        check(
            json!({ "anyOf": [texts] }),
            &numbers,
            "instance does not fit the model",
        );
    }

    #[test]
    fn what_is_said_has_a_bound() {
        let model = Model::new("M", json!({ "items": { "pattern": "^a$" } })).expect("a model");
        let long = json!(vec!["b".repeat(100_000); 100]);
        let violations = model.check(&long).expect_err("it does not fit");
        assert!(violations.len() < 20_000, "{}", violations.len());
        assert!(violations.ends_with("…]"));
    }

    #[test]
    fn a_pattern_that_goes_back_and_forth_is_given_up() {
        let model = Model::new("M", json!({ "pattern": "^(?=(a+)+$)b" })).expect("a model");
        let text = json!(format!("{}c", "a".repeat(5_000)));
        assert!(model.check(&text).is_err());
    }
}
