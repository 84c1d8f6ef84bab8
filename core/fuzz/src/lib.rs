//! What the fuzz targets do with their input. The tests of the crates that they are about run the same functions over
//! the corpus and over random changes of it, without a fuzzer.
//!
//! `tests/stages/run fuzz` runs them all; with cargo-fuzz and a nightly compiler, in `core/`: `cargo +nightly fuzz run
//! decode_frames`.

mod codecs;
mod texts;
mod wire;

pub use codecs::payloads;
pub use texts::texts;
pub use wire::{decode_frames, decompress, metadata, pending_ops};
