//! `String.format`: `%s %S %d %x %X %o %f %e %b %c %n %%` with flags, width and precision.

use super::number;
use crate::render::{Failure, Renderer};
use crate::value::Value;

/// One `%…` of a pattern.
#[derive(Debug)]
struct Place {
    flags: String,
    width: usize,
    precision: Option<usize>,
    conversion: char,
}

pub(super) fn format<'r>(
    renderer: &mut Renderer<'r>,
    pattern: &str,
    values: &[Value<'r>],
) -> Result<String, Failure> {
    // A list alone is the array of values.
    let listed = match values {
        [Value::List(list)] if list.kind.is_array() => Some(list.items().clone()),
        _ => None,
    };
    let mut values = listed.as_deref().unwrap_or(values).iter();
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let (place, after) = place(&rest[at + 1..])?;
        rest = after;
        let mut argument = || {
            values
                .next()
                .ok_or_else(|| Failure::invocation("the format has more places than values"))
        };
        let text = match place.conversion {
            '%' => "%".to_owned(),
            'n' => "\n".to_owned(),
            _ => {
                let value = argument()?.clone();
                convert(renderer, &place, &value)?
            }
        };
        pad(renderer, &place, text, &mut out)?;
        renderer.budget.output(out.len())?;
    }
    out.push_str(rest);
    Ok(out)
}

fn place(text: &str) -> Result<(Place, &str), Failure> {
    let length = text
        .find(|next| !"-0,+ #(".contains(next))
        .unwrap_or(text.len());
    let (flags, rest) = text.split_at(length);
    let (width, rest) = digits(rest);
    let (precision, rest) = match rest.strip_prefix('.') {
        Some(after) => {
            let (number, after) = digits(after);
            (Some(number), after)
        }
        None => (None, rest),
    };
    let mut characters = rest.chars();
    let Some(conversion) = characters.next() else {
        return Err(Failure::invocation("a format may not end in `%`"));
    };
    let place = Place {
        flags: flags.to_owned(),
        width,
        precision,
        conversion,
    };
    Ok((place, characters.as_str()))
}

fn digits(text: &str) -> (usize, &str) {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = text[..length.min(9)].parse().unwrap_or(0);
    (number, &text[length..])
}

fn convert<'r>(
    renderer: &mut Renderer<'r>,
    place: &Place,
    value: &Value<'r>,
) -> Result<String, Failure> {
    let conversion = place.conversion;
    let mismatch = || {
        Err(Failure::invocation(format!(
            "`%{conversion}` cannot print a {}",
            value.class_name()
        )))
    };
    Ok(match (conversion, value) {
        ('s' | 'S' | 'b' | 'B', _) => {
            let text = match (conversion, value) {
                ('b' | 'B', Value::Boolean(value)) => value.to_string(),
                ('b' | 'B', value) => (!value.is_null()).to_string(),
                (_, Value::Null) => "null".to_owned(),
                _ => renderer.text_of(value)?.as_str().to_owned(),
            };
            let most = place.precision.unwrap_or(usize::MAX);
            let text = text.chars().take(most).collect::<String>();
            if conversion.is_uppercase() {
                text.to_uppercase()
            } else {
                text
            }
        }
        ('d' | 'x' | 'X' | 'o' | 'f' | 'e' | 'E' | 'c', Value::Null) => "null".to_owned(),
        ('d', Value::Integer(number)) => {
            signed(place, *number < 0, &number.unsigned_abs().to_string())
        }
        ('d', Value::Big(number)) => {
            let digits = number.magnitude().to_string();
            signed(place, number.sign() == num_bigint::Sign::Minus, &digits)
        }
        ('x' | 'X' | 'o', Value::Integer(number)) => {
            // A negative Integer is one of 32 bits.
            let bits = match i32::try_from(*number) {
                Ok(number) => u64::from(number as u32),
                Err(_) => *number as u64,
            };
            match conversion {
                'x' => format!("{bits:x}"),
                'X' => format!("{bits:X}"),
                _ => format!("{bits:o}"),
            }
        }
        ('f', Value::Float(number)) if number.is_finite() => {
            let digits = fixed(*number, place.precision.unwrap_or(6).min(300));
            signed(place, number.is_sign_negative(), &digits)
        }
        ('f' | 'e', Value::Float(number)) if !number.is_finite() => {
            let mut text = String::new();
            number::push_double(*number, &mut text);
            text
        }
        ('f', Value::Decimal(number)) => {
            let text = number.to_string();
            let digits = text.trim_start_matches('-');
            let digits = rounded(digits, place.precision.unwrap_or(6).min(300));
            signed(place, text.starts_with('-'), &digits)
        }
        ('e' | 'E', Value::Float(number)) => {
            let digits = place.precision.unwrap_or(6).min(300);
            let text = format!("{:.digits$e}", number.abs());
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            let text = signed(place, *number < 0.0, mantissa);
            let text = format!("{text}e{sign}{exponent:0>2}");
            if conversion == 'E' {
                text.to_uppercase()
            } else {
                text
            }
        }
        ('c', Value::Char(unit)) => String::from_utf16_lossy(&[*unit]),
        ('c', Value::Integer(point)) => match u32::try_from(*point).ok().and_then(char::from_u32) {
            Some(character) => character.to_string(),
            None => return mismatch(),
        },
        ('d' | 'x' | 'X' | 'o' | 'f' | 'e' | 'E' | 'c', _) => return mismatch(),
        _ => {
            return Err(Failure::invocation(format!(
                "unknown format `%{conversion}`"
            )));
        }
    })
}

