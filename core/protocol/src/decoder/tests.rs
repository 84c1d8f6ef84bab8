//! Tests of the decoder: frames, pieces, refusals, and what breaks a connection.

use super::*;
use crate::{Head, Metadata, SerializeType, encode};

fn wire(seq: u64, metadata: &Metadata, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = Header::request(SerializeType::RAW, seq);
    encode(&mut out, &Head { header, service: b"Arith", method: b"Mul", metadata, extra: &[] }, payload).unwrap();
    out
}

fn decoder(limits: Limits, bytes: &[u8]) -> Decoder {
    let mut decoder = Decoder::new(limits);
    decoder.buffer().extend_from_slice(bytes);
    decoder
}

fn error(bytes: &[u8]) -> DecodeError {
    let mut decoder = decoder(Limits::default(), bytes);
    let error = decoder.next().unwrap_err();
    assert_eq!(decoder.next().unwrap_err(), error, "an error stays");
    error
}

#[test]
fn several_frames_of_one_read_come_in_turn() {
    let mut bytes = wire(1, Metadata::empty(), b"a");
    bytes.extend(wire(2, Metadata::empty(), b""));
    bytes.extend(&wire(3, Metadata::empty(), b"c")[..20]);
    let mut decoder = decoder(Limits::default(), &bytes);
    for seq in [1, 2] {
        assert!(matches!(decoder.next(), Ok(Some(Decoded::Frame(frame))) if frame.header().seq == seq));
    }
    assert!(decoder.next().unwrap().is_none());
    assert_eq!(decoder.needed(), wire(3, Metadata::empty(), b"c").len() - 20);
    assert!(decoder.is_inside_frame() && decoder.take_buffer().is_none());
}

#[test]
fn what_is_no_frame_is_an_error_that_says_why() {
    assert_eq!(error(b"GET / HTTP/1.1"), DecodeError::BadMagic(b'G'));
    assert_eq!(error(b"\x09").to_string(), "wrong magic number 0x09: a frame begins with 0x08");
    let good = wire(1, Metadata::empty(), b"payload");
    let with = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        bytes
    };
    assert_eq!(error(&with(12, 15)), DecodeError::Total { total: 15 });
    let inner = |field, length, left| DecodeError::Inner { field, length, left };
    let total = good.len() as u32 - 16;
    assert_eq!(error(&with(16, total - 15)), inner("service path", total - 15, total - 16));
    assert_eq!(error(&with(25, u32::MAX)), inner("service method", u32::MAX, 3 + 7));
    assert_eq!(error(&with(32, 8)), inner("metadata", 8, 7));
    assert_eq!(error(&with(36, 6)), inner("payload", 6, 7));
    assert_eq!(
        error(&with(36, 8)).to_string(),
        "length word of the payload says 8, but the frame has 7 bytes left for it"
    );
}

#[test]
fn a_frame_above_the_size_limit_is_reported_once_and_skipped() {
    let limits = Limits { max_message_size: 100, ..Limits::default() };
    let large = wire(7, Metadata::empty(), &[0; 1000]);
    let mut decoder = decoder(limits, &large[..16]);
    let Ok(Some(Decoded::Refused(refused))) = decoder.next() else { panic!() };
    assert_eq!((refused.header.seq, refused.limit, refused.max), (7, Limits::MESSAGE_SIZE, 100));
    assert_eq!(refused.size, large.len() as u64 - 16);
    assert!(decoder.is_inside_frame() && decoder.is_empty());
    for piece in large[16..].chunks(100) {
        assert!(decoder.next().unwrap().is_none());
        assert!(decoder.needed() > 0);
        decoder.buffer().extend_from_slice(piece);
    }
    decoder.buffer().extend_from_slice(&wire(8, Metadata::empty(), b"x"));
    assert!(matches!(decoder.next(), Ok(Some(Decoded::Frame(frame))) if frame.header().seq == 8));
    assert!(!decoder.is_inside_frame());
}

#[test]
fn a_total_of_4_gib_reserves_nothing() {
    let mut bytes = wire(1, Metadata::empty(), b"");
    bytes[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut limited = decoder(Limits::default(), &bytes[..16]);
    assert!(matches!(limited.next(), Ok(Some(Decoded::Refused(_)))));
    let mut unlimited = decoder(Limits { max_message_size: usize::MAX, ..Limits::default() }, &bytes);
    assert!(unlimited.next().unwrap().is_none());
    assert_eq!(unlimited.needed() as u64, CHUNK);
}

#[test]
fn metadata_above_a_limit_is_refused_with_the_names() {
    let limits = Limits { max_metadata_size: 64, max_metadata_pairs: 2, ..Limits::default() };
    let pairs = Metadata::from_iter([("a", "1"), ("b", "2"), ("c", "3")]);
    let long = Metadata::from_iter([("a", "x".repeat(64))]);
    let bytes = [wire(1, &pairs, b"p"), wire(2, &long, b"p"), wire(3, Metadata::empty(), b"p")].concat();
    let mut decoder = decoder(limits, &bytes);
    for (limit, size) in [(Limits::METADATA_PAIRS, 3), (Limits::METADATA_SIZE, 73)] {
        let Ok(Some(Decoded::Refused(refused))) = decoder.next() else { panic!() };
        assert_eq!((refused.limit, refused.size), (limit, size));
        assert_eq!((&refused.service[..], &refused.method[..]), (&b"Arith"[..], &b"Mul"[..]));
        assert_eq!(refused.reason().limit, limit);
    }
    assert!(matches!(decoder.next(), Ok(Some(Decoded::Frame(frame))) if frame.header().seq == 3));
}

#[test]
fn an_empty_buffer_can_be_lent() {
    let mut decoder = decoder(Limits::default(), &wire(1, Metadata::empty(), b"x"));
    assert!(decoder.take_buffer().is_none());
    assert!(matches!(decoder.next(), Ok(Some(Decoded::Frame(_)))));
    let mut buffer = decoder.take_buffer().unwrap();
    buffer.extend_from_slice(b"rubbish");
    decoder.put_buffer(buffer);
    assert!(decoder.is_empty() && decoder.next().unwrap().is_none());
}

#[test]
fn a_large_frame_is_not_copied_at_every_read() {
    let large = wire(1, Metadata::empty(), &vec![0; 16 << 20]);
    let mut decoder = Decoder::new(Limits::default());
    let (mut at, mut moves, mut place) = (0, 0, decoder.buffer().as_ptr());
    while decoder.next().unwrap().is_none() {
        let needed = decoder.needed();
        assert!(needed <= large.len() - at && needed as u64 <= CHUNK);
        decoder.buffer().reserve(needed);
        decoder.buffer().extend_from_slice(&large[at..at + needed]);
        at += needed;
        moves += u32::from(decoder.buffer().as_ptr() != place);
        place = decoder.buffer().as_ptr();
    }
    assert!(at == large.len() && moves < 20, "{moves} moves");
}
