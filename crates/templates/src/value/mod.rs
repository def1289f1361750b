//! What a template works on: Java's values as far as templates can tell them apart.
//!
//! Lists and maps are shared and mutable, because they are so in Java: after `#set($b = $a)`, `$b.add(1)`
//! changes `$a`. Texts borrow from the body and the template where they can.

mod budget;
mod list;
mod map;
mod text;
mod write;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use num_bigint::BigInt;

pub(crate) use self::budget::{Budget, Exceeded};
pub(crate) use self::list::{List, ListKind};
pub(crate) use self::map::{Map, Member, glance};
pub(crate) use self::text::Text;
pub(crate) use self::write::Writer;
use crate::java::number::Decimal;
use crate::syntax::tree::Node;

#[derive(Clone, Debug, Default)]
pub(crate) enum Value<'a> {
    #[default]
    Null,
    Boolean(bool),
    /// Java's Integer and Long: templates hardly see the difference.
    Integer(i64),
    Big(Rc<BigInt>),
    Float(f64),
    Decimal(Rc<Decimal>),
    Char(u16),
    Text(Text<'a>),
    List(Rc<List<'a>>),
    Map(Rc<Map<'a>>),
    Entry(Rc<Entry<'a>>),
    Cursor(Rc<Cursor<'a>>),
    Loop(Rc<Loop<'a>>),
    Block(Rc<Block<'a>>),
    /// `$x.class`: its name, and nothing that reflection could do.
    Class(&'static str),
    Input,
    Util,
}

/// An entry of a map, as `entrySet` gives it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) key: Value<'a>,
    pub(crate) value: RefCell<Value<'a>>,
    /// What `setValue` changes.
    pub(crate) map: Rc<Map<'a>>,
}

/// What `iterator` gives.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) items: Vec<Value<'a>>,
    pub(crate) next: Cell<usize>,
}

/// `$foreach`.
#[derive(Debug)]
pub(crate) struct Loop<'a> {
    pub(crate) index: Cell<i64>,
    pub(crate) has_next: Cell<bool>,
    pub(crate) parent: Option<Rc<Self>>,
    /// What a template puts into it, if any does.
    pub(crate) extra: OnceCell<Rc<Map<'a>>>,
    pub(crate) id: u32,
}

/// What `#define` puts into a variable.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) depth: Cell<u32>,
}

impl<'a> Loop<'a> {
    pub(crate) fn extra(&self) -> &Rc<Map<'a>> {
        self.extra.get_or_init(Rc::default)
    }
}

impl<'a> Value<'a> {
    pub(crate) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(Text::Shared(text.into()))
    }

    pub(crate) fn empty() -> Self {
        Self::Text(Text::Borrowed(""))
    }

    pub(crate) fn list(kind: ListKind, items: Vec<Self>) -> Self {
        Self::List(Rc::new(List::new(kind, items)))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Integer(_) | Self::Big(_) | Self::Float(_) | Self::Decimal(_)
        )
    }

    pub(crate) fn is_container(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_) | Self::Entry(_))
    }

    /// Java's `equals`.
    pub(crate) fn equals(&self, other: &Self, budget: &mut Budget) -> Result<bool, Exceeded> {
        budget.step()?;
        Ok(match (self, other) {
            (Self::Null, Self::Null) | (Self::Input, Self::Input) | (Self::Util, Self::Util) => {
                true
            }
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Big(a), Self::Big(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            (Self::Char(a), Self::Char(b)) => a == b,
            (Self::Class(a), Self::Class(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a.as_str() == b.as_str(),
            (Self::List(a), Self::List(b)) => {
                if Rc::ptr_eq(a, b) {
                    return Ok(true);
                }
                // Arrays and values are equal to themselves only, sets to sets, lists to lists.
                let itself = |kind: ListKind| kind.is_array() || kind == ListKind::Values;
                if itself(a.kind) || itself(b.kind) || a.kind.is_set() != b.kind.is_set() {
                    return Ok(false);
                }
                let (a, b) = (a.items(), b.items());
                if a.len() != b.len() {
                    return Ok(false);
                }
                budget.enter()?;
                for (a, b) in a.iter().zip(b.iter()) {
                    if !a.equals(b, budget)? {
                        budget.leave();
                        return Ok(false);
                    }
                }
                budget.leave();
                true
            }
            (Self::Map(a), Self::Map(b)) => {
                if Rc::ptr_eq(a, b) {
                    return Ok(true);
                }
                let (left, right) = (a.entries(), b.entries());
                if left.len() != right.len() {
                    return Ok(false);
                }
                drop(right);
                budget.enter()?;
                for (key, value) in left.iter() {
                    let same = match b.get(key) {
                        Some(other) => value.equals(&other, budget)?,
                        None => false,
                    };
                    if !same {
                        budget.leave();
                        return Ok(false);
                    }
                }
                budget.leave();
                true
            }
            (Self::Entry(a), Self::Entry(b)) => {
                Rc::ptr_eq(a, b)
                    || a.key.equals(&b.key, budget)?
                        && a.value.borrow().equals(&b.value.borrow(), budget)?
            }
            (Self::Cursor(a), Self::Cursor(b)) => Rc::ptr_eq(a, b),
            (Self::Loop(a), Self::Loop(b)) => Rc::ptr_eq(a, b),
            (Self::Block(a), Self::Block(b)) => Rc::ptr_eq(a, b),
            _ => false,
        })
    }

    /// The class that `getClass` would name.
    pub(crate) fn class_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "java.lang.Boolean",
            Self::Integer(number) if i32::try_from(*number).is_ok() => "java.lang.Integer",
            Self::Integer(_) => "java.lang.Long",
            Self::Big(_) => "java.math.BigInteger",
            Self::Float(_) => "java.lang.Double",
            Self::Decimal(_) => "java.math.BigDecimal",
            Self::Char(_) => "java.lang.Character",
            Self::Text(_) => "java.lang.String",
            Self::List(list) => list.kind.class_name(),
            Self::Map(_) => "java.util.LinkedHashMap",
            Self::Entry(_) => "java.util.LinkedHashMap$Entry",
            Self::Cursor(_) => "java.util.Iterator",
            Self::Loop(_) => "org.apache.velocity.runtime.directive.ForeachScope",
            Self::Block(_) => "org.apache.velocity.runtime.directive.Block$Reference",
            Self::Class(_) => "java.lang.Class",
            Self::Input => "Input",
            Self::Util => "Util",
        }
    }
}

