//! Raw payloads: the bytes themselves.

use super::{CodecError, CodecSet, Decode, Encode};
use bytes::Bytes;
use rpcx_protocol::SerializeType;

/// Bytes as they are, for methods whose argument and reply are bytes in Go too.
///
/// Reading a [`Bytes`] shares the payload, reading a `Vec<u8>` copies it.
#[derive(Clone, Copy, Debug)]
pub enum Raw {}

impl CodecSet for Raw {
    const DEFAULT: SerializeType = SerializeType::RAW;

    fn supports(serialize: SerializeType) -> bool {
        serialize == SerializeType::RAW
    }
}

impl Encode<[u8]> for Raw {
    fn encode(serialize: SerializeType, value: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        CodecError::check::<Self>(serialize)?;
        out.extend_from_slice(value);
        Ok(())
    }
}

impl Encode<Vec<u8>> for Raw {
    fn encode(serialize: SerializeType, value: &Vec<u8>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        Self::encode(serialize, value.as_slice(), out)
    }
}

impl Encode<Bytes> for Raw {
    fn encode(serialize: SerializeType, value: &Bytes, out: &mut Vec<u8>) -> Result<(), CodecError> {
        Self::encode(serialize, value.as_ref(), out)
    }
}

impl Decode<Bytes> for Raw {
    fn decode(serialize: SerializeType, payload: &Bytes) -> Result<Bytes, CodecError> {
        CodecError::check::<Self>(serialize)?;
        Ok(payload.clone())
    }
}

impl Decode<Vec<u8>> for Raw {
    fn decode(serialize: SerializeType, payload: &Bytes) -> Result<Vec<u8>, CodecError> {
        CodecError::check::<Self>(serialize)?;
        Ok(payload.to_vec())
    }
}
