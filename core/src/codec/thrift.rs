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
            CodecError::Encode(format!("the thrift struct: {}", describe(&e)))
        })
    }
}

impl<T: TSerializable> Decode<T> for Thrift {
    fn decode(serialize: SerializeType, payload: &Bytes) -> Result<T, CodecError> {
        CodecError::check::<Self>(serialize)?;
        let error = |e| CodecError::Decode(format!("the thrift payload of {} bytes: {}", payload.len(), describe(&e)));
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

/// The error with its own text, which its `Display` leaves out.
fn describe(error: &::thrift::Error) -> String {
    let own = match error {
        ::thrift::Error::Transport(error) => &error.message,
        ::thrift::Error::Protocol(error) => &error.message,
        ::thrift::Error::Application(error) => &error.message,
        ::thrift::Error::User(_) => return error.to_string(),
    };
    if own.is_empty() { error.to_string() } else { format!("{error}: {own}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::thrift::protocol::{TInputProtocol, TOutputProtocol};

    /// A struct whose own code refuses it.
    #[derive(Debug)]
    struct Refused;

    impl TSerializable for Refused {
        fn read_from_in_protocol(_: &mut dyn TInputProtocol) -> ::thrift::Result<Self> {
            Err(::thrift::new_transport_error(::thrift::TransportErrorKind::SizeLimit, "field 2: five is too many"))
        }

        fn write_to_out_protocol(&self, _: &mut dyn TOutputProtocol) -> ::thrift::Result<()> {
            Err(::thrift::new_protocol_error(::thrift::ProtocolErrorKind::InvalidData, "field 1: no i32"))
        }
    }

    #[test]
    fn errors_say_what_the_structs_own_code_says() {
        let error = Thrift::encode(SerializeType::THRIFT, &Refused, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "can't encode the thrift struct: bad data: field 1: no i32");
        let error = <Thrift as Decode<Refused>>::decode(SerializeType::THRIFT, &Bytes::from_static(b"\0")).unwrap_err();
        let text = "can't decode the thrift payload of 1 bytes: message too long: field 2: five is too many";
        assert_eq!(error.to_string(), text);
    }
}
