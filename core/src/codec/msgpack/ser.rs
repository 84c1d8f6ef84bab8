//! The serde serializer for MessagePack.

use super::Integers;
use super::compound::{Compound, Container, len32};
use crate::codec::fault::Fault;
use crate::codec::int::SHORTEST;
use crate::codec::time::{MARKER, Timestamp};
use rmp::Marker;
use serde::ser::{self, Serialize};

pub(super) struct Serializer<'o> {
    pub(super) out: &'o mut Vec<u8>,
    integers: Integers,
    /// The bytes that come next are the parts of a timestamp.
    timestamp: bool,
}

impl<'o> Serializer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, integers: Integers) -> Self {
        Self { out, integers, timestamp: false }
    }

    fn marker(&mut self, marker: Marker) {
        self.out.push(marker.to_u8());
    }

    #[inline]
    fn put<const N: usize>(&mut self, marker: Marker, bytes: [u8; N]) {
        self.marker(marker);
        self.out.extend_from_slice(&bytes);
    }

    fn put_shortest_unsigned(&mut self, value: u64) {
        if let Ok(value) = u8::try_from(value) {
            if value < 128 { self.marker(Marker::FixPos(value)) } else { self.put(Marker::U8, [value]) }
        } else if let Ok(value) = u16::try_from(value) {
            self.put(Marker::U16, value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.put(Marker::U32, value.to_be_bytes());
        } else {
            self.put(Marker::U64, value.to_be_bytes());
        }
    }

    fn put_shortest_signed(&mut self, value: i64) {
        if let Ok(value) = u64::try_from(value) {
            self.put_shortest_unsigned(value);
        } else if let Ok(value) = i8::try_from(value) {
            if value >= -32 { self.marker(Marker::FixNeg(value)) } else { self.put(Marker::I8, value.to_be_bytes()) }
        } else if let Ok(value) = i16::try_from(value) {
            self.put(Marker::I16, value.to_be_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.put(Marker::I32, value.to_be_bytes());
        } else {
            self.put(Marker::I64, value.to_be_bytes());
        }
    }

    /// The head of a map of one entry, and its key.
    fn variant(&mut self, name: &'static str) -> Result<(), Fault> {
        self.marker(Marker::FixMap(1));
        ser::Serializer::serialize_str(self, name)
    }

    fn put_timestamp(&mut self, parts: &[u8]) -> Result<(), Fault> {
        let time = Timestamp::from_parts(parts).ok_or_else(|| Fault::new("bytes that are no timestamp"))?;
        let (seconds, nanos) = (time.seconds(), time.subsec_nanos());
        match u64::try_from(seconds) {
            Ok(seconds) if seconds < 1 << 34 => match u32::try_from(seconds) {
                Ok(seconds) if nanos == 0 => {
                    self.put(Marker::FixExt4, [0xff]);
                    self.out.extend_from_slice(&seconds.to_be_bytes());
                }
                _ => {
                    self.put(Marker::FixExt8, [0xff]);
                    self.out.extend_from_slice(&(u64::from(nanos) << 34 | seconds).to_be_bytes());
                }
            },
            _ => {
                self.put(Marker::Ext8, [12, 0xff]);
                self.out.extend_from_slice(&nanos.to_be_bytes());
                self.out.extend_from_slice(&seconds.to_be_bytes());
            }
        }
        Ok(())
    }
}

macro_rules! integer {
    ($($method:ident($type:ty) $marker:ident $shortest:ident;)*) => {
        $(#[inline]
        fn $method(self, value: $type) -> Result<(), Fault> {
            match self.integers {
                Integers::KeepWidth => self.put(Marker::$marker, value.to_be_bytes()),
                Integers::Shortest => self.$shortest(value.into()),
            }
            Ok(())
        })*
    };
}

impl<'s, 'o> ser::Serializer for &'s mut Serializer<'o> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Compound<'s, 'o>;
    type SerializeTuple = Compound<'s, 'o>;
    type SerializeTupleStruct = Compound<'s, 'o>;
    type SerializeTupleVariant = Compound<'s, 'o>;
    type SerializeMap = Compound<'s, 'o>;
    type SerializeStruct = Compound<'s, 'o>;
    type SerializeStructVariant = Compound<'s, 'o>;

    integer! {
        serialize_i8(i8) I8 put_shortest_signed;
        serialize_i16(i16) I16 put_shortest_signed;
        serialize_i32(i32) I32 put_shortest_signed;
        serialize_i64(i64) I64 put_shortest_signed;
        serialize_u8(u8) U8 put_shortest_unsigned;
        serialize_u16(u16) U16 put_shortest_unsigned;
        serialize_u32(u32) U32 put_shortest_unsigned;
        serialize_u64(u64) U64 put_shortest_unsigned;
    }

    fn serialize_i128(self, value: i128) -> Result<(), Fault> {
        match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => self.serialize_i64(value),
            (_, Ok(value)) => self.serialize_u64(value),
            _ => Err(Fault::new(format_args!("{value} has more than 64 bits"))),
        }
    }

    fn serialize_u128(self, value: u128) -> Result<(), Fault> {
        match u64::try_from(value) {
            Ok(value) => self.serialize_u64(value),
            Err(_) => Err(Fault::new(format_args!("{value} has more than 64 bits"))),
        }
    }

    fn serialize_bool(self, value: bool) -> Result<(), Fault> {
        self.marker(if value { Marker::True } else { Marker::False });
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Fault> {
        self.put(Marker::F32, value.to_be_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Fault> {
        self.put(Marker::F64, value.to_be_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Fault> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Fault> {
        let len = len32(text.len(), "a string")?;
        if len < 32 {
            self.marker(Marker::FixStr(len as u8));
        } else if let Ok(len) = u8::try_from(len) {
            self.put(Marker::Str8, [len]);
        } else if let Ok(len) = u16::try_from(len) {
            self.put(Marker::Str16, len.to_be_bytes());
        } else {
            self.put(Marker::Str32, len.to_be_bytes());
        }
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Fault> {
        if std::mem::take(&mut self.timestamp) {
            return self.put_timestamp(bytes);
        }
        let len = len32(bytes.len(), "a byte string")?;
        if let Ok(len) = u8::try_from(len) {
            self.put(Marker::Bin8, [len]);
        } else if let Ok(len) = u16::try_from(len) {
            self.put(Marker::Bin16, len.to_be_bytes());
        } else {
            self.put(Marker::Bin32, len.to_be_bytes());
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Fault> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        self.marker(Marker::Null);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Fault> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Fault> {
        if name == SHORTEST {
            return value.serialize(&mut Serializer::new(self.out, Integers::Shortest));
        }
        self.timestamp = name == MARKER;
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.variant(variant)?;
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'s, 'o>, Fault> {
        Compound::begin(self, Container::Array, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'s, 'o>, Fault> {
        Compound::begin(self, Container::Array, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound<'s, 'o>, Fault> {
        self.serialize_tuple(len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'s, 'o>, Fault> {
        self.variant(variant)?;
        self.serialize_tuple(len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'s, 'o>, Fault> {
        Compound::begin(self, Container::Map, len)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Compound<'s, 'o>, Fault> {
        Compound::begin(self, Container::Map, Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'s, 'o>, Fault> {
        self.variant(variant)?;
        Compound::begin(self, Container::Map, Some(len))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
