//! What the tests share: golden vectors, and a decoder fed in pieces.
#![allow(dead_code, reason = "each test file uses a part")]

use rpcx_protocol::{DecodeError, Decoded, Decoder, Frame, Limits};
use serde::de::DeserializeOwned;

/// A file of `tests/vectors`.
pub(crate) fn vectors<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/../../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

/// Feeds `wire` in pieces of the given sizes, repeated, and calls the decoder after each.
pub(crate) fn decode_pieces(
    wire: &[u8],
    limits: Limits,
    sizes: impl IntoIterator<Item = usize>,
) -> Result<Vec<Decoded>, DecodeError> {
    let mut decoder = Decoder::new(limits);
    let mut found = Vec::new();
    let mut rest = wire;
    let mut sizes = sizes.into_iter();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        rest = after;
        decoder.buffer().extend_from_slice(piece);
        while let Some(decoded) = decoder.next()? {
            found.push(decoded);
        }
    }
    Ok(found)
}

/// The one frame that `wire` is.
pub(crate) fn one_frame(wire: &[u8], sizes: impl IntoIterator<Item = usize>) -> Frame {
    let mut found = decode_pieces(wire, Limits::default(), sizes).expect("a frame");
    match (found.pop(), found.is_empty()) {
        (Some(Decoded::Frame(frame)), true) if frame.wire_len() == wire.len() => frame,
        other => panic!("{other:?}"),
    }
}

/// Sizes from 1 to `max` that are the same in every run.
pub(crate) fn random_sizes(seed: u64, max: usize) -> impl Iterator<Item = usize> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % max + 1
    })
}
