//! The fixed 16 bytes at the start of every frame, and the small number types in them.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | magic `0x08` |
//! | 1 | 1 | version |
//! | 2 | 1 | bit 7 response, bit 6 heartbeat, bit 5 oneway, bits 4-2 compress type, bits 1-0 status |
//! | 3 | 1 | bits 7-4 serialize type, bits 3-0 reserved |
//! | 4 | 8 | sequence number, big-endian |
//! | 12 | 4 | length of everything that follows, big-endian |

use std::fmt;
use std::str::FromStr;

/// First byte of every frame.
pub const MAGIC: u8 = 0x08;
/// Bytes of a frame before its body: [`Header`] and the total length.
pub const HEADER_LEN: usize = 16;
/// The smallest frame: a header and the four length words of an empty body.
pub const MIN_FRAME_LEN: usize = HEADER_LEN + 16;

const RESPONSE: u8 = 0x80;
const HEARTBEAT: u8 = 0x40;
const ONEWAY: u8 = 0x20;
const COMPRESS_SHIFT: u8 = 2;
const COMPRESS_MASK: u8 = 0x07 << COMPRESS_SHIFT;
const STATUS_MASK: u8 = 0x03;
const SERIALIZE_SHIFT: u8 = 4;
/// The reserved bits are ignored on reading and written as 0.
const SERIALIZE_MASK: u8 = 0xf0;

/// A name or number that is no serialize or compress type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} `{text}`: expected {expected}")]
pub struct ParseTypeError {
    kind: &'static str,
    text: String,
    expected: &'static str,
}

/// How a payload is encoded: a number from 0 to 15. Numbers above 4 are free for codecs of one's own.
///
/// ```
/// # use rpcx_protocol::SerializeType;
/// assert_eq!("msgpack".parse(), Ok(SerializeType::MSGPACK));
/// assert_eq!(SerializeType::new(9).unwrap().to_string(), "9");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SerializeType(u8);

impl SerializeType {
    /// The bytes as they are.
    pub const RAW: Self = Self(0);
    /// JSON.
    pub const JSON: Self = Self(1);
    /// A bare Protocol Buffers message.
    pub const PROTOBUF: Self = Self(2);
    /// MessagePack, the default of Go's rpcx.
    pub const MSGPACK: Self = Self(3);
    /// A struct in Thrift's binary protocol.
    pub const THRIFT: Self = Self(4);

    /// The type with this number; `None` above 15.
    pub const fn new(number: u8) -> Option<Self> {
        if number < 16 { Some(Self(number)) } else { None }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0
    }

    const NAMES: [&'static str; 5] = ["raw", "json", "protobuf", "msgpack", "thrift"];
}

impl fmt::Display for SerializeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(self.0, &Self::NAMES, f)
    }
}

impl FromStr for SerializeType {
    type Err = ParseTypeError;

    fn from_str(text: &str) -> Result<Self, ParseTypeError> {
        parse(text, &Self::NAMES).and_then(Self::new).ok_or_else(|| ParseTypeError {
            kind: "serialize type",
            text: text.to_owned(),
            expected: "raw, json, protobuf, msgpack, thrift or a number from 0 to 15",
        })
    }
}

/// How a payload is compressed: a number from 0 to 7. Go's rpcx knows 0 and 1; 2 to 7 are free for registered compressors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CompressType(u8);

impl CompressType {
    /// Not compressed.
    pub const NONE: Self = Self(0);
    /// gzip (RFC 1952).
    pub const GZIP: Self = Self(1);
    /// Snappy in its framed stream format.
    pub const SNAPPY: Self = Self(2);
    /// Zstandard.
    pub const ZSTD: Self = Self(3);
    /// LZ4 in its frame format.
    pub const LZ4: Self = Self(4);

    /// The type with this number; `None` above 7.
    pub const fn new(number: u8) -> Option<Self> {
        if number < 8 { Some(Self(number)) } else { None }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0
    }

    const NAMES: [&'static str; 5] = ["none", "gzip", "snappy", "zstd", "lz4"];
}

impl fmt::Display for CompressType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(self.0, &Self::NAMES, f)
    }
}

impl FromStr for CompressType {
    type Err = ParseTypeError;

    fn from_str(text: &str) -> Result<Self, ParseTypeError> {
        parse(text, &Self::NAMES).and_then(Self::new).ok_or_else(|| ParseTypeError {
            kind: "compress type",
            text: text.to_owned(),
            expected: "none, gzip, snappy, zstd, lz4 or a number from 0 to 7",
        })
    }
}

