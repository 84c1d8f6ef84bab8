//! The codec sets for serde types: MessagePack and JSON.

use super::{CodecError, CodecSet, Decode, Encode};
use bytes::Bytes;
use rpcx_protocol::SerializeType;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// MessagePack (the default) and JSON for everything that serde can serialize, as Go's rpcx reads and writes them.
///
/// Integers keep the width of their Rust type, as Go's do: a Go `interface{}` takes its type from it, so an `i64` must
/// arrive as an `int64`. `isize` and `usize` are `i64` and `u64` to serde; [`Int`](super::Int) and
/// [`Uint`](super::Uint) are Go's `int` and `uint`. A reader takes every width anyway. [`SerdeCompact`] writes all
/// integers in their shortest form.
///
/// See [`msgpack`](super::msgpack) and [`json`](super::json) for the rules of each format. A build without one of these
/// features lacks that format; without both the set is empty.
#[derive(Clone, Copy, Debug)]
pub enum Serde {}

/// As [`Serde`], but MessagePack integers are written in the shortest form that holds the value.
///
/// Smaller; a Go peer notices only where it decodes into an `interface{}`.
#[derive(Clone, Copy, Debug)]
pub enum SerdeCompact {}

macro_rules! serde_set {
    ($set:ident, $integers:ident) => {
        impl CodecSet for $set {
            const DEFAULT: SerializeType =
                if cfg!(feature = "msgpack") { SerializeType::MSGPACK } else { SerializeType::JSON };

            fn supports(serialize: SerializeType) -> bool {
                (cfg!(feature = "msgpack") && serialize == SerializeType::MSGPACK)
                    || (cfg!(feature = "json") && serialize == SerializeType::JSON)
            }
        }

        impl<T: Serialize + ?Sized> Encode<T> for $set {
            #[inline]
            #[cfg_attr(not(any(feature = "json", feature = "msgpack")), allow(unused_variables))]
            fn encode(serialize: SerializeType, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
                match serialize {
                    #[cfg(feature = "msgpack")]
                    SerializeType::MSGPACK => super::msgpack::encode(value, super::msgpack::Integers::$integers, out),
                    #[cfg(feature = "json")]
                    SerializeType::JSON => super::json::encode(value, out),
                    other => Err(CodecError::unsupported::<Self>(other)),
                }
            }
        }

        impl<T: DeserializeOwned> Decode<T> for $set {
            #[inline]
            #[cfg_attr(not(any(feature = "json", feature = "msgpack")), allow(unused_variables))]
            fn decode(serialize: SerializeType, payload: &Bytes) -> Result<T, CodecError> {
                match serialize {
                    #[cfg(feature = "msgpack")]
                    SerializeType::MSGPACK => super::msgpack::decode(payload),
                    #[cfg(feature = "json")]
                    SerializeType::JSON => super::json::decode(payload),
                    other => Err(CodecError::unsupported::<Self>(other)),
                }
            }
        }
    };
}

serde_set!(Serde, KeepWidth);
serde_set!(SerdeCompact, Shortest);
