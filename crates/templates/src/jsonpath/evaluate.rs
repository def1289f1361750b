//! Paths over values.

use std::rc::Rc;

use super::{Function, Path, Segment};
use crate::java::number;
use crate::json::{Node, Shape};
use crate::render::Failure;
use crate::value::{Budget, ListKind, Map, Member, Value};

pub(super) type Outcome<T> = Result<T, Failure>;

/// What a path leads to: a value, or one that is still on the tape of its document.
pub(crate) enum Found<'v> {
    Value(Value<'v>),
    Node(Node<'v>),
}

/// Above this, items of an array are taken off the tape rather than counted out each time.
const NEAR: usize = 64;

/// What the path leads to, for someone who only prints it; nothing if it leads nowhere.
pub(crate) fn find<'v>(
    path: &Path,
    root: &Value<'v>,
    budget: &mut Budget,
) -> Outcome<Option<Found<'v>>> {
    if path.function.is_some() || !path.is_single() {
        return Ok(evaluate(path, root, budget)?.map(Found::Value));
    }
    let mut here = Found::Value(root.clone());
    for segment in &path.segments {
        budget.step()?;
        let next = match &here {
            Found::Value(value) => member(value, segment),
            Found::Node(node) => {
                budget.steps(node.len() as u64 / 8)?;
                below(*node, segment)
            }
        };
        match next {
            Some(next) => here = next,
            None => return Ok(None),
        }
    }
    Ok(Some(match here {
        Found::Value(Value::Map(map)) => match map.untouched() {
            Some(node) => Found::Node(node),
            None => Found::Value(Value::Map(map)),
        },
        Found::Value(Value::List(list)) => match list.untouched() {
            Some(node) => Found::Node(node),
            None => Found::Value(Value::List(list)),
        },
        other => other,
    }))
}

fn member<'v>(value: &Value<'v>, segment: &Segment) -> Option<Found<'v>> {
    match (segment, value) {
        (Segment::Names(names), Value::Map(map)) => match map.member(names.first()?) {
            Member::Value(value) => Some(Found::Value(value)),
            Member::Node(node) => Some(Found::Node(node)),
            Member::Nothing => None,
        },
        (Segment::Indexes(indexes), Value::List(list)) => {
            let at = place(*indexes.first()?, list.len())?;
            match list.untouched().filter(|node| node.len() <= NEAR) {
                Some(node) => node.item(at).map(Found::Node),
                None => list.items().get(at).cloned().map(Found::Value),
            }
        }
        _ => None,
    }
}

fn below<'v>(node: Node<'v>, segment: &Segment) -> Option<Found<'v>> {
    match (segment, node.shape()) {
        (Segment::Names(names), Shape::Object) => node.member(names.first()?).map(Found::Node),
        (Segment::Indexes(indexes), Shape::List) => node
            .item(place(*indexes.first()?, node.len())?)
            .map(Found::Node),
        _ => None,
    }
}

/// The value that the path leads to; nothing if it leads nowhere.
pub(crate) fn evaluate<'v>(
    path: &Path,
    root: &Value<'v>,
    budget: &mut Budget,
) -> Outcome<Option<Value<'v>>> {
    if path.function.is_none() && path.is_single() {
        match find(path, root, budget)? {
            None => return Ok(None),
            Some(Found::Node(node)) => {
                // A scalar needs no maps made of what lies between.
                if let Shape::Scalar(value) = node.shape() {
                    return Ok(Some(value));
                }
            }
            Some(Found::Value(_)) => {}
        }
    }
    select(path, root, root, budget)
}

pub(super) fn select<'v>(
    path: &Path,
    start: &Value<'v>,
    root: &Value<'v>,
    budget: &mut Budget,
) -> Outcome<Option<Value<'v>>> {
    let value = if path.is_definite() {
        let mut here = start.clone();
        for segment in &path.segments {
            budget.step()?;
            let next = match (segment, &here) {
                (Segment::Names(names), Value::Map(map)) => match names.as_slice() {
                    [name] => map.get_text(name),
                    names => Some(picked(map, names)),
                },
                (Segment::Indexes(indexes), Value::List(list)) => {
                    let items = list.items();
                    let at = indexes.first().and_then(|at| place(*at, items.len()));
                    at.and_then(|at| items.get(at).cloned())
                }
                _ => None,
            };
            match next {
                Some(next) => here = next,
                None => return Ok(None),
            }
        }
        here
    } else {
        Value::list(
            ListKind::Json,
            all(start.clone(), &path.segments, root, budget)?,
        )
    };
    Ok(match path.function {
        Some(function) => apply(function, &value),
        None => Some(value),
    })
}

