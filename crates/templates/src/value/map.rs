//! Maps in insertion order; some are filled from their source only when they are asked.

use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Text, Value, drop_nested};
use crate::json::{Node, Shape};
use crate::scope::{Field, Fields};

/// Above this, keys are found by their hash.
const LINEAR: usize = 32;

#[derive(Debug, Default)]
struct Entries<'a> {
    items: Vec<(Value<'a>, Value<'a>)>,
    /// From a key's hash to the places of such keys. Made when a long map is first asked.
    index: RefCell<Option<Box<HashMap<u64, Vec<u32>>>>>,
}

/// Where entries come from that nobody asked for yet.
#[derive(Clone, Copy, Default)]
enum Source<'a> {
    #[default]
    Nothing,
    Fields(&'a dyn Fields),
    Node(Node<'a>),
}

#[derive(Default)]
pub(crate) struct Map<'a> {
    entries: RefCell<Entries<'a>>,
    source: Cell<Source<'a>>,
    /// How often something was put or taken away.
    writes: Cell<u64>,
    /// How often keys were added or taken away.
    changes: Cell<u64>,
    /// Prints as nothing, as the maps below `$context` do in the service.
    pub(crate) silent: bool,
    /// `$context` itself, which always has its two overrides.
    is_context: bool,
    /// What a template sets, of overrides and the groups in them.
    assigned: Option<Box<Assigned>>,
}

/// The keys that a template has set, and the first that it has set again.
#[derive(Default)]
struct Assigned {
    keys: RefCell<Vec<String>>,
    twice: RefCell<Option<String>>,
}

/// What a map has by a name.
pub(crate) enum Member<'a> {
    Value(Value<'a>),
    /// Still on the tape; it becomes a value of the map when [`Map::get`] is asked.
    Node(Node<'a>),
    Nothing,
}

impl std::fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Map").finish_non_exhaustive()
    }
}

