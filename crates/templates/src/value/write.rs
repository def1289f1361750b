//! Values as text: Java's `toString`, and JSON.

use std::collections::HashSet;

use super::{Budget, Exceeded, ListKind, Value};
use crate::java::number;
use crate::json::{Node, Shape};

/// Writes values into a text, within the budget.
#[derive(Debug)]
pub(crate) struct Writer<'w> {
    pub(crate) out: &'w mut String,
    pub(crate) budget: &'w mut Budget,
}

impl Writer<'_> {
    /// As `toString` does. Null is "null": what prints nothing is decided before.
    pub(crate) fn java(&mut self, value: &Value<'_>) -> Result<(), Exceeded> {
        self.budget.step()?;
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Boolean(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Integer(number) => number::push_integer(*number, self.out),
            Value::Big(number) => {
                self.budget.steps(number.bits() * number.bits() / 4096)?;
                self.out.push_str(&number.to_string());
            }
            Value::Float(number) => number::push_double(*number, self.out),
            Value::Decimal(number) => self.out.push_str(&number.to_string()),
            Value::Char(unit) => self
                .out
                .push(char::from_u32(u32::from(*unit)).unwrap_or(char::REPLACEMENT_CHARACTER)),
            Value::Text(text) => self.out.push_str(text),
            Value::List(list) => {
                if list.kind == ListKind::Json {
                    return self.json(value);
                }
                if list.kind.is_array() {
                    // Java prints an address here, which nobody can want: it is the same one every time.
                    self.out.push_str(list.kind.class_name());
                    self.out.push_str("@0");
                    return Ok(());
                }
                self.budget.enter()?;
                self.out.push('[');
                for (at, item) in list.items().iter().enumerate() {
                    if at > 0 {
                        self.out.push_str(", ");
                    }
                    match item {
                        Value::List(inner) if std::rc::Rc::ptr_eq(inner, list) => {
                            self.out.push_str("(this Collection)");
                        }
                        _ => self.java(item)?,
                    }
                    self.budget.output(self.out.len())?;
                }
                self.out.push(']');
                self.budget.leave();
            }
            Value::Map(map) => {
                if map.silent {
                    return Ok(());
                }
                self.budget.enter()?;
                self.out.push('{');
                for (at, (key, item)) in map.entries().iter().enumerate() {
                    if at > 0 {
                        self.out.push_str(", ");
                    }
                    self.java(key)?;
                    self.out.push('=');
                    match item {
                        Value::Map(inner) if std::rc::Rc::ptr_eq(inner, map) => {
                            self.out.push_str("(this Map)");
                        }
                        _ => self.java(item)?,
                    }
                    self.budget.output(self.out.len())?;
                }
                self.out.push('}');
                self.budget.leave();
            }
            Value::Entry(entry) => {
                self.java(&entry.key)?;
                self.out.push('=');
                self.java(&crate::java::entry_value(entry))?;
            }
            Value::Loop(scope) => self.java(&Value::Map(scope.extra().clone()))?,
            Value::Class(name) => {
                self.out.push_str("class ");
                self.out.push_str(name);
            }
            // As of an array, the address is the same one every time.
            Value::Cursor(_) => self.out.push_str("java.util.ArrayList$Itr@0"),
            Value::Block(_) | Value::Input | Value::Util => {}
        }
        self.budget.output(self.out.len())
    }

    /// As compact JSON.
    pub(crate) fn json(&mut self, value: &Value<'_>) -> Result<(), Exceeded> {
        self.budget.step()?;
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Float(number) if !number.is_finite() => self.out.push_str("null"),
            Value::Boolean(_)
            | Value::Integer(_)
            | Value::Big(_)
            | Value::Float(_)
            | Value::Decimal(_) => self.java(value)?,
            Value::Text(text) => push_json_text(text, self.out),
            Value::List(list) => {
                if let Some(node) = list.untouched() {
                    return self.node(node);
                }
                self.budget.enter()?;
                self.out.push('[');
                for (at, item) in list.items().iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    self.json(item)?;
                    self.budget.output(self.out.len())?;
                }
                self.out.push(']');
                self.budget.leave();
            }
            Value::Map(map) => {
                if let Some(node) = map.untouched() {
                    return self.node(node);
                }
                self.budget.enter()?;
                self.out.push('{');
                for (at, (key, item)) in map.entries().iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    match key {
                        Value::Text(key) => push_json_text(key, self.out),
                        _ => {
                            let mut name = String::new();
                            Writer {
                                out: &mut name,
                                budget: self.budget,
                            }
                            .java(key)?;
                            push_json_text(&name, self.out);
                        }
                    }
                    self.out.push(':');
                    self.json(item)?;
                    self.budget.output(self.out.len())?;
                }
                self.out.push('}');
                self.budget.leave();
            }
            _ => {
                let mut text = String::new();
                Writer {
                    out: &mut text,
                    budget: self.budget,
                }
                .java(value)?;
                push_json_text(&text, self.out);
            }
        }
        self.budget.output(self.out.len())
    }

    /// As compact JSON, from text to text.
    pub(crate) fn node(&mut self, node: Node<'_>) -> Result<(), Exceeded> {
        self.budget.step()?;
        match node.shape() {
            Shape::Object => {
                self.budget.enter()?;
                // A repeated name keeps its first place and its last value: only a map tells.
                if repeats_a_name(node) {
                    let Value::Map(map) = node.value() else {
                        return Ok(());
                    };
                    map.entries();
                    self.json(&Value::Map(map))?;
                    self.budget.leave();
                    return Ok(());
                }
                self.out.push('{');
                for (at, (name, value)) in node.members().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    push_json_text(&name.text(), self.out);
                    self.out.push(':');
                    self.node(value)?;
                }
                self.out.push('}');
                self.budget.leave();
            }
            Shape::List => {
                self.budget.enter()?;
                self.out.push('[');
                for (at, item) in node.items().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    self.node(item)?;
                }
                self.out.push(']');
                self.budget.leave();
            }
            Shape::Scalar(value) => match node.bare_word() {
                Some(word) if prints_as_it_stands(word) => self.out.push_str(word),
                _ => return self.json(&value),
            },
        }
        self.budget.output(self.out.len())
    }
}

