//! The serde deserializer for MessagePack.

use super::access::{Enum, Map, Padded, Seq, Time};
use super::keys::{Indexed, Streamed};
use super::reader::{Item, Reader};
use crate::codec::byte_list::ByteList;
use crate::codec::fault::Fault;
use crate::codec::pass::Pass;
use crate::codec::structure::visit_struct;
use crate::codec::time::{self, Timestamp};
use crate::codec::zero::{Zero, Zeros};
use serde::de::{self, IntoDeserializer, Visitor};

pub(super) struct Deserializer<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) pass: &'r Pass,
}

#[cold]
fn wrong(visitor: &dyn de::Expected, found: Item<'_>) -> Fault {
    Fault::new(format_args!("expected {visitor}, found {found}"))
}

/// The type-checks of serde's own visitors do the rest: an integer that doesn't fit is their error.
macro_rules! number {
    ($($method:ident)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.reader.item()? {
                Item::UInt(value) => visitor.visit_u64(value),
                Item::Int(value) => visitor.visit_i64(value),
                Item::Nil => Zero(self.pass).$method(visitor),
                other => Err(wrong(&visitor, other)),
            }
        })*
    };
}

impl<'de> Deserializer<'_, 'de> {
    fn map<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Fault> {
        let Self { reader, pass } = self;
        pass.nested(|| {
            let mut access = Map { reader, pass, left };
            let value = visitor.visit_map(&mut access)?;
            all_read(access.left, value)
        })
    }

    fn seq<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Fault> {
        let Self { reader, pass } = self;
        pass.nested(|| {
            let mut access = Seq { reader, pass, left, index: 0 };
            let value = visitor.visit_seq(&mut access)?;
            all_read(access.left, value)
        })
    }

    fn structure<V: Visitor<'de>>(
        self,
        len: usize,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Self { reader, pass } = self;
        pass.nested(|| {
            if pass.indexed {
                let entries = Indexed::new(reader, pass, len, fields)?;
                return visit_struct(pass, entries, visitor);
            }
            let mut entries = Streamed { reader, pass, left: len };
            let value = visit_struct(pass, &mut entries, visitor)?;
            all_read(entries.left, value)
        })
    }

    fn timestamp(self) -> Result<Timestamp, Fault> {
        let start = self.reader.position();
        match self.reader.item()? {
            Item::Ext(-1, body) => timestamp(body).map_err(|fault| fault.at(start)),
            Item::Nil => Ok(Timestamp::ZERO),
            // Older encoders wrote a pair of seconds and nanoseconds, or text; Go still reads both.
            Item::Array(2) => {
                let seconds = integer(self.reader)?;
                let nanos = u32::try_from(integer(self.reader)?).ok();
                nanos
                    .and_then(|nanos| Timestamp::new(seconds, nanos))
                    .ok_or_else(|| Fault::new("the nanoseconds of a time are above 999,999,999").at(start))
            }
            Item::Str(text) => {
                let time = String::from_utf8_lossy(text).parse::<Timestamp>();
                time.map_err(|error| Fault::new(error).at(start))
            }
            other => Err(wrong(&"a time", other).at(start)),
        }
    }
}

fn integer(reader: &mut Reader<'_>) -> Result<i64, Fault> {
    match reader.item()? {
        Item::Int(value) => Ok(value),
        Item::UInt(value) => i64::try_from(value).map_err(|_| Fault::new(format_args!("{value} seconds are no time"))),
        other => Err(wrong(&"an integer", other)),
    }
}

/// The body of a timestamp extension.
fn timestamp(body: &[u8]) -> Result<Timestamp, Fault> {
    let time = match *body {
        [a, b, c, d] => Timestamp::new(u32::from_be_bytes([a, b, c, d]).into(), 0),
        [_, _, _, _, _, _, _, _] => {
            let both = body.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
            // 30 bits of nanoseconds, then 34 of seconds.
            Timestamp::new((both & 0x3_ffff_ffff) as i64, (both >> 34) as u32)
        }
        [n0, n1, n2, n3, ref seconds @ ..] if seconds.len() == 8 => {
            let seconds = seconds.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
            Timestamp::new(seconds as i64, u32::from_be_bytes([n0, n1, n2, n3]))
        }
        _ => return Err(Fault::new(format_args!("a timestamp of {} bytes", body.len()))),
    };
    time.ok_or_else(|| Fault::new("the nanoseconds of a timestamp are above 999,999,999"))
}

fn all_read<T>(left: usize, value: T) -> Result<T, Fault> {
    if left == 0 { Ok(value) } else { Err(Fault::new(format_args!("{left} elements more than the type has"))) }
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|error| Fault::new(format_args!("the text is no UTF-8: {error}")))
}

impl<'de> de::Deserializer<'de> for Deserializer<'_, 'de> {
    type Error = Fault;

