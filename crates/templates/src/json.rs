//! Reads JSON straight into values, and does so as leniently as the service's JSON library.
//!
//! A reader of our own, because none of the well-kept ones does these things together: texts without escapes
//! borrow from the body, numbers keep all their digits, and what is no JSON is read as the service reads it
//! (a body `a=b` is a text; bare and single-quoted names, trailing commas are let through).

use memchr::memchr2;

use crate::java::number;
use crate::value::{ListKind, Map, Text, Value};

/// Deeper than this, nobody means it.
const DEPTH: usize = 400;

/// Where the text stopped being JSON, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) at: usize,
    pub(crate) message: &'static str,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// The value of a text. Text that begins neither an object, a list nor a string is a number, a word or just a text.
pub(crate) fn read(text: &str) -> Result<Value<'_>, Malformed> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    reader.blank();
    match reader.byte() {
        None => Ok(Value::Null),
        Some(b'{' | b'[' | b'"' | b'\'') => reader.value(b""),
        Some(_) => Ok(bare(text[reader.at..].trim_end())),
    }
}

/// A word without quotes.
fn bare(word: &str) -> Value<'_> {
    match word {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        "null" => Value::Null,
        "NaN" => Value::Float(f64::NAN),
        _ => {
            let digits = word.strip_prefix('-').unwrap_or(word);
            let numeric = digits.starts_with(|first: char| first.is_ascii_digit())
                && digits
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
            match numeric.then(|| number::from_json(word)).flatten() {
                Some(number) => number,
                None => Value::Text(Text::Borrowed(word)),
            }
        }
    }
}

impl<'a> Reader<'a> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn fail<T>(&self, message: &'static str) -> Result<T, Malformed> {
        Err(Malformed {
            at: self.at,
            message,
        })
    }

    /// A value; a bare one ends before one of these bytes.
    fn value(&mut self, stops: &[u8]) -> Result<Value<'a>, Malformed> {
        match self.byte() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"' | b'\'') => self.string().map(Value::Text),
            Some(_) => {
                let word = self.word(stops);
                if word.is_empty() {
                    return self.fail("a value is missing");
                }
                Ok(bare(word))
            }
            None => self.fail("the text ends too early"),
        }
    }

    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Value<'a>, Malformed>,
    ) -> Result<Value<'a>, Malformed> {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.fail("nested too deep");
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn word(&mut self, stops: &[u8]) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest
            .bytes()
            .position(|byte| stops.contains(&byte))
            .unwrap_or(rest.len());
        self.at += length;
        rest[..length].trim_end()
    }

    fn object(&mut self) -> Result<Value<'a>, Malformed> {
        self.at += 1;
        let mut entries: Vec<(Value<'a>, Value<'a>)> = Vec::new();
        let mut long: Option<Map<'a>> = None;
        loop {
            self.blank();
            match self.byte() {
                None => return self.fail("the object is never closed"),
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                Some(b':') => return self.fail("a name is missing"),
                Some(_) => {}
            }
            let key = match self.byte() {
                Some(b'"' | b'\'') => self.string()?,
                _ => Text::Borrowed(self.word(b":,}{[]")),
            };
            self.blank();
            if self.byte() != Some(b':') {
                return self.fail("`:` is missing");
            }
            self.at += 1;
            self.blank();
            let value = self.value(b",}")?;
            // A repeated name keeps its first place and its last value.
            if let Some(map) = &long {
                map.put(Value::Text(key), value);
            } else if let Some(known) = entries
                .iter_mut()
                .find(|(known, _)| matches!(known, Value::Text(known) if **known == *key))
            {
                known.1 = value;
            } else {
                entries.push((Value::Text(key), value));
                if entries.len() > 24 {
                    long = Some(Map::from_pairs(std::mem::take(&mut entries)));
                }
            }
            self.blank();
            match self.byte() {
                Some(b',' | b'}') => {}
                None => return self.fail("the object is never closed"),
                Some(_) => return self.fail("`,` or `}` is missing"),
            }
        }
        let map = long.unwrap_or_else(|| Map::from_pairs(entries));
        Ok(Value::Map(std::rc::Rc::new(map)))
    }

    fn list(&mut self) -> Result<Value<'a>, Malformed> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blank();
            match self.byte() {
                None => return self.fail("the list is never closed"),
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::list(ListKind::Json, items));
                }
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                Some(b':' | b'}') => return self.fail("a value is missing"),
                Some(_) => {}
            }
            items.push(self.value(b",]")?);
            self.blank();
            match self.byte() {
                Some(b',' | b']') => {}
                None => return self.fail("the list is never closed"),
                Some(_) => return self.fail("`,` or `]` is missing"),
            }
        }
    }

    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        let quote = self.text.as_bytes()[self.at];
        self.at += 1;
        let start = self.at;
        let Some(found) = memchr2(quote, b'\\', &self.text.as_bytes()[start..]) else {
            return self.fail("the string is never closed");
        };
        self.at = start + found;
        if self.byte() == Some(quote) {
            self.at += 1;
            return Ok(Text::Borrowed(&self.text[start..self.at - 1]));
        }
        let mut out = String::from(&self.text[start..self.at]);
        let mut units: Vec<u16> = Vec::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(found) = memchr2(quote, b'\\', rest.as_bytes()) else {
                return self.fail("the string is never closed");
            };
            if found > 0 {
                flush(&mut units, &mut out);
                out.push_str(&rest[..found]);
            }
            self.at += found;
            if self.byte() == Some(quote) {
                flush(&mut units, &mut out);
                self.at += 1;
                return Ok(Text::from(out));
            }
            let Some(escape) = self.text[self.at + 1..].chars().next() else {
                return self.fail("the string is never closed");
            };
            self.at += 1 + escape.len_utf8();
            if escape == 'u' {
                let digits = self.text.get(self.at..self.at + 4);
                let Some(unit) = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok())
                else {
                    return self.fail("`\\u` needs four hexadecimal digits");
                };
                self.at += 4;
                units.push(unit);
                continue;
            }
            flush(&mut units, &mut out);
            out.push(match escape {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                other => other,
            });
        }
    }
}

fn flush(units: &mut Vec<u16>, out: &mut String) {
    if !units.is_empty() {
        out.push_str(&String::from_utf16_lossy(units));
        units.clear();
    }
}
