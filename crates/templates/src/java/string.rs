//! `java.lang.String`. Its indexes count UTF-16 units.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Answer, format, regex::Pattern};
use crate::render::{Failure, Renderer};
use crate::value::{Cursor, ListKind, Text, Value};

pub(super) fn method<'r>(
    renderer: &mut Renderer<'r>,
    text: &Text<'r>,
    name: &str,
    arguments: &[Value<'r>],
) -> Answer<'r> {
    renderer.budget.steps(text.len() as u64 / 64)?;
    let string = text.as_str();
    if arguments.iter().any(Value::is_null)
        && matches!(
            name,
            "contains"
                | "startsWith"
                | "endsWith"
                | "concat"
                | "matches"
                | "split"
                | "replaceAll"
                | "replaceFirst"
                | "compareToIgnoreCase"
                | "contentEquals"
                | "indexOf"
                | "lastIndexOf"
                | "replace"
                | "regionMatches"
        )
    {
        return Err(Failure::invocation(format!(
            "`{name}` got an argument without a value"
        )));
    }
    if let Some(answer) = unary(text, name, arguments) {
        if let Value::Text(made) = &answer {
            renderer.budget.create(made.len())?;
        }
        return Ok(Some(answer));
    }
    Ok(Some(match (name, arguments) {
        ("substring" | "subSequence", [Value::Integer(begin)]) => {
            slice(text, *begin, length(string))?
        }
        ("substring" | "subSequence", [Value::Integer(begin), Value::Integer(end)]) => {
            slice(text, *begin, *end)?
        }
        ("charAt", [Value::Integer(at)]) => {
            let unit = usize::try_from(*at).ok().and_then(|at| {
                if string.is_ascii() {
                    string.as_bytes().get(at).map(|byte| u16::from(*byte))
                } else {
                    string.encode_utf16().nth(at)
                }
            });
            match unit {
                Some(unit) => Value::Char(unit),
                None => return Err(out_of_range(*at, length(string))),
            }
        }
        ("split", [Value::Text(pattern)]) => split(renderer, string, pattern, 0)?,
        ("split", [Value::Text(pattern), Value::Integer(limit)]) => {
            split(renderer, string, pattern, *limit)?
        }
        ("matches", [Value::Text(pattern)]) => {
            renderer.budget.steps(string.len() as u64 + 100)?;
            Value::Boolean(Pattern::compile(pattern)?.matches(string)?)
        }
        ("replaceAll" | "replaceFirst", [Value::Text(pattern), Value::Text(replacement)]) => {
            renderer.budget.steps(string.len() as u64 + 100)?;
            let most = renderer.budget.limits.output_bytes;
            let made = Pattern::compile(pattern)?.replace(
                string,
                replacement,
                name == "replaceAll",
                most,
            )?;
            renderer.budget.create(made.len())?;
            Value::text(made)
        }
        ("replace", [from, to]) => {
            let (Some(from), Some(to)) = (characters(from), characters(to)) else {
                return Ok(None);
            };
            let count = string.matches(from.as_str()).count();
            renderer
                .budget
                .create(string.len().saturating_add(count.saturating_mul(to.len())))?;
            Value::text(string.replace(from.as_str(), &to))
        }
        ("repeat", [Value::Integer(count)]) => {
            let Ok(count) = usize::try_from(*count) else {
                return Err(Failure::invocation("`repeat` takes no negative number"));
            };
            renderer.budget.create(string.len().saturating_mul(count))?;
            Value::text(string.repeat(count))
        }
        ("concat", [Value::Text(other)]) => {
            renderer.budget.create(string.len() + other.len())?;
            Value::text(format!("{string}{}", other.as_str()))
        }
        ("codePointAt", [Value::Integer(at)]) => {
            let found = usize::try_from(*at)
                .ok()
                .and_then(|at| byte_of(string, at))
                .and_then(|at| string[at..].chars().next());
            match found {
                Some(character) => Value::Integer(i64::from(u32::from(character))),
                None => return Err(out_of_range(*at, length(string))),
            }
        }
        ("formatted", values) => {
            let made = format::format(renderer, text, values)?;
            renderer.budget.create(made.len())?;
            Value::text(made)
        }
        ("format", [Value::Text(pattern), values @ ..]) => {
            let made = format::format(renderer, pattern, values)?;
            renderer.budget.create(made.len())?;
            Value::text(made)
        }
        ("join", [Value::Text(separator), Value::List(list)]) => {
            // A `#define` block among the items may change the list while it is written.
            let items = list.items().clone();
            join(renderer, separator, &items)?
        }
        ("join", [Value::Text(separator), items @ ..]) => join(renderer, separator, items)?,
        ("valueOf" | "copyValueOf", [value]) => Value::Text(renderer.text_of(value)?),
        ("lines", []) => {
            let items: Vec<_> = string.lines().map(Value::text).collect();
            renderer.budget.create(24 * items.len() + string.len())?;
            Value::Cursor(Rc::new(Cursor {
                items,
                next: std::cell::Cell::new(0),
            }))
        }
        _ => return Ok(None),
    }))
}

