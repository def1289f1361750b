//! How values are written where they stand, so that no value ends its field, or its line.

use std::fmt;

use http::HeaderValue;
use portcullis_core::ContextVisitor;
use serde_json::Value;

use super::line::{Block, Line, MAX_VALUE};

/// Where in a format a variable stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A line of text of its own, which nobody takes apart.
    Message,
    /// In a line of text, between spaces.
    Plain,
    /// The same, where a space in the value would begin another field.
    Word,
    /// In a line of text, within quotes or brackets.
    Quoted,
    /// Within a string of JSON.
    JsonString,
    /// Where JSON expects a value.
    JsonValue,
    /// The same, for what is JSON by itself.
    JsonRaw,
    /// In text or in an attribute of XML.
    Xml,
    /// All of a cell of CSV.
    Cell,
    /// Within the quotes of a cell of CSV.
    QuotedCell,
}

impl Place {
    /// Writes what stands for a value that is not there.
    pub(super) fn absent(self, line: &mut Line<'_>) {
        match self {
            // A dash would not be JSON.
            Self::JsonValue | Self::JsonRaw => line.push(b"null"),
            _ => line.push(b"-"),
        }
    }

    /// Writes a text, cut where it is too long.
    #[inline]
    pub(crate) fn text(self, line: &mut Line<'_>, text: &str) {
        if !self.short(line, text.as_bytes()) {
            self.any_text(line, text);
        }
    }

    /// Writes a few bytes, if nothing of them is special here.
    #[inline]
    fn short(self, line: &mut Line<'_>, bytes: &[u8]) -> bool {
        match Block::of(bytes) {
            Some(block) if classes(&block.bytes) & self.special() == 0 => {
                line.push_block(&block);
                true
            }
            _ => false,
        }
    }

    /// What has to be looked at more closely before it is written here.
    const fn special(self) -> u8 {
        OTHER
            | match self {
                Self::Message => 0,
                Self::Plain | Self::Quoted | Self::JsonString => TEXT,
                Self::Word => TEXT | SPACE,
                // All of it needs quotes.
                Self::JsonValue | Self::JsonRaw => ANY,
                Self::Xml => MARKUP,
                Self::Cell => QUOTE | SPACE | CELL,
                Self::QuotedCell => QUOTE,
            }
    }

    fn any_text(self, line: &mut Line<'_>, text: &str) {
        let (text, cut) = if text.len() > MAX_VALUE {
            (&text[..text.floor_char_boundary(MAX_VALUE)], true)
        } else {
            (text, false)
        };
        if text.is_empty() && matches!(self, Self::Plain | Self::Word | Self::Cell) {
            // An empty field would not be seen.
            line.push(b"-");
            return;
        }
        let quotes: &[u8] = match self {
            Self::JsonValue | Self::JsonRaw => b"\"",
            Self::Cell if needs_quotes(text) => b"\"",
            _ => b"",
        };
        line.push(quotes);
        self.escape(line, text);
        if cut {
            self.escape(line, "…");
        }
        line.push(quotes);
    }

    /// Writes bytes that should be text.
    pub(super) fn bytes(self, line: &mut Line<'_>, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text(line, text),
            Err(_) => self.text(line, &String::from_utf8_lossy(bytes)),
        }
    }

    /// Writes what prints itself.
    fn display(self, line: &mut Line<'_>, value: &dyn fmt::Display) {
        let quotes: &[u8] = if matches!(self, Self::Cell) {
            b"\""
        } else {
            b""
        };
        line.push(quotes);
        let mut escaped = Escaped {
            place: self,
            line,
            left: MAX_VALUE,
        };
        // It says so when it is too long; then the line is cut there.
        let _ = fmt::write(&mut escaped, format_args!("{value}"));
        line.push(quotes);
    }

    fn escape(self, line: &mut Line<'_>, text: &str) {
        match self {
            Self::Message => walk(line, text, OTHER, in_text),
            Self::Plain | Self::Quoted => walk(line, text, OTHER | TEXT, in_text),
            Self::Word => walk(line, text, OTHER | TEXT | SPACE, in_text),
            Self::JsonString | Self::JsonValue | Self::JsonRaw => {
                walk(line, text, OTHER | TEXT, in_json);
            }
            Self::Xml => walk(line, text, OTHER | MARKUP, in_xml),
            Self::Cell | Self::QuotedCell => walk(line, text, OTHER | QUOTE, in_csv),
        }
    }
}

/// Writes the value of a variable into a place.
pub(super) struct Writing<'l, 'a> {
    pub(super) place: Place,
    pub(super) line: &'l mut Line<'a>,
}

