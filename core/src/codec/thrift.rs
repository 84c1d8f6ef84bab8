//! Thrift: one struct in the binary protocol, without a message envelope.

use super::{CodecError, CodecSet, Decode, Encode};
use ::thrift::TConfiguration;
use ::thrift::protocol::{TBinaryInputProtocol, TBinaryOutputProtocol, TSerializable};
use bytes::Bytes;
use rpcx_protocol::SerializeType;

/// Structs of the `thrift` crate, generated or written by hand, in the binary protocol.
///
/// No string or container may be longer than the payload. Whether a missing field is an error or zero is decided by the
/// struct's own code; Go leaves it zero.
#[derive(Clone, Copy, Debug)]
pub enum Thrift {}

impl CodecSet for Thrift {
    const DEFAULT: SerializeType = SerializeType::THRIFT;

    fn supports(serialize: SerializeType) -> bool {
        serialize == SerializeType::THRIFT
    }
}

impl<T: TSerializable> Encode<T> for Thrift {
    fn encode(serialize: SerializeType, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        CodecError::check::<Self>(serialize)?;
        let start = out.len();
        let mut protocol = TBinaryOutputProtocol::new(&mut *out, false);
        value.write_to_out_protocol(&mut protocol).map_err(|e| {
            out.truncate(start);
            CodecError::Encode(format!("the thrift struct: {e}"))
        })
    }
}

impl<T: TSerializable> Decode<T> for Thrift {
    fn decode(serialize: SerializeType, payload: &Bytes) -> Result<T, CodecError> {
        CodecError::check::<Self>(serialize)?;
        let error = |e| CodecError::Decode(format!("the thrift payload of {} bytes: {e}", payload.len()));
        if payload.is_empty() {
            return Err(CodecError::Decode("the thrift payload: unexpected end, it is empty".into()));
        }
        let limits = TConfiguration::builder()
            .max_message_size(Some(payload.len()))
            .max_frame_size(None)
            .max_container_size(Some(payload.len()))
            .max_string_size(Some(payload.len()))
            .build()
            .map_err(error)?;
        let mut protocol = TBinaryInputProtocol::with_config(payload.as_ref(), false, limits);
        T::read_from_in_protocol(&mut protocol).map_err(error)
    }
}
