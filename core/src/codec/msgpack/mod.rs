//! MessagePack as Go's rpcx (vmihailenco/msgpack v5) reads and writes it.
//!
//! **Written**: a struct is a map from field names to values, `None` and `()` are nil, a [`Timestamp`](super::Timestamp)
//! is extension −1, an enum variant without data is its name and one with data a map of one entry. Integers keep the width
//! of their type or are written in their shortest form ([`Integers`]). A `Vec<u8>` is a list of numbers to serde, which Go
//! doesn't take for a `[]byte`: give such fields `#[serde(with = "serde_bytes")]`.
//!
//! **Read**: every integer form for every integer type, integers for floats, text and bytes for each other, maps in any
//! order with unknown keys, the last of a repeated key, an array with as many elements as fields (or none) for a struct,
//! nil for the zero value of every type but an enum. A field that is missing becomes zero too, or its `#[serde(default)]`;
//! a flattened struct (`#[serde(flatten)]`) needs that attribute. Bytes after the value are ignored.
//!
//! Where Go would lose or harm something, this codec refuses with an error: an integer that doesn't fit its type (Go cuts
//! it), text that is no UTF-8, nesting beyond [`MAX_DEPTH`](super::MAX_DEPTH), lengths beyond the payload (Go allocates
//! them).

mod access;
mod compound;
mod de;
mod keys;
mod reader;
mod ser;

use super::CodecError;
use super::pass::Pass;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How integers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Integers {
    /// In the width of their type, whatever the value, as Go writes its sized integers: an `i64` takes nine bytes.
    #[default]
    KeepWidth,
    /// In the shortest form that holds the value, as Go writes its `int` and `uint`.
    Shortest,
}

/// Appends the MessagePack form of `value` to `out`.
///
/// # Errors
///
/// [`CodecError::Encode`] if the value's own `Serialize` fails, for 128-bit integers beyond 64 bits and for lengths beyond
/// 2³²−1. `out` is unchanged then.
pub fn encode<T: Serialize + ?Sized>(value: &T, integers: Integers, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let start = out.len();
    value.serialize(&mut ser::Serializer::new(out, integers)).map_err(|fault| {
        out.truncate(start);
        CodecError::Encode(format!("{} as msgpack: {fault}", std::any::type_name::<T>()))
    })
}

/// The value at the start of a MessagePack payload.
///
/// # Errors
///
/// [`CodecError::Decode`], with the field and the byte, if the payload isn't a `T`.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, CodecError> {
    Pass::run(false, |pass| {
        let mut reader = reader::Reader::new(payload);
        T::deserialize(de::Deserializer { reader: &mut reader, pass }).map_err(|fault| fault.at(0))
    })
    .map_err(|fault| CodecError::Decode(format!("the msgpack payload: {fault}")))
}
