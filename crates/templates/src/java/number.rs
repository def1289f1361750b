//! Java's numbers: how they print, and arithmetic that grows from int to long to big integer.

use std::fmt;
use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

use crate::syntax::tree::Operator;
use crate::value::{Budget, Exceeded, Value};

/// `BigDecimal`: a big integer and how many of its digits stand right of the point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) unscaled: BigInt,
    pub(crate) scale: u32,
}

impl Decimal {
    /// The exact value of a double, as `new BigDecimal(double)` gives it.
    fn from_double(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        let bits = number.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as i64;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, mut power) = if exponent == 0 {
            (fraction, -1074)
        } else {
            (fraction | (1 << 52), exponent - 1075)
        };
        let mut unscaled = BigInt::from(mantissa);
        if number.is_sign_negative() {
            unscaled = -unscaled;
        }
        let mut scale = 0;
        while power < 0 && (&unscaled % 2u8).is_zero() && !unscaled.is_zero() {
            unscaled /= 2u8;
            power += 1;
        }
        if power >= 0 {
            unscaled <<= power as usize;
        } else if !unscaled.is_zero() {
            scale = power.unsigned_abs() as u32;
            unscaled *= BigInt::from(5u8).pow(scale);
        }
        Some(Self { unscaled, scale })
    }

    fn to_double(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    fn rescaled(&self, scale: u32) -> BigInt {
        &self.unscaled * BigInt::from(10u8).pow(scale.saturating_sub(self.scale))
    }

    /// Reads digits, a point and an exponent, as a JSON number has them.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut unscaled: BigInt = format!("{whole}{fraction}").parse().ok()?;
        let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
        if !(-400..=100_000).contains(&scale) {
            return None;
        }
        if scale < 0 {
            unscaled *= BigInt::from(10u8).pow(scale.unsigned_abs() as u32);
        }
        Some(Self {
            unscaled,
            scale: scale.max(0) as u32,
        })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled.magnitude().to_string();
        let scale = self.scale as usize;
        let sign = if self.unscaled.is_negative() { "-" } else { "" };
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        // Java writes an exponent if the number is below 10^-6.
        let adjusted = digits.len() as i64 - 1 - scale as i64;
        if adjusted < -6 {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            return write!(f, "{sign}{first}{point}{rest}E{adjusted}");
        }
        if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            write!(f, "{sign}{whole}.{fraction}")
        } else {
            write!(f, "{sign}0.{digits:0>scale$}")
        }
    }
}

pub(crate) fn push_integer(number: i64, out: &mut String) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push('-');
    }
    // Digits are ASCII.
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}

/// As `Double.toString`: a point always, an exponent below a thousandth and from ten million on.
pub(crate) fn push_double(number: f64, out: &mut String) {
    use std::fmt::Write as _;
    if number.is_nan() {
        out.push_str("NaN");
        return;
    }
    if number.is_infinite() {
        out.push_str(if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        });
        return;
    }
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        // Writing into a String cannot fail.
        let _ = write!(out, "{number:?}");
        return;
    }
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    out.push_str(mantissa);
    if !mantissa.contains('.') {
        out.push_str(".0");
    }
    out.push('E');
    out.push_str(exponent);
}

/// What an operation works in: the wider of its operands.
enum Pair {
    Integers(i64, i64),
    Bigs(BigInt, BigInt),
    Doubles(f64, f64),
    Decimals(Decimal, Decimal),
}

fn pair(left: &Value<'_>, right: &Value<'_>) -> Option<Pair> {
    if let (Value::Integer(a), Value::Integer(b)) = (left, right) {
        return Some(Pair::Integers(*a, *b));
    }
    if let (Some(a), Some(b)) = (big(left), big(right)) {
        return Some(Pair::Bigs(a, b));
    }
    let wide = |value: &Value<'_>| matches!(value, Value::Big(_) | Value::Decimal(_));
    if wide(left) || wide(right) {
        return Some(Pair::Decimals(decimal(left)?, decimal(right)?));
    }
    Some(Pair::Doubles(double(left)?, double(right)?))
}

fn big(value: &Value<'_>) -> Option<BigInt> {
    match value {
        Value::Integer(number) => Some(BigInt::from(*number)),
        Value::Big(number) => Some((**number).clone()),
        _ => None,
    }
}

fn decimal(value: &Value<'_>) -> Option<Decimal> {
    match value {
        Value::Float(number) => Decimal::from_double(*number),
        Value::Decimal(number) => Some((**number).clone()),
        _ => Some(Decimal {
            unscaled: big(value)?,
            scale: 0,
        }),
    }
}

pub(crate) fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Big(number) => number.to_f64(),
        Value::Decimal(number) => Some(number.to_double()),
        _ => None,
    }
}

/// `longValue`: cuts the fraction off; what is too large wraps or stops at the end, as in Java.
pub(crate) fn long(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Float(number) => Some(*number as i64),
        Value::Big(number) => {
            let low = &**number & BigInt::from(u64::MAX);
            low.to_u64().map(|low| low as i64)
        }
        Value::Decimal(number) => {
            let whole = &number.unscaled / BigInt::from(10u8).pow(number.scale);
            (&whole & BigInt::from(u64::MAX))
                .to_u64()
                .map(|low| low as i64)
        }
        _ => None,
    }
}