impl ContextVisitor for Writing<'_, '_> {
    type Output = ();

    #[inline]
    fn absent(self) {
        self.place.absent(self.line);
    }

    fn text(self, text: &str) {
        if self.place == Place::JsonRaw {
            self.line.push(text.as_bytes());
        } else {
            self.place.text(self.line, text);
        }
    }

    #[inline]
    fn plain(self, text: &[u8]) {
        let Self { place, line } = self;
        if matches!(place, Place::JsonValue | Place::JsonRaw) {
            line.push(b"\"");
            line.push(text);
            line.push(b"\"");
        } else {
            line.push(text);
        }
    }

    #[inline]
    fn number(self, number: i64) {
        self.line.number(number);
    }

    fn flag(self, flag: bool) {
        self.line.push(if flag { b"true" } else { b"false" });
    }

    fn json(self, json: &Value) {
        match json {
            Value::String(text) => self.text(text),
            Value::Null => self.absent(),
            json => self.place.display(self.line, json),
        }
    }

    #[inline]
    fn header(self, value: &HeaderValue) {
        if !self.place.short(self.line, value.as_bytes()) {
            match value.to_str() {
                Ok(text) => self.text(text),
                Err(_) => self.absent(),
            }
        }
    }
}

/// Writes what a `Display` gives, escaped.
struct Escaped<'l, 'a> {
    place: Place,
    line: &'l mut Line<'a>,
    left: usize,
}

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if matches!(self.place, Place::JsonValue | Place::JsonRaw) {
            // A whole value of JSON stands for itself, and cut it would be none.
            if text.len() > self.line.room() {
                self.line.overflow();
                return Err(fmt::Error);
            }
            self.line.push(text.as_bytes());
            return Ok(());
        }
        let end = text.floor_char_boundary(self.left);
        self.left -= end;
        self.place.escape(self.line, &text[..end]);
        if end < text.len() {
            self.place.escape(self.line, "…");
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// Copies `text` with what is of these classes replaced, and of others than ASCII the characters that some readers take for the end of a line.
#[inline]
fn walk(line: &mut Line<'_>, text: &str, special: u8, replace: impl Fn(&mut Line<'_>, char)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let length = ordinary(&bytes[at..], special);
        line.push(&bytes[at..at + length]);
        at += length;
        let Some(character) = text[at..].chars().next() else {
            return;
        };
        let end = at + character.len_utf8();
        if character.is_ascii() || ends_a_line(character) {
            replace(line, character);
        } else {
            line.push(&bytes[at..end]);
        }
        at = end;
    }
}

/// How many bytes from the first on are of none of these classes.
fn ordinary(bytes: &[u8], special: u8) -> usize {
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk() {
        if classes(chunk) & special != 0 {
            break;
        }
        at += chunk.len();
    }
    let rest = &bytes[at..];
    let length = rest
        .iter()
        .position(|byte| CLASSES[usize::from(*byte)] & special != 0);
    at + length.unwrap_or(rest.len())
}

/// The classes of all these bytes, without a branch for each.
#[inline]
fn classes(bytes: &[u8; Block::ROOM]) -> u8 {
    bytes
        .iter()
        .fold(0, |all, byte| all | CLASSES[usize::from(*byte)])
}

/// Control characters and what is no ASCII: special everywhere.
const OTHER: u8 = 1;
/// What ends a string of text or of JSON.
const TEXT: u8 = 2;
const SPACE: u8 = 4;
/// What is markup in XML.
const MARKUP: u8 = 8;
/// What ends a cell in quotes.
const QUOTE: u8 = 16;
/// What ends a cell, to some readers.
const CELL: u8 = 32;
/// Everything.
const ANY: u8 = 64;

