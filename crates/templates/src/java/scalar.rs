//! Numbers, booleans, characters, entries, iterators and `$foreach`.

use super::{Answer, entry_value, number, property};
use crate::render::Failure;
use crate::value::Value;

pub(super) fn method<'r>(value: &Value<'r>, name: &str, arguments: &[Value<'r>]) -> Answer<'r> {
    if value.is_number() {
        return number_method(value, name, arguments);
    }
    Ok(match (value, name, arguments) {
        (Value::Boolean(value), "booleanValue", []) => Some(Value::Boolean(*value)),
        (Value::Boolean(value), "compareTo", [Value::Boolean(other)]) => {
            Some(Value::Integer(value.cmp(other) as i64))
        }
        (Value::Char(unit), "charValue", []) => Some(Value::Char(*unit)),
        (Value::Entry(entry), "getKey", []) => Some(entry.key.clone()),
        (Value::Entry(entry), "getValue", []) => Some(entry_value(entry)),
        (Value::Entry(entry), "setValue", [new]) => {
            if new.is_container() {
                return Err(Failure::invocation(
                    "`setValue` takes texts, numbers and booleans here",
                ));
            }
            entry.map.put(entry.key.clone(), new.clone());
            Some(entry.value.replace(new.clone()))
        }
        (Value::Cursor(cursor), "hasNext", []) => {
            Some(Value::Boolean(cursor.next.get() < cursor.items.len()))
        }
        (Value::Cursor(cursor), "next", []) => {
            let at = cursor.next.get();
            let Some(item) = cursor.items.get(at) else {
                return Err(Failure::invocation("the iterator has no next item"));
            };
            cursor.next.set(at + 1);
            Some(item.clone())
        }
        (Value::Loop(_), "hasNext", []) => Some(property(value, "hasNext")),
        (Value::Loop(scope), "put", [key, item]) => {
            if item.is_container() {
                return Err(Failure::invocation(
                    "`$foreach` takes texts, numbers and booleans",
                ));
            }
            scope.extra().put(key.clone(), item.clone())
        }
        (Value::Loop(scope), "get", [key]) => scope.extra().get(key),
        (Value::Loop(_) | Value::Class(_), _, []) => {
            // `getIndex`, `isFirst`, `getSimpleName` and the like.
            let name = name.strip_prefix("get").or_else(|| name.strip_prefix("is"));
            let Some(name) = name else {
                return Ok(None);
            };
            let mut lower = String::with_capacity(name.len());
            let mut characters = name.chars();
            lower.extend(characters.next().map(|first| first.to_ascii_lowercase()));
            lower.push_str(characters.as_str());
            Some(property(value, &lower))
        }
        _ => None,
    })
}

fn number_method<'r>(value: &Value<'r>, name: &str, arguments: &[Value<'r>]) -> Answer<'r> {
    let long = number::long(value).unwrap_or(0);
    let double = number::double(value).unwrap_or(f64::NAN);
    Ok(match (name, arguments) {
        ("intValue", []) => Some(Value::Integer(match value {
            // A double stops at the ends of an int, a long wraps.
            Value::Float(number) => i64::from(*number as i32),
            _ => i64::from(long as i32),
        })),
        ("longValue", []) => Some(Value::Integer(long)),
        ("shortValue", []) => Some(Value::Integer(i64::from(long as i16))),
        ("byteValue", []) => Some(Value::Integer(i64::from(long as i8))),
        ("doubleValue" | "floatValue", []) => Some(Value::Float(double)),
        ("compareTo", [other]) if other.is_number() => {
            number::compare(value, other).map(|order| Value::Integer(order as i64))
        }
        ("parseInt" | "parseLong", [Value::Text(text)]) => Some(parse(text)?),
        ("valueOf" | "decode", [Value::Text(text)]) => match value {
            Value::Float(_) => Some(Value::Float(parse_double(text)?)),
            _ => Some(parse(text)?),
        },
        ("valueOf", [number]) if number.is_number() => Some(number.clone()),
        ("parseDouble", [Value::Text(text)]) => Some(Value::Float(parse_double(text)?)),
        ("toHexString", [Value::Integer(number)]) => {
            Some(Value::text(if i32::try_from(*number).is_ok() {
                format!("{:x}", *number as i32)
            } else {
                format!("{number:x}")
            }))
        }
        ("toBinaryString", [Value::Integer(number)]) => {
            Some(Value::text(format!("{:b}", *number as i32)))
        }
        ("toString", [number]) if number.is_number() => {
            let mut text = String::new();
            match number {
                Value::Float(number) => number::push_double(*number, &mut text),
                other => number::push_integer(number::long(other).unwrap_or(0), &mut text),
            }
            Some(Value::text(text))
        }
        ("max", [Value::Integer(a), Value::Integer(b)]) => Some(Value::Integer(*a.max(b))),
        ("min", [Value::Integer(a), Value::Integer(b)]) => Some(Value::Integer(*a.min(b))),
        ("isNaN", []) => Some(Value::Boolean(double.is_nan())),
        ("isInfinite", []) => Some(Value::Boolean(double.is_infinite())),
        _ => None,
    })
}

fn parse<'r>(text: &str) -> Result<Value<'r>, Failure> {
    text.parse::<i64>().map(Value::Integer).map_err(|_| {
        Failure::invocation(format!(
            "`{}` is no whole number",
            text.chars().take(40).collect::<String>()
        ))
    })
}

fn parse_double(text: &str) -> Result<f64, Failure> {
    text.trim().parse().map_err(|_| {
        Failure::invocation(format!(
            "`{}` is no number",
            text.chars().take(40).collect::<String>()
        ))
    })
}
