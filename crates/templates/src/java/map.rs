//! `java.util.Map`.

use std::cell::RefCell;
use std::rc::Rc;

use super::Answer;
use crate::render::Renderer;
use crate::value::{Entry, List, ListKind, Map, Value};

pub(super) fn method<'r>(
    renderer: &mut Renderer<'r>,
    value: &Value<'r>,
    map: &Rc<Map<'r>>,
    name: &str,
    arguments: &[Value<'r>],
) -> Answer<'r> {
    Ok(Some(match (name, arguments) {
        ("get", [key]) => return Ok(map.get(key)),
        ("getOrDefault", [key, default]) => map.get(key).unwrap_or_else(|| default.clone()),
        ("put", [key, new]) => {
            renderer.budget.create(64)?;
            renderer.note_change(value, new);
            return Ok(map.put(key.clone(), new.clone()));
        }
        ("putIfAbsent", [key, new]) => match map.get(key) {
            Some(known) if !known.is_null() => known,
            _ => {
                renderer.budget.create(64)?;
                renderer.note_change(value, new);
                map.put(key.clone(), new.clone());
                return Ok(None);
            }
        },
        ("putAll", [Value::Map(other)]) => {
            let entries = other.entries().clone();
            renderer.budget.create(64 * entries.len())?;
            for (key, new) in entries {
                renderer.note_change(value, &new);
                map.put(key, new);
            }
            Value::empty()
        }
        ("remove", [key]) => {
            renderer.budget.steps(map.len() as u64 / 8)?;
            return Ok(map.remove(key));
        }
        ("clear", []) => {
            map.clear();
            Value::empty()
        }
        ("containsKey", [key]) => Value::Boolean(map.get(key).is_some()),
        ("containsValue", [sought]) => {
            let entries = map.entries();
            let mut found = false;
            for (_, value) in entries.iter() {
                found = found || value.equals(sought, &mut renderer.budget)?;
            }
            Value::Boolean(found)
        }
        ("size", []) => Value::Integer(map.len() as i64),
        ("isEmpty", []) => Value::Boolean(map.len() == 0),
        ("keySet", []) => {
            renderer.budget.create(24 * map.len())?;
            let keys = map.entries().iter().map(|(key, _)| key.clone()).collect();
            Value::List(Rc::new(List::view(ListKind::Set, keys, map)))
        }
        ("values", []) => {
            renderer.budget.create(24 * map.len())?;
            let values = map
                .entries()
                .iter()
                .map(|(_, value)| value.clone())
                .collect();
            Value::List(Rc::new(List::view(ListKind::Values, values, map)))
        }
        ("entrySet", []) => {
            renderer.budget.create(96 * map.len())?;
            let entries = map
                .entries()
                .iter()
                .map(|(key, value)| {
                    Value::Entry(Rc::new(Entry {
                        key: key.clone(),
                        value: RefCell::new(value.clone()),
                        map: map.clone(),
                    }))
                })
                .collect();
            Value::List(Rc::new(List::view(ListKind::Set, entries, map)))
        }
        ("clone", []) => {
            renderer.budget.create(64 * map.len())?;
            Value::Map(Rc::new(Map::from_pairs(map.entries().clone())))
        }
        _ => return Ok(None),
    }))
}
