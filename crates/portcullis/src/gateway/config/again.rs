//! Checks that stop at their first fault, asked again as if what they named were not there.

use std::collections::HashMap;

use serde_json::Value;

use super::reader::join;
use crate::definition::Pointer;

/// How often a check is asked: a bound on what a file full of faults costs.
const MOST: usize = 100;

/// What a check found: where, and what.
pub(super) type Found = (Pointer, String);

/// Every fault that `check` finds in `value`, by its JSON pointer: it is asked again without what it named, until it finds nothing more.
///
/// What is said of an object or a list out of which something was taken is not told: it would not have been said of the whole. `told` are the places of
/// what is wrong already, in the order of the value.
pub(super) fn every_fault(
    value: &Value,
    told: &[&str],
    check: impl Fn(&Value) -> Result<(), Vec<Found>>,
) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut rest = Rest::of(value);
    // From the end, so that items stay where they are until they are taken themselves.
    for place in told.iter().rev() {
        if value.pointer(place).is_some() {
            rest.take_out(&pointer(place), (*place).to_owned());
        }
    }
    for _ in 0..MOST {
        let Err(found) = check(&rest.value) else {
            break;
        };
        let found = found.into_iter().map(|(pointer, message)| {
            let place = rest.place(&pointer);
            (pointer, place, message)
        });
        let found: Vec<_> = found.collect();
        for (_, place, message) in &found {
            if !rest.is_incomplete(place) {
                faults.push((place.clone(), message.clone()));
            }
        }
        let mut gone = false;
        for (pointer, place, _) in found.into_iter().rev() {
            gone |= rest.take_out(&pointer, place);
        }
        if !gone {
            break;
        }
    }
    faults
}

fn pointer(place: &str) -> Pointer {
    let segments = place.split('/').skip(1);
    segments.fold(Pointer::root(), |pointer, segment| {
        pointer.child(segment.replace("~1", "/").replace("~0", "~"))
    })
}

/// A tree out of which members and items are taken.
struct Rest {
    value: Value,
    /// The places of what was taken.
    taken: Vec<String>,
    /// Of lists that items were taken out of: the places that the others had.
    items: HashMap<String, Vec<usize>>,
}

impl Rest {
    fn of(value: &Value) -> Self {
        Self {
            value: value.clone(),
            taken: Vec::new(),
            items: HashMap::new(),
        }
    }

    /// Where it stood in the whole tree.
    fn place(&self, pointer: &Pointer) -> String {
        let mut place = String::new();
        for segment in pointer.segments() {
            let index = segment.parse::<usize>().ok();
            let moved = self.items.get(&place).zip(index);
            let original = moved.and_then(|(items, index)| items.get(index));
            place = match original {
                Some(index) => format!("{place}/{index}"),
                None => join(&place, &segment),
            };
        }
        place
    }

    fn is_incomplete(&self, place: &str) -> bool {
        let below = |taken: &String| {
            let rest = taken.strip_prefix(place);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.taken.iter().any(below)
    }

    /// Takes it out, or what was to have it. False where that is the root.
    fn take_out(&mut self, pointer: &Pointer, place: String) -> bool {
        let mut segments: Vec<_> = pointer.segments().collect();
        let Some(last) = segments.pop() else {
            return false;
        };
        let parent = segments
            .iter()
            .fold(Pointer::root(), |parent, segment| parent.child(segment));
        let list = self.place(&parent);
        let gone = match self.value.pointer_mut(parent.as_str()) {
            Some(Value::Object(members)) => members.remove(&last).is_some(),
            Some(Value::Array(items)) => match last.parse::<usize>() {
                Ok(index) if index < items.len() => {
                    let places = self.items.entry(list);
                    let places = places.or_insert_with(|| (0..items.len()).collect());
                    places.remove(index);
                    items.remove(index);
                    true
                }
                _ => false,
            },
            _ => false,
        };
        self.taken.push(place);
        if gone {
            return true;
        }
        let place = self.place(&parent);
        self.take_out(&parent, place)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Found, every_fault};
    use crate::definition::Pointer;

    /// Stops at the first text.
    fn no_texts(value: &Value) -> Result<(), Vec<Found>> {
        fn find(value: &Value, at: &Pointer) -> Option<Pointer> {
            match value {
                Value::String(_) => Some(at.clone()),
                Value::Array(items) => {
                    let mut items = items.iter().enumerate();
                    items.find_map(|(index, item)| find(item, &at.child(index)))
                }
                Value::Object(members) => {
                    let mut members = members.iter();
                    members.find_map(|(name, member)| find(member, &at.child(name)))
                }
                _ => None,
            }
        }
        match find(value, &Pointer::root()) {
            Some(pointer) => Err(vec![(pointer, "a text".to_owned())]),
            None => Ok(()),
        }
    }

    fn places(value: &Value) -> Vec<String> {
        let faults = every_fault(value, &[], no_texts).into_iter();
        faults.map(|(place, _)| place).collect()
    }

    #[test]
    fn faults_in_lists_have_the_places_that_they_have_in_the_whole() {
        let value = json!({ "a/b": ["x", 1, "y", { "c": ["z", 2, "z"] }, "w"], "d": "v" });
        let mut found = places(&value);
        found.sort();
        let expected = [
            "/a~1b/0",
            "/a~1b/2",
            "/a~1b/3/c/0",
            "/a~1b/3/c/2",
            "/a~1b/4",
            "/d",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_check_that_always_finds_the_root_ends() {
        let found = every_fault(&json!({}), &[], |_| {
            Err(vec![(Pointer::root(), "no".to_owned())])
        });
        assert_eq!(found, [(String::new(), "no".to_owned())]);
    }

    #[test]
    fn what_only_taking_out_made_wrong_is_not_told() {
        let check = |value: &Value| {
            no_texts(value)?;
            match value.pointer("/list").and_then(Value::as_array) {
                Some(list) if list.is_empty() => {
                    Err(vec![(Pointer::root().child("list"), "is empty".to_owned())])
                }
                _ => Ok(()),
            }
        };
        let found = every_fault(&json!({ "list": ["x"] }), &[], check);
        assert_eq!(found, [("/list/0".to_owned(), "a text".to_owned())]);
    }

    #[test]
    fn what_was_told_before_is_not_told_again_and_moves_nothing() {
        let value = json!({ "list": ["x", "y", 1, "z"], "no": "w" });
        let told = ["/list/0", "/list/1", "/no", "/missing"];
        let found = every_fault(&value, &told, no_texts);
        assert_eq!(found, [("/list/3".to_owned(), "a text".to_owned())]);
    }

    #[test]
    fn a_value_full_of_faults_is_asked_about_a_bounded_number_of_times() {
        let value = Value::from(vec!["x"; 1000]);
        assert_eq!(every_fault(&value, &[], no_texts).len(), 100);
    }
}
