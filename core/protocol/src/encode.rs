//! Frames to bytes, appended to a buffer of the caller's.

use std::ops::Range;

use crate::frame::Frame;
use crate::header::{
    CompressType, FLAGS_OFFSET, HEADER_LEN, Header, MIN_FRAME_LEN, RESPONSE_BIT, SEQ_OFFSET, TOTAL_OFFSET,
};
use crate::metadata::{Metadata, Pairs, push_pair};

/// All of a frame but its payload.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The fixed fields.
    pub header: Header,
    /// Service path.
    pub service: &'a [u8],
    /// Service method.
    pub method: &'a [u8],
    /// Metadata of the caller or handler.
    pub metadata: &'a Metadata,
    /// Pairs of the library's own, sent after `metadata` and in place of pairs with the same key there.
    pub extra: &'a [(&'a str, &'a str)],
}

impl<'a> Head<'a> {
    /// A head without metadata.
    pub fn new(header: Header, service: &'a [u8], method: &'a [u8]) -> Self {
        Self { header, service, method, metadata: Metadata::empty(), extra: &[] }
    }

    /// Bytes of the metadata block, and whether a key of `extra` is in `metadata` too.
    fn metadata_len(&self) -> (usize, bool) {
        let mut len = self.metadata.block().len();
        if self.extra.is_empty() {
            return (len, false);
        }
        len += self.extra.iter().map(|(key, value)| pair_len(key.as_bytes(), value.as_bytes())).sum::<usize>();
        if self.metadata.is_empty() {
            return (len, false);
        }
        let replaced = self.metadata.pairs().filter(|(key, _)| self.replaces(key));
        let replaced = replaced.map(|(key, value)| pair_len(key, value)).sum::<usize>();
        (len - replaced, replaced > 0)
    }

    fn replaces(&self, key: &[u8]) -> bool {
        self.extra.iter().any(|(extra, _)| extra.as_bytes() == key)
    }

    /// Bytes of the whole frame with a payload of `payload_len` bytes.
    pub fn wire_len(&self, payload_len: usize) -> usize {
        MIN_FRAME_LEN + self.service.len() + self.method.len() + self.metadata_len().0 + payload_len
    }
}

fn pair_len(key: &[u8], value: &[u8]) -> usize {
    8 + key.len() + value.len()
}

/// A frame that does not fit its 32-bit length field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {len} bytes is too long: its length field has 32 bits")]
pub struct EncodeError {
    /// Bytes that the frame would have.
    pub len: usize,
}

/// Where a frame written by [`encode_with`] stands in its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// First byte of the frame.
    pub start: usize,
    /// First byte of the payload.
    pub payload_start: usize,
    /// Behind the last byte.
    pub end: usize,
}

/// Appends a whole frame.
///
/// ```
/// # use rpcx_protocol::{encode, Head, Header, SerializeType};
/// let mut out = Vec::new();
/// let head = Head::new(Header::request(SerializeType::RAW, 1), b"Arith", b"Mul");
/// encode(&mut out, &head, b"payload").unwrap();
/// assert_eq!(out.len(), 32 + 5 + 3 + 7);
/// ```
///
/// # Errors
/// A frame above 4 GiB; `out` is then as it was.
#[inline]
pub fn encode(out: &mut Vec<u8>, head: &Head<'_>, payload: &[u8]) -> Result<(), EncodeError> {
    write_head(out, head, payload.len(), payload.len())?;
    out.extend_from_slice(payload);
    Ok(())
}

/// Appends the frame's bytes before a payload of `payload_len` bytes that is sent from elsewhere.
///
/// # Errors
/// A frame above 4 GiB; `out` is then as it was.
pub fn encode_head(out: &mut Vec<u8>, head: &Head<'_>, payload_len: usize) -> Result<(), EncodeError> {
    write_head(out, head, payload_len, 0)
}