impl<'a> Map<'a> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn context(source: &'a dyn Fields) -> Self {
        let mut map = Self::lazy(source, true);
        map.is_context = true;
        map
    }

    pub(crate) fn from_pairs(items: Vec<(Value<'a>, Value<'a>)>) -> Self {
        let map = Self::new();
        map.entries.borrow_mut().items = items;
        map
    }

    pub(crate) fn lazy(source: &'a dyn Fields, silent: bool) -> Self {
        let mut map = Self::default();
        map.source = Cell::new(Source::Fields(source));
        map.silent = silent;
        map
    }

    pub(crate) fn of_node(node: Node<'a>) -> Self {
        let map = Self::default();
        map.source.set(Source::Node(node));
        map
    }

    /// The place on the tape, as long as nothing was taken from there that could be changed.
    pub(crate) fn untouched(&self) -> Option<Node<'a>> {
        match self.source.get() {
            Source::Node(node) if self.entries.borrow().items.is_empty() => Some(node),
            _ => None,
        }
    }

    /// The list or map of this name, if somebody asked for it before.
    pub(crate) fn touched(&self, name: &str) -> Option<Value<'a>> {
        self.entries.borrow().named(name).cloned()
    }

    pub(crate) fn member(&self, name: &str) -> Member<'a> {
        if let Some(known) = self.entries.borrow().named(name) {
            return Member::Value(known.clone());
        }
        match self.source.get() {
            Source::Nothing => Member::Nothing,
            Source::Node(node) if node.len() <= LINEAR => {
                node.member(name).map_or(Member::Nothing, Member::Node)
            }
            Source::Node(_) => {
                self.load();
                self.member(name)
            }
            Source::Fields(source) => {
                let value = match source.field(name) {
                    Some(value) => Some(self.watched(name, value.into_value(self.silent))),
                    None if self.is_context => overrides(name),
                    None => None,
                };
                value.map_or(Member::Nothing, |value| {
                    self.remember(|| Text::from(name.to_owned()), &value);
                    Member::Value(value)
                })
            }
        }
    }

    /// Has what a template sets of overrides, and of the groups in them, watched.
    fn watched(&self, name: &str, mut value: Value<'a>) -> Value<'a> {
        let is_override = self.is_context && name.ends_with("Override");
        if (is_override || self.assigned.is_some())
            && let Value::Map(map) = &mut value
            && let Some(map) = std::rc::Rc::get_mut(map)
        {
            map.assigned = Some(Box::default());
        }
        value
    }

    /// The first override that was set more than once: `status`, or a name in one of the groups.
    pub(crate) fn overridden_twice(&self) -> Option<String> {
        let twice = |map: &Self| map.assigned.as_ref()?.twice.borrow().clone();
        let own = twice(self).filter(|name| name == "status");
        own.or_else(|| {
            let entries = self.entries.borrow();
            let mut groups = entries.items.iter().filter_map(|(_, value)| match value {
                Value::Map(group) => twice(group),
                _ => None,
            });
            groups.next()
        })
    }

    /// What a path of names leads to, if that is a scalar and nothing on the way was changed: then no map has to be made
    /// of what lies between.
    pub(crate) fn glance<'p>(&self, mut names: impl Iterator<Item = &'p str>) -> Option<Value<'a>> {
        let source = match self.source.get() {
            Source::Nothing => return None,
            source => source,
        };
        let first = names.next()?;
        if self.entries.borrow().named(first).is_some() {
            return None;
        }
        match source {
            Source::Nothing => None,
            Source::Node(node) => {
                let mut node = node.near_member(first)?;
                for name in names {
                    node = node.near_member(name)?;
                }
                match node.shape() {
                    Shape::Scalar(value) => Some(value),
                    Shape::Object | Shape::List => None,
                }
            }
            Source::Fields(fields) => glance(fields, first, names),
        }
    }

    /// A list or a map, asked again, must be the same one, with what was put into it.
    fn remember(&self, name: impl FnOnce() -> Text<'a>, value: &Value<'a>) {
        if value.is_container() {
            let key = Value::Text(name());
            self.entries.borrow_mut().push(key, value.clone());
        }
    }

    pub(crate) fn get(&self, key: &Value<'_>) -> Option<Value<'a>> {
        if let Value::Text(name) = key {
            return self.get_text(name);
        }
        // What is not here yet has texts for keys.
        let entries = self.entries.borrow();
        let at = entries.find(key)?;
        Some(entries.items[at].1.clone())
    }

    pub(crate) fn get_text(&self, name: &str) -> Option<Value<'a>> {
        match self.member(name) {
            Member::Value(value) => Some(value),
            Member::Node(node) => {
                let value = node.value();
                self.remember(|| node.member_name(), &value);
                Some(value)
            }
            Member::Nothing => None,
        }
    }

    /// Fills the map from its source, in the source's order.
    fn load(&self) {
        let source = self.source.take();
        if matches!(source, Source::Nothing) {
            return;
        }
        let mut cached = std::mem::take(&mut *self.entries.borrow_mut());
        let mut entries = Entries::default();
        match source {
            Source::Nothing => {}
            Source::Node(node) => {
                entries.items.reserve(node.len());
                for (name, node) in node.members() {
                    let key = Value::Text(name.text());
                    let value = match cached.find(&key) {
                        Some(at) => cached.items[at].1.clone(),
                        None => node.value(),
                    };
                    // A repeated name keeps its first place and its last value.
                    entries.put(key, value);
                }
            }
            Source::Fields(source) => source.names(&mut |name| {
                let key = Value::text(name);
                let value = match cached.find(&key) {
                    Some(at) => cached.items[at].1.clone(),
                    None => match source.field(name) {
                        Some(value) => self.watched(name, value.into_value(self.silent)),
                        None => return,
                    },
                };
                entries.put(key, value);
            }),
        }
        if self.is_context {
            for name in ["requestOverride", "responseOverride"] {
                let key = Value::text(name);
                if entries.find(&key).is_none()
                    && cached.find(&key).is_none()
                    && let Some(value) = overrides(name)
                {
                    entries.push(key, value);
                }
            }
        }
        for (key, value) in cached.items.drain(..) {
            if entries.find(&key).is_none() {
                entries.push(key, value);
            }
        }
        *self.entries.borrow_mut() = entries;
    }

    /// All entries.
    pub(crate) fn entries(&self) -> Ref<'_, Vec<(Value<'a>, Value<'a>)>> {
        self.load();
        Ref::map(self.entries.borrow(), |entries| &entries.items)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    /// Puts a value and gives what was there.
    pub(crate) fn put(&self, key: Value<'a>, value: Value<'a>) -> Option<Value<'a>> {
        self.load();
        self.writes.set(self.writes.get() + 1);
        if let (Some(assigned), Value::Text(name)) = (&self.assigned, &key) {
            assigned.note(name.as_str());
        }
        let mut entries = self.entries.borrow_mut();
        let before = entries.items.len();
        let old = entries.put(key, value);
        if entries.items.len() != before {
            self.changes.set(self.changes.get() + 1);
        }
        old
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes.get()
    }

    pub(crate) fn writes(&self) -> u64 {
        self.writes.get()
    }

    fn note_removal(&self) {
        self.writes.set(self.writes.get() + 1);
        self.changes.set(self.changes.get() + 1);
    }

    pub(crate) fn remove(&self, key: &Value<'_>) -> Option<Value<'a>> {
        self.load();
        let mut entries = self.entries.borrow_mut();
        let at = entries.find(key)?;
        *entries.index.get_mut() = None;
        self.note_removal();
        Some(entries.items.remove(at).1)
    }

    pub(crate) fn clear(&self) {
        self.source.take();
        self.note_removal();
        let old = std::mem::take(&mut *self.entries.borrow_mut());
        drop(old);
    }

    pub(crate) fn drain_into(&mut self, pending: &mut Vec<Value<'a>>) {
        for (key, value) in self.entries.get_mut().items.drain(..) {
            pending.push(key);
            pending.push(value);
        }
    }
}

