//! `java.util.Map`.

use std::rc::Rc;

use super::Answer;
use crate::render::{Failure, Renderer};
use crate::value::{List, ListKind, Map, Value};

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
        ("putAll", [Value::Null]) => {
            return Err(Failure::invocation(
                "`putAll` got an argument without a value",
            ));
        }
        ("remove", [key]) => {
            renderer.budget.steps(map.len() as u64 / 8)?;
            return Ok(map.remove(key));
        }
        ("remove", [key, value]) => {
            let known = map.get(key);
            let same = match &known {
                Some(known) => known.equals(value, &mut renderer.budget)?,
                None => false,
            };
            if same {
                map.remove(key);
            }
            Value::Boolean(same)
        }
        ("replace", [key, new]) => {
            if map.get(key).is_none() {
                return Ok(None);
            }
            renderer.note_change(value, new);
            return Ok(map.put(key.clone(), new.clone()));
        }
        ("replace", [key, old, new]) => {
            let same = match map.get(key) {
                Some(known) => known.equals(old, &mut renderer.budget)?,
                None => false,
            };
            if same {
                renderer.note_change(value, new);
                map.put(key.clone(), new.clone());
            }
            Value::Boolean(same)
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
        ("keySet", []) => view(renderer, ListKind::Keys, map)?,
        ("values", []) => view(renderer, ListKind::Values, map)?,
        ("entrySet", []) => view(renderer, ListKind::Entries, map)?,
        ("clone", []) => {
            renderer.budget.create(64 * map.len())?;
            Value::Map(Rc::new(Map::from_pairs(map.entries().clone())))
        }
        _ => return Ok(None),
    }))
}

/// The keys, values or entries, which follow the map.
fn view<'r>(
    renderer: &mut Renderer<'r>,
    kind: ListKind,
    map: &Rc<Map<'r>>,
) -> Result<Value<'r>, Failure> {
    let each = if kind == ListKind::Entries { 96 } else { 24 };
    renderer.budget.create(each * map.len())?;
    Ok(Value::List(Rc::new(List::view(kind, map))))
}
