//! A wrapper around `serde_json`'s deserializer with Go's rules: null is the zero value, structs are lenient.

use super::access::{Enum, List, Map, carry, fault};
use super::fields::{Indexed, Streamed};
use crate::codec::byte_list::ByteList;
use crate::codec::fault::Fault;
use crate::codec::pass::Pass;
use crate::codec::structure::visit_struct;
use crate::codec::zero::{Zero, Zeros};
use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A deserializer of `serde_json` with leniency added.
pub(super) struct Lenient<'p, D> {
    pub(super) inner: D,
    pub(super) pass: &'p Pass,
}

macro_rules! scalars {
    ($($method:ident($kind:ident))*) => {
        #[derive(Clone, Copy)]
        enum Scalar {
            $($kind),*
        }

        impl Scalar {
            #[inline]
            fn deserialize<'de, D: Deserializer<'de>, V: Visitor<'de>>(self, inner: D, visitor: V) -> Result<V::Value, D::Error> {
                match self {
                    $(Self::$kind => inner.$method(visitor)),*
                }
            }
        }
    };
}

scalars! {
    deserialize_bool(Bool) deserialize_char(Char) deserialize_str(Str) deserialize_string(String)
    deserialize_i8(I8) deserialize_i16(I16) deserialize_i32(I32) deserialize_i64(I64) deserialize_i128(I128)
    deserialize_u8(U8) deserialize_u16(U16) deserialize_u32(U32) deserialize_u64(U64) deserialize_u128(U128)
    deserialize_f32(F32) deserialize_f64(F64)
}

macro_rules! nullable {
    ($($method:ident($kind:ident))*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let Self { inner, pass } = self;
            inner
                .deserialize_option(ScalarVisitor { visitor, pass, scalar: Scalar::$kind })
                .map_err(|error| fault(pass, error))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Lenient<'_, D> {
    type Error = Fault;

    nullable! {
        deserialize_bool(Bool) deserialize_char(Char) deserialize_str(Str) deserialize_string(String)
        deserialize_i8(I8) deserialize_i16(I16) deserialize_i32(I32) deserialize_i64(I64) deserialize_i128(I128)
        deserialize_u8(U8) deserialize_u16(U16) deserialize_u32(U32) deserialize_u64(U64) deserialize_u128(U128)
        deserialize_f32(F32) deserialize_f64(F64) deserialize_identifier(Str)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Self { inner, pass } = self;
        inner.deserialize_any(AnyVisitor { visitor, pass }).map_err(|error| fault(pass, error))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.inner.deserialize_ignored_any(visitor).map_err(|error| fault(self.pass, error))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Self { inner, pass } = self;
        inner.deserialize_any(BytesVisitor { visitor, pass }).map_err(|error| fault(pass, error))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Self { inner, pass } = self;
        inner.deserialize_option(OptionVisitor { visitor, pass }).map_err(|error| fault(pass, error))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.inner.deserialize_any(UnitVisitor(visitor)).map_err(|error| fault(self.pass, error))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        // `serde_json::value::RawValue` asks for its text under a name of its own.
        if name.starts_with("$serde_json::") {
            return self.inner.deserialize_newtype_struct(name, visitor).map_err(|error| fault(self.pass, error));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Self { inner, pass } = self;
        inner.deserialize_any(ListVisitor { visitor, pass, len: None }).map_err(|error| fault(pass, error))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        let Self { inner, pass } = self;
        inner.deserialize_any(ListVisitor { visitor, pass, len: Some(len) }).map_err(|error| fault(pass, error))
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
        let Self { inner, pass } = self;
        inner.deserialize_option(MapVisitor { visitor, pass, fields: None }).map_err(|error| fault(pass, error))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Self { inner, pass } = self;
        inner.deserialize_option(MapVisitor { visitor, pass, fields: Some(fields) }).map_err(|error| fault(pass, error))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Self { inner, pass } = self;
        inner.deserialize_enum(name, variants, EnumVisitor { visitor, pass }).map_err(|error| fault(pass, error))
    }
}

macro_rules! expecting {
    ($($field:tt)*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.$($field)*.expecting(f)
        }
    };
}

/// A scalar, or null for its zero value.
struct ScalarVisitor<'p, V> {
    visitor: V,
    pass: &'p Pass,
    scalar: Scalar,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for ScalarVisitor<'_, V> {
    type Value = V::Value;

    expecting!(visitor);

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.scalar.deserialize(Zero(self.pass), self.visitor).map_err(|fault| carry(self.pass, fault))
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.scalar.deserialize(inner, self.visitor)
    }
}

/// Whatever comes.
struct AnyVisitor<'p, V> {
    visitor: V,
    pass: &'p Pass,
}