impl Drop for Map<'_> {
    fn drop(&mut self) {
        let items = &self.entries.get_mut().items;
        let nested =
            |(key, value): &(Value<'_>, Value<'_>)| key.is_container() || value.is_container();
        if items.iter().any(nested) {
            let items = std::mem::take(&mut self.entries.get_mut().items);
            drop_nested(items, |(key, value), pending| {
                pending.push(key);
                pending.push(value);
            });
        }
    }
}

impl<'a> Entries<'a> {
    fn named(&self, name: &str) -> Option<&Value<'a>> {
        if self.items.len() > LINEAR {
            let at = self.find(&Value::Text(Text::Borrowed(name)))?;
            return Some(&self.items[at].1);
        }
        self.items.iter().find_map(|(key, value)| match key {
            Value::Text(key) if key.as_str() == name => Some(value),
            _ => None,
        })
    }

    fn find(&self, key: &Value<'_>) -> Option<usize> {
        if self.items.len() <= LINEAR {
            return self.items.iter().position(|(known, _)| same(known, key));
        }
        let mut known = self.index.borrow_mut();
        let index = known.get_or_insert_with(|| {
            let mut index: Box<HashMap<u64, Vec<u32>>> =
                Box::new(HashMap::with_capacity(self.items.len()));
            for (at, (key, _)) in self.items.iter().enumerate() {
                index.entry(hash(key)).or_default().push(at as u32);
            }
            index
        });
        index
            .get(&hash(key))?
            .iter()
            .map(|at| *at as usize)
            .find(|at| same(&self.items[*at].0, key))
    }

    fn push(&mut self, key: Value<'a>, value: Value<'a>) {
        if let Some(index) = self.index.get_mut() {
            index
                .entry(hash(&key))
                .or_default()
                .push(self.items.len() as u32);
        }
        self.items.push((key, value));
    }

    fn put(&mut self, key: Value<'a>, value: Value<'a>) -> Option<Value<'a>> {
        match self.find(&key) {
            Some(at) => Some(std::mem::replace(&mut self.items[at].1, value)),
            None => {
                self.push(key, value);
                None
            }
        }
    }
}

impl Assigned {
    fn note(&self, name: &str) {
        let mut keys = self.keys.borrow_mut();
        if keys.iter().any(|known| known == name) {
            self.twice
                .borrow_mut()
                .get_or_insert_with(|| name.to_owned());
        } else {
            keys.push(name.to_owned());
        }
    }
}

/// What a path of names leads to, if that is a scalar.
pub(crate) fn glance<'a, 'p>(
    fields: &'a dyn Fields,
    first: &str,
    names: impl Iterator<Item = &'p str>,
) -> Option<Value<'a>> {
    let mut field = fields.field(first)?;
    for name in names {
        field = match field {
            Field::Fields(fields) => fields.field(name)?,
            Field::Data(data) => Field::Data(data.get(name)?),
            _ => return None,
        };
    }
    field.into_scalar()
}

/// The empty overrides that a template may fill.
fn overrides<'a>(name: &str) -> Option<Value<'a>> {
    let groups: &[&str] = match name {
        "requestOverride" => &["header", "path", "querystring"],
        "responseOverride" => &["header"],
        _ => return None,
    };
    let silent = || {
        let mut map = Map::new();
        map.silent = true;
        map.assigned = Some(Box::default());
        map
    };
    let map = silent();
    for group in groups {
        let group = (Value::text(*group), Value::Map(std::rc::Rc::new(silent())));
        map.entries.borrow_mut().items.push(group);
    }
    Some(Value::Map(std::rc::Rc::new(map)))
}

/// Keys are texts, numbers and the like. A list as a key is found only as itself: nobody looks one up by its contents.
fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.as_str() == b.as_str(),
        (Value::Integer(a), Value::Integer(b)) => a == b,
        (Value::Boolean(a), Value::Boolean(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Char(a), Value::Char(b)) => a == b,
        (Value::Big(a), Value::Big(b)) => a == b,
        (Value::Decimal(a), Value::Decimal(b)) => a == b,
        (Value::Null, Value::Null) => true,
        (Value::List(a), Value::List(b)) => std::ptr::addr_eq(&raw const **a, &raw const **b),
        (Value::Map(a), Value::Map(b)) => std::ptr::addr_eq(&raw const **a, &raw const **b),
        _ => false,
    }
}

fn hash(value: &Value<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Text(text) => text.as_str().hash(&mut hasher),
        Value::Integer(number) => number.hash(&mut hasher),
        Value::Boolean(value) => value.hash(&mut hasher),
        Value::Float(number) => number.to_bits().hash(&mut hasher),
        Value::Char(unit) => unit.hash(&mut hasher),
        _ => {}
    }
    hasher.finish()
}
