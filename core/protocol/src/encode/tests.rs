//! Tests of encoding: every way gives the same bytes, values and payloads are replaced in place, heartbeats come back.

use super::*;

#[test]
fn a_replaced_value_gives_the_frame_that_would_have_been_encoded() {
    let pairs = Metadata::from_iter([("k", "kept"), ("left", "of the caller's own")]);
    let head = Head { metadata: &pairs, ..Head::new(Header::request(crate::SerializeType::JSON, 7), b"Arith", b"") };
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
