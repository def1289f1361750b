//! Builds [`Data`] from anything that serializes.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::data::{Data, DataError};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Builder;

#[derive(Debug)]
pub(crate) struct ListBuilder {
    items: Vec<Data>,
    variant: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) struct MapBuilder {
    entries: Vec<(String, Data)>,
    key: Option<String>,
    variant: Option<&'static str>,
}

fn tagged(variant: Option<&'static str>, data: Data) -> Data {
    match variant {
        None => data,
        Some(name) => Data::Map(vec![(name.to_owned(), data)]),
    }
}

impl Serializer for Builder {
    type Ok = Data;
    type Error = DataError;
    type SerializeSeq = ListBuilder;
    type SerializeTuple = ListBuilder;
    type SerializeTupleStruct = ListBuilder;
    type SerializeTupleVariant = ListBuilder;
    type SerializeMap = MapBuilder;
    type SerializeStruct = MapBuilder;
    type SerializeStructVariant = MapBuilder;

    fn serialize_bool(self, value: bool) -> Result<Data, DataError> {
        Ok(Data::Boolean(value))
    }

    fn serialize_i8(self, number: i8) -> Result<Data, DataError> {
        Ok(Data::Integer(number.into()))
    }

    fn serialize_i16(self, number: i16) -> Result<Data, DataError> {
        Ok(Data::Integer(number.into()))
    }

    fn serialize_i32(self, number: i32) -> Result<Data, DataError> {
        Ok(Data::Integer(number.into()))
    }

    fn serialize_i64(self, number: i64) -> Result<Data, DataError> {
        Ok(Data::Integer(number))
    }

    fn serialize_u8(self, number: u8) -> Result<Data, DataError> {
        Ok(Data::Integer(number.into()))
    }

    fn serialize_u16(self, number: u16) -> Result<Data, DataError> {
        Ok(Data::Integer(number.into()))
    }

    fn serialize_u32(self, number: u32) -> Result<Data, DataError> {
        Ok(Data::Integer(number.into()))
    }

    fn serialize_u64(self, number: u64) -> Result<Data, DataError> {
        Ok(i64::try_from(number).map_or(Data::Float(number as f64), Data::Integer))
    }

    fn serialize_f32(self, number: f32) -> Result<Data, DataError> {
        Ok(Data::Float(number.into()))
    }

    fn serialize_f64(self, number: f64) -> Result<Data, DataError> {
        Ok(Data::Float(number))
    }

    fn serialize_char(self, character: char) -> Result<Data, DataError> {
        Ok(Data::Text(character.to_string()))
    }

    fn serialize_str(self, text: &str) -> Result<Data, DataError> {
        Ok(Data::from(text))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Data, DataError> {
        Ok(Data::List(
            bytes
                .iter()
                .map(|byte| Data::Integer((*byte).into()))
                .collect(),
        ))
    }

    fn serialize_none(self) -> Result<Data, DataError> {
        Ok(Data::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Data, DataError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Data, DataError> {
        Ok(Data::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Data, DataError> {
        Ok(Data::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Data, DataError> {
        Ok(Data::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Data, DataError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Data, DataError> {
        Ok(tagged(Some(variant), value.serialize(self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<ListBuilder, DataError> {
        Ok(ListBuilder {
            items: Vec::new(),
            variant: None,
        })
    }

    fn serialize_tuple(self, length: usize) -> Result<ListBuilder, DataError> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<ListBuilder, DataError> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<ListBuilder, DataError> {
        Ok(ListBuilder {
            items: Vec::new(),
            variant: Some(variant),
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<MapBuilder, DataError> {
        Ok(MapBuilder {
            entries: Vec::new(),
            key: None,
            variant: None,
        })
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<MapBuilder, DataError> {
        self.serialize_map(Some(length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<MapBuilder, DataError> {
        Ok(MapBuilder {
            entries: Vec::new(),
            key: None,
            variant: Some(variant),
        })
    }
}

macro_rules! list {
    ($trait:ident, $push:ident) => {
        impl $trait for ListBuilder {
            type Ok = Data;
            type Error = DataError;

            fn $push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DataError> {
                self.items.push(value.serialize(Builder)?);
                Ok(())
            }

            fn end(self) -> Result<Data, DataError> {
                Ok(tagged(self.variant, Data::List(self.items)))
            }
        }
    };
}

list!(SerializeSeq, serialize_element);
list!(SerializeTuple, serialize_element);
list!(SerializeTupleStruct, serialize_field);
list!(SerializeTupleVariant, serialize_field);

impl SerializeMap for MapBuilder {
    type Ok = Data;
    type Error = DataError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), DataError> {
        self.key = Some(match key.serialize(Builder)? {
            Data::Text(text) => text,
            Data::Integer(number) => number.to_string(),
            Data::Boolean(value) => value.to_string(),
            other => return Err(DataError(format!("{other:?} cannot be the key of a map"))),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DataError> {
        let Some(key) = self.key.take() else {
            return Err(DataError("a value came before its key".to_owned()));
        };
        self.entries.push((key, value.serialize(Builder)?));
        Ok(())
    }

    fn end(self) -> Result<Data, DataError> {
        Ok(tagged(self.variant, Data::Map(self.entries)))
    }
}

macro_rules! record {
    ($trait:ident) => {
        impl $trait for MapBuilder {
            type Ok = Data;
            type Error = DataError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), DataError> {
                self.entries
                    .push((name.to_owned(), value.serialize(Builder)?));
                Ok(())
            }

            fn end(self) -> Result<Data, DataError> {
                Ok(tagged(self.variant, Data::Map(self.entries)))
            }
        }
    };
}

record!(SerializeStruct);
record!(SerializeStructVariant);
