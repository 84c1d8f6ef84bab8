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
mod tests {
    use super::*;

    #[test]
    fn a_replaced_value_gives_the_frame_that_would_have_been_encoded() {
        let pairs = Metadata::from_iter([("k", "kept"), ("left", "of the caller's own")]);
        let head =
            Head { metadata: &pairs, ..Head::new(Header::request(crate::SerializeType::JSON, 7), b"Arith", b"") };
        let encoded = |left: &str| {
            let mut frame = Vec::new();
            encode(&mut frame, &Head { extra: &[("left", left), ("last", "1")], ..head }, b"payload").unwrap();
            frame
        };
        for value in ["", "9", "1000", "a longer value"] {
            let mut frame = encoded("1000");
            assert!(replace_value(&mut frame, "left", value));
            assert_eq!(frame, encoded(value));
        }
        let whole = encoded("1000");
        for end in 0..whole.len() {
            let mut cut = whole[..end].to_vec();
            let _ = replace_value(&mut cut, "left", "9");
            assert!(!replace_value(&mut cut, "none", "9"));
        }
    }

    #[test]
    fn a_replaced_payload_gives_the_frame_that_would_have_been_encoded() {
        let head = Head::new(Header::request(crate::SerializeType::JSON, 7), b"Arith", b"Mul");
        let (mut frame, mut expected) = (Vec::new(), Vec::new());
        encode(&mut frame, &head, b"a longer payload").unwrap();
        let start = frame.len() - b"a longer payload".len();
        replace_payload(&mut frame, start, b"short", CompressType::GZIP).unwrap();
        let header = head.header.with_compress(CompressType::GZIP);
        encode(&mut expected, &Head { header, ..head }, b"short").unwrap();
        assert_eq!(frame, expected);
    }

    use crate::{CompressType, Decoded, Decoder, Limits, SerializeType};

    fn decode(wire: &[u8]) -> Frame {
        let mut decoder = Decoder::new(Limits::default());
        decoder.buffer().extend_from_slice(wire);
        match decoder.next() {
            Ok(Some(Decoded::Frame(frame))) if frame.wire_len() == wire.len() => frame,
            other => panic!("{other:?}"),
        }
    }

    fn head<'a>(metadata: &'a Metadata, extra: &'a [(&'a str, &'a str)]) -> Head<'a> {
        Head { header: Header::request(SerializeType::RAW, 3), service: b"S", method: b"M", metadata, extra }
    }

    #[test]
    fn all_ways_of_encoding_give_the_same_bytes() {
        let metadata = Metadata::from_iter([("a", "1")]);
        let head = head(&metadata, &[("b", "2")]);
        let mut whole = vec![0xee];
        encode(&mut whole, &head, b"payload").unwrap();
        assert_eq!(whole.len(), 1 + head.wire_len(7));

        let mut with = vec![0xee];
        let encoded = encode_with::<EncodeError>(&mut with, &head, |out| {
            out.extend_from_slice(b"payload");
            Ok(())
        });
        assert_eq!(encoded, Ok(Encoded { start: 1, payload_start: whole.len() - 7, end: whole.len() }));
        assert_eq!(with, whole);

        let mut apart = vec![0xee];
        encode_head(&mut apart, &head, 7).unwrap();
        apart.extend_from_slice(b"payload");
        assert_eq!(apart, whole);
    }

    #[test]
    fn a_payload_that_fails_leaves_nothing_behind() {
        let mut out = b"before".to_vec();
        let result = encode_with(&mut out, &head(Metadata::empty(), &[]), |out| {
            out.extend_from_slice(b"half a payl");
            Err(EncodeError { len: 1 })
        });
        assert_eq!((result, out.as_slice()), (Err(EncodeError { len: 1 }), &b"before"[..]));
    }

    #[test]
    fn a_frame_above_32_bits_is_an_error() {
        let mut out = Vec::new();
        let head = head(Metadata::empty(), &[]);
        let most = u32::MAX as usize - 16 - 2;
        assert_eq!(encode_head(&mut out, &head, most + 1), Err(EncodeError { len: most + 1 + 34 }));
        assert!(out.is_empty());
        assert!(encode_head(&mut out, &head, usize::MAX).is_err());
        encode_head(&mut out, &head, most).unwrap();
        assert_eq!(out[12..16], [255; 4]);
    }

    #[test]
    fn extra_pairs_replace_pairs_of_the_same_key() {
        let metadata = Metadata::from_iter([("a", "1"), ("b", "2"), ("c", "3")]);
        let mut out = Vec::new();
        encode(&mut out, &head(&metadata, &[("b", "new"), ("d", "4")]), b"x").unwrap();
        let frame = decode(&out);
        let pairs = frame.metadata();
        assert_eq!(pairs.pairs().count(), 4, "the replaced pair is not on the wire");
        assert_eq!(pairs, Metadata::from_iter([("a", "1"), ("b", "new"), ("c", "3"), ("d", "4")]));
        assert_eq!(out.len(), head(&metadata, &[("b", "new"), ("d", "4")]).wire_len(1));
    }

    #[test]
    fn an_encoded_frame_can_be_changed_in_place() {
        let mut out = Vec::new();
        encode(&mut out, &head(Metadata::empty(), &[]), b"x").unwrap();
        set_seq(&mut out, 0x0102_0304_0506_0708);
        mark_response(&mut out);
        let frame = decode(&out);
        assert_eq!(*frame.header(), Header::request(SerializeType::RAW, 0x0102_0304_0506_0708).as_response());
        set_seq(&mut [0; 11], 1);
        mark_response(&mut []);
    }

    #[test]
    fn a_heartbeat_comes_back_as_it_was() {
        let metadata = Metadata::from_iter([("__rpcx_features", "client:cancel"), ("a", "1")]);
        let header = Header::request(SerializeType::MSGPACK, 9)
            .with_heartbeat(true)
            .with_oneway(true)
            .with_version(7)
            .with_compress(CompressType::GZIP);
        let mut wire = Vec::new();
        encode(&mut wire, &Head { header, service: b"s", method: b"", metadata: &metadata, extra: &[] }, b"payload")
            .unwrap();
        let heartbeat = decode(&wire);

        let mut echo = Vec::new();
        echo_heartbeat(&mut echo, &heartbeat, None).unwrap();
        mark_response(&mut wire);
        assert_eq!(echo, wire);

        echo.clear();
        echo_heartbeat(&mut echo, &heartbeat, Some(("__rpcx_features", "server:code"))).unwrap();
        let answer = decode(&echo);
        assert_eq!((*answer.header(), answer.payload()), (header.as_response(), &b"payload"[..]));
        assert_eq!(answer.metadata(), Metadata::from_iter([("a", "1"), ("__rpcx_features", "server:code")]));
    }
}
