//! Tuples of codec sets: the formats of all members.

use super::{CodecError, CodecSet, Decode, Encode};
use bytes::Bytes;
use rpcx_protocol::SerializeType;

macro_rules! combined {
    ($first:ident, $($next:ident),+) => {
        /// All formats of the members. The default is the first one's, and so is a format that several have.
        impl<$first: CodecSet, $($next: CodecSet),+> CodecSet for ($first, $($next),+) {
            const DEFAULT: SerializeType = $first::DEFAULT;

            fn supports(serialize: SerializeType) -> bool {
                $first::supports(serialize) $(|| $next::supports(serialize))+
            }
        }

        impl<Value: ?Sized, $first: Encode<Value>, $($next: Encode<Value>),+> Encode<Value> for ($first, $($next),+) {
            #[inline]
            fn encode(serialize: SerializeType, value: &Value, out: &mut Vec<u8>) -> Result<(), CodecError> {
                if $first::supports(serialize) {
                    return $first::encode(serialize, value, out);
                }
                $(if $next::supports(serialize) {
                    return $next::encode(serialize, value, out);
                })+
                Err(CodecError::unsupported::<Self>(serialize))
            }
        }

        impl<Value, $first: Decode<Value>, $($next: Decode<Value>),+> Decode<Value> for ($first, $($next),+) {
            #[inline]
            fn decode(serialize: SerializeType, payload: &Bytes) -> Result<Value, CodecError> {
                if $first::supports(serialize) {
                    return $first::decode(serialize, payload);
                }
                $(if $next::supports(serialize) {
                    return $next::decode(serialize, payload);
                })+
                Err(CodecError::unsupported::<Self>(serialize))
            }
        }
    };
}

combined!(A, B);
combined!(A, B, C);
