//! Reading a tree of our own fields: every fault at once, each with its place.

use http::HeaderName;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::again::{Found, every_fault};
use super::error::ConfigFault;
use super::wording::{named_field, reworded};
use crate::definition::{self, Pointer};

/// Collects what is wrong with a configuration while it is read.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) faults: Vec<ConfigFault>,
    /// Fields of the service's own objects that are not known.
    pub(super) unknown: Vec<ConfigFault>,
    /// The places of texts that name a variable that is not set: what else is wrong with them is no fault of theirs.
    unset: Vec<String>,
}

/// An object of ours whose members are known.
#[derive(Clone, Copy)]
pub(super) struct Object<'v> {
    members: &'v Map<String, Value>,
    path: &'v str,
}

impl Reader {
    pub(super) fn fault(&mut self, place: impl Into<String>, message: impl Into<String>) {
        let place = place.into();
        if !self.unset.contains(&place) {
            let message = message.into();
            self.faults.push(ConfigFault { place, message });
        }
    }

    /// A text names a variable that is not set.
    pub(super) fn unset(&mut self, place: &str, variable: &str) {
        let message = format!(
            "the variable `{variable}` is not set; set it, or write `${{{variable}:-default}}`"
        );
        self.fault(place, message);
        self.unset.push(place.to_owned());
    }

    /// Reads a value, and tells what is wrong with its fields, and then all that `check` finds wrong with what was read of the others.
    pub(super) fn checked<T>(
        &mut self,
        value: &Value,
        path: &str,
        read: impl Fn(&Value, &str, &mut Self) -> Option<T>,
        check: impl Fn(T) -> Result<(), Vec<Found>>,
    ) -> Option<T> {
        let before = self.faults.len();
        let own = read(value, path, self);
        let told = self.faults[before..].iter().map(|fault| &fault.place);
        let told: Vec<_> = told
            .chain(&self.unset)
            .filter_map(|place| place.strip_prefix(path))
            .collect();
        let found = every_fault(value, &told, |value| {
            let mut rest = Self::default();
            match read(value, "", &mut rest) {
                Some(own) if rest.faults.is_empty() => check(own),
                _ => Ok(()),
            }
        });
        for (place, mut message) in found {
            if let Some(seen) = value
                .pointer(&place)
                .filter(|_| message.starts_with("must "))
            {
                message = format!("{message}, not {}", shown(seen));
            }
            self.fault(format!("{path}{place}"), message);
        }
        own
    }

