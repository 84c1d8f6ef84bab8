//! Bytes in pieces of any size become frames, within limits. No I/O, no clock.

use bytes::{Buf, Bytes, BytesMut};

use crate::frame::{Frame, Parts};
use crate::header::{HEADER_LEN, Header, MAGIC};
use crate::limits::{LimitExceeded, Limits};
use crate::metadata;

/// Most that [`Decoder::needed`] asks for.
const CHUNK: u64 = 64 << 10;
/// The four length words of a body.
const WORDS: usize = 16;

/// Turns the bytes of a connection into frames.
///
/// The driver reads into [`buffer`](Self::buffer) and calls [`next`](Self::next) until it gets `None`. Frames are slices
/// of that buffer. Memory grows with the bytes that came, never with a length field.
///
/// ```
/// # use rpcx_protocol::{encode, Decoded, Decoder, Head, Header, Limits, SerializeType};
/// # let mut wire = Vec::new();
/// # encode(&mut wire, &Head::new(Header::request(SerializeType::RAW, 1), b"Arith", b"Mul"), b"payload").unwrap();
/// let mut decoder = Decoder::new(Limits::default());
/// decoder.buffer().extend_from_slice(&wire[..10]);
/// assert!(decoder.next()?.is_none());
/// decoder.buffer().extend_from_slice(&wire[10..]);
/// let Some(Decoded::Frame(frame)) = decoder.next()? else { panic!() };
/// assert_eq!(frame.payload(), b"payload");
/// # Ok::<(), rpcx_protocol::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    buffer: BytesMut,
    /// Bytes of a refused frame that are still to come.
    skip: u64,
    frames: u64,
}

/// What a [`Decoder`] found.
#[derive(Debug)]
pub enum Decoded {
    /// A frame that passed all checks.
    Frame(Frame),
    /// A frame above a limit. The connection can go on: what remains of it is skipped.
    Refused(Refused),
}

/// A frame above a limit.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Its fixed fields: enough to answer it.
    pub header: Header,
    /// Name of the limit, such as [`Limits::MESSAGE_SIZE`].
    pub limit: &'static str,
    /// What was there: bytes, or pairs.
    pub size: u64,
    /// What is allowed, in the same unit.
    pub max: u64,
    /// Service path; empty when the frame was refused before it came.
    pub service: Bytes,
    /// Service method; empty when the frame was refused before it came.
    pub method: Bytes,
}

impl Refused {
    /// The limit that the frame breaks, as an error with a text.
    pub fn reason(&self) -> LimitExceeded {
        LimitExceeded { limit: self.limit, size: self.size, max: self.max }
    }
}

/// Bytes that are no frame. The place in the stream is lost: the connection has to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first byte is not [`MAGIC`].
    #[error("wrong magic number {0:#04x}: a frame begins with 0x08")]
    BadMagic(u8),
    /// The total length has no room for the four length words.
    #[error("total length {total} is below 16, the size of an empty body")]
    Total {
        /// Value of the field.
        total: u32,
    },
    /// A length word and the rest of the frame disagree.
    #[error("length word of the {field} says {length}, but the frame has {left} bytes left for it")]
    Inner {
        /// The part of the frame.
        field: &'static str,
        /// Value of its length word.
        length: u32,
        /// Bytes that it could have at most, or for the payload exactly.
        left: u32,
    },
    /// The metadata block ends inside a pair.
    #[error("metadata block of {size} bytes ends inside the {part} that begins at byte {offset}")]
    Metadata {
        /// `key` or `value`.
        part: &'static str,
        /// Where its length word stands in the block.
        offset: usize,
        /// Bytes of the block.
        size: usize,
    },
    /// A metadata string is not UTF-8.
    #[error("metadata {part} at byte {offset} of the block is not UTF-8")]
    NotUtf8 {
        /// `key` or `value`.
        part: &'static str,
        /// Where its length word stands in the block.
        offset: usize,
    },
    /// Metadata above a limit. A [`Decoder`] reports it as [`Refused`] instead.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
}

