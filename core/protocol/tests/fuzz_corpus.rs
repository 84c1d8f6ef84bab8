//! A short run of the fuzz targets without a fuzzer: their corpus, and random changes of it that are the same every time.

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a crate of its own for the fuzzer")]
mod targets;

mod common;

use std::path::Path;

use common::random_sizes;

fn run(name: &str, target: fn(&[u8]), changes: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut corpus = entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect::<Vec<_>>();
    assert!(corpus.len() >= 3, "{} files in {}", corpus.len(), folder.display());
    corpus.sort();
    target(&[]);
    corpus.iter().for_each(|input| target(input));
    let mut random = random_sizes(1, usize::MAX);
    let mut next = |below: usize| random.next().unwrap_or(0) % below.max(1);
    for _ in 0..changes {
        let mut input = corpus[next(corpus.len())].clone();
        for _ in 0..=next(4) {
            let other = &corpus[next(corpus.len())];
            change(&mut input, other, &mut next);
        }
        target(&input);
    }
}

/// One of the changes that fuzzers make.
fn change(input: &mut Vec<u8>, other: &[u8], next: &mut impl FnMut(usize) -> usize) {
    let at = next(input.len() + 1);
    match next(7) {
        0 => input.truncate(at),
        1 => input.insert(at, next(256) as u8),
        2 => drop(input.drain(at..(at + next(9)).min(input.len()))),
        3 => drop(input.splice(at.., other[next(other.len() + 1)..].iter().copied())),
        4 => {
            // Where length words are compared.
            let word = [0, 1, 15, 16, 4096, 4097, u32::MAX - 3, u32::MAX][next(8)];
            if let Some(field) = input.get_mut(at..at + 4) {
                field.copy_from_slice(&word.to_be_bytes());
            }
        }
        5 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << next(8);
            }
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte = byte.wrapping_add_signed(next(7) as i8 - 3);
            }
        }
    }
}

#[test]
fn decode_frames() {
    run("decode_frames", targets::decode_frames, 20_000);
}

#[test]
fn metadata() {
    run("metadata", targets::metadata, 20_000);
}

#[test]
fn decompress() {
    run("decompress", targets::decompress, 5000);
}

#[test]
fn pending_ops() {
    run("pending_ops", targets::pending_ops, 20_000);
}
