//! Reads JSON as leniently as the service's JSON library does.
//!
//! A reader of our own, because none of the well-kept ones does these things together: texts borrow from the body,
//! numbers keep all their digits, and what is no JSON is read as the service reads it (a body `a=b` is a text; bare and
//! single-quoted names and commas too many are let through).

use std::borrow::Cow;

use memchr::memchr2;

use super::tape::{Item, Kind, Tape};

/// Deeper than this, nobody means it.
const DEPTH: usize = 400;

/// Where the text stopped being JSON, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) at: usize,
    pub(crate) message: &'static str,
}

/// Reads a text. One that begins neither an object, a list nor a string is a number, a word or just a text.
pub(crate) fn read(text: Cow<'_, str>) -> Result<Tape<'_>, Malformed> {
    if u32::try_from(text.len()).is_err() {
        return Err(Malformed {
            at: 0,
            message: "the text is longer than 4 GiB",
        });
    }
    let mut reader = Reader {
        text: &text,
        at: 0,
        depth: 0,
        // An item for 8 bytes is what most bodies have.
        items: Vec::with_capacity(text.len().min(1 << 16) / 8 + 8),
    };
    reader.blank();
    match reader.byte() {
        Some(b'{' | b'[' | b'"' | b'\'') => reader.value(0)?,
        _ => {
            let word = text[reader.at..].trim_end();
            reader.scalar(Kind::Bare, reader.at, reader.at + word.len());
        }
    }
    let items = reader.items;
    Ok(Tape { text, items })
}

const ENDS_MEMBER: u8 = 1;
const ENDS_ITEM: u8 = 2;
const ENDS_NAME: u8 = 4;

/// What a byte ends.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    classes[b',' as usize] = ENDS_MEMBER | ENDS_ITEM | ENDS_NAME;
    classes[b'}' as usize] = ENDS_MEMBER | ENDS_NAME;
    classes[b']' as usize] = ENDS_ITEM | ENDS_NAME;
    classes[b':' as usize] = ENDS_NAME;
    classes[b'{' as usize] = ENDS_NAME;
    classes[b'[' as usize] = ENDS_NAME;
    classes
};

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    items: Vec<Item>,
}

