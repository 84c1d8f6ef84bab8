//! Payload codecs: how a typed value becomes the bytes of a payload and back.
//!
//! A payload carries the number of its format, the [`SerializeType`]. A [`CodecSet`] is the group of formats that a
//! client or a service works with; which of them is used is decided per message: by the caller's option for a request,
//! and by the request for its answer. So one service serves clients of every format of its set.
//!
//! | set | formats | values |
//! |---|---|---|
//! | [`Serde`] | MessagePack (default), JSON | `serde::Serialize`, `serde::de::DeserializeOwned` |
//! | [`SerdeCompact`] | the same, integers in their shortest form | the same |
//! | [`Protobuf`] | Protocol Buffers | `prost::Message` |
//! | `Thrift` (feature `thrift`) | Thrift binary | `thrift::protocol::TSerializable` |
//! | [`Raw`] | the bytes themselves | [`Bytes`], `Vec<u8>`, `[u8]` |
//! | `(A, B)`, `(A, B, C)` | those of all members | values that every member takes |
//!
//! All formats read and write what Go's rpcx does, which is described with each of them.
//!
//! # A format of one's own
//!
//! The numbers 5 to 15 are free. A set is a type without values:
//!
//! ```
//! use bytes::Bytes;
//! use rpcx::codec::{CodecError, CodecSet, Decode, Encode};
//! use rpcx::protocol::SerializeType;
//!
//! /// Numbers as decimal text, under number 9.
//! struct Text;
//!
//! const TEXT: SerializeType = SerializeType::new(9).unwrap();
//!
//! impl CodecSet for Text {
//!     const DEFAULT: SerializeType = TEXT;
//!     fn supports(serialize: SerializeType) -> bool {
//!         serialize == TEXT
//!     }
//! }
//! impl Encode<i64> for Text {
//!     fn encode(serialize: SerializeType, value: &i64, out: &mut Vec<u8>) -> Result<(), CodecError> {
//!         CodecError::check::<Self>(serialize)?;
//!         out.extend_from_slice(value.to_string().as_bytes());
//!         Ok(())
//!     }
//! }
//! impl Decode<i64> for Text {
//!     fn decode(serialize: SerializeType, payload: &Bytes) -> Result<i64, CodecError> {
//!         CodecError::check::<Self>(serialize)?;
//!         let text = std::str::from_utf8(payload).map_err(|e| CodecError::Decode(e.to_string()))?;
//!         text.parse().map_err(|_| CodecError::Decode(format!("`{text}` is no integer")))
//!     }
//! }
//!
//! let mut payload = Vec::new();
//! Text::encode(TEXT, &-7, &mut payload)?;
//! assert_eq!(payload, b"-7");
//! assert_eq!(Text::decode(TEXT, &Bytes::from(payload))?, -7);
//! # Ok::<(), CodecError>(())
//! ```
//!
//! It joins others in a tuple: `(Serde, Text)` serves MessagePack, JSON and number 9.

#[cfg(any(feature = "json", feature = "msgpack"))]
mod byte_list;
mod combine;
#[cfg(any(feature = "json", feature = "msgpack"))]
mod fault;
mod int;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "msgpack")]
pub mod msgpack;
pub mod nanos;
#[cfg(any(feature = "json", feature = "msgpack"))]
mod pass;
#[cfg(feature = "protobuf")]
mod protobuf;
mod raw;
mod rfc3339;
mod serde_set;
#[cfg(any(feature = "json", feature = "msgpack"))]
mod structure;
#[cfg(feature = "thrift")]
mod thrift;
mod time;
mod value;
#[cfg(any(feature = "json", feature = "msgpack"))]
mod zero;

use bytes::Bytes;
use rpcx_protocol::SerializeType;