thread_local! {
    /// How many values that hold values are being dropped, one in the other.
    static DROPS: Cell<u32> = const { Cell::new(0) };
}

/// Drops what a value holds. A list in a list in a list may be deeper than the stack: from some depth on, what is
/// nested is dropped one after the other.
fn drop_nested<'a, T>(held: Vec<T>, spread: fn(T, &mut Vec<Value<'a>>)) {
    const RECURSION: u32 = 50;
    let depth = DROPS.get();
    if depth < RECURSION {
        DROPS.set(depth + 1);
        drop(held);
        DROPS.set(depth);
        return;
    }
    let mut pending = Vec::new();
    for part in held {
        spread(part, &mut pending);
    }
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => {
                if let Ok(mut list) = Rc::try_unwrap(list) {
                    list.drain_into(&mut pending);
                }
            }
            Value::Map(map) => {
                if let Ok(mut map) = Rc::try_unwrap(map) {
                    map.drain_into(&mut pending);
                }
            }
            Value::Entry(entry) => {
                if let Ok(entry) = Rc::try_unwrap(entry) {
                    pending.push(entry.key);
                    pending.push(entry.value.into_inner());
                    pending.push(Value::Map(entry.map));
                }
            }
            Value::Cursor(cursor) => {
                if let Ok(mut cursor) = Rc::try_unwrap(cursor) {
                    pending.append(&mut cursor.items);
                }
            }
            _ => {}
        }
    }
}