    /// The members of an object that may have these; others are faults that name the nearest.
    pub(super) fn object<'v>(
        &mut self,
        value: &'v Value,
        path: &'v str,
        known: &[&str],
    ) -> Option<Object<'v>> {
        let Some(members) = value.as_object() else {
            self.fault(path, format!("must be an object, not {}", kind_of(value)));
            return None;
        };
        for name in members.keys() {
            if !known.contains(&name.as_str()) {
                let message = match nearest(name, known) {
                    Some(near) => format!("no such field; did you mean `{near}`?"),
                    None => format!("no such field; there are: {}", known.join(", ")),
                };
                self.fault(join(path, name), message);
            }
        }
        Some(Object { members, path })
    }

    fn wrong<T>(&mut self, object: Object<'_>, name: &str, expected: &str) -> Option<T> {
        let found = shown(&object.members[name]);
        self.fault(object.at(name), format!("must be {expected}, not {found}"));
        None
    }

    pub(super) fn text<'v>(&mut self, object: Object<'v>, name: &str) -> Option<&'v str> {
        match object.get(name)? {
            Value::String(text) => Some(text),
            // Which may be a secret, and is not shown.
            other => {
                let kind = kind_of(other);
                let message =
                    format!("must be a text (in quotes, if it looks like a number), not {kind}");
                self.fault(object.at(name), message);
                None
            }
        }
    }

    /// The name of a header.
    pub(super) fn header(&mut self, object: Object<'_>, name: &str) -> Option<HeaderName> {
        let text = self.text(object, name)?;
        let header = text.parse().ok();
        if header.is_none() {
            self.fault(object.at(name), format!("`{text}` is no name of a header"));
        }
        header
    }

    /// A text that has to be there.
    pub(super) fn needed<'v>(&mut self, object: Object<'v>, name: &str) -> Option<&'v str> {
        if object.get(name).is_none() {
            self.fault(object.at(name), "is missing");
            return None;
        }
        self.text(object, name)
    }

    pub(super) fn flag(&mut self, object: Object<'_>, name: &str) -> Option<bool> {
        match object.get(name)? {
            Value::Bool(flag) => Some(*flag),
            // What comes from a variable is a text.
            Value::String(text) if matches!(text.as_str(), "true" | "false") => {
                Some(text == "true")
            }
            _ => self.wrong(object, name, "true or false"),
        }
    }

    pub(super) fn number(&mut self, object: Object<'_>, name: &str) -> Option<u64> {
        let value = object.get(name)?;
        let written = value.as_str().and_then(|text| text.parse().ok());
        match value.as_u64().or(written) {
            Some(number) => Some(number),
            None => self.wrong(object, name, "a whole number, 0 or more"),
        }
    }

    /// A number that may have a fraction.
    pub(super) fn decimal(&mut self, object: Object<'_>, name: &str) -> Option<f64> {
        let value = object.get(name)?;
        let written = || value.as_str().and_then(|text| text.parse().ok());
        let number = value.as_f64().or_else(written);
        match number.filter(|number: &f64| number.is_finite()) {
            Some(number) => Some(number),
            None => self.wrong(object, name, "a number"),
        }
    }

    /// A number that may be below zero.
    pub(super) fn integer(&mut self, object: Object<'_>, name: &str) -> Option<i64> {
        let value = object.get(name)?;
        let written = || value.as_str().and_then(|text| text.parse().ok());
        match value.as_i64().or_else(written) {
            Some(number) => Some(number),
            None => self.wrong(object, name, "a whole number"),
        }
    }

    /// One of a few words, and what it stands for.
    pub(super) fn word<T: Copy>(
        &mut self,
        object: Object<'_>,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let value = object.get(name)?;
        let text = value.as_str().unwrap_or_default();
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let near = nearest(text, &words);
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let found = shown(value);
        let message = format!("must be one of `{}`, not {found}{near}", words.join("`, `"));
        self.fault(object.at(name), message);
        None
    }

    /// The items of a list, each with its path.
    pub(super) fn list<'v>(&mut self, object: Object<'v>, name: &str) -> Vec<(String, &'v Value)> {
        match object.get(name) {
            Some(value) => self.items(&object.at(name), value),
            None => Vec::new(),
        }
    }

    fn items<'v>(&mut self, path: &str, value: &'v Value) -> Vec<(String, &'v Value)> {
        let Some(items) = value.as_array() else {
            let message = format!("must be a list, not {}", kind_of(value));
            self.fault(path, message);
            return Vec::new();
        };
        let numbered = items.iter().enumerate();
        numbered
            .map(|(index, item)| (format!("{path}/{index}"), item))
            .collect()
    }

    /// The members of a map, each with its path.
    pub(super) fn map<'v>(
        &mut self,
        object: Object<'v>,
        name: &str,
    ) -> Vec<(&'v str, String, &'v Value)> {
        match object.get(name) {
            None => Vec::new(),
            Some(Value::Object(members)) => {
                let path = object.at(name);
                let named = members.iter();
                named
                    .map(|(key, member)| (&**key, join(&path, key), member))
                    .collect()
            }
            Some(_) => self.wrong(object, name, "an object").unwrap_or_default(),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, object: Object<'_>, name: &str) -> Vec<String> {
        self.parsed(object, name, "a text", |text| Some(text.to_owned()))
    }

    /// A list of texts that each stand for a value.
    pub(super) fn parsed<T>(
        &mut self,
        object: Object<'_>,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for (path, item) in self.list(object, name) {
            match item.as_str().and_then(&parse) {
                Some(value) => values.push(value),
                None => self.fault(path, format!("{item} must be {expected}")),
            }
        }
        values
    }

    /// A list of objects under the service's names, as it stands or as the service's tools print it: under `items`.
    pub(super) fn service_list<T: DeserializeOwned>(
        &mut self,
        object: Object<'_>,
        name: &str,
    ) -> Vec<T> {
        self.checked_list(object, name, |_| Ok(()))
    }

    /// Such a list, of objects that must pass a check, too; it names the field that does not do.
    pub(super) fn checked_list<T: DeserializeOwned>(
        &mut self,
        object: Object<'_>,
        name: &str,
        check: impl Fn(&T) -> Result<(), Vec<Found>>,
    ) -> Vec<T> {
        let Some(value) = object.get(name) else {
            return Vec::new();
        };
        let mut printed = ["items", "Items", "item"]
            .into_iter()
            .filter_map(|member| Some((member, value.get(member)?)));
        let items = match printed.next() {
            Some((member, list)) => self.items(&join(&object.at(name), member), list),
            None => self.items(&object.at(name), value),
        };
        let objects = items.iter();
        objects
            .filter_map(|(path, item)| self.service_object(item, path, &check))
            .collect()
    }

    /// An object under the service's names; fields of it that are not known are noted.
    fn service_object<T: DeserializeOwned>(
        &mut self,
        value: &Value,
        path: &str,
        check: impl Fn(&T) -> Result<(), Vec<Found>>,
    ) -> Option<T> {
        let found = every_fault(value, &[], |value| {
            let read = definition::read::<T>(value).map_err(|error| {
                let is_own =
                    |field: &str| error.pointer.segments().last().as_deref() == Some(field);
                let pointer = match named_field(&error.message) {
                    Some(field) if !is_own(field) => error.pointer.child(field),
                    _ => error.pointer,
                };
                vec![(pointer, reworded(&error.message))]
            })?;
            check(&read.value)
        });
        for (place, message) in found {
            self.fault(format!("{path}{place}"), message);
        }
        let read = definition::read::<T>(value).ok()?;
        let unknown = read.unknown.iter().map(|pointer| ConfigFault {
            place: format!("{path}{pointer}"),
            message: unknown_field::<T>(value, pointer),
        });
        self.unknown.extend(unknown);
        Some(read.value)
    }
}

impl<'v> Object<'v> {
    pub(super) fn get(self, name: &str) -> Option<&'v Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(super) const fn path(self) -> &'v str {
        self.path
    }

    pub(super) fn at(self, name: &str) -> String {
        join(self.path, name)
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A value as a fault shows it: what is short as it is.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() <= 80 => format!("{text:?}"),
        Value::Number(number) => format!("`{number}`"),
        Value::Bool(flag) => format!("`{flag}`"),
        _ => kind_of(value).to_owned(),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What is said of a field that nothing reads, with the one that may have been meant.
fn unknown_field<T: DeserializeOwned>(value: &Value, pointer: &Pointer) -> String {
    let mut segments: Vec<_> = pointer.segments().collect();
    let name = segments.pop().unwrap_or_default();
    let parent = segments
        .iter()
        .fold(Pointer::root(), |parent, segment| parent.child(segment));
    let near = nearest(&name, definition::known_fields::<T>(value, &parent));
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    format!("no such field is known{near}")
}

/// The known name that is most like `name`, if one is like it at all.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let likeness =
        |known: &str| strsim::jaro_winkler(&known.to_ascii_lowercase(), &name.to_ascii_lowercase());
    known
        .iter()
        .map(|known| (likeness(known), *known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}