/// A whole number below 10^18 in its shortest form.
fn prints_as_it_stands(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() <= 18
        && bytes.iter().all(u8::is_ascii_digit)
        && (bytes[0] != b'0' || bytes.len() == 1)
}

fn repeats_a_name(node: Node<'_>) -> bool {
    if node.len() > 16 {
        let mut seen = HashSet::with_capacity(node.len());
        return !node
            .members()
            .all(|(name, _)| seen.insert(name.text().as_str().to_owned()));
    }
    node.members().enumerate().any(|(at, (name, _))| {
        let name = name.text();
        node.members()
            .take(at)
            .any(|(earlier, _)| earlier.is(&name))
    })
}

/// A JSON string, escaped as the service's JSON library does: control characters and the punctuation
/// block of Unicode as `\uXXXX`, other characters as they are, `/` bare.
fn push_json_text(text: &str, out: &mut String) {
    out.push('"');
    if text.bytes().any(may_need_escape) {
        push_escaped(text, out);
    } else {
        out.push_str(text);
    }
    out.push('"');
}

/// Whether a character that begins with this byte may have to be escaped.
fn may_need_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f | 0x7f | 0xc2 | 0xe2)
}

fn push_escaped(text: &str, out: &mut String) {
    let mut from = 0;
    for (at, character) in text.char_indices() {
        let escape = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2000}'..='\u{20ff}' => "",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        if escape.is_empty() {
            use std::fmt::Write as _;
            // Writing into a String cannot fail.
            let _ = write!(out, "\\u{:04X}", character as u32);
        } else {
            out.push_str(escape);
        }
        from = at + character.len_utf8();
    }
    out.push_str(&text[from..]);
}
