//! `java.util.List`, sets and arrays.

use std::cell::Cell;
use std::rc::Rc;

use super::{Answer, iterate, out_of_range};
use crate::render::{Failure, Renderer};
use crate::value::{Cursor, List, ListKind, Value};

/// What an item of a list counts against the bytes that a rendering may make.
const ITEM: usize = 24;

pub(super) fn method<'r>(
    renderer: &mut Renderer<'r>,
    value: &Value<'r>,
    list: &Rc<List<'r>>,
    name: &str,
    arguments: &[Value<'r>],
) -> Answer<'r> {
    let length = list.len();
    match (name, arguments) {
        ("size", []) => return Ok(Some(Value::Integer(length as i64))),
        ("isEmpty", []) => return Ok(Some(Value::Boolean(length == 0))),
        _ => {}
    }
    if list.kind.is_view() {
        return collection_method(renderer, list, name, arguments);
    }
    if let [Value::Integer(index), rest @ ..] = arguments
        && i32::try_from(*index).is_err()
    {
        // A Long is no index: methods that take one are not there for it.
        match (name, rest) {
            ("get" | "subList", _) | ("set" | "add" | "addAll", [_]) => return Ok(None),
            ("remove", []) => return collection_method(renderer, list, name, arguments),
            _ => {}
        }
    }
    let place = |index: &i64, most: usize| match usize::try_from(*index).ok() {
        Some(at) if at < most => Ok(at),
        _ => Err(out_of_range(*index, length)),
    };
    Ok(Some(match (name, arguments) {
        ("get", [Value::Integer(index)]) => {
            let at = place(index, length)?;
            return Ok(Some(list.items()[at].clone()));
        }
        ("set", [Value::Integer(index), new]) => {
            let at = place(index, length)?;
            renderer.note_change(value, new);
            std::mem::replace(&mut list.items_mut()[at], new.clone())
        }
        ("add" | "addAll" | "remove" | "removeAll" | "retainAll" | "clear", _)
            if list.kind.is_array() =>
        {
            return Err(Failure::invocation("an array does not grow or shrink"));
        }
        ("add", [new]) => {
            renderer.budget.create(ITEM)?;
            renderer.note_change(value, new);
            list.items_mut().push(new.clone());
            Value::Boolean(true)
        }
        ("add", [Value::Integer(index), new]) => {
            let at = place(index, length + 1)?;
            renderer.budget.create(ITEM)?;
            renderer.budget.steps(length as u64 / 64)?;
            renderer.note_change(value, new);
            list.items_mut().insert(at, new.clone());
            Value::empty()
        }
        ("addAll", [other]) => {
            let Some(items) = collection(other, name)? else {
                return Ok(None);
            };
            insert_all(renderer, value, list, length, items)?
        }
        ("addAll", [Value::Integer(index), other]) => {
            let Some(items) = collection(other, name)? else {
                return Ok(None);
            };
            let at = place(index, length + 1)?;
            insert_all(renderer, value, list, at, items)?
        }
        ("remove", [Value::Integer(index)]) => {
            let at = place(index, length)?;
            renderer.budget.steps(length as u64 / 64)?;
            list.items_mut().remove(at)
        }
        ("indexOf", [item]) => position(find(renderer, list, item, false)?),
        ("lastIndexOf", [item]) => position(find(renderer, list, item, true)?),
        ("subList", [Value::Integer(from), Value::Integer(to)]) => {
            let range = usize::try_from(*from).ok().zip(usize::try_from(*to).ok());
            let items = list.items();
            match range.and_then(|(from, to)| items.get(from..to)) {
                Some(part) => {
                    renderer.budget.create(ITEM * part.len())?;
                    Value::list(ListKind::Plain, part.to_vec())
                }
                None => return Err(out_of_range(*to, length)),
            }
        }
        ("clone", []) => {
            renderer.budget.create(ITEM * length)?;
            Value::list(list.kind, list.items().clone())
        }
        ("toJSONString", []) if list.kind == ListKind::Json => {
            Value::text(renderer.plain_text(value)?)
        }
        _ => return collection_method(renderer, list, name, arguments),
    }))
}