/// What cannot fail and makes little.
fn unary<'r>(text: &Text<'r>, name: &str, arguments: &[Value<'r>]) -> Option<Value<'r>> {
    let string = text.as_str();
    let java_space = |character: char| character <= ' ';
    Some(match (name, arguments) {
        ("length", []) => Value::Integer(length(string)),
        ("isEmpty", []) => Value::Boolean(string.is_empty()),
        ("isBlank", []) => Value::Boolean(string.trim().is_empty()),
        ("trim", []) => part(text, string.trim_matches(java_space)),
        ("strip", []) => part(text, string.trim()),
        ("stripLeading", []) => part(text, string.trim_start()),
        ("stripTrailing", []) => part(text, string.trim_end()),
        ("toUpperCase", []) => Value::text(string.to_uppercase()),
        ("toLowerCase", []) => Value::text(string.to_lowercase()),
        ("intern", []) => Value::Text(text.clone()),
        ("startsWith", [Value::Text(other)]) => Value::Boolean(string.starts_with(&**other)),
        ("startsWith", [Value::Text(other), Value::Integer(from)]) => Value::Boolean(
            usize::try_from(*from)
                .ok()
                .and_then(|from| byte_of(string, from))
                .is_some_and(|from| string[from..].starts_with(&**other)),
        ),
        ("endsWith", [Value::Text(other)]) => Value::Boolean(string.ends_with(&**other)),
        ("contains", [Value::Text(other)]) => Value::Boolean(string.contains(&**other)),
        ("contentEquals", [Value::Text(other)]) => Value::Boolean(string == &**other),
        ("equalsIgnoreCase", [other]) => Value::Boolean(match other {
            Value::Text(other) => same_but_case(string, other),
            _ => false,
        }),
        ("compareTo", [Value::Text(other)]) => Value::Integer(compare(string, other)),
        ("compareToIgnoreCase", [Value::Text(other)]) => {
            Value::Integer(compare(&string.to_lowercase(), &other.to_lowercase()))
        }
        ("indexOf" | "lastIndexOf", [needle, rest @ ..]) => {
            let needle = match (sought(needle), needle) {
                (Some(needle), _) => needle,
                // No code point is found nowhere.
                (None, Value::Integer(_)) => return Some(Value::Integer(-1)),
                (None, _) => return None,
            };
            let last = name == "lastIndexOf";
            let found = match rest {
                [] if last => string.rfind(&needle),
                [] => string.find(&needle),
                [Value::Integer(from)] if last => {
                    if *from < 0 {
                        None
                    } else {
                        let end = byte_of(string, *from as usize).unwrap_or(string.len());
                        let end = (end + needle.len()).min(string.len());
                        let end = (end..=string.len())
                            .find(|end| string.is_char_boundary(*end))
                            .unwrap_or(string.len());
                        string[..end].rfind(&needle)
                    }
                }
                [Value::Integer(from)] => {
                    let from = byte_of(string, usize::try_from(*from).unwrap_or(0))
                        .unwrap_or(string.len());
                    string[from..].find(&needle).map(|at| from + at)
                }
                _ => return None,
            };
            Value::Integer(found.map_or(-1, |at| length(&string[..at])))
        }
        ("regionMatches", arguments) => {
            let (ignore, arguments) = match arguments {
                [Value::Boolean(ignore), rest @ ..] => (*ignore, rest),
                rest => (false, rest),
            };
            let [
                Value::Integer(at),
                Value::Text(other),
                Value::Integer(from),
                Value::Integer(count),
            ] = arguments
            else {
                return None;
            };
            let (a, b) = (units(string, *at, *count), units(other, *from, *count));
            Value::Boolean(match (a, b) {
                (Some(a), Some(b)) if ignore => same_but_case(&a, &b),
                (Some(a), Some(b)) => a == b,
                _ => false,
            })
        }
        ("toCharArray", []) => Value::list(
            ListKind::Chars,
            string.encode_utf16().map(Value::Char).collect(),
        ),
        ("getBytes", _) => bytes(string),
        _ => return None,
    })
}

pub(super) fn bytes<'r>(text: &str) -> Value<'r> {
    Value::list(
        ListKind::Bytes,
        text.bytes()
            .map(|byte| Value::Integer(i64::from(byte as i8)))
            .collect(),
    )
}

fn length(text: &str) -> i64 {
    if text.is_ascii() {
        text.len() as i64
    } else {
        text.encode_utf16().count() as i64
    }
}

/// The byte at which a UTF-16 index stands; inside a pair, the pair's start.
fn byte_of(text: &str, index: usize) -> Option<usize> {
    if text.is_ascii() {
        return (index <= text.len()).then_some(index);
    }
    let mut units = 0;
    for (at, character) in text.char_indices() {
        if index < units + character.len_utf16() {
            return Some(at);
        }
        units += character.len_utf16();
    }
    (index == units).then_some(text.len())
}

fn out_of_range(index: i64, length: i64) -> Failure {
    Failure::invocation(format!(
        "index {index} is out of range: the text has {length} characters"
    ))
    .hint("ask `.length()` first")
}

fn slice<'r>(text: &Text<'r>, begin: i64, end: i64) -> Result<Value<'r>, Failure> {
    let whole = length(text);
    if begin < 0 || begin > whole {
        return Err(out_of_range(begin, whole));
    }
    if end < begin || end > whole {
        return Err(out_of_range(end, whole));
    }
    let from = byte_of(text, begin as usize);
    let to = byte_of(text, end as usize);
    let (Some(from), Some(to)) = (from, to) else {
        return Err(out_of_range(end, whole));
    };
    Ok(part(text, &text.as_str()[from..to.max(from)]))
}

