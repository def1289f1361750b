//! `java.lang.Integer` and `java.lang.Long`, with what hangs on their classes (`$n.parseInt("7")`).
//!
//! A value is an Integer if it fits one: templates meet the difference in which methods there are.

use super::{Answer, double, number};
use crate::render::Failure;
use crate::value::Value;

/// Which of the two classes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Int,
    Long,
}

impl Width {
    fn of(number: i64) -> Self {
        if i32::try_from(number).is_ok() {
            Self::Int
        } else {
            Self::Long
        }
    }

    fn bits(self) -> u32 {
        match self {
            Self::Int => 32,
            Self::Long => 64,
        }
    }

    /// The number as an unsigned one of this width.
    fn unsigned(self, number: i64) -> u64 {
        match self {
            Self::Int => u64::from(number as i32 as u32),
            Self::Long => number as u64,
        }
    }

    /// The lower bits as a number of this width.
    fn wrapped(self, bits: u64) -> i64 {
        match self {
            Self::Int => i64::from(bits as u32 as i32),
            Self::Long => bits as i64,
        }
    }

    /// Whether this may be an argument of the class's methods.
    fn fits(self, number: i64) -> bool {
        self == Self::Long || i32::try_from(number).is_ok()
    }
}

pub(super) fn method<'r>(number: i64, name: &str, arguments: &[Value<'r>]) -> Answer<'r> {
    let width = Width::of(number);
    let answer = match arguments {
        [] => conversion(number, name),
        [Value::Null] if name == "valueOf" || name == "decode" || name.starts_with("parse") => {
            return Err(malformed("null"));
        }
        [Value::Text(text)] => return of_text(width, name, text, 10),
        [Value::Text(text), Value::Integer(radix)] => {
            return of_text(width, name, text, *radix);
        }
        [Value::Integer(number)] if width.fits(*number) => of_one(width, name, *number),
        [Value::Integer(a), Value::Integer(b)] if width.fits(*a) && width.fits(*b) => {
            return of_two(width, name, *a, *b);
        }
        _ => None,
    };
    Ok(answer)
}

/// `Number`'s own methods.
fn conversion<'r>(number: i64, name: &str) -> Option<Value<'r>> {
    Some(match name {
        "intValue" => Value::Integer(i64::from(number as i32)),
        "longValue" => Value::Integer(number),
        "shortValue" => Value::Integer(i64::from(number as i16)),
        "byteValue" => Value::Integer(i64::from(number as i8)),
        "doubleValue" => Value::Float(number as f64),
        "floatValue" => double::of_float(number as f32),
        _ => return None,
    })
}

fn of_text<'r>(width: Width, name: &str, text: &str, radix: i64) -> Answer<'r> {
    let int = width == Width::Int;
    Ok(Some(Value::Integer(match name {
        "parseInt" if int => parse(width, text, radix)?,
        "parseLong" if !int => parse(width, text, radix)?,
        "valueOf" => parse(width, text, radix)?,
        "decode" if radix == 10 => decode(width, text)?,
        "parseUnsignedInt" if int => unsigned(width, text, radix)?,
        "parseUnsignedLong" if !int => unsigned(width, text, radix)?,
        _ => return Ok(None),
    })))
}

fn of_one<'r>(width: Width, name: &str, number: i64) -> Option<Value<'r>> {
    let bits = width.unsigned(number);
    let unused = 64 - width.bits();
    Some(match name {
        "valueOf" => Value::Integer(number),
        "toString" => Value::text(number.to_string()),
        "toUnsignedString" => Value::text(bits.to_string()),
        "toHexString" => Value::text(format!("{bits:x}")),
        "toOctalString" => Value::text(format!("{bits:o}")),
        "toBinaryString" => Value::text(format!("{bits:b}")),
        "toUnsignedLong" if width == Width::Int => Value::Integer(bits as i64),
        "signum" => Value::Integer(number.signum()),
        "bitCount" => Value::Integer(bits.count_ones().into()),
        "numberOfLeadingZeros" => Value::Integer((bits.leading_zeros() - unused).into()),
        "numberOfTrailingZeros" => Value::Integer(bits.trailing_zeros().min(width.bits()).into()),
        "highestOneBit" => Value::Integer(match bits {
            0 => 0,
            bits => width.wrapped(1 << (63 - bits.leading_zeros())),
        }),
        "lowestOneBit" => Value::Integer(width.wrapped(bits & bits.wrapping_neg())),
        "reverse" => Value::Integer(width.wrapped(bits.reverse_bits() >> unused)),
        "reverseBytes" => Value::Integer(width.wrapped(bits.swap_bytes() >> unused)),
        "hashCode" => Value::Integer(number::long_hash(number).into()),
        _ => return None,
    })
}