/// All values that segments lead to, in the order of the document.
fn all<'v>(
    start: Value<'v>,
    segments: &[Segment],
    root: &Value<'v>,
    budget: &mut Budget,
) -> Outcome<Vec<Value<'v>>> {
    let mut found = vec![start];
    let mut segments = segments.iter();
    while let Some(mut segment) = segments.next() {
        let below = matches!(segment, Segment::Descend);
        if below {
            let Some(following) = segments.next() else {
                break;
            };
            segment = following;
        }
        let last = segments.as_slice().is_empty();
        let mut next = Vec::new();
        for node in &found {
            if below {
                descend(node, segment, last, root, budget, &mut next)?;
            } else {
                step(node, segment, last, root, budget, &mut next)?;
            }
        }
        found = next;
    }
    Ok(found)
}

fn step<'v>(
    node: &Value<'v>,
    segment: &Segment,
    last: bool,
    root: &Value<'v>,
    budget: &mut Budget,
    out: &mut Vec<Value<'v>>,
) -> Outcome<()> {
    budget.step()?;
    match (segment, node) {
        (Segment::Names(names), Value::Map(map)) => {
            // Several names at the end give a map of them; before the end each is followed by itself.
            if names.len() == 1 || !last {
                out.extend(names.iter().filter_map(|name| map.get_text(name)));
            } else {
                out.push(picked(map, names));
            }
        }
        (Segment::Wildcard, Value::Map(map)) => {
            budget.steps(map.len() as u64)?;
            out.extend(map.entries().iter().map(|(_, value)| value.clone()));
        }
        (Segment::Wildcard, Value::List(list)) => {
            let items = list.items();
            budget.steps(items.len() as u64)?;
            out.extend(items.iter().cloned());
        }
        (Segment::Indexes(indexes), Value::List(list)) => {
            let items = list.items();
            for index in indexes {
                budget.step()?;
                out.extend(place(*index, items.len()).and_then(|at| items.get(at).cloned()));
            }
        }
        (Segment::Slice(from, to), Value::List(list)) => {
            let items = list.items();
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
            for item in list.items().iter() {
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

/// A map of these members, as far as there are such.
fn picked<'v>(map: &Map<'v>, names: &[String]) -> Value<'v> {
    let picked = Map::new();
    for name in names {
        if let Some(value) = map.get_text(name) {
            picked.put(Value::text(name.as_str()), value);
        }
    }
    Value::Map(Rc::new(picked))
}

/// The segment on this node and on all below it.
fn descend<'v>(
    node: &Value<'v>,
    segment: &Segment,
    last: bool,
    root: &Value<'v>,
    budget: &mut Budget,
    out: &mut Vec<Value<'v>>,
) -> Outcome<()> {
    let mut pending = vec![node.clone()];
    while let Some(node) = pending.pop() {
        // A filter asks the members of lists; asked of a map below one it would see it twice.
        if !(matches!(segment, Segment::Filter(_)) && matches!(node, Value::Map(_))) {
            step(&node, segment, last, root, budget, out)?;
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
                list.items()
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
        (Function::Length, Value::List(list)) => Some(Value::Integer(list.len() as i64)),
        (Function::Length, Value::Map(map)) => Some(Value::Integer(map.len() as i64)),
        (Function::Length, Value::Text(text)) => {
            Some(Value::Integer(text.encode_utf16().count() as i64))
        }
        (Function::Keys, Value::Map(map)) => Some(Value::list(
            ListKind::Keys,
            map.entries().iter().map(|(key, _)| key.clone()).collect(),
        )),
        (_, Value::List(list)) => {
            let items = list.items();
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
