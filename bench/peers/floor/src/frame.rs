//! The rpcx frame, as far as the floor needs it. It speaks the real protocol, so either half can be put beside any rpcx
//! implementation to measure the other half alone.
//!
//! Magic 0x08, version, flags, serialization << 4, sequence number (u64), total length (u32), then service path, method,
//! metadata and payload, each after its length (u32); all big-endian.

use bench_harness::BenchmarkMessage;
use prost::Message;

const HEADER: usize = 16;
const PATH: &[u8] = b"Hello";
const METHOD: &[u8] = b"Say";
const MAGIC: u8 = 0x08;
const RESPONSE: u8 = 0x80;
const STATUS_MASK: u8 = 0x03;
const PROTOBUF: u8 = 2 << 4;

/// Appends a frame around `message`.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, response: bool, seq: u64, message: &BenchmarkMessage) {
    let len = message.encoded_len();
    let total = 4 * 4 + PATH.len() + METHOD.len() + len;
    out.extend_from_slice(&[MAGIC, 0, if response { RESPONSE } else { 0 }, PROTOBUF]);
    out.extend_from_slice(&seq.to_be_bytes());
    out.extend_from_slice(&(total as u32).to_be_bytes());
    for part in [PATH, METHOD, &[]] {
        out.extend_from_slice(&(part.len() as u32).to_be_bytes());
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&(len as u32).to_be_bytes());
    message.encode_raw(out);
}

/// A complete frame in the read buffer.
pub(crate) struct Frame<'a>(&'a [u8]);

impl<'a> Frame<'a> {
    /// The first frame of `bytes` if it is complete; an error if this is not the start of one.
    #[inline]
    pub(crate) fn first(bytes: &'a [u8]) -> Result<Option<Self>, &'static str> {
        let Some(header) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
        if header[0] != MAGIC {
            return Err("not an rpcx frame");
        }
        let total = u32::from_be_bytes([header[12], header[13], header[14], header[15]]) as usize;
        Ok(bytes.get(..HEADER + total).map(Frame))
    }

    /// Length of the whole frame.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn seq(&self) -> u64 {
        self.0[4..12].iter().fold(0, |seq, b| seq << 8 | u64::from(*b))
    }

    /// Whether this is a response without the error status.
    #[inline]
    pub(crate) fn is_good_response(&self) -> bool {
        self.0[2] & (RESPONSE | STATUS_MASK) == RESPONSE
    }

    /// The decoded payload, or what is wrong with the frame.
    #[inline]
    pub(crate) fn message(&self) -> Result<BenchmarkMessage, String> {
        let mut rest = &self.0[HEADER..];
        let mut part = || {
            let (len, after) = rest.split_first_chunk().ok_or("a part is cut")?;
            let (part, after) = after.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or("a part is cut")?;
            rest = after;
            Ok::<_, &str>(part)
        };
        for _path_method_metadata in 0..3 {
            part()?;
        }
        BenchmarkMessage::decode(part()?).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back() {
        let message = bench_harness::request();
        let mut bytes = Vec::new();
        put(&mut bytes, false, 7 << 40, &message);
        assert_eq!(bytes.len(), 621);
        assert!(Frame::first(&bytes[..620]).unwrap().is_none());
        let frame = Frame::first(&bytes).unwrap().unwrap();
        assert_eq!((frame.len(), frame.seq(), frame.is_good_response()), (621, 7 << 40, false));
        assert_eq!(frame.message().unwrap(), message);
        bytes[0] = 0x16;
        assert!(Frame::first(&bytes).is_err());
    }
}