fn of_two<'r>(width: Width, name: &str, a: i64, b: i64) -> Answer<'r> {
    let (left, right) = (width.unsigned(a), width.unsigned(b));
    let rotated = |by: i64| {
        let by = (by & i64::from(width.bits() - 1)) as u32;
        match width {
            Width::Int => i64::from((a as i32).rotate_left(by)),
            Width::Long => a.rotate_left(by),
        }
    };
    Ok(Some(Value::Integer(match name {
        "sum" => width.wrapped(a.wrapping_add(b) as u64),
        "max" => a.max(b),
        "min" => a.min(b),
        "compare" => a.cmp(&b) as i64,
        "compareUnsigned" => left.cmp(&right) as i64,
        "divideUnsigned" | "remainderUnsigned" => {
            let result = match name {
                "divideUnsigned" => left.checked_div(right),
                _ => left.checked_rem(right),
            };
            let zero = || Failure::invocation("a division by zero");
            width.wrapped(result.ok_or_else(zero)?)
        }
        "rotateLeft" => rotated(b),
        "rotateRight" => rotated(-b),
        "toString" => return Ok(Some(Value::text(in_radix(a, b)))),
        _ => return Ok(None),
    })))
}

fn in_radix(number: i64, radix: i64) -> String {
    let radix = if (2..=36).contains(&radix) {
        radix as u64
    } else {
        10
    };
    let mut rest = number.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        let digit = (rest % radix) as u32;
        digits.push(char::from_digit(digit, radix as u32).unwrap_or('0'));
        rest /= radix;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        digits.push('-');
    }
    digits.iter().rev().collect()
}

fn malformed(text: &str) -> Failure {
    Failure::invocation(format!(
        "`{}` is no whole number, or too large",
        text.chars().take(40).collect::<String>()
    ))
}

fn parse(width: Width, text: &str, radix: i64) -> Result<i64, Failure> {
    let radix = u32::try_from(radix)
        .ok()
        .filter(|radix| (2..=36).contains(radix));
    let number = radix.and_then(|radix| i64::from_str_radix(text, radix).ok());
    number
        .filter(|number| width.fits(*number))
        .ok_or_else(|| malformed(text))
}

fn unsigned(width: Width, text: &str, radix: i64) -> Result<i64, Failure> {
    let radix = u32::try_from(radix)
        .ok()
        .filter(|radix| (2..=36).contains(radix));
    let number = radix.and_then(|radix| u64::from_str_radix(text, radix).ok());
    number
        .filter(|number| width == Width::Long || u32::try_from(*number).is_ok())
        .map(|number| width.wrapped(number))
        .ok_or_else(|| malformed(text))
}

/// With a prefix for the radix: `0x`, `#` or `0`.
fn decode(width: Width, text: &str) -> Result<i64, Failure> {
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'-') => ("-", &text[1..]),
        Some(b'+') => ("", &text[1..]),
        _ => ("", text),
    };
    let hexadecimal = ["0x", "0X", "#"]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix));
    let (digits, radix) = match (hexadecimal, rest.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (rest, 10),
    };
    if digits.starts_with(['-', '+']) {
        return Err(malformed(text));
    }
    parse(width, &format!("{sign}{digits}"), radix)
}
