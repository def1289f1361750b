//! Booleans, characters, entries, iterators and `$foreach`.

use super::{Answer, double, entry_value, integer, number, property};
use crate::render::Failure;
use crate::value::Value;

pub(super) fn method<'r>(value: &Value<'r>, name: &str, arguments: &[Value<'r>]) -> Answer<'r> {
    if let ("compareTo", [other]) = (name, arguments)
        && value.is_number()
        && other.is_number()
    {
        return Ok(number::compare(value, other).map(|order| Value::Integer(order as i64)));
    }
    match value {
        Value::Integer(number) => return integer::method(*number, name, arguments),
        Value::Float(number) => return double::method(*number, name, arguments),
        Value::Big(_) | Value::Decimal(_) => return double::wide_method(value, name, arguments),
        Value::Boolean(value) => return Ok(boolean(*value, name, arguments)),
        Value::Char(unit) => return Ok(character(*unit, name, arguments)),
        _ => {}
    }
    Ok(match (value, name, arguments) {
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

fn boolean<'r>(value: bool, name: &str, arguments: &[Value<'r>]) -> Option<Value<'r>> {
    Some(match (name, arguments) {
        ("booleanValue", []) => Value::Boolean(value),
        ("compareTo", [Value::Boolean(other)]) => Value::Integer(value.cmp(other) as i64),
        ("parseBoolean" | "valueOf", [Value::Text(text)]) => {
            Value::Boolean(text.eq_ignore_ascii_case("true"))
        }
        ("parseBoolean" | "valueOf", [Value::Null]) => Value::Boolean(false),
        ("valueOf", [Value::Boolean(value)]) => Value::Boolean(*value),
        ("toString", [Value::Boolean(value)]) => Value::text(value.to_string()),
        ("hashCode", [Value::Boolean(value)]) => Value::Integer(if *value { 1231 } else { 1237 }),
        ("logicalAnd", [Value::Boolean(a), Value::Boolean(b)]) => Value::Boolean(a & b),
        ("logicalOr", [Value::Boolean(a), Value::Boolean(b)]) => Value::Boolean(a | b),
        ("logicalXor", [Value::Boolean(a), Value::Boolean(b)]) => Value::Boolean(a ^ b),
        ("compare", [Value::Boolean(a), Value::Boolean(b)]) => Value::Integer(a.cmp(b) as i64),
        _ => return None,
    })
}

/// What templates ask of a character, which the class answers for any character or code point.
fn character<'r>(unit: u16, name: &str, arguments: &[Value<'r>]) -> Option<Value<'r>> {
    let asked = match arguments {
        [] if name == "charValue" => return Some(Value::Char(unit)),
        [Value::Char(other)] if name == "compareTo" => {
            return Some(Value::Integer(i64::from(unit) - i64::from(*other)));
        }
        [Value::Char(unit)] => char::from_u32(u32::from(*unit))?,
        [Value::Integer(point)] => char::from_u32(u32::try_from(*point).ok()?)?,
        _ => return None,
    };
    Some(Value::Boolean(match name {
        "isDigit" => asked.is_ascii_digit(),
        "isLetter" | "isAlphabetic" => asked.is_alphabetic(),
        "isLetterOrDigit" => asked.is_alphanumeric(),
        "isUpperCase" => asked.is_uppercase(),
        "isLowerCase" => asked.is_lowercase(),
        "isWhitespace" | "isSpaceChar" => asked.is_whitespace(),
        "getNumericValue" => {
            let digit = asked.to_digit(36).map_or(-1, i64::from);
            return Some(Value::Integer(digit));
        }
        "toString" | "valueOf" => return Some(Value::text(asked.to_string())),
        _ => return None,
    }))
}
