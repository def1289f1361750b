//! `java.lang.Double`, with what hangs on its class, and the wide numbers `BigInteger` and `BigDecimal`.

use super::{Answer, number};
use crate::render::Failure;
use crate::value::Value;

/// A `float` is kept as the double that prints like it.
pub(super) fn of_float<'r>(number: f32) -> Value<'r> {
    Value::Float(number.to_string().parse().unwrap_or(f64::NAN))
}

pub(super) fn method<'r>(number: f64, name: &str, arguments: &[Value<'r>]) -> Answer<'r> {
    let real = |value: &Value<'r>| match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    Ok(match arguments {
        [] => conversion(number, name),
        [Value::Text(text)] => match name {
            "parseDouble" | "valueOf" => Some(Value::Float(parse(text)?)),
            _ => None,
        },
        [only] => real(only).and_then(|number| of_one(number, name)),
        [a, b] => match (real(a), real(b)) {
            (Some(a), Some(b)) => of_two(a, b, name),
            _ => None,
        },
        _ => None,
    })
}

fn conversion<'r>(number: f64, name: &str) -> Option<Value<'r>> {
    Some(match name {
        // A double stops at the ends of an int.
        "intValue" => Value::Integer(i64::from(number as i32)),
        "longValue" => Value::Integer(number as i64),
        "shortValue" => Value::Integer(i64::from(number as i32 as i16)),
        "byteValue" => Value::Integer(i64::from(number as i32 as i8)),
        "doubleValue" => Value::Float(number),
        "floatValue" => of_float(number as f32),
        "isNaN" => Value::Boolean(number.is_nan()),
        "isInfinite" => Value::Boolean(number.is_infinite()),
        _ => return None,
    })
}

fn of_one<'r>(number: f64, name: &str) -> Option<Value<'r>> {
    Some(match name {
        "valueOf" => Value::Float(number),
        "toString" => {
            let mut text = String::new();
            number::push_double(number, &mut text);
            Value::text(text)
        }
        "isNaN" => Value::Boolean(number.is_nan()),
        "isInfinite" => Value::Boolean(number.is_infinite()),
        "isFinite" => Value::Boolean(number.is_finite()),
        "hashCode" => Value::Integer(number::double_hash(number).into()),
        "doubleToLongBits" => Value::Integer(number.to_bits() as i64),
        _ => return None,
    })
}

fn of_two<'r>(a: f64, b: f64, name: &str) -> Option<Value<'r>> {
    Some(match name {
        "sum" => Value::Float(a + b),
        "max" => Value::Float(a.max(b)),
        "min" => Value::Float(a.min(b)),
        "compare" => Value::Integer(a.total_cmp(&b) as i64),
        _ => return None,
    })
}

fn parse(text: &str) -> Result<f64, Failure> {
    let trimmed = text.trim_matches(|character: char| character <= ' ');
    // Java lets a number end in the letter of its type, and writes these two words out.
    let digits = trimmed
        .strip_suffix(['d', 'D', 'f', 'F'])
        .unwrap_or(trimmed);
    let spelled = digits.trim_start_matches(['+', '-']);
    let known = matches!(spelled, "NaN" | "Infinity")
        || spelled.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let number = if known { digits.parse().ok() } else { None };
    number.ok_or_else(|| {
        Failure::invocation(format!(
            "`{}` is no number",
            text.chars().take(40).collect::<String>()
        ))
    })
}

/// What a big number can be turned into.
pub(super) fn wide_method<'r>(
    value: &Value<'r>,
    name: &str,
    arguments: &[Value<'r>],
) -> Answer<'r> {
    if !arguments.is_empty() {
        return Ok(None);
    }
    let long = number::long(value).unwrap_or(0);
    let double = number::double(value).unwrap_or(f64::NAN);
    Ok(Some(match name {
        "intValue" => Value::Integer(i64::from(long as i32)),
        "longValue" => Value::Integer(long),
        "shortValue" => Value::Integer(i64::from(long as i16)),
        "byteValue" => Value::Integer(i64::from(long as i8)),
        "doubleValue" => Value::Float(double),
        "floatValue" => of_float(double as f32),
        _ => return Ok(None),
    }))
}
