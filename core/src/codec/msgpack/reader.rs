//! A cursor over MessagePack bytes: one item after the other, without recursion and without allocating.

use crate::codec::fault::Fault;
use rmp::Marker;
use std::fmt;

/// One item: a scalar with its content, or the head of an array or map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item<'de> {
    Nil,
    Bool(bool),
    Int(i64),
    UInt(u64),
    F32(f32),
    F64(f64),
    /// Text, which need not be UTF-8.
    Str(&'de [u8]),
    Bin(&'de [u8]),
    Array(usize),
    Map(usize),
    Ext(i8, &'de [u8]),
}

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(value) => write!(f, "the boolean {value}"),
            Self::Int(value) => write!(f, "the integer {value}"),
            Self::UInt(value) => write!(f, "the integer {value}"),
            Self::F32(value) => write!(f, "the float {value}"),
            Self::F64(value) => write!(f, "the float {value}"),
            Self::Str(_) => f.write_str("a string"),
            Self::Bin(_) => f.write_str("bytes"),
            Self::Array(len) => write!(f, "an array of {len}"),
            Self::Map(len) => write!(f, "a map of {len}"),
            Self::Ext(-1, _) => f.write_str("a timestamp"),
            Self::Ext(kind, _) => write!(f, "an extension of type {kind}"),
        }
    }
}

pub(super) struct Reader<'de> {
    input: &'de [u8],
    position: usize,
}

impl<'de> Reader<'de> {
    pub(super) fn new(input: &'de [u8]) -> Self {
        Self { input, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Goes on reading at a position that was returned before.
    pub(super) fn seek(&mut self, position: usize) {
        self.position = position;
    }

    fn remaining(&self) -> usize {
        self.input.len() - self.position
    }

    pub(super) fn next_is_nil(&self) -> bool {
        self.input.get(self.position) == Some(&0xc0)
    }

    #[cold]
    fn end(&self, needed: usize) -> Fault {
        Fault::new(format_args!("unexpected end: {needed} bytes needed, {} left", self.remaining())).at(self.position)
    }

    fn take(&mut self, len: usize) -> Result<&'de [u8], Fault> {
        let bytes = self.input.get(self.position..).and_then(|rest| rest.get(..len)).ok_or_else(|| self.end(len))?;
        self.position += len;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.input.get(self.position..).and_then(|rest| rest.first_chunk()).ok_or_else(|| self.end(N))?;
        self.position += N;
        Ok(*bytes)
    }

    fn len8(&mut self) -> Result<usize, Fault> {
        Ok(usize::from(u8::from_be_bytes(self.array()?)))
    }

    fn len16(&mut self) -> Result<usize, Fault> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn len32(&mut self) -> Result<usize, Fault> {
        Ok(u32::from_be_bytes(self.array()?) as usize)
    }

    fn ext(&mut self, len: usize) -> Result<Item<'de>, Fault> {
        let kind = i8::from_be_bytes(self.array()?);
        Ok(Item::Ext(kind, self.take(len)?))
    }

    /// Refuses at once what can't be: every element takes at least a byte.
    fn count(&self, len: usize, bytes_each: usize, what: &str) -> Result<usize, Fault> {
        if len <= self.remaining() / bytes_each {
            return Ok(len);
        }
        let remaining = self.remaining();
        Err(Fault::new(format_args!("unexpected end: {what} of {len} elements, but only {remaining} bytes left"))
            .at(self.position))
    }

    /// The next item; of an array or a map only its head.
    #[inline]
    pub(super) fn item(&mut self) -> Result<Item<'de>, Fault> {
        let start = self.position;
        let [byte] = self.array()?;
        Ok(match Marker::from_u8(byte) {
            Marker::FixPos(value) => Item::UInt(value.into()),
            Marker::FixNeg(value) => Item::Int(value.into()),
            Marker::Null => Item::Nil,
            Marker::True => Item::Bool(true),
            Marker::False => Item::Bool(false),
            Marker::U8 => Item::UInt(u8::from_be_bytes(self.array()?).into()),
            Marker::U16 => Item::UInt(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Item::UInt(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => Item::UInt(u64::from_be_bytes(self.array()?)),
            Marker::I8 => Item::Int(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Item::Int(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Item::Int(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Item::Int(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Item::F32(f32::from_be_bytes(self.array()?)),
            Marker::F64 => Item::F64(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(len) => Item::Str(self.take(len.into())?),
            Marker::Str8 => self.len8().and_then(|len| self.take(len)).map(Item::Str)?,
            Marker::Str16 => self.len16().and_then(|len| self.take(len)).map(Item::Str)?,
            Marker::Str32 => self.len32().and_then(|len| self.take(len)).map(Item::Str)?,
            Marker::Bin8 => self.len8().and_then(|len| self.take(len)).map(Item::Bin)?,
            Marker::Bin16 => self.len16().and_then(|len| self.take(len)).map(Item::Bin)?,
            Marker::Bin32 => self.len32().and_then(|len| self.take(len)).map(Item::Bin)?,
            Marker::FixArray(len) => Item::Array(self.count(len.into(), 1, "an array")?),
            Marker::Array16 => self.len16().and_then(|len| self.count(len, 1, "an array")).map(Item::Array)?,
            Marker::Array32 => self.len32().and_then(|len| self.count(len, 1, "an array")).map(Item::Array)?,
            Marker::FixMap(len) => Item::Map(self.count(len.into(), 2, "a map")?),
            Marker::Map16 => self.len16().and_then(|len| self.count(len, 2, "a map")).map(Item::Map)?,
            Marker::Map32 => self.len32().and_then(|len| self.count(len, 2, "a map")).map(Item::Map)?,
            Marker::FixExt1 => self.ext(1)?,
            Marker::FixExt2 => self.ext(2)?,
            Marker::FixExt4 => self.ext(4)?,
            Marker::FixExt8 => self.ext(8)?,
            Marker::FixExt16 => self.ext(16)?,
            Marker::Ext8 => self.len8().and_then(|len| self.ext(len))?,
            Marker::Ext16 => self.len16().and_then(|len| self.ext(len))?,
            Marker::Ext32 => self.len32().and_then(|len| self.ext(len))?,
            Marker::Reserved => return Err(Fault::new("0xc1 begins no value").at(start)),
        })
    }

    /// Skips one whole value, however deep.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let mut left = 1_u64;
        while left > 0 {
            left -= 1;
            match self.item()? {
                // Counts are held to the bytes that remain, so the sum can't overflow.
                Item::Array(len) => left += len as u64,
                Item::Map(len) => left += 2 * len as u64,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_a_hundred_thousand_levels_without_recursion() {
        let mut nested = vec![0x91; 100_000];
        nested.extend([0xc0, 0x05]);
        let mut reader = Reader::new(&nested);
        reader.skip().unwrap();
        assert_eq!(reader.item().unwrap(), Item::UInt(5));
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused_before_anything_is_read() {
        for (head, text) in [
            (
                &[0xdd, 0xff, 0xff, 0xff, 0xff, 0][..],
                "an array of 4294967295 elements, but only 1 bytes left at byte 5",
            ),
            (&[0x82, 0xc0, 0xc0, 0xc0], "a map of 2 elements, but only 3 bytes left at byte 1"),
            (&[0xdb, 0xff, 0xff, 0xff, 0xff], "4294967295 bytes needed, 0 left at byte 5"),
        ] {
            let error = Reader::new(head).item().unwrap_err().to_string();
            assert!(error.ends_with(text), "{error}");
        }
    }
}
