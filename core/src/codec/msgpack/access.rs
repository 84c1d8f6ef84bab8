//! What visitors take lists, maps, variants and times from.

use super::de::Deserializer;
use super::reader::Reader;
use crate::codec::fault::Fault;
use crate::codec::pass::Pass;
use crate::codec::time::Timestamp;
use crate::codec::zero::Zeros;
use serde::de::value::BytesDeserializer;
use serde::de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

/// The elements of a list.
pub(super) struct Seq<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) pass: &'r Pass,
    pub(super) left: usize,
    pub(super) index: usize,
}

impl<'de> SeqAccess<'de> for Seq<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let (start, index) = (self.reader.position(), self.index);
        self.index += 1;
        seed.deserialize(Deserializer { reader: self.reader, pass: self.pass })
            .map(Some)
            .map_err(|fault| fault.at(start).in_element(index))
    }

    fn size_hint(&self) -> Option<usize> {
        // At most one per byte that is left; serde caps it further.
        Some(self.left)
    }
}

/// A list that ends with zero values.
pub(super) struct Padded<'r, 'de> {
    pub(super) seq: Seq<'r, 'de>,
    pub(super) zeros: Zeros<'r>,
}

impl<'de> SeqAccess<'de> for Padded<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if self.seq.left > 0 { self.seq.next_element_seed(seed) } else { self.zeros.next_element_seed(seed) }
    }
}

/// The entries of a map.
pub(super) struct Map<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) pass: &'r Pass,
    pub(super) left: usize,
}

impl<'de> MapAccess<'de> for Map<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let start = self.reader.position();
        seed.deserialize(Deserializer { reader: self.reader, pass: self.pass })
            .map(Some)
            .map_err(|fault| fault.at(start))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let start = self.reader.position();
        seed.deserialize(Deserializer { reader: self.reader, pass: self.pass }).map_err(|fault| fault.at(start))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant with data: a map of one entry.
pub(super) struct Enum<'r, 'de>(pub(super) Deserializer<'r, 'de>);

impl<'r, 'de> EnumAccess<'de> for Enum<'r, 'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let Deserializer { reader, pass } = self.0;
        let variant = seed.deserialize(Deserializer { reader: &mut *reader, pass })?;
        Ok((variant, Self(Deserializer { reader, pass })))
    }
}

impl<'de> VariantAccess<'de> for Enum<'_, 'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        de::Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_tuple(self.0, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_struct(self.0, "", fields, visitor)
    }
}

/// A timestamp for a visitor that takes anything.
pub(super) struct Time(pub(super) Timestamp);

impl<'de> de::Deserializer<'de> for Time {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        BytesDeserializer::<Fault>::new(&self.0.to_parts()).deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