/// A part of a borrowed text is borrowed, too.
fn part<'r>(text: &Text<'r>, part: &str) -> Value<'r> {
    match text {
        Text::Borrowed(whole) => {
            let offset = part.as_ptr() as usize - whole.as_ptr() as usize;
            Value::Text(Text::Borrowed(&whole[offset..offset + part.len()]))
        }
        Text::Shared(whole) if whole.len() == part.len() => Value::Text(text.clone()),
        Text::Shared(_) => Value::text(part),
    }
}

fn units(text: &str, from: i64, count: i64) -> Option<String> {
    let from = usize::try_from(from).ok()?;
    let count = usize::try_from(count.max(0)).ok()?;
    let units: Vec<u16> = text.encode_utf16().skip(from).take(count).collect();
    (units.len() == count).then(|| String::from_utf16_lossy(&units))
}

/// A text or a character.
fn characters(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.as_str().to_owned()),
        Value::Char(unit) => Some(String::from_utf16_lossy(&[*unit])),
        _ => None,
    }
}

/// A text or a code point.
fn sought(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Integer(point) => Some(char::from_u32(u32::try_from(*point).ok()?)?.to_string()),
        other => characters(other),
    }
}

fn join<'r>(
    renderer: &mut Renderer<'r>,
    separator: &str,
    items: &[Value<'r>],
) -> Result<Value<'r>, Failure> {
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        let part = renderer.text_of(item)?;
        out.push_str(&part);
        renderer.budget.output(out.len())?;
    }
    renderer.budget.create(out.len())?;
    Ok(Value::text(out))
}

fn same_but_case(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
        || !(a.is_ascii() && b.is_ascii()) && a.to_lowercase() == b.to_lowercase()
}

fn compare(a: &str, b: &str) -> i64 {
    let (mut left, mut right) = (a.encode_utf16(), b.encode_utf16());
    loop {
        match (left.next(), right.next()) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => return i64::from(a) - i64::from(b),
            _ => break,
        }
    }
    match length(a).cmp(&length(b)) {
        Ordering::Equal => 0,
        _ => length(a) - length(b),
    }
}

fn split<'r>(
    renderer: &mut Renderer<'r>,
    text: &str,
    pattern: &str,
    limit: i64,
) -> Result<Value<'r>, Failure> {
    renderer.budget.steps(text.len() as u64 + 20)?;
    // An escaped single character is the separator that most templates have.
    let pattern = match pattern.strip_prefix('\\') {
        Some(rest) if rest.len() == 1 && !rest.as_bytes()[0].is_ascii_alphanumeric() => {
            Pattern::Literal(rest.to_owned())
        }
        _ => Pattern::compile(pattern)?,
    };
    let parts = pattern.split(text, limit)?;
    renderer.budget.create(text.len() + 40 * parts.len())?;
    Ok(Value::list(
        ListKind::Array,
        parts.into_iter().map(Value::text).collect(),
    ))
}
