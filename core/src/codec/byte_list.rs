//! Bytes where a list was asked for: `Vec<u8>` and `[u8; N]` are lists to serde, but bytes in Go.

use super::fault::Fault;
use super::zero::Zeros;
use serde::de::value::U8Deserializer;
use serde::de::{self, DeserializeSeed, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// The bytes as a list of numbers, then zero values. Elements of any type but `u8` refuse the bytes.
pub(super) struct ByteList<'p, 'b> {
    pub(super) bytes: std::slice::Iter<'b, u8>,
    pub(super) zeros: Zeros<'p>,
}

impl<'de> SeqAccess<'de> for ByteList<'_, '_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        match self.bytes.next() {
            Some(byte) => seed.deserialize(Byte(*byte)).map(Some),
            None => self.zeros.next_element_seed(seed),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len())
    }
}

struct Byte(u8);

impl<'de> de::Deserializer<'de> for Byte {
    type Error = Fault;

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        U8Deserializer::<Fault>::new(self.0).deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        Err(Fault::new(format_args!("expected {}, found a byte of a string", &visitor as &dyn de::Expected)))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