/// Appends a frame whose payload `payload` appends: a codec writes right behind the head, and the two length words are
/// filled in afterwards. `payload` must leave what is already in the buffer alone.
///
/// # Errors
/// That of `payload`, or a frame above 4 GiB; `out` is then as it was.
pub fn encode_with<E: From<EncodeError>>(
    out: &mut Vec<u8>,
    head: &Head<'_>,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<Encoded, E> {
    let start = out.len();
    write_head(out, head, 0, 0)?;
    let payload_start = out.len();
    let written = payload(out).and_then(|()| complete(out, start, payload_start).map_err(E::from));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Fills in the two length words of the frame that begins at `start` and ends with the buffer: one whose head came from
/// [`encode_head`] for an empty payload, perhaps long ago, and whose payload was appended at `payload_start` since.
///
/// ```
/// # use rpcx_protocol::{complete, encode, encode_head, Head, Header, SerializeType};
/// let head = Head::new(Header::request(SerializeType::RAW, 1), b"Arith", b"Mul");
/// let mut template = Vec::new();
/// encode_head(&mut template, &head, 0).unwrap();
///
/// let mut out = template.clone();
/// out.extend_from_slice(b"payload");
/// complete(&mut out, 0, template.len()).unwrap();
/// # let mut whole = Vec::new();
/// # encode(&mut whole, &head, b"payload").unwrap();
/// # assert_eq!(out, whole);
/// ```
///
/// # Errors
/// A frame above 4 GiB; its length words are then as they were.
///
/// # Panics
/// If the buffer ends before `payload_start`, or if that lies less than a head behind `start`.
#[inline]
pub fn complete(out: &mut [u8], start: usize, payload_start: usize) -> Result<Encoded, EncodeError> {
    let end = out.len();
    assert!(end >= payload_start, "the payload's writer cut the buffer");
    let len = end - start;
    let total = u32::try_from(len - HEADER_LEN).map_err(|_| EncodeError { len })?;
    // The payload is shorter than the total, so its length fits as well.
    let payload_len = (end - payload_start) as u32;
    out[start + TOTAL_OFFSET..start + HEADER_LEN].copy_from_slice(&total.to_be_bytes());
    out[payload_start - 4..payload_start].copy_from_slice(&payload_len.to_be_bytes());
    Ok(Encoded { start, payload_start, end })
}

/// Everything up to and with the payload's length word; room is made for `room` bytes more.
#[inline]
fn write_head(out: &mut Vec<u8>, head: &Head<'_>, payload_len: usize, room: usize) -> Result<(), EncodeError> {
    let (metadata_len, clash) = head.metadata_len();
    let head_len = MIN_FRAME_LEN + head.service.len() + head.method.len() + metadata_len;
    let len = head_len.saturating_add(payload_len);
    // Every part is shorter than the total, so their lengths fit once it does.
    let total = u32::try_from(len - HEADER_LEN).map_err(|_| EncodeError { len })?;
    out.reserve(head_len + room);
    out.extend_from_slice(&head.header.to_bytes(total));
    push_part(out, head.service);
    push_part(out, head.method);
    if head.extra.is_empty() {
        push_part(out, head.metadata.block());
    } else {
        push_metadata(out, head, metadata_len, clash);
    }
    out.extend_from_slice(&(payload_len as u32).to_be_bytes());
    Ok(())
}

#[inline]
fn push_part(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&(part.len() as u32).to_be_bytes());
    out.extend_from_slice(part);
}

fn push_metadata(out: &mut Vec<u8>, head: &Head<'_>, len: usize, clash: bool) {
    out.extend_from_slice(&(len as u32).to_be_bytes());
    if clash {
        for (key, value) in head.metadata.pairs().filter(|(key, _)| !head.replaces(key)) {
            push_part(out, key);
            push_part(out, value);
        }
    } else {
        out.extend_from_slice(head.metadata.block());
    }
    for (key, value) in head.extra {
        push_pair(out, key, value);
    }
}

/// Gives an encoded frame another sequence number. Does nothing to bytes too few for a header.
pub fn set_seq(frame: &mut [u8], seq: u64) {
    if let Some(field) = frame.get_mut(SEQ_OFFSET..SEQ_OFFSET + 8) {
        field.copy_from_slice(&seq.to_be_bytes());
    }
}