pub(crate) fn from_big<'a>(number: BigInt) -> Value<'a> {
    Value::Big(Rc::new(number))
}

/// Arithmetic on two numbers. Nothing where Velocity gives null: division by zero, operands that are no numbers.
pub(crate) fn compute<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    budget: &mut Budget,
) -> Result<Option<Value<'a>>, Exceeded> {
    let Some(pair) = pair(left, right) else {
        return Ok(None);
    };
    if matches!(operator, Operator::Divide | Operator::Modulo) && is_zero(right) {
        return Ok(None);
    }
    Ok(match pair {
        Pair::Integers(a, b) => {
            let exact = match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
                Operator::Divide => Some(a.wrapping_div(b)),
                Operator::Modulo => Some(a.wrapping_rem(b)),
            };
            match exact {
                Some(number) => Some(Value::Integer(number)),
                None => bigs(operator, &BigInt::from(a), &BigInt::from(b)),
            }
        }
        Pair::Bigs(a, b) => {
            let bits = a.bits() + b.bits();
            budget.create((bits / 8) as usize)?;
            budget.steps(bits * bits / 65_536)?;
            bigs(operator, &a, &b)
        }
        Pair::Doubles(a, b) => Some(Value::Float(match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            Operator::Divide => a / b,
            Operator::Modulo => a % b,
        })),
        Pair::Decimals(a, b) => {
            let bits = a.unscaled.bits() + b.unscaled.bits() + 4 * u64::from(a.scale + b.scale);
            budget.create((bits / 8) as usize)?;
            budget.steps(bits * bits / 65_536)?;
            decimals(operator, &a, &b)
        }
    })
}

fn bigs<'a>(operator: Operator, a: &BigInt, b: &BigInt) -> Option<Value<'a>> {
    Some(from_big(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Modulo => {
            // `BigInteger.mod` knows positive moduli only and never gives a negative result.
            if b.is_negative() {
                return None;
            }
            let rest = a % b;
            if rest.is_negative() { rest + b } else { rest }
        }
    }))
}

fn decimals<'a>(operator: Operator, a: &Decimal, b: &Decimal) -> Option<Value<'a>> {
    let scale = a.scale.max(b.scale);
    let result = match operator {
        Operator::Add => Decimal {
            unscaled: a.rescaled(scale) + b.rescaled(scale),
            scale,
        },
        Operator::Subtract => Decimal {
            unscaled: a.rescaled(scale) - b.rescaled(scale),
            scale,
        },
        Operator::Multiply => Decimal {
            unscaled: &a.unscaled * &b.unscaled,
            scale: a.scale + b.scale,
        },
        Operator::Divide => {
            // The result keeps the dividend's scale; a half rounds down.
            let dividend = &a.unscaled * BigInt::from(10u8).pow(b.scale);
            let quotient = &dividend / &b.unscaled;
            let rest = (&dividend - &quotient * &b.unscaled).abs() * 2u8;
            let away = if (dividend.is_negative()) == (b.unscaled.is_negative()) {
                1
            } else {
                -1
            };
            Decimal {
                unscaled: if rest > b.unscaled.abs() {
                    quotient + away
                } else {
                    quotient
                },
                scale: a.scale,
            }
        }
        Operator::Modulo => return None,
    };
    Some(Value::Decimal(Rc::new(result)))
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Integer(number) => *number == 0,
        Value::Float(number) => *number == 0.0,
        Value::Big(number) => number.is_zero(),
        Value::Decimal(number) => number.unscaled.is_zero(),
        _ => false,
    }
}

/// The order of two numbers.
pub(crate) fn compare(left: &Value<'_>, right: &Value<'_>) -> Option<std::cmp::Ordering> {
    match pair(left, right)? {
        Pair::Integers(a, b) => Some(a.cmp(&b)),
        Pair::Bigs(a, b) => Some(a.cmp(&b)),
        Pair::Doubles(a, b) => a.partial_cmp(&b),
        Pair::Decimals(a, b) => {
            let scale = a.scale.max(b.scale);
            Some(a.rescaled(scale).cmp(&b.rescaled(scale)))
        }
    }
}

/// Reads a number as the service's JSON library does: int, long, big integer, double; a decimal where a double
/// would lose digits.
pub(crate) fn from_json<'a>(text: &str) -> Option<Value<'a>> {
    if !text.contains(['.', 'e', 'E']) {
        if let Ok(number) = text.parse::<i64>() {
            return Some(Value::Integer(number));
        }
        return text.parse::<BigInt>().ok().map(from_big);
    }
    if text.len() > 18
        && let Some(number) = Decimal::parse(text)
    {
        return Some(Value::Decimal(Rc::new(number)));
    }
    text.parse::<f64>().ok().map(Value::Float)
}

/// `hashCode` of an Integer or a Long.
pub(crate) fn long_hash(number: i64) -> i32 {
    match i32::try_from(number) {
        Ok(number) => number,
        Err(_) => (number ^ (number >> 32)) as i32,
    }
}

pub(crate) fn double_hash(number: f64) -> i32 {
    let bits = number.to_bits();
    (bits ^ (bits >> 32)) as i32
}