impl Decoder {
    /// A decoder that holds no memory yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, buffer: BytesMut::new(), skip: 0, frames: 0 }
    }

    /// Where the driver's next read goes: append only. Reserve what [`needed`](Self::needed) says, or more.
    #[inline]
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Takes the buffer for a pool when nothing is in it; `None` while a part of a frame is.
    pub fn take_buffer(&mut self) -> Option<BytesMut> {
        self.buffer.is_empty().then(|| std::mem::take(&mut self.buffer))
    }

    /// Gives the decoder a buffer, in place of an empty one. What is in `buffer` is not read; while a part of a frame is
    /// in the decoder, it keeps its own.
    pub fn put_buffer(&mut self, mut buffer: BytesMut) {
        if self.buffer.is_empty() {
            buffer.clear();
            self.buffer = buffer;
        }
    }

    /// Whether the buffer holds no byte.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Whether a frame has begun and not ended: the end of the stream would cut it.
    pub fn is_inside_frame(&self) -> bool {
        self.skip > 0 || !self.buffer.is_empty()
    }

    /// Frames that have ended so far, refused ones too. While it stands still and bytes are here, one frame is dripping in.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The limits that frames are checked against.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Bytes that must come before [`next`](Self::next) can find more, after it gave `None`: never 0, and never more than
    /// 64 KiB, so that a length field alone reserves little. The buffer doubles as it grows: a large frame is copied a few
    /// times, not once a read.
    pub fn needed(&self) -> usize {
        let missing = match self.buffer.first_chunk() {
            _ if self.skip > 0 => self.skip,
            Some(header) => {
                let (_, total) = Header::from_bytes(header);
                (HEADER_LEN as u64 + u64::from(total)).saturating_sub(self.buffer.len() as u64)
            }
            None => (HEADER_LEN - self.buffer.len()) as u64,
        };
        missing.clamp(1, CHUNK) as usize
    }

    /// The next frame; `None` asks for more bytes.
    ///
    /// # Errors
    /// Bytes that are no frame. The error stays: every later call reports it again.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "`None` asks for more bytes, it is no end")]
    pub fn next(&mut self) -> Result<Option<Decoded>, DecodeError> {
        if self.skip > 0 && !self.skip_rest() {
            return Ok(None);
        }
        let Some(&first) = self.buffer.first() else { return Ok(None) };
        if first != MAGIC {
            return Err(DecodeError::BadMagic(first));
        }
        let Some((header, body)) = self.buffer.split_first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let (header, total) = Header::from_bytes(header);
        if let Err(exceeded) = self.limits.check_message(u64::from(total)) {
            self.buffer.advance(HEADER_LEN);
            self.skip = u64::from(total);
            self.skip_rest();
            return Ok(Some(refused(header, exceeded, Bytes::new(), Bytes::new())));
        }
        if (total as usize) < WORDS {
            return Err(DecodeError::Total { total });
        }
        // A total above `usize` is above what the buffer can hold.
        let Some(body) = body.get(..total as usize) else { return Ok(None) };
        let parts = split(body)?;
        let block = &body[parts.method_end as usize + 4..parts.metadata_end as usize];
        let checked = if block.is_empty() { Ok(()) } else { metadata::validate(block, &self.limits) };
        let exceeded = match checked {
            Ok(()) => None,
            Err(DecodeError::Limit(exceeded)) => Some(exceeded),
            Err(error) => return Err(error),
        };
        self.frames += 1;
        let mut body = self.buffer.split_to(HEADER_LEN + total as usize).freeze();
        body.advance(HEADER_LEN);
        Ok(Some(match exceeded {
            None => Decoded::Frame(Frame::new(header, body, parts)),
            Some(exceeded) => {
                let service = body.slice(4..parts.service_end as usize);
                let method = body.slice(parts.service_end as usize + 4..parts.method_end as usize);
                refused(header, exceeded, service, method)
            }
        }))
    }

    /// Drops what has come of a refused frame; whether that is all of it.
    #[cold]
    fn skip_rest(&mut self) -> bool {
        let here = usize::try_from(self.skip).unwrap_or(usize::MAX).min(self.buffer.len());
        self.buffer.advance(here);
        self.skip -= here as u64;
        if self.skip == 0 {
            self.frames += 1;
        }
        self.skip == 0
    }
}

#[cold]
fn refused(header: Header, exceeded: LimitExceeded, service: Bytes, method: Bytes) -> Decoded {
    let LimitExceeded { limit, size, max } = exceeded;
    Decoded::Refused(Refused { header, limit, size, max, service, method })
}

/// Finds the four parts of a body of at least 16 bytes; they must fill it exactly.
#[inline]
fn split(body: &[u8]) -> Result<Parts, DecodeError> {
    // Bodies are as long as a 32-bit field says, at most.
    let total = body.len() as u32;
    let service_end = end_of_part(body, "service path", 0, total - 12)?;
    let method_end = end_of_part(body, "service method", service_end, total - 8)?;
    let metadata_end = end_of_part(body, "metadata", method_end, total - 4)?;
    let payload_len = word(body, metadata_end);
    let left = total - metadata_end - 4;
    if payload_len != left {
        return Err(DecodeError::Inner { field: "payload", length: payload_len, left });
    }
    Ok(Parts { service_end, method_end, metadata_end })
}

/// Where the part that begins with a length word at `start` ends, no further than `limit`.
#[inline]
fn end_of_part(body: &[u8], field: &'static str, start: u32, limit: u32) -> Result<u32, DecodeError> {
    let length = word(body, start);
    let left = limit - (start + 4);
    if length > left { Err(DecodeError::Inner { field, length, left }) } else { Ok(start + 4 + length) }
}

/// The length word at `at`; the caller has made sure that it is there.
#[inline]
fn word(body: &[u8], at: u32) -> u32 {
    body[at as usize..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests;