impl Reader<'_> {
    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn blank(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn fail(&self, message: &'static str) -> Result<(), Malformed> {
        Err(Malformed {
            at: self.at,
            message,
        })
    }

    /// The text is shorter than 4 GiB, and so are places in it.
    #[inline]
    fn scalar(&mut self, kind: Kind, begin: usize, end: usize) {
        self.items.push(Item {
            kind,
            begin: begin as u32,
            end: end as u32,
        });
    }

    /// A value; a bare one ends before a byte of this class.
    fn value(&mut self, stops: u8) -> Result<(), Malformed> {
        match self.byte() {
            Some(b'{') => self.container(Kind::Object, Self::member),
            Some(b'[') => self.container(Kind::List, Self::element),
            Some(b'"' | b'\'') => self.string(),
            Some(_) => {
                let begin = self.at;
                if self.word(stops) {
                    Ok(())
                } else {
                    self.at = begin;
                    self.fail("a value is missing")
                }
            }
            None => self.fail("the text ends too early"),
        }
    }

    /// A word up to a byte of this class; whether there is one.
    fn word(&mut self, stops: u8) -> bool {
        let begin = self.at;
        let rest = &self.text.as_bytes()[begin..];
        let length = rest
            .iter()
            .position(|byte| CLASSES[usize::from(*byte)] & stops != 0);
        self.at += length.unwrap_or(rest.len());
        let word = self.text[begin..self.at].trim_end();
        self.scalar(Kind::Bare, begin, begin + word.len());
        !word.is_empty()
    }

    /// An object or a list, whose parts `part` reads.
    fn container(
        &mut self,
        kind: Kind,
        part: fn(&mut Self, u8) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.fail("nested too deep");
        }
        let (close, unclosed, unseparated) = match kind {
            Kind::Object => (b'}', "the object is never closed", "`,` or `}` is missing"),
            _ => (b']', "the list is never closed", "`,` or `]` is missing"),
        };
        let place = self.items.len();
        self.scalar(kind, 0, 0);
        self.at += 1;
        let mut count = 0u32;
        loop {
            self.blank();
            match self.byte() {
                None => return self.fail(unclosed),
                Some(byte) if byte == close => {
                    self.at += 1;
                    break;
                }
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                Some(byte) => part(self, byte)?,
            }
            count += 1;
            self.blank();
            match self.byte() {
                Some(byte) if byte == b',' || byte == close => {}
                None => return self.fail(unclosed),
                Some(_) => return self.fail(unseparated),
            }
        }
        self.depth -= 1;
        let next = self.items.len() as u32;
        let item = &mut self.items[place];
        item.begin = count;
        item.end = next;
        Ok(())
    }

    fn member(&mut self, first: u8) -> Result<(), Malformed> {
        match first {
            b':' => return self.fail("a name is missing"),
            b'"' | b'\'' => self.string()?,
            _ => {
                self.word(ENDS_NAME);
            }
        }
        self.blank();
        if self.byte() != Some(b':') {
            return self.fail("`:` is missing");
        }
        self.at += 1;
        self.blank();
        self.value(ENDS_MEMBER)
    }

    fn element(&mut self, first: u8) -> Result<(), Malformed> {
        match first {
            b':' | b'}' => self.fail("a value is missing"),
            _ => self.value(ENDS_ITEM),
        }
    }

    fn string(&mut self) -> Result<(), Malformed> {
        let bytes = self.text.as_bytes();
        let quote = bytes[self.at];
        self.at += 1;
        let begin = self.at;
        let mut kind = Kind::Text;
        loop {
            let found = quote_or_escape(&bytes[self.at..], quote);
            let Some(found) = found else {
                return self.fail("the string is never closed");
            };
            self.at += found;
            if bytes[self.at] == quote {
                self.scalar(kind, begin, self.at);
                self.at += 1;
                return Ok(());
            }
            kind = Kind::Escaped;
            let Some(escape) = self.text[self.at + 1..].chars().next() else {
                return self.fail("the string is never closed");
            };
            self.at += 1 + escape.len_utf8();
            if escape == 'u' {
                let digits = bytes.get(self.at..self.at + 4);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return self.fail("`\\u` needs four hexadecimal digits");
                }
                self.at += 4;
            }
        }
    }
}

/// Where the first quote or backslash is.
fn quote_or_escape(bytes: &[u8], quote: u8) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    // A byte of the word is zero where the byte was the one that is sought; the lowest such bit is exact.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let sought = |word: u64, byte: u8| zeros(word ^ (ONES * u64::from(byte)));
    // Most strings are short: a call of the search costs more than a few words looked at.
    let mut at = 0;
    while at < 32 {
        let Some(word) = bytes[at..].first_chunk::<8>() else {
            return bytes[at..]
                .iter()
                .position(|byte| *byte == quote || *byte == b'\\')
                .map(|found| at + found);
        };
        let word = u64::from_le_bytes(*word);
        let found = sought(word, quote) | sought(word, b'\\');
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr2(quote, b'\\', &bytes[at..]).map(|found| at + found)
}

/// The text of a string that was read; its escapes are well-formed.
pub(super) fn unescaped(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    // Halves of a pair that `\u` escapes write one after the other.
    let mut units: Vec<u16> = Vec::new();
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (before, escape) = rest.split_at(at);
        if !before.is_empty() {
            flush(&mut units, &mut out);
            out.push_str(before);
        }
        let mut characters = escape[1..].chars();
        let character = characters.next().unwrap_or('\\');
        rest = characters.as_str();
        if character == 'u'
            && let Some((digits, after)) = rest.split_at_checked(4)
            && let Ok(unit) = u16::from_str_radix(digits, 16)
        {
            units.push(unit);
            rest = after;
            continue;
        }
        flush(&mut units, &mut out);
        out.push(match character {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            other => other,
        });
    }
    flush(&mut units, &mut out);
    out.push_str(rest);
    out
}

fn flush(units: &mut Vec<u16>, out: &mut String) {
    if !units.is_empty() {
        out.push_str(&String::from_utf16_lossy(units));
        units.clear();
    }
}
