//! The conduct of Java's classes, as far as templates meet it.
//!
//! A method that does not exist, or not for these arguments, gives nothing; one that throws is a failure.

mod double;
mod format;
mod integer;
mod list;
mod map;
pub(crate) mod number;
pub(crate) mod regex;
mod scalar;
mod string;

use std::rc::Rc;

use crate::render::{Failure, Renderer};
use crate::value::{Entry, List, Loop, Map, Value};

/// What a method gives: nothing if there is no such method, or it gives null.
pub(crate) type Answer<'r> = Result<Option<Value<'r>>, Failure>;

/// What may not change its size while a loop goes through it.
pub(crate) enum Watched<'r> {
    Nothing,
    List(Rc<List<'r>>),
    Map(Rc<Map<'r>>, u64),
}

impl<'r> Watched<'r> {
    pub(crate) fn new(value: &Value<'r>) -> Self {
        match value {
            Value::Map(map) => Self::Map(map.clone(), map.changes()),
            Value::List(list) => match list.map() {
                Some(map) => Self::Map(map.clone(), map.changes()),
                None if list.kind.is_array() => Self::Nothing,
                None => Self::List(list.clone()),
            },
            _ => Self::Nothing,
        }
    }

    /// Before the pass `at` of `length`: whether there is one, as Java's iterators see it.
    pub(crate) fn goes_on(&self, at: usize, length: usize) -> Result<bool, Failure> {
        let changed = match self {
            Self::Nothing => false,
            Self::List(list) => {
                let now = list.len();
                if at == now {
                    return Ok(false);
                }
                now != length
            }
            Self::Map(map, changes) => at < length && map.changes() != *changes,
        };
        if changed {
            return Err(Failure::invocation(
                "the loop goes through a list or map that it adds to or takes from",
            )
            .hint("collect the changes in another variable and apply them after the loop"));
        }
        Ok(at < length)
    }
}

/// What `#foreach` goes through; nothing if the value cannot be iterated.
pub(crate) fn iterate<'r>(value: &Value<'r>) -> Option<Vec<Value<'r>>> {
    match value {
        Value::List(list) => Some(list.items().clone()),
        Value::Map(map) => Some(
            map.entries()
                .iter()
                .map(|(_, value)| value.clone())
                .collect(),
        ),
        Value::Cursor(cursor) => {
            let next = cursor.next.replace(cursor.items.len());
            Some(cursor.items.get(next..).unwrap_or(&[]).to_vec())
        }
        _ => None,
    }
}

/// `$x.name`: a getter, then an entry of a map, then `isName`; null if there is none.
pub(crate) fn property<'r>(value: &Value<'r>, name: &str) -> Value<'r> {
    if matches!(name, "class" | "Class") {
        return Value::Class(value.class_name());
    }
    match value {
        Value::Map(map) => map.get_text(name).unwrap_or_default(),
        Value::List(list) if (name == "empty" || name == "Empty") && !list.kind.is_array() => {
            Value::Boolean(list.len() == 0)
        }
        Value::Text(text) => match name {
            "empty" | "Empty" => Value::Boolean(text.is_empty()),
            "blank" | "Blank" => Value::Boolean(text.trim().is_empty()),
            "bytes" | "Bytes" => string::bytes(text),
            _ => Value::Null,
        },
        Value::Entry(entry) => match name {
            "key" | "Key" => entry.key.clone(),
            "value" | "Value" => entry_value(entry),
            _ => Value::Null,
        },
        Value::Loop(scope) => loop_property(scope, name).unwrap_or_default(),
        Value::Class(class) => match name {
            "name" | "typeName" | "canonicalName" => Value::text(*class),
            "simpleName" => Value::text(class.rsplit(['.', '$']).next().unwrap_or(class)),
            _ => Value::Null,
        },
        Value::Float(number) => match name {
            "naN" | "NaN" => Value::Boolean(number.is_nan()),
            "infinite" | "Infinite" => Value::Boolean(number.is_infinite()),
            _ => Value::Null,
        },
        _ => Value::Null,
    }
}

fn loop_property<'r>(scope: &Rc<Loop<'r>>, name: &str) -> Option<Value<'r>> {
    Some(match name {
        "index" => Value::Integer(scope.index.get()),
        "count" => Value::Integer(scope.index.get() + 1),
        "hasNext" => Value::Boolean(scope.has_next.get()),
        "first" => Value::Boolean(scope.index.get() == 0),
        "last" => Value::Boolean(!scope.has_next.get()),
        "parent" => Value::Loop(scope.parent.clone()?),
        "topmost" => {
            let mut top = scope.clone();
            while let Some(parent) = &top.parent {
                top = parent.clone();
            }
            Value::Loop(top)
        }
        _ => return scope.extra().get_text(name),
    })
}