    number! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let start = self.reader.position();
        match self.reader.item()? {
            Item::Nil => visitor.visit_unit(),
            Item::Bool(value) => visitor.visit_bool(value),
            Item::Int(value) => visitor.visit_i64(value),
            Item::UInt(value) => visitor.visit_u64(value),
            Item::F32(value) => visitor.visit_f32(value),
            Item::F64(value) => visitor.visit_f64(value),
            Item::Str(bytes) => visitor.visit_borrowed_str(text(bytes)?),
            Item::Bin(bytes) => visitor.visit_borrowed_bytes(bytes),
            Item::Array(len) => self.seq(len, visitor),
            Item::Map(len) => self.map(len, visitor),
            Item::Ext(-1, body) => visitor.visit_newtype_struct(Time(timestamp(body)?)),
            other @ Item::Ext(..) => Err(Fault::new(format_args!("{other}, which no type takes")).at(start)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.reader.skip()?;
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::Bool(value) => visitor.visit_bool(value),
            Item::Nil => visitor.visit_bool(false),
            other => Err(wrong(&visitor, other)),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::F32(value) => visitor.visit_f32(value),
            // Languages without single precision write doubles; nothing may be lost.
            Item::F64(value) if f64::from(value as f32) == value || value.is_nan() => visitor.visit_f32(value as f32),
            Item::Int(value) => visitor.visit_f32(value as f32),
            Item::UInt(value) => visitor.visit_f32(value as f32),
            Item::Nil => visitor.visit_f32(0.0),
            other => Err(wrong(&visitor, other)),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::F64(value) => visitor.visit_f64(value),
            Item::F32(value) => visitor.visit_f64(value.into()),
            Item::Int(value) => visitor.visit_f64(value as f64),
            Item::UInt(value) => visitor.visit_f64(value as f64),
            Item::Nil => visitor.visit_f64(0.0),
            other => Err(wrong(&visitor, other)),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::Str(bytes) | Item::Bin(bytes) => visitor.visit_borrowed_str(text(bytes)?),
            Item::Nil => visitor.visit_char('\0'),
            other => Err(wrong(&visitor, other)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::Str(bytes) | Item::Bin(bytes) => visitor.visit_borrowed_str(text(bytes)?),
            Item::Nil => visitor.visit_borrowed_str(""),
            other => Err(wrong(&visitor, other)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::Str(bytes) | Item::Bin(bytes) => visitor.visit_borrowed_bytes(bytes),
            Item::Nil => visitor.visit_borrowed_bytes(&[]),
            other => Err(wrong(&visitor, other)),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.reader.next_is_nil() {
            self.reader.skip()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    /// Nothing is expected here, so an empty struct, list or map is as good as nil.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::Nil | Item::Array(0) | Item::Map(0) => visitor.visit_unit(),
            other => Err(wrong(&visitor, other)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        if name == time::MARKER {
            return visitor.visit_bytes(&self.timestamp()?.to_parts());
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::Array(len) => self.seq(len, visitor),
            Item::Nil => Zero(self.pass).deserialize_seq(visitor),
            // A list of bytes, which is bin in Go. Elements of any other type refuse the bytes.
            Item::Str(bytes) | Item::Bin(bytes) => {
                let mut access = ByteList { bytes: bytes.iter(), zeros: Zeros { pass: self.pass, left: 0 } };
                let value = visitor.visit_seq(&mut access)?;
                all_read(access.bytes.len(), value)
            }
            other => Err(wrong(&visitor, other)),
        }
    }

    /// As Go's arrays: elements that are missing are zero; more than there is room for are refused.
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        let Self { reader, pass } = self;
        match reader.item()? {
            Item::Nil => Zero(pass).deserialize_tuple(len, visitor),
            Item::Array(found) if found > len => {
                Err(Fault::new(format_args!("expected {}, found an array of {found}", &visitor as &dyn de::Expected)))
            }
            Item::Array(found) => pass.nested(|| {
                let seq = Seq { reader, pass, left: found, index: 0 };
                let mut access = Padded { seq, zeros: Zeros { pass, left: len - found } };
                let value = visitor.visit_seq(&mut access)?;
                all_read(access.seq.left, value)
            }),
            Item::Str(bytes) | Item::Bin(bytes) if bytes.len() <= len => {
                visitor.visit_seq(ByteList { bytes: bytes.iter(), zeros: Zeros { pass, left: len - bytes.len() } })
            }
            other => Err(wrong(&visitor, other)),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::Map(len) => self.map(len, visitor),
            Item::Nil => Zero(self.pass).deserialize_map(visitor),
            other => Err(wrong(&visitor, other)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::Map(len) => self.structure(len, fields, visitor),
            Item::Nil | Item::Array(0) => Zero(self.pass).deserialize_struct(name, fields, visitor),
            // The visitor refuses fewer elements than fields, `seq` refuses more.
            Item::Array(len) => self.seq(len, visitor),
            other => Err(wrong(&visitor, other)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.reader.item()? {
            Item::Str(variant) | Item::Bin(variant) => {
                visitor.visit_enum(IntoDeserializer::<Fault>::into_deserializer(text(variant)?))
            }
            Item::Map(1) => {
                let Self { reader, pass } = self;
                pass.nested(|| visitor.visit_enum(Enum(Deserializer { reader, pass })))
            }
            Item::Nil => Zero(self.pass).deserialize_enum(name, variants, visitor),
            other => Err(wrong(&visitor, other)),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