pub use self::int::{Int, Uint};
#[cfg(feature = "protobuf")]
pub use self::protobuf::Protobuf;
pub use self::raw::Raw;
pub use self::serde_set::{Serde, SerdeCompact};
#[cfg(feature = "thrift")]
pub use self::thrift::Thrift;
pub use self::time::{Timestamp, TimestampError};
pub use self::value::Value;

/// How deeply arrays, maps and structs may be nested in a payload. Deeper ones are refused, so that no input can exhaust the stack.
pub const MAX_DEPTH: usize = 128;

/// A set of formats for typed values, chosen per message by its serialize type.
pub trait CodecSet: Send + Sync + 'static {
    /// The format that requests use when nothing else was chosen.
    const DEFAULT: SerializeType;

    /// Whether a client takes an empty reply for the zero value of its type, as Go's does. Sets that hand bytes on as they
    /// are say no.
    const EMPTY_IS_ZERO: bool = true;

    /// Whether the set has this format.
    fn supports(serialize: SerializeType) -> bool;
}

/// A set whose formats can all write a `T`.
pub trait Encode<T: ?Sized>: CodecSet {
    /// Appends the payload for `value` in the format `serialize` to `out`.
    ///
    /// # Errors
    ///
    /// [`CodecError::Unsupported`] if the set lacks the format, [`CodecError::Encode`] if the format can't hold the
    /// value. `out` is unchanged then.
    fn encode(serialize: SerializeType, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError>;
}

/// A set whose formats can all read a `T`.
pub trait Decode<T>: CodecSet {
    /// The value of a whole payload in the format `serialize`.
    ///
    /// An empty payload is an error in JSON, MessagePack and Thrift, the default message in Protocol Buffers and no
    /// bytes in raw. That Go takes an empty *reply* for a success is the client's business, not the codec's.
    ///
    /// # Errors
    ///
    /// [`CodecError::Unsupported`] if the set lacks the format, [`CodecError::Decode`] if the payload isn't a `T`.
    fn decode(serialize: SerializeType, payload: &Bytes) -> Result<T, CodecError>;
}

/// Why a value could not be encoded or decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The set has no such format.
    #[error("serialize type {serialize} is not supported here, only {supported}")]
    Unsupported {
        /// What was asked for.
        serialize: SerializeType,
        /// What the set has, as a list of names and numbers.
        supported: String,
    },
    /// The value can't be written in this format; the text says what and why.
    #[error("can't encode {0}")]
    Encode(String),
    /// The payload isn't a value of this type; the text says what is wrong and where.
    #[error("can't decode {0}")]
    Decode(String),
}

impl CodecError {
    /// The error for a format that the set `C` lacks.
    pub fn unsupported<C: CodecSet + ?Sized>(serialize: SerializeType) -> Self {
        let supported: Vec<String> =
            (0..16).filter_map(SerializeType::new).filter(|t| C::supports(*t)).map(|t| t.to_string()).collect();
        Self::Unsupported { serialize, supported: supported.join(", ") }
    }

    /// The usual first line of a set's `encode` and `decode`.
    ///
    /// # Errors
    ///
    /// [`CodecError::Unsupported`] if `C` lacks the format.
    pub fn check<C: CodecSet + ?Sized>(serialize: SerializeType) -> Result<(), Self> {
        if C::supports(serialize) { Ok(()) } else { Err(Self::unsupported::<C>(serialize)) }
    }
}

/// Bytes for a serializer, which would take a slice for a list of numbers.
struct RawBytes<'a>(&'a [u8]);

impl serde::Serialize for RawBytes<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsupported_format_is_named_with_those_there_are() {
        let error = Raw::decode(SerializeType::JSON, &Bytes::new()).map(|_: Bytes| ()).unwrap_err();
        assert_eq!(error.to_string(), "serialize type json is not supported here, only raw");
        let nine = SerializeType::new(9).unwrap();
        assert_eq!(Raw::encode(nine, &[1u8][..], &mut Vec::new()), Err(CodecError::unsupported::<Raw>(nine)));
    }
}
