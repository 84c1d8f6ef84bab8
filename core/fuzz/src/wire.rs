//! Targets over the wire protocol: frames, metadata, compressed payloads, the table of calls.

use std::collections::HashMap;

use bytes::Bytes;
use rpcx_protocol::{
    CompressError, CompressType, Compressors, DecodeError, Decoded, Decoder, GaveUp, Head, Limits, Metadata, Pending,
    encode,
};

/// Frames: the first byte is the size of the pieces in which the others arrive.
///
/// # Panics
/// When a decoded frame does not encode to the same bytes, or the pieces make a difference.
pub fn decode_frames(data: &[u8]) {
    let Some((&piece, wire)) = data.split_first() else { return };
    let limits = Limits { max_message_size: 4096, max_metadata_size: 256, max_metadata_pairs: 8 };
    let whole = decode_all(wire, wire.len().max(1), limits);
    let pieces = decode_all(wire, usize::from(piece) + 1, limits);
    assert_eq!(whole, pieces, "pieces of {} bytes", usize::from(piece) + 1);
}

/// Frames as they would be sent, and refusals, up to the end or an error.
fn decode_all(wire: &[u8], piece: usize, limits: Limits) -> (Vec<Vec<u8>>, Option<DecodeError>) {
    let mut decoder = Decoder::new(limits);
    let (mut found, mut at) = (Vec::new(), 0);
    for piece in wire.chunks(piece) {
        decoder.buffer().extend_from_slice(piece);
        loop {
            match decoder.next() {
                Ok(Some(Decoded::Frame(frame))) => {
                    let metadata = frame.metadata();
                    let (header, service, method) = (*frame.header(), frame.service(), frame.method());
                    let mut again = Vec::new();
                    let head = Head { header, service, method, metadata: &metadata, extra: &[] };
                    encode(&mut again, &head, frame.payload()).expect("it came as a frame");
                    let mut original = wire[at..at + frame.wire_len()].to_vec();
                    original[3] &= 0xf0; // reserved bits
                    assert_eq!(again, original);
                    assert!(frame.error().is_some() || !header.status().is_error());
                    assert!(frame.service_str().chars().count() <= service.len());
                    at += frame.wire_len();
                    found.push(again);
                }
                Ok(Some(Decoded::Refused(refused))) => {
                    assert!(refused.size > refused.max);
                    let total = wire[at + 12..at + 16].try_into().map(u32::from_be_bytes).expect("four bytes");
                    at += 16 + total as usize;
                    found.push([refused.limit.as_bytes(), &refused.service, &refused.method].concat());
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next().err().as_ref(), Some(&error), "an error stays");
                    return (found, Some(error));
                }
            }
        }
        assert!((1..=64 << 10).contains(&decoder.needed()));
    }
    (found, None)
}

/// A metadata block, and changes to it.
///
/// # Panics
/// When it does not behave like a map.
pub fn metadata(data: &[u8]) {
    let limits = Limits { max_metadata_pairs: 1000, ..Limits::default() };
    let Ok(mut metadata) = Metadata::decode(Bytes::copy_from_slice(data), &limits) else { return };
    assert_eq!(metadata.block(), data);
    let mut model = HashMap::<String, String>::new();
    for (key, value) in metadata.iter() {
        assert!(model.insert(key.into(), value.into()).is_none(), "{key:?} twice");
    }
    assert_eq!(metadata.len(), model.len());
    for (at, key) in model.clone().keys().enumerate() {
        assert_eq!(metadata.get(key), model.get(key).map(String::as_str));
        if at % 3 == 0 {
            assert!(metadata.remove(key) && !metadata.contains(key));
            model.remove(key);
        } else {
            metadata.insert(key, key.repeat(at % 2));
            model.insert(key.clone(), key.repeat(at % 2));
        }
    }
    assert_eq!(metadata, model.iter().collect());
    let again = Metadata::decode(Bytes::copy_from_slice(metadata.block()), &limits).expect("our own block");
    assert_eq!((again.len(), &again), (model.len(), &metadata));
}

