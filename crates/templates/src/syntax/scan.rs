//! How long the tokens are: what each begins with and how far it reaches.

use super::token::Kind;

pub(super) fn run(bytes: &[u8], accept: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| accept(**byte)).count()
}

pub(super) fn newline(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// Blanks and the newline after them; nothing if something else follows.
pub(super) fn line_end(bytes: &[u8]) -> usize {
    let blank = run(bytes, |byte| matches!(byte, b' ' | b'\t'));
    match newline(&bytes[blank..]) {
        0 => 0,
        length => blank + length,
    }
}

pub(super) fn word(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    (first.is_ascii_alphabetic() || matches!(first, b'_' | b'@')).then(|| {
        run(bytes, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@')
        })
    })
}

pub(super) fn bracketed_word(bytes: &[u8]) -> Option<usize> {
    let inner = bytes.strip_prefix(b"{")?;
    let first = *inner.first()?;
    if !(first.is_ascii_alphabetic() || first == b'_') {
        return None;
    }
    let length = run(inner, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@')
    });
    (inner.get(length) == Some(&b'}')).then_some(length + 2)
}

/// An odd number of backslashes, `#` and a name.
pub(super) fn escaped_directive(bytes: &[u8]) -> Option<usize> {
    let escapes = run(bytes, |byte| byte == b'\\');
    if escapes % 2 == 0 || bytes.get(escapes) != Some(&b'#') {
        return None;
    }
    let name = &bytes[escapes + 1..];
    Some(escapes + 1 + word(name).or_else(|| bracketed_word(name))?)
}

pub(super) fn set_directive(bytes: &[u8]) -> Option<usize> {
    let blank = |bytes: &[u8]| run(bytes, |byte| matches!(byte, b' ' | b'\t'));
    let before = blank(bytes);
    let name = ["#set", "#{set}"]
        .iter()
        .find(|name| bytes[before..].starts_with(name.as_bytes()))?;
    let mut length = before + name.len();
    length += blank(&bytes[length..]);
    (bytes.get(length) == Some(&b'(')).then_some(length + 1)
}

/// `\\…$` or `\\…$\\…!`.
pub(super) fn dollar(bytes: &[u8]) -> Option<usize> {
    let before = run(bytes, |byte| byte == b'\\');
    if bytes.get(before) != Some(&b'$') {
        return None;
    }
    let after = before + 1;
    let between = run(&bytes[after..], |byte| byte == b'\\');
    if bytes.get(after + between) == Some(&b'!') {
        Some(after + between + 1)
    } else {
        Some(after)
    }
}

/// From quote to quote; a doubled quote inside is part of the string if another one closes it later.
pub(super) fn string_literal(bytes: &[u8]) -> Option<usize> {
    let quote = bytes[0];
    let mut from = 1;
    let mut longest = None;
    while let Some(found) = memchr::memchr(quote, &bytes[from..]) {
        let end = from + found + 1;
        longest = Some(end);
        if bytes.get(end) != Some(&quote) {
            break;
        }
        from = end + 1;
    }
    longest
}

/// Offers whole numbers and those with a point or an exponent.
pub(super) fn number(bytes: &[u8], mut offer: impl FnMut(Kind, usize)) {
    let digits = |bytes: &[u8]| run(bytes, |byte| byte.is_ascii_digit());
    let exponent = |bytes: &[u8]| {
        if !matches!(bytes.first(), Some(b'e' | b'E')) {
            return 0;
        }
        let sign = usize::from(matches!(bytes.get(1), Some(b'+' | b'-')));
        match digits(&bytes[1 + sign..]) {
            0 => 0,
            length => 1 + sign + length,
        }
    };
    let sign = usize::from(bytes[0] == b'-');
    let whole = digits(&bytes[sign..]);
    let mut end = sign + whole;
    if whole > 0 {
        let range = if bytes[end..].starts_with(b"..") {
            2
        } else {
            0
        };
        offer(Kind::Integer, end + range);
        match exponent(&bytes[end..]) {
            0 => {}
            length => offer(Kind::Float, end + length),
        }
        if bytes.get(end) != Some(&b'.') {
            return;
        }
        end += 1;
        end += digits(&bytes[end..]);
    } else {
        if bytes.get(end) != Some(&b'.') {
            return;
        }
        let fraction = digits(&bytes[end + 1..]);
        if fraction == 0 {
            return;
        }
        end += 1 + fraction;
    }
    offer(Kind::Float, end + exponent(&bytes[end..]));
}

/// Of what was given back, only `$`, `#` and `\…$` print.
pub(super) fn push_special(image: &str, out: &mut String) {
    let bytes = image.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'$' | b'#' => out.push(bytes[at] as char),
            b'\\' => {
                let escapes = run(&bytes[at..], |byte| byte == b'\\');
                if bytes.get(at + escapes) == Some(&b'$') {
                    out.push_str(&image[at..=at + escapes]);
                    at += escapes + 1;
                    // The original skips the character after the `$`, too: it is always one that was given back.
                }
            }
            _ => {}
        }
        at += 1;
    }
}

pub(super) const OPERATORS: &[(&str, Kind)] = &[
    ("-", Kind::Minus),
    ("+", Kind::Plus),
    ("*", Kind::Multiply),
    ("/", Kind::Divide),
    ("%", Kind::Modulus),
    ("&&", Kind::And),
    ("and", Kind::And),
    ("||", Kind::Or),
    ("or", Kind::Or),
    ("<", Kind::Less),
    ("lt", Kind::Less),
    ("<=", Kind::LessOrEqual),
    ("le", Kind::LessOrEqual),
    (">", Kind::Greater),
    ("gt", Kind::Greater),
    (">=", Kind::GreaterOrEqual),
    ("ge", Kind::GreaterOrEqual),
    ("==", Kind::Equal),
    ("eq", Kind::Equal),
    ("!=", Kind::NotEqual),
    ("ne", Kind::NotEqual),
    ("!", Kind::Not),
    ("not", Kind::Not),
    ("=", Kind::Assign),
];

pub(super) const CONTROL: &[(&str, Kind, bool)] = &[
    ("end", Kind::End, true),
    ("{end}", Kind::End, true),
    ("if", Kind::If, false),
    ("{if}", Kind::If, false),
    ("elseif", Kind::ElseIf, false),
    ("{elseif}", Kind::ElseIf, false),
    ("else", Kind::Else, true),
    ("{else}", Kind::Else, true),
];
