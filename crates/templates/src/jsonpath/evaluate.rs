//! Paths over values.

use std::rc::Rc;

use super::{Function, Path, Segment};
use crate::java::number;
use crate::render::Failure;
use crate::value::{Budget, ListKind, Map, Value};

pub(super) type Outcome<T> = Result<T, Failure>;

/// What the path leads to; nothing if it leads nowhere.
pub(crate) fn evaluate<'v>(
    path: &Path,
    root: &Value<'v>,
    budget: &mut Budget,
) -> Outcome<Option<Value<'v>>> {
    select(path, root, root, budget)
}

pub(super) fn select<'v>(
    path: &Path,
    start: &Value<'v>,
    root: &Value<'v>,
    budget: &mut Budget,
) -> Outcome<Option<Value<'v>>> {
    let definite = path.is_definite();
    let mut found = vec![start.clone()];
    let mut segments = path.segments.iter();
    while let Some(segment) = segments.next() {
        let mut next = Vec::new();
        if matches!(segment, Segment::Descend) {
            let Some(segment) = segments.next() else {
                break;
            };
            for node in &found {
                descend(node, segment, root, budget, &mut next)?;
            }
        } else {
            for node in &found {
                step(node, segment, root, budget, &mut next)?;
            }
        }
        found = next;
        if found.is_empty() && definite {
            return Ok(None);
        }
    }
    let value = if definite {
        found.pop()
    } else {
        Some(Value::list(ListKind::Json, found))
    };
    match (path.function, value) {
        (Some(function), Some(value)) => Ok(apply(function, &value)),
        (_, value) => Ok(value),
    }
}

fn step<'v>(
    node: &Value<'v>,
    segment: &Segment,
    root: &Value<'v>,
    budget: &mut Budget,
    out: &mut Vec<Value<'v>>,
) -> Outcome<()> {
    budget.step()?;
    match (segment, node) {
        (Segment::Names(names), Value::Map(map)) => {
            if let [name] = names.as_slice() {
                out.extend(map.get_text(name));
            } else {
                let picked = Map::new();
                for name in names {
                    if let Some(value) = map.get_text(name) {
                        picked.put(Value::text(name.as_str()), value);
                    }
                }
                out.push(Value::Map(Rc::new(picked)));
            }
        }
        (Segment::Wildcard, Value::Map(map)) => {
            budget.steps(map.len() as u64)?;
            out.extend(map.entries().iter().map(|(_, value)| value.clone()));
        }
        (Segment::Wildcard, Value::List(list)) => {
            let items = list.items.borrow();
            budget.steps(items.len() as u64)?;
            out.extend(items.iter().cloned());
        }
        (Segment::Indexes(indexes), Value::List(list)) => {
            let items = list.items.borrow();
            for index in indexes {
                budget.step()?;
                out.extend(place(*index, items.len()).and_then(|at| items.get(at).cloned()));
            }
        }
        (Segment::Slice(from, to), Value::List(list)) => {
            let items = list.items.borrow();
            let clamp = |index: i64| {
                let index = if index < 0 {
                    index.saturating_add(items.len() as i64)
                } else {
                    index
                };
                index.clamp(0, items.len() as i64) as usize
            };
            let from = clamp(from.unwrap_or(0));
            let to = to.map_or(items.len(), clamp);
            if from < to {
                budget.steps((to - from) as u64)?;
                out.extend(items[from..to].iter().cloned());
            }
        }
        (Segment::Filter(filter), Value::List(list)) => {
            for item in list.items.borrow().iter() {
                if filter.accepts(item, root, budget)? {
                    out.push(item.clone());
                }
            }
        }
        (Segment::Filter(filter), Value::Map(_)) if filter.accepts(node, root, budget)? => {
            out.push(node.clone());
        }
        _ => {}
    }
    Ok(())
}

/// The segment on this node and on all below it.
fn descend<'v>(
    node: &Value<'v>,
    segment: &Segment,
    root: &Value<'v>,
    budget: &mut Budget,
    out: &mut Vec<Value<'v>>,
) -> Outcome<()> {
    let mut pending = vec![node.clone()];
    while let Some(node) = pending.pop() {
        // A filter asks the members of lists; asked of a map below one it would see it twice.
        if !(matches!(segment, Segment::Filter(_)) && matches!(node, Value::Map(_))) {
            step(&node, segment, root, budget, out)?;
        }
        budget.step()?;
        match &node {
            Value::Map(map) => pending.extend(
                map.entries()
                    .iter()
                    .rev()
                    .map(|(_, value)| value)
                    .filter(|value| value.is_container())
                    .cloned(),
            ),
            Value::List(list) => pending.extend(
                list.items
                    .borrow()
                    .iter()
                    .rev()
                    .filter(|value| value.is_container())
                    .cloned(),
            ),
            _ => {}
        }
    }
    Ok(())
}

fn place(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 {
        index.checked_add(length as i64)?
    } else {
        index
    };
    usize::try_from(index).ok()
}

fn apply<'v>(function: Function, value: &Value<'v>) -> Option<Value<'v>> {
    match (function, value) {
        (Function::Length, Value::List(list)) => {
            Some(Value::Integer(list.items.borrow().len() as i64))
        }
        (Function::Length, Value::Map(map)) => Some(Value::Integer(map.len() as i64)),
        (Function::Length, Value::Text(text)) => {
            Some(Value::Integer(text.encode_utf16().count() as i64))
        }
        (Function::Keys, Value::Map(map)) => Some(Value::list(
            ListKind::Set,
            map.entries().iter().map(|(key, _)| key.clone()).collect(),
        )),
        (_, Value::List(list)) => {
            let items = list.items.borrow();
            let numbers: Vec<f64> = items.iter().filter_map(number::double).collect();
            if numbers.is_empty() {
                return None;
            }
            let sum: f64 = numbers.iter().sum();
            Some(Value::Float(match function {
                Function::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
                Function::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                Function::Sum => sum,
                _ => sum / numbers.len() as f64,
            }))
        }
        _ => None,
    }
}
