//! Where the values of a JSON text stand in it.
//!
//! Reading makes one list of small items and nothing else. A value is made when a template asks for it, a text without
//! escapes borrows from the body, and what is printed whole (`$input.json('$')`) goes from text to text. Nothing changes
//! a tape, so several renderings may share it: what a template puts into a map stays in that rendering.

use std::borrow::Cow;
use std::rc::Rc;

use crate::java::number;
use crate::value::{List, Map, Text, Value};

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    List,
    /// A string without escapes.
    Text,
    /// A string with escapes.
    Escaped,
    /// A word without quotes: a number, `true`, `null`, or just a word.
    Bare,
}

/// One value, or the name of a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    /// Where its text begins; of an object or a list, how many members or items it has.
    pub(super) begin: u32,
    /// Where its text ends; of an object or a list, the number of the first item after it.
    pub(super) end: u32,
}

/// A text that was read: the first item is the value of the whole.
#[derive(Debug)]
pub(crate) struct Tape<'t> {
    pub(crate) text: Cow<'t, str>,
    pub(super) items: Vec<Item>,
}

impl Tape<'_> {
    pub(crate) fn root(&self) -> Node<'_> {
        Node { tape: self, at: 0 }
    }

    fn item(&self, at: u32) -> Item {
        self.items[at as usize]
    }
}

/// A value on a tape.
#[derive(Clone, Copy)]
pub(crate) struct Node<'t> {
    tape: &'t Tape<'t>,
    at: u32,
}

/// A value on a tape, one level deep.
pub(crate) enum Shape<'t> {
    Object,
    List,
    Scalar(Value<'t>),
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("at", &self.at).finish()
    }
}

impl<'t> Node<'t> {
    fn raw(self, item: Item) -> &'t str {
        &self.tape.text[item.begin as usize..item.end as usize]
    }

    fn sibling(self, at: u32) -> Self {
        Self { at, ..self }
    }

    /// Where the value after this one stands.
    fn after(self) -> u32 {
        let item = self.tape.item(self.at);
        match item.kind {
            Kind::Object | Kind::List => item.end,
            Kind::Text | Kind::Escaped | Kind::Bare => self.at + 1,
        }
    }

    pub(crate) fn shape(self) -> Shape<'t> {
        let item = self.tape.item(self.at);
        let raw = || self.raw(item);
        match item.kind {
            Kind::Object => Shape::Object,
            Kind::List => Shape::List,
            Kind::Text => Shape::Scalar(Value::Text(Text::Borrowed(raw()))),
            Kind::Escaped => Shape::Scalar(Value::text(super::reader::unescaped(raw()))),
            Kind::Bare => Shape::Scalar(bare(raw())),
        }
    }

    /// The value; an object or a list looks into the tape when it is asked.
    pub(crate) fn value(self) -> Value<'t> {
        match self.shape() {
            Shape::Object => Value::Map(Rc::new(Map::of_node(self))),
            Shape::List => Value::List(Rc::new(List::of_node(self))),
            Shape::Scalar(value) => value,
        }
    }

    /// The word, if this has no quotes.
    pub(crate) fn bare_word(self) -> Option<&'t str> {
        let item = self.tape.item(self.at);
        (item.kind == Kind::Bare).then(|| self.raw(item))
    }

    /// How many members or items there are.
    pub(crate) fn len(self) -> usize {
        let item = self.tape.item(self.at);
        match item.kind {
            Kind::Object | Kind::List => item.begin as usize,
            Kind::Text | Kind::Escaped | Kind::Bare => 0,
        }
    }

    pub(crate) fn items(self) -> impl Iterator<Item = Self> {
        let mut at = self.at + 1;
        (0..self.len()).map(move |_| {
            let node = self.sibling(at);
            at = node.after();
            node
        })
    }

    /// Names and values, in their order; a name may come twice.
    pub(crate) fn members(self) -> impl Iterator<Item = (Name<'t>, Self)> {
        let mut at = self.at + 1;
        (0..self.len()).map(move |_| {
            let value = self.sibling(at + 1);
            let name = Name(self.sibling(at));
            at = value.after();
            (name, value)
        })
    }

    /// The member of this name; of several the last.
    pub(crate) fn member(self, name: &str) -> Option<Self> {
        let items = &self.tape.items;
        let text = self.tape.text.as_bytes();
        let mut at = self.at as usize + 1;
        let mut found = None;
        for _ in 0..self.len() {
            let (known, value) = (items[at], items[at + 1]);
            let (begin, end) = (known.begin as usize, known.end as usize);
            let same = if known.kind == Kind::Escaped {
                Name(self.sibling(at as u32)).is(name)
            } else {
                end - begin == name.len() && text[begin..end] == *name.as_bytes()
            };
            if same {
                found = Some(at as u32 + 1);
            }
            at = match value.kind {
                Kind::Object | Kind::List => value.end as usize,
                Kind::Text | Kind::Escaped | Kind::Bare => at + 2,
            };
        }
        found.map(|at| self.sibling(at))
    }

    /// The member of this name, if this is an object and not a long one.
    pub(crate) fn near_member(self, name: &str) -> Option<Self> {
        let item = self.tape.item(self.at);
        if item.kind == Kind::Object && item.begin <= 32 {
            self.member(name)
        } else {
            None
        }
    }

    /// The name of this value, which is a member of an object.
    pub(crate) fn member_name(self) -> Text<'t> {
        Name(self.sibling(self.at - 1)).text()
    }

    pub(crate) fn item(self, at: usize) -> Option<Self> {
        self.items().nth(at)
    }
}

/// The name of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'t>(Node<'t>);

impl<'t> Name<'t> {
    pub(crate) fn is(self, name: &str) -> bool {
        let item = self.0.tape.item(self.0.at);
        let raw = self.0.raw(item);
        match item.kind {
            Kind::Escaped => super::reader::unescaped(raw) == name,
            _ => raw == name,
        }
    }

    pub(crate) fn text(self) -> Text<'t> {
        let item = self.0.tape.item(self.0.at);
        let raw = self.0.raw(item);
        match item.kind {
            Kind::Escaped => Text::from(super::reader::unescaped(raw)),
            _ => Text::Borrowed(raw),
        }
    }
}

/// A word without quotes.
fn bare(word: &str) -> Value<'_> {
    let bytes = word.as_bytes();
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    if digits.first().is_some_and(u8::is_ascii_digit) {
        if digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit) {
            let number = digits
                .iter()
                .fold(0i64, |number, digit| number * 10 + i64::from(digit - b'0'));
            return Value::Integer(if digits.len() == bytes.len() {
                number
            } else {
                -number
            });
        }
        let numeric = digits
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
        return match numeric.then(|| number::from_json(word)).flatten() {
            Some(number) => number,
            None => Value::Text(Text::Borrowed(word)),
        };
    }
    match word {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        "null" | "" => Value::Null,
        "NaN" => Value::Float(f64::NAN),
        _ => Value::Text(Text::Borrowed(word)),
    }
}