/// Whether a response is a success. Requests carry 0 always: Go copies a request's status into its answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Status(u8);

impl Status {
    /// A request, or a success.
    pub const NORMAL: Self = Self(0);
    /// An error, whose text is in the metadata.
    pub const ERROR: Self = Self(1);

    /// The status with this number; `None` above 3. 2 and 3 have no meaning of their own and are errors.
    pub const fn new(number: u8) -> Option<Self> {
        if number < 4 { Some(Self(number)) } else { None }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Every status but [`NORMAL`](Self::NORMAL).
    pub const fn is_error(self) -> bool {
        self.0 != 0
    }
}

fn display(number: u8, names: &[&str], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match names.get(usize::from(number)) {
        Some(name) => f.pad(name),
        None => write!(f, "{number}"),
    }
}

fn parse(text: &str, names: &[&str]) -> Option<u8> {
    match names.iter().position(|name| *name == text) {
        Some(number) => u8::try_from(number).ok(),
        None => text.parse().ok(),
    }
}

/// What a frame is, before its body: the first 12 bytes without the magic.
///
/// ```
/// # use rpcx_protocol::{Header, SerializeType, Status};
/// let request = Header::request(SerializeType::MSGPACK, 7);
/// let answer = Header::response_to(&request).with_status(Status::ERROR);
/// assert!(answer.is_response() && answer.seq == 7 && answer.serialize() == SerializeType::MSGPACK);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Written as 0, ignored on reading, copied from a request to its response.
    pub version: u8,
    flags: u8,
    serialize: u8,
    /// Ties a response to its request. Keep it below 2^31: some peers cut it to 32 signed bits.
    pub seq: u64,
}

impl Header {
    /// A call that wants an answer.
    pub const fn request(serialize: SerializeType, seq: u64) -> Self {
        Self { version: 0, flags: 0, serialize: serialize.0 << SERIALIZE_SHIFT, seq }
    }

    /// A successful, uncompressed answer: version, heartbeat and oneway bit, serialize type and sequence number are the request's.
    pub const fn response_to(request: &Self) -> Self {
        Self {
            version: request.version,
            flags: RESPONSE | (request.flags & (HEARTBEAT | ONEWAY)),
            serialize: request.serialize,
            seq: request.seq,
        }
    }

    /// The same frame as a response; all other bits stay.
    pub const fn as_response(mut self) -> Self {
        self.flags |= RESPONSE;
        self
    }

    /// Sets or clears the oneway bit: the request is never answered.
    pub const fn with_oneway(mut self, on: bool) -> Self {
        self.flags = if on { self.flags | ONEWAY } else { self.flags & !ONEWAY };
        self
    }

    /// Sets or clears the heartbeat bit.
    pub const fn with_heartbeat(mut self, on: bool) -> Self {
        self.flags = if on { self.flags | HEARTBEAT } else { self.flags & !HEARTBEAT };
        self
    }

    /// The same header with this compress type.
    pub const fn with_compress(mut self, compress: CompressType) -> Self {
        self.flags = (self.flags & !COMPRESS_MASK) | (compress.0 << COMPRESS_SHIFT);
        self
    }

    /// Sets the compress type in an encoded header's byte of flags.
    pub(crate) const fn set_compress(flags: &mut u8, compress: CompressType) {
        *flags = (*flags & !COMPRESS_MASK) | (compress.0 << COMPRESS_SHIFT);
    }

    /// The same header with this status.
    pub const fn with_status(mut self, status: Status) -> Self {
        self.flags = (self.flags & !STATUS_MASK) | status.0;
        self
    }

    /// The same header with this sequence number.
    pub const fn with_seq(mut self, seq: u64) -> Self {
        self.seq = seq;
        self
    }

    /// The same header with this protocol version.
    pub const fn with_version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// The type bit says response.
    pub const fn is_response(&self) -> bool {
        self.flags & RESPONSE != 0
    }

    /// A sign of life, or the echo of one.
    pub const fn is_heartbeat(&self) -> bool {
        self.flags & HEARTBEAT != 0
    }

    /// A request that is never answered.
    pub const fn is_oneway(&self) -> bool {
        self.flags & ONEWAY != 0
    }

