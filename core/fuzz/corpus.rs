//! Fuzzing without a fuzzer: runs a target over its corpus and over changes of it that are the same every time. The
//! tests of several crates include this file.

use std::path::Path;

/// Runs the target over the files of `corpus/NAME` below `fuzz`, and then over so many changes of them.
pub(crate) fn run(fuzz: &str, name: &str, target: fn(&[u8]), changes: usize) {
    let folder = Path::new(fuzz).join("corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut corpus = entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect::<Vec<_>>();
    assert!(corpus.len() >= 3, "{} files in {}", corpus.len(), folder.display());
    corpus.sort();
    target(&[]);
    corpus.iter().for_each(|input| target(input));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below.max(1)
    };
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