/// A place in a list: negative numbers count from its end.
pub(crate) fn place(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 {
        index.checked_add(length as i64)?
    } else {
        index
    };
    usize::try_from(index).ok().filter(|at| *at < length)
}

pub(crate) fn out_of_range(index: i64, length: usize) -> Failure {
    Failure::invocation(format!(
        "index {index} is out of range: the list has {length} items"
    ))
    .hint("ask `.size()` first")
}

/// `$x[index]`.
pub(crate) fn index<'r>(value: &Value<'r>, index: &Value<'r>) -> Answer<'r> {
    match (value, index) {
        (Value::List(list), Value::Integer(index)) if !list.kind.is_view() => {
            let items = list.items();
            match place(*index, items.len()) {
                Some(at) => Ok(Some(items[at].clone())),
                None => Err(out_of_range(*index, items.len())),
            }
        }
        (Value::Map(map), _) => Ok(map.get(index)),
        (Value::Loop(scope), _) => Ok(scope.extra().get(index)),
        (Value::List(_), _) => Ok(None),
        // A negative index asks for the size first, and there is none.
        (_, Value::Integer(index)) if *index < 0 => Err(Failure::invocation(format!(
            "a negative index needs a list, and this is a {}",
            value.class_name()
        ))),
        _ => Ok(None),
    }
}

/// The value of an entry, which follows its map.
pub(crate) fn entry_value<'r>(entry: &Entry<'r>) -> Value<'r> {
    entry
        .map
        .get(&entry.key)
        .unwrap_or_else(|| entry.value.borrow().clone())
}

/// `$x.name(arguments)`.
pub(crate) fn method<'r>(
    renderer: &mut Renderer<'r>,
    value: &Value<'r>,
    name: &str,
    arguments: &[Value<'r>],
) -> Answer<'r> {
    match (name, arguments) {
        ("compareTo", [other])
            if (value.is_number()
                || matches!(value, Value::Text(_) | Value::Boolean(_) | Value::Char(_)))
                && value.class_name() != other.class_name() =>
        {
            return Err(Failure::invocation(format!(
                "a {} cannot be compared to a {}",
                value.class_name(),
                other.class_name()
            )));
        }
        ("toString", []) => return Ok(Some(Value::Text(renderer.text_of(value)?))),
        ("equals", [other]) => {
            let equal = value.equals(other, &mut renderer.budget)?;
            return Ok(Some(Value::Boolean(equal)));
        }
        ("hashCode", []) => return Ok(Some(Value::Integer(hash_code(renderer, value)?.into()))),
        ("getClass", []) => return Ok(Some(Value::Class(value.class_name()))),
        _ => {}
    }
    match value {
        Value::Text(text) => string::method(renderer, text, name, arguments),
        Value::List(list) => list::method(renderer, value, list, name, arguments),
        Value::Map(map) => map::method(renderer, value, map, name, arguments),
        _ => scalar::method(value, name, arguments),
    }
}

fn hash_code<'r>(renderer: &mut Renderer<'r>, value: &Value<'r>) -> Result<i32, Failure> {
    renderer.budget.step()?;
    Ok(match value {
        Value::Boolean(true) => 1231,
        Value::Boolean(false) => 1237,
        Value::Integer(number) => number::long_hash(*number),
        Value::Float(number) => number::double_hash(*number),
        Value::Char(unit) => i32::from(*unit),
        Value::Text(text) => text.encode_utf16().fold(0i32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(unit.into())
        }),
        Value::List(list) => {
            renderer.budget.enter()?;
            let mut hash = if list.kind.is_set() { 0i32 } else { 1 };
            for item in list.items().iter() {
                let item = hash_code(renderer, item)?;
                hash = if list.kind.is_set() {
                    hash.wrapping_add(item)
                } else {
                    hash.wrapping_mul(31).wrapping_add(item)
                };
            }
            renderer.budget.leave();
            hash
        }
        Value::Map(map) => {
            renderer.budget.enter()?;
            let mut hash = 0i32;
            for (key, item) in map.entries().iter() {
                hash = hash.wrapping_add(hash_code(renderer, key)? ^ hash_code(renderer, item)?);
            }
            renderer.budget.leave();
            hash
        }
        Value::Entry(entry) => {
            hash_code(renderer, &entry.key)? ^ hash_code(renderer, &entry.value.borrow())?
        }
        _ => 0,
    })
}