/// A number without its sign, rounded half up as its shortest notation is, which is what Java rounds.
fn fixed(number: f64, digits: usize) -> String {
    rounded(&format!("{}", number.abs()), digits)
}

/// Digits with or without a point, rounded half up to so many after it.
fn rounded(text: &str, digits: usize) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let kept: String = fraction
        .chars()
        .chain(std::iter::repeat('0'))
        .take(digits)
        .collect();
    let mut all: Vec<u8> = whole.bytes().chain(kept.bytes()).collect();
    if fraction
        .as_bytes()
        .get(digits)
        .is_some_and(|next| *next >= b'5')
    {
        let mut at = all.len();
        loop {
            if at == 0 {
                all.insert(0, b'1');
                break;
            }
            at -= 1;
            if all[at] < b'9' {
                all[at] += 1;
                break;
            }
            all[at] = b'0';
        }
    }
    let point = all.len() - digits;
    let mut out: String = all[..point]
        .iter()
        .map(|digit| char::from(*digit))
        .collect();
    if digits > 0 {
        out.push('.');
        out.extend(all[point..].iter().map(|digit| char::from(*digit)));
    }
    out
}

/// Digits with their sign, in groups if the flags say so.
fn signed(place: &Place, negative: bool, digits: &str) -> String {
    let mut text = String::new();
    let (whole, fraction) = match digits.find('.') {
        Some(point) => digits.split_at(point),
        None => (digits, ""),
    };
    if place.flags.contains(',') {
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
    } else {
        text.push_str(whole);
    }
    text.push_str(fraction);
    match negative {
        true if place.flags.contains('(') => format!("({text})"),
        true => format!("-{text}"),
        false if place.flags.contains('+') => format!("+{text}"),
        false if place.flags.contains(' ') => format!(" {text}"),
        false => text,
    }
}

fn pad(
    renderer: &mut Renderer<'_>,
    place: &Place,
    mut text: String,
    out: &mut String,
) -> Result<(), Failure> {
    let missing = place.width.saturating_sub(text.chars().count());
    renderer.budget.create(missing)?;
    if place.flags.contains('-') {
        text.push_str(&" ".repeat(missing));
    } else if place.flags.contains('0') {
        let sign = usize::from(text.starts_with(['-', '+', ' ']));
        text.insert_str(sign, &"0".repeat(missing));
    } else {
        text.insert_str(0, &" ".repeat(missing));
    }
    out.push_str(&text);
    Ok(())
}
