//! Lists, sets and arrays.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::rc::Rc;

use super::{Entry, Map, Value, drop_nested};
use crate::json::Node;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// `ArrayList`: made in the template or by its caller. Prints `[a, b]`.
    Plain,
    /// An array of the body. Prints as JSON.
    Json,
    /// What `keySet` gives: no index.
    Keys,
    /// What `values` gives: no index.
    Values,
    /// What `entrySet` gives: no index.
    Entries,
    /// `String[]`: an index, but no growth.
    Array,
    /// `Object[]`.
    Objects,
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
            Self::Keys => "java.util.LinkedHashMap$LinkedKeySet",
            Self::Values => "java.util.LinkedHashMap$LinkedValues",
            Self::Entries => "java.util.LinkedHashMap$LinkedEntrySet",
            Self::Array => "[Ljava.lang.String;",
            Self::Objects => "[Ljava.lang.Object;",
            Self::Chars => "[C",
            Self::Bytes => "[B",
        }
    }

    /// Whether Java would have an array here, which prints as its address.
    pub(crate) fn is_array(self) -> bool {
        matches!(
            self,
            Self::Array | Self::Objects | Self::Chars | Self::Bytes
        )
    }

    /// Whether it is a look at a map.
    pub(crate) fn is_view(self) -> bool {
        matches!(self, Self::Keys | Self::Values | Self::Entries)
    }

    /// Whether it is a set: no order, and equal to one with the same members.
    pub(crate) fn is_set(self) -> bool {
        matches!(self, Self::Keys | Self::Entries)
    }
}

#[derive(Debug)]
pub(crate) struct List<'a> {
    pub(crate) kind: ListKind,
    items: RefCell<Vec<Value<'a>>>,
    /// An array of the body that nobody asked yet.
    source: Cell<Option<Node<'a>>>,
    /// The map that a view looks at.
    map: Option<View<'a>>,
}

#[derive(Debug)]
struct View<'a> {
    map: Rc<Map<'a>>,
    /// The map's writes when the items were taken from it.
    seen: Cell<u64>,
}

impl<'a> List<'a> {
    pub(crate) fn new(kind: ListKind, items: Vec<Value<'a>>) -> Self {
        Self {
            kind,
            items: RefCell::new(items),
            source: Cell::new(None),
            map: None,
        }
    }

    pub(crate) fn of_node(node: Node<'a>) -> Self {
        let list = Self::new(ListKind::Json, Vec::new());
        list.source.set(Some(node));
        list
    }

    /// The keys, values or entries of a map, which follow the map.
    pub(crate) fn view(kind: ListKind, map: &Rc<Map<'a>>) -> Self {
        let mut list = Self::new(kind, look(kind, map));
        list.map = Some(View {
            map: map.clone(),
            seen: Cell::new(map.writes()),
        });
        list
    }

    /// The map that this is a view of.
    pub(crate) fn map(&self) -> Option<&Rc<Map<'a>>> {
        self.map.as_ref().map(|view| &view.map)
    }

    /// The place on the tape, as long as nothing was taken from there.
    pub(crate) fn untouched(&self) -> Option<Node<'a>> {
        self.source.get()
    }

    pub(crate) fn len(&self) -> usize {
        match self.source.get() {
            Some(node) => node.len(),
            None => self.items().len(),
        }
    }

    /// All items.
    pub(crate) fn items(&self) -> Ref<'_, Vec<Value<'a>>> {
        self.refresh();
        self.items.borrow()
    }

    pub(crate) fn items_mut(&self) -> RefMut<'_, Vec<Value<'a>>> {
        self.refresh();
        self.items.borrow_mut()
    }

    /// Lets go of all items.
    pub(crate) fn clear(&self) {
        self.source.set(None);
        let old = std::mem::take(&mut *self.items.borrow_mut());
        drop(old);
    }

    fn refresh(&self) {
        if let Some(node) = self.source.take() {
            *self.items.borrow_mut() = node.items().map(Node::value).collect();
        }
        if let Some(view) = &self.map
            && view.seen.replace(view.map.writes()) != view.map.writes()
        {
            let old = self.items.replace(look(self.kind, &view.map));
            drop(old);
        }
    }

    pub(super) fn drain_into(&mut self, pending: &mut Vec<Value<'a>>) {
        pending.append(self.items.get_mut());
        if let Some(view) = self.map.take() {
            pending.push(Value::Map(view.map));
        }
    }
}

fn look<'a>(kind: ListKind, map: &Rc<Map<'a>>) -> Vec<Value<'a>> {
    let entries = map.entries();
    let entries = entries.iter();
    match kind {
        ListKind::Keys => entries.map(|(key, _)| key.clone()).collect(),
        ListKind::Entries => entries
            .map(|(key, value)| {
                Value::Entry(Rc::new(Entry {
                    key: key.clone(),
                    value: RefCell::new(value.clone()),
                    map: map.clone(),
                }))
            })
            .collect(),
        _ => entries.map(|(_, value)| value.clone()).collect(),
    }
}

impl Drop for List<'_> {
    fn drop(&mut self) {
        if self.map.is_some() || self.items.get_mut().iter().any(Value::is_container) {
            let mut items = std::mem::take(self.items.get_mut());
            items.extend(self.map.take().map(|view| Value::Map(view.map)));
            drop_nested(items, |item, pending| pending.push(item));
        }
    }
}
