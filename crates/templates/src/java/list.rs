//! `java.util.List`, sets and arrays.

use std::cell::Cell;
use std::rc::Rc;

use super::{Answer, iterate, out_of_range};
use crate::render::{Failure, Renderer};
use crate::value::{Cursor, List, ListKind, Value};

pub(super) fn method<'r>(
    renderer: &mut Renderer<'r>,
    value: &Value<'r>,
    list: &Rc<List<'r>>,
    name: &str,
    arguments: &[Value<'r>],
) -> Answer<'r> {
    let length = list.items.borrow().len();
    let by_index = list.kind.has_index();
    if !matches!(name, "size" | "get" | "isEmpty" | "add") {
        renderer.budget.steps(length as u64 / 8)?;
    }
    if list.kind.is_array()
        && matches!(
            name,
            "add" | "addAll" | "remove" | "removeAll" | "retainAll" | "clear"
        )
    {
        return Err(Failure::invocation("an array does not grow or shrink"));
    }
    Ok(Some(match (name, arguments) {
        ("size", []) => Value::Integer(length as i64),
        ("isEmpty", []) => Value::Boolean(length == 0),
        ("get", [Value::Integer(index)]) if by_index => {
            return match usize::try_from(*index).ok().filter(|at| *at < length) {
                Some(at) => Ok(Some(list.items.borrow()[at].clone())),
                None => Err(out_of_range(*index, length)),
            };
        }
        ("set", [Value::Integer(index), new]) if by_index => {
            let Some(at) = usize::try_from(*index).ok().filter(|at| *at < length) else {
                return Err(out_of_range(*index, length));
            };
            renderer.note_change(value, new);
            std::mem::replace(&mut list.items.borrow_mut()[at], new.clone())
        }
        ("add", [new]) => {
            growable(list)?;
            renderer.budget.create(24)?;
            renderer.note_change(value, new);
            list.items.borrow_mut().push(new.clone());
            Value::Boolean(true)
        }
        ("add", [Value::Integer(index), new]) if by_index => {
            let Some(at) = usize::try_from(*index).ok().filter(|at| *at <= length) else {
                return Err(out_of_range(*index, length));
            };
            renderer.budget.create(24)?;
            renderer.note_change(value, new);
            list.items.borrow_mut().insert(at, new.clone());
            Value::empty()
        }
        ("addAll", [other]) => {
            growable(list)?;
            let Some(items) = collection(other) else {
                return Ok(None);
            };
            renderer.budget.create(24 * items.len())?;
            for item in &items {
                renderer.note_change(value, item);
            }
            let changed = !items.is_empty();
            list.items.borrow_mut().extend(items);
            Value::Boolean(changed)
        }
        ("remove", [Value::Integer(index)]) if by_index => {
            let Some(at) = usize::try_from(*index).ok().filter(|at| *at < length) else {
                return Err(out_of_range(*index, length));
            };
            list.items.borrow_mut().remove(at)
        }
        ("remove", [item]) => {
            let at = find(renderer, list, item, false)?;
            if let Some(at) = at {
                list.items.borrow_mut().remove(at);
            }
            Value::Boolean(at.is_some())
        }
        ("removeAll" | "retainAll", [other]) => {
            let Some(others) = collection(other) else {
                return Ok(None);
            };
            let keep_known = name == "retainAll";
            let items = list.items.borrow().clone();
            let mut kept = Vec::new();
            for item in items {
                if known(renderer, &others, &item)? == keep_known {
                    kept.push(item);
                }
            }
            let changed = kept.len() != length;
            *list.items.borrow_mut() = kept;
            Value::Boolean(changed)
        }
        ("clear", []) => {
            let old = std::mem::take(&mut *list.items.borrow_mut());
            drop(old);
            Value::empty()
        }
        ("contains", [item]) => Value::Boolean(find(renderer, list, item, false)?.is_some()),
        ("indexOf", [item]) if by_index => position(find(renderer, list, item, false)?),
        ("lastIndexOf", [item]) if by_index => position(find(renderer, list, item, true)?),
        ("containsAll", [other]) => {
            let Some(others) = collection(other) else {
                return Ok(None);
            };
            let items = list.items.borrow().clone();
            let mut all = true;
            for other in &others {
                all = all && known(renderer, &items, other)?;
            }
            Value::Boolean(all)
        }
        ("subList", [Value::Integer(from), Value::Integer(to)]) if by_index => {
            let range = usize::try_from(*from).ok().zip(usize::try_from(*to).ok());
            let items = list.items.borrow();
            match range.and_then(|(from, to)| items.get(from..to)) {
                Some(part) => {
                    renderer.budget.create(24 * part.len())?;
                    Value::list(ListKind::Plain, part.to_vec())
                }
                None => return Err(out_of_range(*to, length)),
            }
        }
        ("iterator" | "listIterator", []) => {
            renderer.budget.create(24 * length)?;
            Value::Cursor(Rc::new(Cursor {
                items: list.items.borrow().clone(),
                next: Cell::new(0),
            }))
        }
        ("toArray", []) => {
            renderer.budget.create(24 * length)?;
            Value::list(ListKind::Array, list.items.borrow().clone())
        }
        ("clone", []) => {
            renderer.budget.create(24 * length)?;
            Value::list(list.kind, list.items.borrow().clone())
        }
        ("toJSONString", []) if list.kind == ListKind::Json => {
            Value::text(renderer.plain_text(value)?)
        }
        _ => return Ok(None),
    }))
}

/// Views of a map do not grow.
fn growable(list: &List<'_>) -> Result<(), Failure> {
    if matches!(list.kind, ListKind::Plain | ListKind::Json) {
        Ok(())
    } else {
        Err(Failure::invocation(
            "nothing can be added to the keys, values or entries of a map",
        ))
    }
}

fn collection<'r>(value: &Value<'r>) -> Option<Vec<Value<'r>>> {
    match value {
        Value::List(list) if !list.kind.is_array() => iterate(value),
        _ => None,
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
    let items = list.items.borrow();
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
