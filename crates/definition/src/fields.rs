//! Which fields an object may have, asked of the type that it is read as.

use std::cell::RefCell;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

use crate::Pointer;

/// The fields that the object at `place` in `value` may have, if `T` reads an object of its own there: for whoever wants to tell of
/// the one that was meant.
///
/// ```
/// use portcullis_definition::{Pointer, Stage, known_fields};
///
/// let stage = serde_json::json!({"stageName": "dev", "varables": {}});
/// assert!(known_fields::<Stage>(&stage, &Pointer::root()).contains(&"variables"));
/// ```
#[must_use]
pub fn known_fields<T: DeserializeOwned>(
    value: &Value,
    place: &Pointer,
) -> &'static [&'static str] {
    let found = RefCell::new(&[] as &[&str]);
    let asking = Asking {
        value,
        at: Pointer::root(),
        place,
        found: &found,
    };
    // What else is wrong with the value is told elsewhere.
    let _ = T::deserialize(asking);
    found.into_inner()
}

/// Reads a tree, and notes what fields are asked for at one place.
#[derive(Clone)]
struct Asking<'a> {
    value: &'a Value,
    at: Pointer,
    place: &'a Pointer,
    found: &'a RefCell<&'static [&'static str]>,
}

impl<'a> Asking<'a> {
    fn child(&self, name: impl std::fmt::Display, value: &'a Value) -> Self {
        Self {
            value,
            at: self.at.child(name),
            ..self.clone()
        }
    }
}

impl<'de> Deserializer<'de> for Asking<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => number.clone().deserialize_any(visitor),
            Value::String(text) => visitor.visit_str(text),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(index, item)| self.child(index, item));
                visitor.visit_seq(SeqDeserializer::new(items))
            }
            Value::Object(members) => {
                let members = members.iter();
                let members =
                    members.map(|(name, member)| (name.as_str(), self.child(name, member)));
                visitor.visit_map(MapDeserializer::new(members))
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.at == *self.place {
            *self.found.borrow_mut() = fields;
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Asking<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{DomainName, UsagePlan};

    #[test]
    fn the_fields_of_an_object_deep_inside_are_known() {
        let plan = json!({ "id": "x", "apiStages": [{ "apiId": "a", "throtle": 1 }] });
        let place = Pointer::root().child("apiStages").child("0");
        let fields = known_fields::<UsagePlan>(&plan, &place);
        assert!(fields.contains(&"throttle"), "{fields:?}");
        assert!(!fields.contains(&"quota"), "{fields:?}");
        assert!(known_fields::<UsagePlan>(&plan, &Pointer::root()).contains(&"quota"));
    }

    #[test]
    fn what_is_nowhere_has_no_fields() {
        let domain = json!({ "domainName": "a.test", "tags": { "x": "y" } });
        let place = Pointer::root().child("tags");
        assert!(known_fields::<DomainName>(&domain, &place).is_empty());
        assert!(known_fields::<DomainName>(&json!(1), &place).is_empty());
    }
}