/// What lists share with the keys, values and entries of a map.
fn collection_method<'r>(
    renderer: &mut Renderer<'r>,
    list: &Rc<List<'r>>,
    name: &str,
    arguments: &[Value<'r>],
) -> Answer<'r> {
    let length = list.len();
    renderer.budget.steps(length as u64 / 8)?;
    Ok(Some(match (name, arguments) {
        ("add" | "addAll", [_]) => {
            return Err(Failure::invocation(
                "nothing can be added to the keys, values or entries of a map",
            ));
        }
        ("contains", [item]) => Value::Boolean(find(renderer, list, item, false)?.is_some()),
        ("containsAll", [other]) => {
            let Some(others) = collection(other, name)? else {
                return Ok(None);
            };
            let items = list.items().clone();
            let mut all = true;
            for other in &others {
                all = all && known(renderer, &items, other)?;
            }
            Value::Boolean(all)
        }
        ("remove", [item]) => {
            let found = find(renderer, list, item, false)?;
            if let Some(at) = found {
                remove(list, at);
            }
            Value::Boolean(found.is_some())
        }
        ("removeAll" | "retainAll", [other]) => {
            let Some(others) = collection(other, name)? else {
                return Ok(None);
            };
            let keep_known = name == "retainAll";
            let items = list.items().clone();
            let mut changed = false;
            for (at, item) in items.iter().enumerate().rev() {
                if known(renderer, &others, item)? != keep_known {
                    remove(list, at);
                    changed = true;
                }
            }
            Value::Boolean(changed)
        }
        ("clear", []) => {
            match list.map() {
                Some(map) => map.clear(),
                None => list.clear(),
            }
            Value::empty()
        }
        ("iterator" | "listIterator", []) => {
            renderer.budget.create(ITEM * length)?;
            Value::Cursor(Rc::new(Cursor {
                items: list.items().clone(),
                next: Cell::new(0),
            }))
        }
        ("toArray", []) => {
            renderer.budget.create(ITEM * length)?;
            Value::list(ListKind::Objects, list.items().clone())
        }
        _ => return Ok(None),
    }))
}

fn insert_all<'r>(
    renderer: &mut Renderer<'r>,
    value: &Value<'r>,
    list: &List<'r>,
    at: usize,
    items: Vec<Value<'r>>,
) -> Result<Value<'r>, Failure> {
    renderer.budget.create(ITEM * items.len())?;
    for item in &items {
        renderer.note_change(value, item);
    }
    let changed = !items.is_empty();
    list.items_mut().splice(at..at, items);
    Ok(Value::Boolean(changed))
}

/// Takes one item away; of a view, from its map.
fn remove(list: &List<'_>, at: usize) {
    match list.map() {
        Some(map) => {
            let key = map.entries().get(at).map(|(key, _)| key.clone());
            if let Some(key) = key {
                map.remove(&key);
            }
        }
        None => {
            list.items_mut().remove(at);
        }
    }
}

/// The items of a collection that is an argument.
fn collection<'r>(value: &Value<'r>, method: &str) -> Result<Option<Vec<Value<'r>>>, Failure> {
    match value {
        Value::List(list) if !list.kind.is_array() => Ok(iterate(value)),
        Value::Null => Err(Failure::invocation(format!(
            "`{method}` got an argument without a value"
        ))),
        _ => Ok(None),
    }
}

fn position<'r>(at: Option<usize>) -> Value<'r> {
    Value::Integer(at.map_or(-1, |at| at as i64))
}

fn find<'r>(
    renderer: &mut Renderer<'r>,
    list: &List<'r>,
    sought: &Value<'r>,
    last: bool,
) -> Result<Option<usize>, Failure> {
    let items = list.items();
    let mut found = None;
    for (at, item) in items.iter().enumerate() {
        if item.equals(sought, &mut renderer.budget)? {
            found = Some(at);
            if !last {
                break;
            }
        }
    }
    Ok(found)
}

fn known<'r>(
    renderer: &mut Renderer<'r>,
    items: &[Value<'r>],
    sought: &Value<'r>,
) -> Result<bool, Failure> {
    for item in items {
        if item.equals(sought, &mut renderer.budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}
