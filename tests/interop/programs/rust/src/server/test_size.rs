//! `Test.Size`, which speaks raw beside MessagePack and JSON: its messages are taught to the raw codec.

use super::tally::Tally;
use crate::messages::{SizeArgs, SizeReply, pattern};
use bytes::Bytes;
use rpcx::codec::{CodecError, CodecSet, Decode, Encode, Raw, Serde};
use rpcx::protocol::SerializeType;
use rpcx::server::{Context, Method};
use std::sync::Arc;

/// The largest reply that is made.
const LARGEST: i64 = 1 << 30;

pub(super) fn method(tally: Arc<Tally>) -> Method {
    Method::new::<(Serde, RawSize), _, _, _, _>("Size", move |ctx: Context, args: SizeArgs| {
        let tally = tally.clone();
        async move { tally.run(&ctx, async { size(args.bytes) }).await }
    })
}

fn size(bytes: i64) -> rpcx::Result<SizeReply> {
    if !(0..=LARGEST).contains(&bytes) {
        return Err(format!("{bytes} bytes are not from 0 to {LARGEST}").into());
    }
    Ok(SizeReply { data: pattern(bytes as usize) })
}

/// Raw payloads: the arguments as a decimal number, the reply as nothing but its bytes.
struct RawSize;

impl CodecSet for RawSize {
    const DEFAULT: SerializeType = SerializeType::RAW;

    fn supports(serialize: SerializeType) -> bool {
        serialize == SerializeType::RAW
    }
}

impl Decode<SizeArgs> for RawSize {
    fn decode(serialize: SerializeType, payload: &Bytes) -> Result<SizeArgs, CodecError> {
        let bytes: Vec<u8> = Raw::decode(serialize, payload)?;
        let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
        number
            .map(|bytes| SizeArgs { bytes })
            .ok_or_else(|| CodecError::Decode(format!("`{}`: expected a decimal number", payload.escape_ascii())))
    }
}

impl Encode<SizeReply> for RawSize {
    fn encode(serialize: SerializeType, reply: &SizeReply, out: &mut Vec<u8>) -> Result<(), CodecError> {
        Raw::encode(serialize, &reply.data, out)
    }
}
