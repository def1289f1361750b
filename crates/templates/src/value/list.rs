//! Lists, sets and arrays.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Map, Value, dismantle};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// `ArrayList`: made in the template or by its caller. Prints `[a, b]`.
    Plain,
    /// An array of the body. Prints as JSON.
    Json,
    /// What `keySet` and `entrySet` give: no index.
    Set,
    /// What `values` gives: no index.
    Values,
    /// `String[]`: an index, but no `get`.
    Array,
    /// `char[]`.
    Chars,
    /// `byte[]`.
    Bytes,
}

impl ListKind {
    pub(crate) fn class_name(self) -> &'static str {
        match self {
            Self::Plain => "java.util.ArrayList",
            Self::Json => "net.minidev.json.JSONArray",
            Self::Set => "java.util.LinkedHashMap$LinkedKeySet",
            Self::Values => "java.util.LinkedHashMap$LinkedValues",
            Self::Array => "[Ljava.lang.String;",
            Self::Chars => "[C",
            Self::Bytes => "[B",
        }
    }

    /// Whether Java would have an array here, which prints as its address.
    pub(crate) fn is_array(self) -> bool {
        matches!(self, Self::Array | Self::Chars | Self::Bytes)
    }

    pub(crate) fn has_index(self) -> bool {
        !matches!(self, Self::Set | Self::Values)
    }
}

#[derive(Debug)]
pub(crate) struct List<'a> {
    pub(crate) kind: ListKind,
    pub(crate) items: RefCell<Vec<Value<'a>>>,
    /// The map that this was read from, if it is its keys, values or entries.
    pub(crate) view: Option<Rc<Map<'a>>>,
}

impl<'a> List<'a> {
    pub(crate) fn new(kind: ListKind, items: Vec<Value<'a>>) -> Self {
        Self {
            kind,
            items: RefCell::new(items),
            view: None,
        }
    }

    pub(crate) fn view(kind: ListKind, items: Vec<Value<'a>>, map: &Rc<Map<'a>>) -> Self {
        let mut list = Self::new(kind, items);
        list.view = Some(map.clone());
        list
    }
}

impl Drop for List<'_> {
    fn drop(&mut self) {
        let items = self.items.get_mut();
        if items.iter().any(Value::is_container) {
            dismantle(std::mem::take(items));
        }
    }
}
