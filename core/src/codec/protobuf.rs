//! Protocol Buffers: the bare message, without a length before it.

use super::{CodecError, CodecSet, Decode, Encode};
use bytes::Bytes;
use prost::Message;
use rpcx_protocol::SerializeType;

/// Messages of the `prost` crate in the Protocol Buffers encoding.
///
/// An empty payload is the default message; unknown fields are skipped.
#[derive(Clone, Copy, Debug)]
pub enum Protobuf {}

impl CodecSet for Protobuf {
    const DEFAULT: SerializeType = SerializeType::PROTOBUF;

    fn supports(serialize: SerializeType) -> bool {
        serialize == SerializeType::PROTOBUF
    }
}

impl<T: Message> Encode<T> for Protobuf {
    #[inline]
    fn encode(serialize: SerializeType, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        CodecError::check::<Self>(serialize)?;
        // `Message::encode` would first measure the message, to see whether it fits: a vector grows.
        value.encode_raw(out);
        Ok(())
    }
}

impl<T: Message + Default> Decode<T> for Protobuf {
    #[inline]
    fn decode(serialize: SerializeType, payload: &Bytes) -> Result<T, CodecError> {
        CodecError::check::<Self>(serialize)?;
        // In place, where the caller will find it: messages may be large, and every move of one is a copy.
        let mut decoded = Ok(T::default());
        // A slice is read faster than `Bytes`, whose only gain would be for fields of that type.
        if let Ok(message) = &mut decoded
            && let Err(error) = message.merge(payload.as_ref())
        {
            decoded = Err(undecodable(&error));
        }
        decoded
    }
}

#[cold]
fn undecodable(error: &prost::DecodeError) -> CodecError {
    CodecError::Decode(format!("the protobuf payload: {error}"))
}