    /// How a client tells a message of the server's own from a response: a request, no heartbeat, oneway.
    pub const fn is_push(&self) -> bool {
        self.flags & (RESPONSE | HEARTBEAT | ONEWAY) == ONEWAY
    }

    /// How the payload is compressed.
    pub const fn compress(&self) -> CompressType {
        CompressType((self.flags & COMPRESS_MASK) >> COMPRESS_SHIFT)
    }

    /// Success or error.
    pub const fn status(&self) -> Status {
        Status(self.flags & STATUS_MASK)
    }

    /// How the payload is encoded.
    pub const fn serialize(&self) -> SerializeType {
        SerializeType(self.serialize >> SERIALIZE_SHIFT)
    }

    /// The 16 bytes of a frame's start.
    #[inline]
    pub(crate) fn to_bytes(self, total: u32) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = MAGIC;
        bytes[1] = self.version;
        bytes[2] = self.flags;
        bytes[3] = self.serialize;
        bytes[4..12].copy_from_slice(&self.seq.to_be_bytes());
        bytes[12..].copy_from_slice(&total.to_be_bytes());
        bytes
    }

    /// The header and the total length; the magic is the caller's to check.
    #[inline]
    pub(crate) fn from_bytes(bytes: &[u8; HEADER_LEN]) -> (Self, u32) {
        let [_, version, flags, serialize, a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
        let seq = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        (Self { version, flags, serialize: serialize & SERIALIZE_MASK, seq }, u32::from_be_bytes([i, j, k, l]))
    }
}

/// Offset of the flags byte in a frame, for changes in place.
pub(crate) const FLAGS_OFFSET: usize = 2;
/// Offset of the sequence number in a frame, for changes in place.
pub(crate) const SEQ_OFFSET: usize = 4;
/// Where the total length stands.
pub(crate) const TOTAL_OFFSET: usize = 12;
/// The type bit of the flags byte.
pub(crate) const RESPONSE_BIT: u8 = RESPONSE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_parse_and_print() {
        for number in 0..16 {
            let serialize = SerializeType::new(number).unwrap();
            assert_eq!(serialize.to_string().parse(), Ok(serialize));
            assert_eq!(number.to_string().parse(), Ok(serialize));
        }
        for number in 0..8 {
            let compress = CompressType::new(number).unwrap();
            assert_eq!(compress.to_string().parse(), Ok(compress));
        }
        assert_eq!(SerializeType::new(16), None);
        assert_eq!(CompressType::new(8), None);
        assert_eq!(Status::new(4), None);
        let error = "gzipp".parse::<CompressType>().unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown compress type `gzipp`: expected none, gzip, snappy, zstd, lz4 or a number from 0 to 7"
        );
        assert!("16".parse::<SerializeType>().is_err());
    }

    #[test]
    fn every_field_has_bits_of_its_own() {
        let header = Header::request(SerializeType::THRIFT, u64::MAX)
            .with_version(9)
            .with_oneway(true)
            .with_heartbeat(true)
            .with_compress(CompressType::LZ4)
            .with_status(Status::ERROR);
        let bytes = header.to_bytes(0x0102_0304);
        assert_eq!(bytes, [8, 9, 0x71, 0x40, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4]);
        assert_eq!(Header::from_bytes(&bytes), (header, 0x0102_0304));
        let plain = header.with_oneway(false).with_heartbeat(false).with_compress(CompressType::NONE);
        assert_eq!((plain.flags, plain.compress(), plain.status()), (1, CompressType::NONE, Status::ERROR));
    }

    #[test]
    fn a_response_copies_what_the_client_looks_at_and_nothing_else() {
        let mut bytes = Header::request(SerializeType::JSON, 5)
            .with_version(3)
            .with_oneway(true)
            .with_compress(CompressType::GZIP)
            .with_status(Status::ERROR)
            .to_bytes(16);
        bytes[3] |= 0x0f; // reserved bits
        let response = Header::response_to(&Header::from_bytes(&bytes).0);
        assert_eq!(response.to_bytes(16)[..4], [8, 3, 0xa0, 0x10]);
        assert_eq!(response.seq, 5);
    }

    #[test]
    fn only_a_oneway_request_that_is_no_heartbeat_is_a_push() {
        let request = Header::request(SerializeType::RAW, 0);
        assert!(!request.is_push());
        assert!(request.with_oneway(true).is_push());
        assert!(!request.with_oneway(true).with_heartbeat(true).is_push());
        assert!(!request.with_oneway(true).as_response().is_push());
    }
}