/// Puts another payload, compressed for instance, in place of the one that begins at `payload_start` of an encoded frame.
///
/// # Errors
/// A frame of more than 4 GiB; it is then as it was.
pub fn replace_payload(
    frame: &mut Vec<u8>,
    payload_start: usize,
    payload: &[u8],
    compress: CompressType,
) -> Result<(), EncodeError> {
    let total = payload_start - HEADER_LEN + payload.len();
    let length = u32::try_from(total).map_err(|_| EncodeError { len: HEADER_LEN + total })?;
    frame.truncate(payload_start);
    frame.extend_from_slice(payload);
    frame[payload_start - 4..payload_start].copy_from_slice(&(payload.len() as u32).to_be_bytes());
    frame[TOTAL_OFFSET..HEADER_LEN].copy_from_slice(&length.to_be_bytes());
    Header::set_compress(&mut frame[FLAGS_OFFSET], compress);
    Ok(())
}

/// Gives a metadata key of an encoded frame another value. False, and nothing changes, when the frame has no such key, or
/// the value does not fit into 4 GiB.
///
/// ```
/// # use rpcx_protocol::{encode, replace_value, Head, Header, SerializeType};
/// let head = Head { extra: &[("left", "1000")], ..Head::new(Header::request(SerializeType::RAW, 1), b"Arith", b"Mul") };
/// let (mut frame, mut expected) = (Vec::new(), Vec::new());
/// encode(&mut frame, &head, b"payload").unwrap();
/// encode(&mut expected, &Head { extra: &[("left", "95")], ..head }, b"payload").unwrap();
/// assert!(replace_value(&mut frame, "left", "95"));
/// assert_eq!(frame, expected);
/// ```
pub fn replace_value(frame: &mut Vec<u8>, key: &str, value: &str) -> bool {
    let Some((block, old)) = find_value(frame, key) else { return false };
    let grown = |length: usize| u32::try_from((length + value.len()).checked_sub(old.len())?).ok();
    let (Some(total), Some(block_len)) = (grown(frame.len() - HEADER_LEN), grown(block.len())) else { return false };
    frame[TOTAL_OFFSET..HEADER_LEN].copy_from_slice(&total.to_be_bytes());
    frame[block.start - 4..block.start].copy_from_slice(&block_len.to_be_bytes());
    frame[old.start - 4..old.start].copy_from_slice(&(value.len() as u32).to_be_bytes());
    frame.splice(old, value.bytes());
    true
}

/// Where the metadata block of an encoded frame stands, and in it the value of `key`.
fn find_value(frame: &[u8], key: &str) -> Option<(Range<usize>, Range<usize>)> {
    let mut block = 0..HEADER_LEN;
    // Service path, service method, metadata.
    for _ in 0..3 {
        let start = block.end + 4;
        let length = u32::from_be_bytes(*frame.get(block.end..)?.first_chunk()?);
        block = start..start.checked_add(length as usize)?;
    }
    let mut pairs = Pairs::new(frame.get(block.clone())?);
    let (_, value) = pairs.find(|(found, _)| *found == key.as_bytes())?;
    // The value is a slice of the frame.
    let start = value.as_ptr().addr() - frame.as_ptr().addr();
    Some((block, start..start + value.len()))
}

/// Turns an encoded frame into a response; all else stays. Does nothing to bytes too few for a header.
pub fn mark_response(frame: &mut [u8]) {
    if let Some(flags) = frame.get_mut(FLAGS_OFFSET) {
        *flags |= RESPONSE_BIT;
    }
}

/// Appends a server's answer to a heartbeat: the frame as it came, as a response. `replace` is a pair to put in place of
/// the one with its key, or beside the others.
///
/// # Errors
/// A frame that has no room for `replace` within 4 GiB; `out` is then as it was.
pub fn echo_heartbeat(out: &mut Vec<u8>, frame: &Frame, replace: Option<(&str, &str)>) -> Result<(), EncodeError> {
    let header = frame.header().as_response();
    match replace {
        Some(pair) => {
            let metadata = frame.metadata();
            let (service, method) = (frame.service(), frame.method());
            encode(out, &Head { header, service, method, metadata: &metadata, extra: &[pair] }, frame.payload())
        }
        None => {
            let body = frame.body();
            // It came with a length of 32 bits.
            out.extend_from_slice(&header.to_bytes(body.len() as u32));
            out.extend_from_slice(body);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
