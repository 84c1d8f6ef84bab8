//! Go's zero values: what nil and a missing field decode to.

use super::fault::Fault;
use super::pass::Pass;
use super::structure::{Entries, visit_struct};
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;

/// Deserializes every type to its zero value: 0, "", an empty list or map, false, `None`, and a struct of zero fields.
#[derive(Clone, Copy)]
pub(super) struct Zero<'p>(pub(super) &'p Pass);

macro_rules! zero {
    ($($method:ident => $visit:ident($($value:expr)?);)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit($($value)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Zero<'_> {
    type Error = Fault;

    zero! {
        deserialize_any => visit_unit();
        deserialize_bool => visit_bool(false);
        deserialize_i8 => visit_i8(0);
        deserialize_i16 => visit_i16(0);
        deserialize_i32 => visit_i32(0);
        deserialize_i64 => visit_i64(0);
        deserialize_i128 => visit_i128(0);
        deserialize_u8 => visit_u8(0);
        deserialize_u16 => visit_u16(0);
        deserialize_u32 => visit_u32(0);
        deserialize_u64 => visit_u64(0);
        deserialize_u128 => visit_u128(0);
        deserialize_f32 => visit_f32(0.0);
        deserialize_f64 => visit_f64(0.0);
        deserialize_char => visit_char('\0');
        deserialize_str => visit_borrowed_str("");
        deserialize_string => visit_borrowed_str("");
        deserialize_bytes => visit_borrowed_bytes(&[]);
        deserialize_byte_buf => visit_borrowed_bytes(&[]);
        deserialize_option => visit_none();
        deserialize_map => visit_map(de::value::MapDeserializer::<std::iter::Empty<((), ())>, _>::new(std::iter::empty()));
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(Zeros { pass: self.0, left: 0 })
    }

    forward_to_deserialize_any! { unit ignored_any identifier }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        if name == super::time::MARKER { visitor.visit_unit() } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.0.nested(|| visitor.visit_seq(Zeros { pass: self.0, left: len }))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.0.nested(|| visit_struct(self.0, NoEntries, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fault> {
        Err(Fault::new(format_args!("the enum `{name}` is missing or nil, and has no zero value")))
    }

    fn is_human_readable(&self) -> bool {
        self.0.human_readable
    }
}

struct NoEntries;

impl<'de> Entries<'de> for NoEntries {
    fn next_key(&mut self) -> Result<Option<Cow<'de, str>>, Fault> {
        Ok(None)
    }

    fn value<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<S::Value, Fault> {
        Err(Fault::new("a value without a key"))
    }
}

/// A list of so many zero values.
pub(super) struct Zeros<'p> {
    pub(super) pass: &'p Pass,
    pub(super) left: usize,
}

impl<'de> SeqAccess<'de> for Zeros<'_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Zero(self.pass)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}