/// A compressed payload: the first byte chooses the compressor, the second the limit.
///
/// # Panics
/// When more comes out than allowed, or what came out does not survive the compressor.
pub fn decompress(data: &[u8]) {
    let [kind, limit, payload @ ..] = data else { return };
    let Some(compress) = CompressType::new(kind % 4 + 1) else { return };
    let compressors = Compressors::default();
    let Some(compressor) = compressors.get(compress) else { return };
    let limit = usize::from(*limit) << 8;
    let mut out = b"before".to_vec();
    let result = compressor.decompress(payload, &mut out, limit);
    assert_eq!(&out[..6], b"before");
    assert!(out.len() <= 6 + limit && out.capacity() <= 64 + limit);
    match result {
        Ok(()) => {
            let (mut wire, mut again) = (Vec::new(), Vec::new());
            compressor.compress(&out, &mut wire).expect("compresses");
            compressor.decompress(&wire, &mut again, out.len()).expect("our own bytes");
            assert_eq!(again, out);
        }
        Err(CompressError::TooLarge { limit: reported }) => assert_eq!((reported, out.len()), (limit, 6)),
        Err(CompressError::Corrupt(text)) => assert!(!text.is_empty() && out.len() == 6),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Waiting(usize),
    Settled(usize),
    Lingering,
}

/// Operations on the table of calls: the first byte is its size and where its numbers start; then, for each operation, a
/// byte for what and a byte for which call.
///
/// # Panics
/// When the table does not do what a map by sequence number does.
pub fn pending_ops(data: &[u8]) {
    let Some((&setup, operations)) = data.split_first() else { return };
    let max = usize::from(setup & 0x7f);
    let start = if setup & 0x80 == 0 { 0 } else { (1 << 31) - 40 };
    let mut pending = Pending::<usize, usize>::starting_at(max, start);
    let mut model = HashMap::<u32, Call>::new();
    let mut given = vec![start];
    for (step, operation) in operations.chunks_exact(2).enumerate() {
        let seq = given[given.len() - 1 - usize::from(operation[1]) % given.len()];
        let call = model.get(&seq).copied();
        match operation[0] % 8 {
            0 | 1 => match pending.begin(step) {
                Ok(seq) => {
                    assert!(model.insert(seq, Call::Waiting(step)).is_none() && model.len() <= max);
                    given.push(seq);
                }
                Err(waiter) => assert_eq!((waiter, model.len()), (step, max)),
            },
            2 => {
                let waiter = pending.complete(u64::from(seq));
                assert_eq!(waiter.map(Call::Waiting), call.filter(|call| matches!(call, Call::Waiting(_))));
                if !matches!(call, Some(Call::Settled(_))) {
                    model.remove(&seq);
                }
            }
            3 => {
                let waiter = pending.settle(u64::from(seq), step);
                assert_eq!(waiter.map(Call::Waiting), call.filter(|call| matches!(call, Call::Waiting(_))));
                match call {
                    Some(Call::Waiting(_)) => drop(model.insert(seq, Call::Settled(step))),
                    Some(Call::Lingering) => drop(model.remove(&seq)),
                    _ => {}
                }
            }
            4 => {
                let result = pending.take(seq);
                assert_eq!(result.map(Call::Settled), call.filter(|call| matches!(call, Call::Settled(_))));
                if result.is_some() {
                    model.remove(&seq);
                }
            }
            5 => {
                let sent = operation[0] & 0x80 != 0;
                match (pending.give_up(seq, sent), call) {
                    (Some(GaveUp::Waiting(waiter)), Some(Call::Waiting(expected))) => {
                        assert_eq!(waiter, expected);
                        if sent {
                            model.insert(seq, Call::Lingering)
                        } else {
                            model.remove(&seq)
                        };
                    }
                    (Some(GaveUp::Settled(result)), Some(Call::Settled(expected))) => {
                        assert_eq!(result, expected);
                        model.remove(&seq);
                    }
                    (None, None | Some(Call::Lingering)) => {}
                    other => panic!("{other:?}"),
                }
            }
            6 if operation[1] == 0xff => {
                let drained = pending.drain().collect::<HashMap<_, _>>();
                model.retain(|seq, call| match *call {
                    Call::Waiting(waiter) => {
                        assert_eq!(drained.get(seq), Some(&waiter));
                        false
                    }
                    Call::Lingering => false,
                    Call::Settled(_) => true,
                });
            }
            6 => {
                let seq = pending.skip_seq();
                assert!(seq < 1 << 31 && !model.contains_key(&seq));
                given.push(seq);
            }
            _ => pending.release(),
        }
        assert_eq!(pending.in_use(), model.len());
        let waiting = model.values().filter(|call| matches!(call, Call::Waiting(_))).count();
        assert_eq!((pending.len(), pending.is_empty()), (waiting, waiting == 0));
        assert_eq!(pending.lingering(), model.values().filter(|call| **call == Call::Lingering).count());
    }
}