/// What each byte is.
const CLASSES: [u8; 256] = {
    let mut classes = [ANY; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] |= match byte as u8 {
            b'"' => TEXT | MARKUP | QUOTE,
            b'\\' => TEXT,
            b' ' => SPACE,
            b'&' | b'\'' | b'<' | b'>' => MARKUP,
            b',' | b';' => CELL,
            b'!'..=b'~' => 0,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// The next line, the line and paragraph separators, and other controls; and what XML does not know.
const fn ends_a_line(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
    )
}

/// `needs_quotes` of RFC 4180, and spaces at the ends, which some readers take away.
fn needs_quotes(text: &str) -> bool {
    text.starts_with(' ')
        || text.ends_with(' ')
        || text
            .bytes()
            .any(|byte| matches!(byte, b',' | b'"' | b';') || byte < b' ')
}

fn in_text(line: &mut Line<'_>, character: char) {
    match character {
        '"' => line.push(br#"\""#),
        '\\' => line.push(br"\\"),
        '\n' => line.push(br"\n"),
        '\r' => line.push(br"\r"),
        '\t' => line.push(br"\t"),
        other if other.is_ascii() => {
            line.push(br"\x");
            hexadecimal(line, u32::from(other), 2);
        }
        other => {
            line.push(br"\u{");
            hexadecimal(line, u32::from(other), 4);
            line.push(b"}");
        }
    }
}

fn in_json(line: &mut Line<'_>, character: char) {
    match character {
        '"' => line.push(br#"\""#),
        '\\' => line.push(br"\\"),
        '\n' => line.push(br"\n"),
        '\r' => line.push(br"\r"),
        '\t' => line.push(br"\t"),
        other => {
            line.push(br"\u");
            hexadecimal(line, u32::from(other), 4);
        }
    }
}

fn in_xml(line: &mut Line<'_>, character: char) {
    match character {
        '"' => line.push(b"&quot;"),
        '\'' => line.push(b"&apos;"),
        '&' => line.push(b"&amp;"),
        '<' => line.push(b"&lt;"),
        '>' => line.push(b"&gt;"),
        '\n' => line.push(b"&#10;"),
        '\r' => line.push(b"&#13;"),
        '\t' => line.push(b"&#9;"),
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
            line.push(b"&#x");
            hexadecimal(line, u32::from(character), 4);
            line.push(b";");
        }
        // XML has no way to write the others.
        _ => line.push("\u{fffd}".as_bytes()),
    }
}

fn in_csv(line: &mut Line<'_>, character: char) {
    match character {
        '"' => line.push(br#""""#),
        other => in_text(line, other),
    }
}

fn hexadecimal(line: &mut Line<'_>, number: u32, digits: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for digit in (0..digits).rev() {
        line.push(&[DIGITS[(number >> (4 * digit)) as usize % 16]]);
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Place};

    fn written(place: Place, text: &str) -> String {
        let mut buffer = Vec::with_capacity(64 * 1024);
        let mut line = Line::new(&mut buffer);
        place.text(&mut line, text);
        assert!(!line.has_overflowed());
        String::from_utf8(buffer).unwrap()
    }

    #[track_caller]
    fn check(place: Place, text: &str, expected: &str) {
        assert_eq!(written(place, text), expected);
    }

    #[test]
    fn a_text_does_not_end_what_it_stands_in() {
        check(Place::Quoted, "a \"b\"\\\r\n\0", r#"a \"b\"\\\r\n\x00"#);
        check(Place::Word, "a b", r"a\x20b");
        check(
            Place::JsonString,
            "\"\\\n\u{1b}\u{2028}",
            r#"\"\\\n\u001b\u2028"#,
        );
        check(Place::JsonValue, "a\"", r#""a\"""#);
        check(
            Place::Xml,
            "<a b='\"'>&\n\0",
            "&lt;a b=&apos;&quot;&apos;&gt;&amp;&#10;\u{fffd}",
        );
        check(Place::Cell, "plain", "plain");
        check(Place::Cell, "a,\"b\"\n", r#""a,""b""\n""#);
        check(Place::QuotedCell, "a,\"b\"", r#"a,""b"""#);
    }

    #[test]
    fn ordinary_text_of_any_language_stays_as_it_is() {
        for place in [Place::Quoted, Place::JsonString, Place::Xml, Place::Cell] {
            check(place, "Zürich 東京 🐈", "Zürich 東京 🐈");
        }
    }

    #[test]
    fn a_field_that_is_empty_can_be_seen() {
        check(Place::Word, "", "-");
        check(Place::Cell, "", "-");
        check(Place::Quoted, "", "");
        check(Place::JsonString, "", "");
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let text = "ü".repeat(10_000);
        let cut = written(Place::Quoted, &text);
        assert_eq!(cut.len(), 8192 + "…".len());
        assert!(cut.ends_with("ü…"));
    }

    #[test]
    fn no_character_makes_a_second_line() {
        for place in [
            Place::Message,
            Place::Plain,
            Place::Word,
            Place::Quoted,
            Place::JsonString,
            Place::JsonValue,
            Place::Xml,
            Place::Cell,
            Place::QuotedCell,
        ] {
            for character in ('\0'..='\u{ffff}').chain(['\u{1f408}']) {
                let text = written(place, &character.to_string());
                assert!(
                    !text.contains([
                        '\n', '\r', '\u{85}', '\u{2028}', '\u{2029}', '\u{b}', '\u{c}'
                    ]),
                    "{place:?} {character:?}"
                );
            }
        }
    }
}
