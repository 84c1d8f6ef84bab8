//! Lists and maps as they are written: their heads, and their elements one after the other.

use super::ser::Serializer;
use crate::codec::fault::Fault;
use rmp::Marker;
use serde::ser::{self, Serialize};

pub(super) fn len32(len: usize, what: &str) -> Result<u32, Fault> {
    u32::try_from(len).map_err(|_| Fault::new(format_args!("{what} of {len} elements: msgpack ends at 4294967295")))
}

/// The two kinds of containers, whose heads have the same three sizes.
#[derive(Clone, Copy)]
pub(super) enum Container {
    Array,
    Map,
}

impl Container {
    fn head(self, len: usize) -> Result<([u8; 5], usize), Fault> {
        let (fixed, marker16, marker32) = match self {
            Self::Array => (0x90, Marker::Array16, Marker::Array32),
            Self::Map => (0x80, Marker::Map16, Marker::Map32),
        };
        let mut head = [0; 5];
        let len = len32(len, "a list or map")?;
        if len < 16 {
            head[0] = fixed | len as u8;
            Ok((head, 1))
        } else if let Ok(len) = u16::try_from(len) {
            head[0] = marker16.to_u8();
            head[1..3].copy_from_slice(&len.to_be_bytes());
            Ok((head, 3))
        } else {
            head[0] = marker32.to_u8();
            head[1..].copy_from_slice(&len.to_be_bytes());
            Ok((head, 5))
        }
    }
}

/// A list or map under way.
pub(super) struct Compound<'s, 'o> {
    serializer: &'s mut Serializer<'o>,
    kind: Container,
    /// Where the head belongs, and the number of elements in it if it was known.
    head: (usize, Option<usize>),
    count: usize,
}

impl<'s, 'o> Compound<'s, 'o> {
    pub(super) fn begin(
        serializer: &'s mut Serializer<'o>,
        kind: Container,
        len: Option<usize>,
    ) -> Result<Self, Fault> {
        let start = serializer.out.len();
        match len {
            Some(len) => {
                let (head, size) = kind.head(len)?;
                serializer.out.extend_from_slice(&head[..size]);
            }
            None => serializer.out.push(0),
        }
        Ok(Self { serializer, kind, head: (start, len), count: 0 })
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        value.serialize(&mut *self.serializer).map_err(|fault| fault.in_element(self.count))?;
        self.count += 1;
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        self.count += 1;
        ser::Serializer::serialize_str(&mut *self.serializer, name)?;
        value.serialize(&mut *self.serializer).map_err(|fault| fault.in_field(name))
    }

    fn finish(self) -> Result<(), Fault> {
        match self.head {
            (_, Some(declared)) if declared == self.count => Ok(()),
            (_, Some(declared)) => {
                Err(Fault::new(format_args!("a list or map of {} elements that declared {declared}", self.count)))
            }
            (start, None) => {
                let (head, size) = self.kind.head(self.count)?;
                self.serializer.out.splice(start..=start, head[..size].iter().copied());
                Ok(())
            }
        }
    }
}

macro_rules! list {
    ($($trait:ident::$method:ident)*) => {
        $(impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = Fault;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
                self.element(value)
            }

            fn end(self) -> Result<(), Fault> {
                self.finish()
            }
        })*
    };
}

list! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.count += 1;
        key.serialize(&mut *self.serializer)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        value.serialize(&mut *self.serializer)
    }

    fn end(self) -> Result<(), Fault> {
        self.finish()
    }
}

macro_rules! fields {
    ($($trait:ident)*) => {
        $(impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = Fault;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Fault> {
                self.finish()
            }
        })*
    };
}

fields! { SerializeStruct SerializeStructVariant }