macro_rules! pass_on {
    ($($method:ident($type:ty))*) => {
        $(fn $method<E: de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for AnyVisitor<'_, V> {
    type Value = V::Value;

    expecting!(visitor);

    pass_on! {
        visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str) visit_borrowed_str(&'de str)
        visit_string(String)
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        ListVisitor { visitor: self.visitor, pass: self.pass, len: None }.visit_seq(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        MapVisitor { visitor: self.visitor, pass: self.pass, fields: None }.visit_map(map)
    }
}

/// `None` for null.
struct OptionVisitor<'p, V> {
    visitor: V,
    pass: &'p Pass,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for OptionVisitor<'_, V> {
    type Value = V::Value;

    expecting!(visitor);

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Lenient { inner, pass: self.pass }).map_err(|fault| carry(self.pass, fault))
    }
}

/// Nothing is expected, so an empty object or array is as good as null.
struct UnitVisitor<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for UnitVisitor<V> {
    type Value = V::Value;

    expecting!(0);

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<V::Value, A::Error> {
        match list.next_element::<IgnoredAny>()? {
            None => self.0.visit_unit(),
            Some(_) => Err(de::Error::invalid_type(de::Unexpected::Seq, &self.0)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        match map.next_key::<IgnoredAny>()? {
            None => self.0.visit_unit(),
            Some(_) => Err(de::Error::invalid_type(de::Unexpected::Map, &self.0)),
        }
    }
}

/// Go reads base64 without caring for the unused bits of the last character, and skips line ends.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

fn base64<E: de::Error>(text: &str) -> Result<Vec<u8>, E> {
    let decoded =
        if text.contains(['\r', '\n']) { BASE64.decode(text.replace(['\r', '\n'], "")) } else { BASE64.decode(text) };
    decoded.map_err(|error| E::custom(format_args!("bytes that are no base64: {error}")))
}

/// Bytes: base64, an array of numbers, or null.
struct BytesVisitor<'p, V> {
    visitor: V,
    pass: &'p Pass,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for BytesVisitor<'_, V> {
    type Value = V::Value;

    expecting!(visitor);

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_borrowed_bytes(&[])
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<V::Value, E> {
        self.visitor.visit_byte_buf(base64(text)?)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        let mut list = List { list, pass: self.pass, index: 0, wanted: None };
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element().map_err(|fault| carry::<A::Error>(self.pass, fault))? {
            bytes.push(byte);
        }
        self.visitor.visit_byte_buf(bytes)
    }
}

/// A list, null for an empty one, or base64 for a list of bytes.
pub(super) struct ListVisitor<'p, V> {
    pub(super) visitor: V,
    pub(super) pass: &'p Pass,
    /// Elements of a tuple: missing ones are zero.
    pub(super) len: Option<usize>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for ListVisitor<'_, V> {
    type Value = V::Value;

    expecting!(visitor);

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        let Self { visitor, pass, len } = self;
        visitor.visit_seq(Zeros { pass, left: len.unwrap_or(0) }).map_err(|fault| carry(pass, fault))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<V::Value, E> {
        let Self { visitor, pass, len } = self;
        let bytes: Vec<u8> = base64(text)?;
        if len.is_some_and(|len| bytes.len() > len) {
            return Err(E::invalid_length(bytes.len(), &visitor));
        }
        let zeros = Zeros { pass, left: len.map_or(0, |len| len - bytes.len()) };
        visitor.visit_seq(ByteList { bytes: bytes.iter(), zeros }).map_err(|fault| carry(pass, fault))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        let Self { visitor, pass, len } = self;
        pass.nested(|| visitor.visit_seq(List { list, pass, index: 0, wanted: len }))
            .map_err(|fault| carry(pass, fault))
    }
}

/// A map or a struct, or null for an empty one.
pub(super) struct MapVisitor<'p, V> {
    pub(super) visitor: V,
    pub(super) pass: &'p Pass,
    /// The fields of a struct.
    pub(super) fields: Option<&'static [&'static str]>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for MapVisitor<'_, V> {
    type Value = V::Value;

    expecting!(visitor);

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        let Self { visitor, pass, fields } = self;
        let zero = match fields {
            Some(fields) => Zero(pass).deserialize_struct("", fields, visitor),
            None => Zero(pass).deserialize_map(visitor),
        };
        zero.map_err(|fault| carry(pass, fault))
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        inner.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let Self { visitor, pass, fields } = self;
        pass.nested(|| match fields {
            None => visitor.visit_map(Map { map, pass }),
            Some(fields) if pass.indexed => visit_struct(pass, Indexed::new(map, pass, fields)?, visitor),
            Some(fields) => visit_struct(pass, Streamed::new(map, pass, fields), visitor),
        })
        .map_err(|fault| carry(pass, fault))
    }
}

/// An enum, by name or as an object of one entry.
struct EnumVisitor<'p, V> {
    visitor: V,
    pass: &'p Pass,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for EnumVisitor<'_, V> {
    type Value = V::Value;

    expecting!(visitor);

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let Self { visitor, pass } = self;
        pass.nested(|| visitor.visit_enum(Enum { inner, pass })).map_err(|fault| carry(pass, fault))
    }
}
